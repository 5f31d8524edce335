"""Units, targets and the error of the omalizumab-IgE model.

Owns what holds for every parameter set. Parameters with their sources are rows of `reference.omalizumab_parameter` and belong
in `parameters`.

Inside the model amounts are nmol, volumes L, time days; outside, doses are mg, omalizumab ug/mL, IgE ng/mL or IU/mL. IgE in
kU/L is IU/mL. Thresholds are kept in ng/mL: "50 ng/mL (20.8 IU/mL)" of Slavin 2009 implies 2.40 ng a unit, not 2.42.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Booleans = NDArray[np.bool_]

NG_PER_IU = 2.42  # ng of IgE in one international unit; Lowe 2009, Zhu 2013
# Free IgE in ng/mL: control of symptoms (Slavin 2009), the mean that dosing aims at (Zhu 2023), midpoint of 4 weeks (Lowe 2009).
TARGETS_NG_PER_ML = (50.0, 25.0, 14.0)
# The range of the data behind Lowe 2009: outside it the model extrapolates.
STUDIED_WEIGHT_KG = (39.0, 150.0)
STUDIED_IGE_IU_PER_ML = (19.0, 1055.0)


class PkpdError(ValueError):
    """The model was asked something its input cannot mean, such as a negative dose."""


def ige_ng_per_ml(iu_per_ml: Floats) -> Floats:
    """IgE in ng/mL from IU/mL."""
    return NG_PER_IU * iu_per_ml


def ige_iu_per_ml(ng_per_ml: Floats) -> Floats:
    """IgE in IU/mL from ng/mL."""
    return ng_per_ml / NG_PER_IU
