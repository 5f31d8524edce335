"""How often care items are met in a simulated world: shares, all of which the truth tells.

Owns the values and what the truth tells of them; what is written for them is in `care.py`.
Source: Coexposure's clinical content, section 7.5.
"""

from __future__ import annotations

from dataclasses import dataclass

# The score of a review by indication, with its least and highest value, and whose visit it is.
INSTRUMENTS = {
    "allergic asthma": ("ACT", 5, 25), "chronic spontaneous urticaria": ("UAS7", 0, 42), "Crohn disease": ("HBI", 0, 16),
    "ulcerative colitis": ("Mayo", 0, 12), "psoriasis": ("PASI", 0, 72),
}  # fmt: skip
OTHER_INSTRUMENT = ("DAS28", 0, 10)
SPECIALTY = {"type2": "Allergology", "immune": "Gastroenterology"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CarePlan:
    """Shares of first doses, doses, persons or years at which something is done and recorded; antibodies per month.

    `screened`, `screened_late`: before the first infliximab, and in the 60 days after it. `ltbi`: of those screened before;
    `treated`: of the positive, 28 days or more before. `observed_first`, `observed_later`: 120 minutes after the first three
    supervised doses of omalizumab and after later ones. `home_later`, `minutes_missing`: of doses from the fourth on, and of
    supervised doses. `immunomodulator_ratio`: hazard ratio of antibodies.
    """

    screened: float = 0.88
    screened_late: float = 0.06
    ltbi: float = 0.05
    treated: float = 0.80
    autoinjector: float = 0.75
    observed_first: float = 0.60
    observed_later: float = 0.25
    home_later: float = 0.30
    minutes_missing: float = 0.10
    review_8_12_weeks: float = 0.72
    annual_review: float = 0.81
    contraindication: float = 0.005
    antibodies_per_month: float = 0.020
    immunomodulator_ratio: float = 0.4


def planted_care(plan: CarePlan | None) -> list[dict[str, object]]:
    """The planted shares with the care item and policy that each is the truth of; doses by their number where it matters."""
    if plan is None:
        return []
    found: list[dict[str, object]] = [
        {"care_item_id": item, "policy": "source_article", "dose": dose, "share_met": share}
        for item, dose, share in (
            ("A16", "", plan.screened),
            ("A17", "", plan.treated),
            ("A12", "", plan.autoinjector),
            ("A11", "1 to 3", plan.observed_first),
            ("A11", "4 and later", plan.observed_later),
            ("A23", "", plan.review_8_12_weeks),
            ("A25", "", plan.annual_review),
            ("A21", "", 1.0 - plan.contraindication),
        )
    ]
    return found
