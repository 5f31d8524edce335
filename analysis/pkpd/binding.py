"""How much free IgE is left when omalizumab and IgE bind one to one in equilibrium.

Owns the equilibrium and its dissociation constant. Movement in time belongs in `course`.

Binding is taken as instantaneous. Complexes of other sizes than one to one are absorbed by the constant's power of drug over
IgE. Against full binding kinetics free IgE differs by 1 to 3 % at a dissociation rate of 0.36 per hour, by 0.3 % or less from 3.6 on.
Source: Hayashi 2007, Br J Clin Pharmacol 63:548; Lowe 2009, ibid. 68:61.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.pkpd.quantities import Floats


@dataclass(frozen=True, slots=True)
class Bound:
    """Amounts in nmol at equilibrium: free IgE and complex. Free drug is total drug less complex."""

    free_ige: Floats
    complexed: Floats


def equilibrium(drug: Floats, ige: Floats, *, scale: Floats, exponent: float) -> Bound:
    """Free IgE and complex of `drug` and `ige`, total amounts in nmol; `ige` above 0.

    scale: dissociation constant in nmol at equal amounts, Kd0 Vdrug Vige / Vcomplex. exponent: of drug over IgE.
    The textbook root S - sqrt(S^2 - 4 drug ige) cancels where there is much more of one than of the other; here free IgE is
    the root of x^2 + (drug - ige + K) x - K ige = 0 in the form that adds numbers of one sign. No drug: all IgE is free.
    """
    constant = (drug / ige) ** exponent
    constant *= scale
    excess = drug - ige
    excess += constant
    product = constant * ige
    half = excess * excess
    half += 4.0 * product
    np.sqrt(half, out=half)
    half += np.abs(excess)
    half *= 0.5
    free = np.where(excess > 0.0, product / half, half)
    constant += free
    return Bound(free_ige=free, complexed=drug * free / constant)
