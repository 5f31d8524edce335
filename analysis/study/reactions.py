"""Settings of reactions after doses and of adverse events by term.

Owns the sections `[reactions]` and `[adverse_events]` of the study file and the rows of `spec.reaction_window`.
"""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import Field, model_validator

from analysis.study.section import Section

Hours = Annotated[int, Field(ge=1, le=336)]
HOURS_PER_DAY = 24


class Reactions(Section):
    """Which reactions belong to a dose."""

    window_hours: Hours = Field(24, description="A reaction so soon after a dose belongs to it.")
    sensitivity_hours: tuple[Hours, ...] = Field((2, 48), description="The same under other windows.")

    @model_validator(mode="after")
    def _apart(self) -> Reactions:
        hours = [self.window_hours, *self.sensitivity_hours]
        if len(set(hours)) != len(hours):
            raise ValueError("window_hours and sensitivity_hours name a window twice")
        return self


class AdverseEvents(Section):
    """Adverse events by term."""

    screen_minimum_count: Annotated[int, Field(ge=1, le=100)] = Field(
        3, description="Fewer events of a term under a regimen: no information component."
    )
    shown_terms: Annotated[int, Field(ge=1, le=200)] = Field(20, description="Terms that the report shows.")


def reaction_window_rows(settings: Reactions) -> pl.DataFrame:
    """Rows of `spec.reaction_window`: each window, in hours, minutes and calendar days after the day of the dose.

    A date alone cannot tell hours: a window of less than a day holds the day of the dose, one of 24 hours the day after too.
    """
    hours = [settings.window_hours, *settings.sensitivity_hours]
    return pl.DataFrame(
        {
            "window_hours": hours,
            "window_minutes": [60 * value for value in hours],
            "window_days": [value // HOURS_PER_DAY for value in hours],
            "is_primary": [value == settings.window_hours for value in hours],
        },
        schema={
            "window_hours": pl.Int64,
            "window_minutes": pl.Int64,
            "window_days": pl.Int64,
            "is_primary": pl.Boolean,
        },
    ).sort("window_hours")
