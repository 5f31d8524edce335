"""What a confidence level means: the tail on each side of a two-sided interval and its normal quantile.

Owns the check of a confidence level. Does not estimate anything.
"""

from __future__ import annotations

import math

from scipy.special import ndtri

from analysis.estimate.result import EstimationError

# A ratio or limit beyond e^230, 1e100, is separation and no number; its exponential would still be one.
LARGEST_LOG_RATIO = 230.0


def tail_probability(confidence: float) -> float:
    """Probability beyond one limit of the two-sided interval: 0.025 at 0.95.

    Raises EstimationError for a confidence outside (0, 1).
    """
    if not 0.0 < confidence < 1.0:
        raise EstimationError(f"a confidence level lies between 0 and 1, got {confidence}")
    return (1.0 - confidence) / 2.0


def normal_quantile(confidence: float) -> float:
    """Standard errors from the estimate to its limit: 1.959964 at 0.95."""
    return float(-ndtri(tail_probability(confidence)))


def wald_p_value(z: float) -> float:
    """Two-sided probability of a standard normal at least as far from zero as `z`."""
    return math.erfc(abs(z) / math.sqrt(2.0))
