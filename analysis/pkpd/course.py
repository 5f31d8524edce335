"""Amounts of omalizumab and IgE over time under any history of doses.

Owns the equations of motion and their steps, vectorised over persons. Parameters belong in `parameters`, binding in `binding`,
concentrations in `concentrations`.

    drug  dX/dt = absorbed - CLdrug (X - C) / V - CLcomplex C / Vcomplex
    IgE   dE/dt = production - CLige (E - C) / V - CLcomplex C / Vcomplex      C: complex, in equilibrium

Fixed steps of classical Runge-Kutta. What the skin depot gives is no rate but solved: within a step X is what was absorbed, which is
exact, less what was eliminated, which is stepped; no absorption is too fast for the step and none of the drug is lost. The only fast
event is a dose that meets more IgE than drug: within the hour binding turns over. So the first step after a dose is cut into parts that
grow from its beginning. Nobody's course depends on who shares the arrays.
Source: Hayashi 2007, Br J Clin Pharmacol 63:548; Lowe 2009, ibid. 68:61.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.pkpd.binding import equilibrium
from analysis.pkpd.parameters import Individuals
from analysis.pkpd.quantities import Floats, Integers, PkpdError

STEPS_PER_DAY = 2
# Parts of the first step after a dose; their ends lie at (part / parts)^POWER of it.
PARTS, POWER = 12, 3.0
FASTEST = 1.0  # what a step may eliminate of a free or bound amount, as rate times step


@dataclass(frozen=True, slots=True)
class Doses:
    """Doses sorted by day: whole days since each person's first dose, whom (index), nmol above 0."""

    day: Integers
    person: Integers
    amount: Floats


@dataclass(frozen=True, slots=True)
class Course:
    """Amounts in nmol at each step (rows) of each person (columns): drug beyond the depot, IgE, both free and bound; depot.

    Row k is k / steps_per_day days after the first dose; at a dose's day it stands before that dose.
    """

    steps_per_day: int
    drug: Floats
    ige: Floats
    depot: Floats


def integrate(
    people: Individuals, doses: Doses, *, days: int, steps_per_day: int = STEPS_PER_DAY, parts: int = PARTS
) -> Course:
    """The course of each person from day 0 to day `days`.

    Raises PkpdError where a person's clearance is too fast for the step.
    """
    _require_slow(people, steps_per_day)
    rows, count = days * steps_per_day + 1, len(people)
    drug, ige, depot = (np.empty((rows, count)) for _ in range(3))
    state = np.zeros((3, count))
    state[1] = people.baseline_ige
    step = 1.0 / steps_per_day
    whole, fine = np.array([step]), step * np.diff((np.arange(parts + 1) / parts) ** POWER)
    bounds = np.searchsorted(doses.day, np.arange(days + 1))
    for row in range(rows):
        drug[row], ige[row], depot[row] = state
        day, part_of_day = divmod(row, steps_per_day)
        if row == rows - 1:
            break
        given = slice(bounds[day], bounds[day + 1])
        if part_of_day or given.start == given.stop:
            state = _stepped(people, state, whole)
            continue
        dosed = doses.person[given]
        state[2, dosed] += doses.amount[given]
        if dosed.size == count:
            state = _stepped(people, state, fine)
            continue
        started = state[:, dosed]
        state = _stepped(people, state, whole)
        state[:, dosed] = _stepped(people.of(dosed), started, fine)
    return Course(steps_per_day=steps_per_day, drug=drug, ige=ige, depot=depot)


def _stepped(people: Individuals, state: Floats, lengths: Floats) -> Floats:
    """Drug, IgE and depot after steps of `lengths` days."""
    drug_rate, ige_rate = people.drug_clearance / people.volume, people.ige_clearance / people.volume
    bound_rate = people.complex_clearance / people.complex_volume
    scale, exponent, production = people.binding_scale, people.dissociation_exponent, people.ige_production

    def change(drug: Floats, ige: Floats) -> tuple[Floats, Floats]:
        bound = equilibrium(drug, ige, scale=scale, exponent=exponent)
        cleared = bound_rate * bound.complexed
        return -drug_rate * (drug - bound.complexed) - cleared, production - ige_rate * bound.free_ige - cleared

    drug, ige, depot = state
    for length in lengths:
        half = 0.5 * length
        at_half = -depot * np.expm1(-half * people.absorption_rate)
        at_end = -depot * np.expm1(-length * people.absorption_rate)
        first = change(drug, ige)
        second = change(drug + at_half + half * first[0], ige + half * first[1])
        third = change(drug + at_half + half * second[0], ige + half * second[1])
        fourth = change(drug + at_end + length * third[0], ige + length * third[1])
        sixth = length / 6.0
        drug = drug + at_end + sixth * (first[0] + 2.0 * (second[0] + third[0]) + fourth[0])
        ige = ige + sixth * (first[1] + 2.0 * (second[1] + third[1]) + fourth[1])
        depot = depot - at_end
    return np.stack((drug, ige, depot))


def _require_slow(people: Individuals, steps_per_day: int) -> None:
    rates = (
        people.drug_clearance / people.volume,
        people.ige_clearance / people.volume,
        people.complex_clearance / people.complex_volume,
    )
    fast = int(np.count_nonzero(np.maximum.reduce(rates) > FASTEST * steps_per_day))
    if fast:
        raise PkpdError(f"{fast} persons clear faster than {steps_per_day} steps a day follow")
