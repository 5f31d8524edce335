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
MOST_STEPS = 64  # a day; who clears faster still is not followed
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
    motion = _Motion.of(people)
    whole = _Steps.of(people, np.array([step]))
    fine = _Steps.of(people, step * np.diff((np.arange(parts + 1) / parts) ** POWER))
    bounds = np.searchsorted(doses.day, np.arange(days + 1))
    for row in range(rows):
        drug[row], ige[row], depot[row] = state
        day, part_of_day = divmod(row, steps_per_day)
        if row == rows - 1:
            break
        given = slice(bounds[day], bounds[day + 1])
        if part_of_day or given.start == given.stop:
            state = motion.stepped(state, whole)
            continue
        dosed = doses.person[given]
        state[2, dosed] += doses.amount[given]
        if dosed.size == count:
            state = motion.stepped(state, fine)
            continue
        started = state[:, dosed]
        state = motion.stepped(state, whole)
        state[:, dosed] = motion.only(dosed).stepped(started, fine.only(dosed))
    return Course(steps_per_day=steps_per_day, drug=drug, ige=ige, depot=depot)


@dataclass(frozen=True, slots=True)
class _Steps:
    """Lengths of steps in days, and which share of the depot is absorbed by the middle and the end of each (by person)."""

    lengths: Floats
    by_middle: Floats
    by_end: Floats

    @classmethod
    def of(cls, people: Individuals, lengths: Floats) -> _Steps:
        exponents = -lengths[:, None] * people.absorption_rate
        return cls(lengths, -np.expm1(0.5 * exponents), -np.expm1(exponents))

    def only(self, persons: Integers) -> _Steps:
        return _Steps(self.lengths, self.by_middle[:, persons], self.by_end[:, persons])


@dataclass(frozen=True, slots=True)
class _Motion:
    """The equations: what each amount loses a day of itself and of the complex."""

    drug_rate: Floats
    bound_excess: Floats
    ige_rate: Floats
    bound_rate: Floats
    production: Floats
    scale: Floats
    exponent: float

    @classmethod
    def of(cls, people: Individuals) -> _Motion:
        drug_rate, bound_rate = people.drug_clearance / people.volume, people.complex_clearance / people.complex_volume
        return cls(
            drug_rate=drug_rate,
            bound_excess=bound_rate - drug_rate,
            ige_rate=people.ige_clearance / people.volume,
            bound_rate=bound_rate,
            production=people.ige_production,
            scale=people.binding_scale,
            exponent=people.dissociation_exponent,
        )

    def only(self, persons: Integers) -> _Motion:
        return _Motion(
            drug_rate=self.drug_rate[persons],
            bound_excess=self.bound_excess[persons],
            ige_rate=self.ige_rate[persons],
            bound_rate=self.bound_rate[persons],
            production=self.production[persons],
            scale=self.scale[persons],
            exponent=self.exponent,
        )

    def losses(self, drug: Floats, ige: Floats) -> tuple[Floats, Floats]:
        """What is eliminated of drug, and of IgE less its production, nmol a day."""
        bound = equilibrium(drug, ige, scale=self.scale, exponent=self.exponent)
        of_drug, of_ige = self.drug_rate * drug, self.ige_rate * bound.free_ige
        of_drug += self.bound_excess * bound.complexed
        of_ige += self.bound_rate * bound.complexed
        of_ige -= self.production
        return of_drug, of_ige

    def stepped(self, state: Floats, steps: _Steps) -> Floats:
        """Drug, IgE and depot after the steps."""
        drug, ige, depot = state
        for length, by_middle, by_end in zip(steps.lengths.tolist(), steps.by_middle, steps.by_end, strict=True):
            half, sixth = 0.5 * length, length / 6.0
            at_end = depot * by_end
            drug_in_middle, drug_at_end = drug + depot * by_middle, drug + at_end
            first = self.losses(drug, ige)
            second = self.losses(drug_in_middle - half * first[0], ige - half * first[1])
            third = self.losses(drug_in_middle - half * second[0], ige - half * second[1])
            fourth = self.losses(drug_at_end - length * third[0], ige - length * third[1])
            drug = drug_at_end - sixth * (first[0] + 2.0 * (second[0] + third[0]) + fourth[0])
            ige = ige - sixth * (first[1] + 2.0 * (second[1] + third[1]) + fourth[1])
            depot = depot - at_end
        return np.stack((drug, ige, depot))


def steps_needed(people: Individuals, *, at_least: int) -> int:
    """Steps a day with which the fastest clearance of these persons is followed: `at_least`, doubled up to some MOST_STEPS."""
    steps = at_least
    while steps < MOST_STEPS and _fast(people, steps):
        steps *= 2
    return steps


def _require_slow(people: Individuals, steps_per_day: int) -> None:
    if fast := _fast(people, steps_per_day):
        raise PkpdError(f"{fast} persons clear faster than {steps_per_day} steps a day follow")


def _fast(people: Individuals, steps_per_day: int) -> int:
    """Persons whose clearance takes more than FASTEST of a free or bound amount in a step."""
    rates = (
        people.drug_clearance / people.volume,
        people.ige_clearance / people.volume,
        people.complex_clearance / people.complex_volume,
    )
    return int(np.count_nonzero(np.maximum.reduce(rates) > FASTEST * steps_per_day))
