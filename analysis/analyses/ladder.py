"""Which levels of a ladder are compared: every level with the comparator that the study names, and two or more with one.

Owns the levels and the second step. What a comparison is made of belongs to the analyses that read this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.study.spec import Contrast, Estimator

LEVELS = ("0", "1", ">=2")
SECOND_STEP = (">=2",)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A contrast with the levels that are told against its comparator level."""

    contrast: Contrast
    levels: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole ladder and not its second step alone."""
        return self.levels != SECOND_STEP


def comparisons(contrasts: Sequence[Contrast], estimators: Sequence[Estimator]) -> list[Comparison]:
    """The comparisons of these estimators in the order of the study: each contrast, and behind it >= 2 against 1.

    The second step is left out where the study asks for comparator level 1 of the same estimator, outcome and ladder itself.
    """
    chosen = [contrast for contrast in contrasts if contrast.estimator in estimators]
    from_one = {_asked(contrast) for contrast in chosen if contrast.comparator_level == "1"}
    found = []
    for contrast in chosen:
        found.append(Comparison(contrast, tuple(level for level in LEVELS if level != contrast.comparator_level)))
        if _asked(contrast) not in from_one:
            found.append(Comparison(contrast.model_copy(update={"comparator_level": "1"}), SECOND_STEP))
    return found


def _asked(contrast: Contrast) -> tuple[str, str, str]:
    return contrast.estimator, contrast.outcome, contrast.ladder
