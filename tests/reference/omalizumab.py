"""The omalizumab-IgE model of one person by a stiff solver, restarted at every dose: slow and obvious.

Five amounts in nmol: depot, drug, IgE, and what was eliminated of either. Free IgE is found by bisection of the law of mass
action, not by the root of a quadratic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import brentq


@dataclass(frozen=True)
class Person:
    """Rates 1/d, clearances L/d, volumes L, production nmol/d, dissociation constant nmol/L, baseline nmol of free IgE."""

    absorption_rate: float
    drug_clearance: float
    ige_clearance: float
    complex_clearance: float
    volume: float
    complex_volume: float
    ige_production: float
    dissociation_constant: float
    dissociation_exponent: float
    baseline_ige: float


def complexed(drug: float, ige: float, person: Person) -> float:
    """Complex in nmol: concentrations of free drug and free IgE over that of complex make the dissociation constant."""
    if drug <= 0.0:
        return 0.0
    constant = person.dissociation_constant * (drug / ige) ** person.dissociation_exponent
    scale = constant * person.volume**2 / person.complex_volume

    def unbalanced(free: float) -> float:
        """Above 0 where this much free IgE is too much."""
        return free + drug * free / (scale + free) - ige

    free = float(brentq(unbalanced, 0.0, ige, xtol=1e-300, rtol=1e-14))
    return drug * free / (scale + free)


def rates(state: Sequence[float], person: Person) -> list[float]:
    """Changes a day of depot, drug, IgE, eliminated drug and eliminated IgE."""
    depot, drug, ige = state[0], state[1], state[2]
    bound = complexed(drug, ige, person)
    absorbed = person.absorption_rate * depot
    complex_cleared = person.complex_clearance * bound / person.complex_volume
    drug_cleared = person.drug_clearance * (drug - bound) / person.volume + complex_cleared
    ige_cleared = person.ige_clearance * (ige - bound) / person.volume + complex_cleared
    return [-absorbed, absorbed - drug_cleared, person.ige_production - ige_cleared, drug_cleared, ige_cleared]


def course(
    person: Person, doses: Mapping[int, float], *, times: Sequence[float], tolerance: float = 1e-10
) -> NDArray[np.float64]:
    """The five amounts at `times` (ascending, from 0), before a dose of the same moment; doses in nmol by day."""
    asked = np.asarray(times, dtype=np.float64)
    out = np.empty((asked.size, 5))
    state = np.array([0.0, 0.0, person.baseline_ige, 0.0, 0.0])
    starts = sorted({0.0, *map(float, doses)})
    out[asked == 0.0] = state
    for start, stop in zip(starts, [*starts[1:], float(asked[-1])], strict=True):
        state = state.copy()
        state[0] += doses.get(int(start), 0.0)
        if stop <= start:
            continue
        inside = (asked > start) & (asked <= stop)
        solution = solve_ivp(
            lambda _, held: rates(held, person), (start, stop), state, method="LSODA", rtol=tolerance,
            atol=tolerance * 1e-3, t_eval=np.unique(np.append(asked[inside], stop)), first_step=1e-8,
        )  # fmt: skip
        out[inside] = solution.y.T[: int(inside.sum())]
        state = solution.y[:, -1]
    return out
