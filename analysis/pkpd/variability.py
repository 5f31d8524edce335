"""What persons of one weight and IgE differ in: draws of the models' between-person variance.

Owns the draws. Typical values belong in `parameters`.

Lowe's variance of absorption is 2.01 with a standard error of 0.94: it makes 10 % of persons need 15 days to fall below 50 ng/mL,
where typical persons need one. `replaced` puts another variance in its place, such as Hayashi's 0.16; say so where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analysis.pkpd.parameters import ParameterSet
from analysis.pkpd.quantities import Floats, PkpdError


def covariance(published: ParameterSet, *, replaced: Mapping[str, float] | None = None) -> tuple[list[str], Floats]:
    """Parameters that vary between persons, and the covariance matrix of their logarithms.

    Raises PkpdError where a replaced parameter is unknown and where the matrix is no covariance.
    """
    variances = {name: each.variance or 0.0 for name, each in published.parameters.items()} | dict(replaced or {})
    if unknown := variances.keys() - published.parameters.keys():
        raise PkpdError(f"{published.model} has no parameters {sorted(unknown)}")
    names = [name for name in published.parameters if variances[name] != 0.0]
    matrix = np.diag([variances[name] for name in names])
    for (first, second), value in published.covariances.items():
        if {first, second} <= set(names):
            one, other = names.index(first), names.index(second)
            matrix[one, other] = matrix[other, one] = value
    if names and np.linalg.eigvalsh(matrix)[0] <= 0.0:
        raise PkpdError(f"{published.model}: variances and covariances contradict each other")
    return names, matrix


def draws(
    published: ParameterSet, *, count: int, seed: int, replaced: Mapping[str, float] | None = None
) -> dict[str, Floats]:
    """By parameter, `count` draws of how far a person's logarithm is from the typical one; the same for the same seed.

    Raises PkpdError as `covariance` and without a draw.
    """
    if count < 1:
        raise PkpdError(f"at least one draw, not {count}")
    names, matrix = covariance(published, replaced=replaced)
    if not names:
        return {}
    normal = np.random.default_rng(seed).standard_normal((count, len(names)))
    return dict(zip(names, (normal @ np.linalg.cholesky(matrix).T).T, strict=True))
