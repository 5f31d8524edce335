"""Concentrations from amounts: omalizumab, free IgE and total IgE.

Owns the conversion. Amounts belong in `course`, frames in `courses`.

Omalizumab is what an assay of all of it sees, free and bound. Total IgE counts the complex, as usual assays do: on treatment it is
several times free IgE before treatment and never a baseline.
Source: Hayashi 2007, Br J Clin Pharmacol 63:548; Lowe 2009, ibid. 68:61.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.pkpd.binding import equilibrium
from analysis.pkpd.parameters import Individuals
from analysis.pkpd.quantities import Floats


@dataclass(frozen=True, slots=True)
class Concentrations:
    """Omalizumab in ug/mL, free and total IgE in ng/mL: one shape."""

    omalizumab: Floats
    free_ige: Floats
    total_ige: Floats


def concentrations(drug: Floats, ige: Floats, people: Individuals) -> Concentrations:
    """Concentrations of amounts in nmol; the last axis is of the persons of `people`."""
    bound = equilibrium(drug, ige, scale=people.binding_scale, exponent=people.dissociation_exponent)
    complexed = bound.complexed / people.complex_volume
    free_ige = bound.free_ige / people.volume
    return Concentrations(
        # kDa is ug/nmol: nmol/L times kDa is ug/L, that is ng/mL.
        omalizumab=1e-3 * people.drug_molar_mass_kda * ((drug - bound.complexed) / people.volume + complexed),
        free_ige=people.ige_molar_mass_kda * free_ige,
        total_ige=people.ige_molar_mass_kda * (free_ige + complexed),
    )


def free_ige_ng_per_ml(drug: Floats, ige: Floats, people: Individuals) -> Floats:
    """Free IgE alone, as `concentrations` gives it; steps by persons, a step at a time, for that stays in the cache."""
    free = np.empty_like(drug)
    factor = people.ige_molar_mass_kda / people.volume
    for row, amounts in enumerate(zip(drug, ige, strict=True)):
        bound = equilibrium(*amounts, scale=people.binding_scale, exponent=people.dissociation_exponent)
        np.multiply(bound.free_ige, factor, out=free[row])
    return free
