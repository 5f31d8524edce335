"""E-values: how strong unmeasured confounding would have to be to explain a ratio away.

Owns the E-value of a ratio and of its limit. Confounding that is measured belongs in regression and matching.
Source: VanderWeele and Ding 2017, Ann Intern Med 167:268.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

from analysis.estimate.result import Answer, EstimationError, not_estimable

RatioScale = Literal["risk_ratio", "odds_ratio_rare", "odds_ratio_common", "hazard_ratio_rare", "hazard_ratio_common"]


def e_value(ratio: Answer, *, scale: RatioScale) -> Answer:
    """Least risk ratio of a confounder with exposure and with outcome that could move the estimate to 1.

    `ratio`: an answer with limits. `scale`: what it is; `rare` where at most some 15% have the outcome by the end of
    follow-up. `value` is for the estimate, `lower` for the limit nearer to 1: 1 where the limits hold 1. There is no upper
    limit. An estimate of 0 or without a value has `lower` only (`limit_only`). A rate ratio is a `risk_ratio`.
    Misleads as a measure of how likely confounding is: the same number is large where known confounders are weak and small
    where they are strong, and it says nothing of selection or misclassification.
    Raises EstimationError for a negative ratio or an unknown scale.
    Source: VanderWeele and Ding 2017; common outcomes by the square root (odds ratio) and by (1 - 0.5^sqrt(HR)) /
    (1 - 0.5^sqrt(1/HR)) (hazard ratio), VanderWeele 2017, Epidemiology 28:e58 and 2020, Biometrics 76:746.
    """
    method = f"e_value_{scale}"
    if scale not in get_args(RatioScale):
        raise EstimationError(f"unknown scale of a ratio: {scale!r}")
    if any(number is not None and number < 0.0 for number in (ratio.value, ratio.lower, ratio.upper)):
        raise EstimationError("a ratio is not negative")
    if ratio.status not in ("ok", "limit_only"):
        return not_estimable(method, f"no ratio: {ratio.reason}", event_count=ratio.event_count)
    limit = _nearer_limit(ratio)
    value = None if not ratio.value else _e_value(ratio.value, scale)
    lower = None if limit is None else _e_value(limit, scale)
    if value is None and lower is None:
        return not_estimable(method, "neither the ratio nor a limit is above 0", event_count=ratio.event_count)
    return Answer(
        method=method,
        value=value,
        lower=lower,
        confidence_level=ratio.confidence_level,
        person_count=ratio.person_count,
        event_count=ratio.event_count,
        person_days=ratio.person_days,
        status="limit_only" if value is None else "ok",
        reason="no confounding of finite strength explains a ratio of 0 or infinity" if value is None else "",
    )


def _nearer_limit(ratio: Answer) -> float | None:
    """The limit on the side of 1, or 1 where the limits hold it; None where that side has no limit."""
    if ratio.value is None or ratio.value == 1.0:
        # Without a value the one limit says on which side the estimate lies: a lower limit below 1 leaves 1 possible.
        if ratio.value == 1.0:
            return 1.0
        return max(1.0, ratio.lower) if ratio.lower is not None else min(1.0, ratio.upper or 1.0)
    if ratio.value > 1.0:
        return None if ratio.lower is None else max(1.0, ratio.lower)
    return None if ratio.upper is None else min(1.0, ratio.upper)


def _e_value(ratio: float, scale: RatioScale) -> float:
    away = _risk_ratio(max(ratio, 1.0 / ratio), scale)
    return away + math.sqrt(away * (away - 1.0))


def _risk_ratio(ratio: float, scale: RatioScale) -> float:
    """The risk ratio, from 1, that a ratio from 1 on this scale stands for."""
    if scale == "odds_ratio_common":
        return math.sqrt(ratio)
    if scale == "hazard_ratio_common":
        # 1 - 0.5^x as -expm1: the difference with 1 would lose the digits of a small x.
        return max(1.0, math.expm1(-math.log(2.0) * math.sqrt(ratio)) / math.expm1(-math.log(2.0) / math.sqrt(ratio)))
    return ratio
