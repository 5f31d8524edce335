"""Reactions to doses as they are planted: how many, after which dose, how late and how many with a date only.

Owns the values. What is drawn from them is in `reactions.py`. Numbers: Coexposure's clinical content, section 7.5.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionPlan:
    """Anaphylaxis to one drug. `risk`: per person with a dose. `latency`: from minute (exclusive), to minute, share; shares sum to 1."""

    drug_id: str = "omalizumab"
    outcome_id: str = "anaphylaxis"
    term: str = "Anaphylactic reaction"
    risk: float = 0.02
    dose_shares: tuple[tuple[str, float], ...] = (("1", 0.39), ("2", 0.19), ("3", 0.10), (">=4", 0.32))
    latency: tuple[tuple[int, int, float], ...] = (
        (0, 30, 0.42), (30, 60, 0.22), (60, 120, 0.08), (120, 360, 0.05), (360, 720, 0.12), (720, 1440, 0.11),
    )  # fmt: skip
    date_only_share: float = 0.08
    first_minute: int = 8 * 60
    last_minute: int = 17 * 60

    @property
    def late_share(self) -> float:
        """Share later than an hour."""
        return sum(share for over, _, share in self.latency if over >= 60)
