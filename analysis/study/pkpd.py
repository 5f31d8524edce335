"""Settings of the omalizumab-IgE model: which published set, how symptoms follow, and what is stored of the courses.

Owns the section `[pkpd]` of the study file. Its rows in `spec.*` are in `pkpd_tables.py`, the model in `analysis/pkpd/`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from analysis.study.section import Section


class Pkpd(Section):
    """The omalizumab-IgE model."""

    model: Literal["lowe", "hayashi"] = Field("lowe", description="Published parameter set: Lowe 2009 or Hayashi 2007.")
    anchor: Literal["clearance", "production", "published"] = Field(
        "clearance", description="What gives way so that the baseline IgE of a person is steady."
    )
    dose_tolerance: Annotated[float, Field(ge=0, lt=0.5)] = Field(
        0.15, description="Share by which dose and interval may differ from the table and still be the same."
    )
    course_every_days: Annotated[int, Field(ge=1, le=365)] | None = Field(
        None, description="Store the course of every person at days so far apart; none is stored without it."
    )
    stop_days: Annotated[int, Field(ge=14, le=365)] = Field(
        56, description="A dose of omalizumab that none follows for so long is the last before a stop."
    )
    follow_up_days: Annotated[int, Field(ge=28, le=3650)] = Field(
        365, description="Symptoms after a stop are followed for so long."
    )
    ic50_ng_per_ml: Annotated[float, Field(gt=0, le=1000)] = Field(
        19.8, description="Free IgE that drives half of the effect on symptoms (Zhu 2023, lung function of adults)."
    )
    hill: Annotated[float, Field(gt=0, le=30)] = Field(
        3.0, description="Steepness of that drive; an assumption, for 15.9 in print is of lung function."
    )
    response_from_day: Annotated[int, Field(ge=28, le=365)] = Field(
        84, description="First day of the scores by which a person is a responder."
    )
    response_until_day: Annotated[int, Field(ge=28, le=365)] = Field(
        140, description="Last day of those scores: week 16 lies between."
    )
    lost_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="Symptoms are back when so much of what treatment gained is lost."
    )
    treated_days: Annotated[int, Field(ge=7, le=365)] = Field(
        56, description="Scores of so many days before the last dose say what treatment gained."
    )
    symptom_persons: Annotated[int, Field(ge=100, le=100_000)] = Field(
        5_000, description="Where more persons have scores, so many are drawn for the half-times; the report says so."
    )
    replicates: Annotated[int, Field(ge=100, le=10_000)] = Field(
        1_000, description="Persons are drawn again so often for the limits of half-times."
    )
    ige_lag_days: Annotated[int, Field(ge=0, le=365)] = Field(
        1,
        description="Exacerbations are set against free IgE modelled so many days before.",
    )

    @model_validator(mode="after")
    def _rises(self) -> Pkpd:
        if self.response_from_day > self.response_until_day:
            raise ValueError(
                f"response_from_day {self.response_from_day} lies after response_until_day {self.response_until_day}"
            )
        return self
