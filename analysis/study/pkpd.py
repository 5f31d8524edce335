"""Settings of the omalizumab-IgE model: which published set, and what is stored of the courses.

Owns the section `[pkpd]` of the study file. The model is in `analysis/pkpd/`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

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
