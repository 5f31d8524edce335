"""What is planted under omalizumab: weight and IgE before it, symptoms and exacerbations; records of numbers with units in their names.

Owns these parts of a profile; the rest is in `design.py`. Source of the defaults: Coexposure's clinical content, section 7.5.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SymptomPlan:
    """Asthma control scores (ACT) under omalizumab: half-times in days, scores in points, exacerbations a person-year.

    The score is a person's own level plus `gain` times what the effect of free IgE has lost. `exacerbations_per_py`: while free IgE
    is below 50 ng/mL, and from there on. Scores end `score_days` after the first dose, exacerbations are recorded throughout.
    """

    responder_share: float = 0.62
    onset_days: float = 28.0
    offset_days: float = 45.0
    ic50_ng_per_ml: float = 19.8
    hill: float = 3.0
    score_before: float = 12.0
    score_before_sd: float = 1.5
    gain: float = 8.0
    gain_sd: float = 1.0
    noise_sd: float = 2.0
    visit_days: int = 30
    visit_scatter_days: int = 4
    days_before: int = 30
    score_days: int = 730
    follow_days: int = 3_650
    exacerbations_per_py: tuple[float, float] = (0.4, 1.6)
    most_exacerbations: int = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class OmalizumabPlan:
    """Weight and IgE before omalizumab: shares of persons by class of their dose, without one or the other, and with IgE on it."""

    class_shares: tuple[tuple[str, float], ...] = (
        ("as_table", 0.70), ("under", 0.15), ("over", 0.10), ("off_table_ige", 0.05),
    )  # fmt: skip
    weight_missing_share: float = 0.08
    ige_missing_share: float = 0.07
    on_treatment_ige_share: float = 0.25
    symptoms: SymptomPlan | None = None
