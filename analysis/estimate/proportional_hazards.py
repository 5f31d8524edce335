"""Whether a hazard ratio holds over the whole of follow-up: the score test of Grambsch and Therneau, exact.

Owns the test per covariate and of all together. What to report when it fails belongs to `piecewise_hazards`; the fit
belongs to `cox`.
Source: Grambsch and Therneau 1994, Biometrika 81:515; Therneau, survival 3.0 (cox.zph), where the test is the score test
of a coefficient that changes with g(t), its information taken at each event time and not as an average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import polars as pl
from scipy.special import chdtrc

from analysis.estimate.counting_process import CountingRows, counting_rows
from analysis.estimate.cox import solution_of
from analysis.estimate.cox_maximum import Top
from analysis.estimate.result import Answer, EstimationError, not_estimable
from analysis.estimate.risk_sets import Floats, Ties

Transform = Literal["km", "identity", "log"]

# Share of a coefficient's information on a change over time that the constant coefficients leave: below, rounding.
_LEAST_SHARE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ProportionalHazards:
    """Chi-squares of proportional hazards: `tests` in the order of `covariates` (1 degree of freedom each), and of all.

    `degrees_of_freedom`: of `all_together`, the covariates that have a coefficient. `transform`: g(t) of the change.
    """

    covariates: tuple[str, ...]
    tests: tuple[Answer, ...]
    all_together: Answer
    degrees_of_freedom: int
    transform: Transform

    def of(self, covariate: str) -> Answer:
        """The test of one covariate.

        Raises EstimationError for a covariate that was not tested.
        """
        if covariate not in self.covariates:
            raise EstimationError(f"no test of {covariate!r}, only of {', '.join(self.covariates)}")
        return self.tests[self.covariates.index(covariate)]


def proportional_hazards_test(
    frame: pl.DataFrame,
    *,
    covariates: Sequence[str],
    transform: Transform,
    ties: Ties,
    cluster: str = "person_id",
    strata: str | None = None,
) -> ProportionalHazards:
    """Chi-square of no change of the log hazard ratio along g(t), per covariate and all together, with its P.

    frame, cluster, strata, ties: as `cox`. g(t) is one less the Kaplan-Meier curve of all rows just before t (`km`, R's
    default, little moved by late events), t in days (`identity`) or its logarithm (`log`, of days above 0). Equal to R's
    cox.zph(fit, transform, terms=FALSE) of survival 3. `value` is the statistic; each covariate is tested with the others
    held constant over time.
    A large P is no evidence of proportional hazards: with few events the test sees little, and a ratio that falls and
    rises again may escape a g(t) that rises only. With many events it finds changes of no consequence: look at the
    piecewise ratios. Takes rows as independent, so that P is too small where persons have several events, and no weights,
    for the score test has no robust variance; the equality of piecewise ratios has one.
    Not estimable: covariates without a coefficient (the reason of `cox`), events on one day only.
    Raises EstimationError as `cox` does, for an unknown transform, and for events not after day 0 under `log`.
    """
    if transform not in get_args(Transform) or ties not in get_args(Ties):
        raise EstimationError(f"unknown transform or handling of ties: {transform!r}, {ties!r}")
    rows = counting_rows(frame, covariates, cluster=cluster, strata=strata)
    solution = solution_of(rows, names=covariates, ties=ties)
    blank = not_estimable(
        f"score_test_{transform}_{ties}",
        "no covariate has a coefficient",
        person_count=int(rows.code.max(initial=-1)) + 1,
        event_count=rows.event_count,
        person_days=rows.person_days,
    )
    answers = [replace(blank, reason=reason or "untested") for reason in solution.reasons]
    together = replace(blank, reason="no events") if not rows.event_count else blank
    tested = [index for index, reason in enumerate(solution.reasons) if not reason]
    if solution.top is not None:
        found = _tested(solution.top, _change(rows, transform), blank)
        together = found.pop()
        for index, answer in zip(tested, found, strict=True):
            answers[index] = answer
    return ProportionalHazards(
        covariates=tuple(covariates),
        tests=tuple(answers),
        all_together=together,
        degrees_of_freedom=len(tested),
        transform=transform,
    )


def _change(rows: CountingRows, transform: Transform) -> Floats:
    """g(t) at each event time of the risk sets: by stratum, then day."""
    stratum = np.zeros(rows.stop.size, dtype=np.int64) if rows.stratum is None else rows.stratum
    days = np.unique(np.column_stack([stratum, rows.stop])[rows.is_event], axis=0)[:, 1]
    if transform == "identity":
        return days.astype(np.float64)
    if transform == "log":
        if days.min() <= 0:
            raise EstimationError(f"events on day {days.min()}: the logarithm needs days above 0")
        logs: Floats = np.log(days)
        return logs
    times, events = np.unique(rows.stop[rows.is_event], return_counts=True)
    begun = np.searchsorted(np.sort(rows.start), times, side="left")
    at_risk = begun - np.searchsorted(np.sort(rows.stop), times, side="left")
    before = np.concatenate(([1.0], np.cumprod(1.0 - events / at_risk)))
    change: Floats = 1.0 - before[np.searchsorted(times, days)]
    return change


def _tested(top: Top, change: Floats, blank: Answer) -> list[Answer]:
    """The test of each covariate of the maximum, then of all together."""
    sets, x, point = top.sets, top.x, top.point
    g = change[sets.slot_time] - change[sets.slot_time].mean()
    spread = float(np.sqrt((g**2).mean()))
    count = x.shape[1]
    if spread == 0.0:
        return [replace(blank, reason="all events fall on one day")] * (count + 1)
    g = g / spread
    own = (change - change[sets.slot_time].mean())[sets.event_times] / spread
    means = point.means(sets)
    score = own @ x[sets.is_event] - g @ means
    mixed, moving = np.empty((count, count)), np.empty((count, count))
    inverse = 1.0 / sets.slot_sums(point.weights)
    for i in range(count):
        for j in range(i + 1):
            product = sets.slot_sums(point.weights * x[:, i] * x[:, j]) * inverse
            variance = product - means[:, i] * means[:, j]
            mixed[i, j] = mixed[j, i] = g @ variance
            moving[i, j] = moving[j, i] = g**2 @ variance
    left = moving - mixed @ np.linalg.solve(point.information, mixed)
    answers = [
        _chi_square(blank, score[i : i + 1], left[i : i + 1, i : i + 1], moving[i : i + 1, i : i + 1])
        for i in range(count)
    ]
    return [*answers, _chi_square(blank, score, left, moving)]


def _chi_square(blank: Answer, score: Floats, information: Floats, whole: Floats) -> Answer:
    scale = np.sqrt(np.diag(whole))
    if scale.min() <= 0.0 or np.linalg.eigvalsh(information / np.outer(scale, scale))[0] < _LEAST_SHARE:
        return replace(blank, reason="events fall on too few days to tell a change from a constant ratio")
    statistic = max(0.0, float(score @ np.linalg.solve(information, score)))
    return replace(blank, status="ok", reason="", value=statistic, p_value=float(chdtrc(score.size, statistic)))
