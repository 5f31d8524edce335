"""How those who add a drug are compared with those who do not, and what an estimate must pass to be read.

Owns the sections `[comparison]` and `[diagnostics]` of the study file. How controls are matched to cases is in `spec.py`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from analysis.study.section import Days, Section


class Comparison(Section):
    """Comparators of those who add a second drug: on the same drug alone, for as long, on the same day, for the same condition."""

    comparators_drawn: Annotated[int, Field(ge=1, le=100)] = Field(
        10, description="Most comparators drawn for each person who adds a drug; propensity scores weigh or match them."
    )
    comparators_matched: Annotated[int, Field(ge=1, le=20)] = Field(4, description="Most comparators matched to each.")
    start_caliper_days: Days = Field(90, description="Most days between the starts of the first drug.")
    match_indication: bool = Field(True, description="Comparators have the indication of the person who adds a drug.")
    horizon_days: Annotated[int, Field(ge=1, le=36_500)] = Field(
        365, description="Follow-up where the first exposure is carried forward."
    )
    seed: Annotated[int, Field(ge=0, le=2**62)] = Field(1, description="Another seed draws other comparators.")


class Diagnostics(Section):
    """Gates: an estimate that fails one is stored and shown as failed."""

    largest_difference: Annotated[float, Field(gt=0, le=1)] = Field(
        0.1, description="Largest standardised difference of a baseline covariate that still counts as balanced."
    )
    equipoise_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="Least share of either group with a preference score of 0.3 to 0.7."
    )
    detectable_ratio: Annotated[float, Field(gt=1)] = Field(
        10.0, description="Largest minimal detectable ratio at the power below that still counts as informative."
    )
    power: Annotated[float, Field(ge=0.5, lt=1)] = 0.8
    controls_off_null: Annotated[int, Field(ge=0)] = Field(
        1, description="Most negative controls whose limits may exclude no effect."
    )
    systematic_error: Annotated[float, Field(gt=0)] = Field(
        0.25,
        description="Largest expected absolute systematic error, on the log scale, by calibrated negative controls.",
    )
    controls_to_calibrate: Annotated[int, Field(ge=2)] = Field(
        10, description="Negative controls with an estimate from which estimates are calibrated."
    )
