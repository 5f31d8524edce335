"""Parameters of the omalizumab-IgE model: the published sets and what they give for a person.

Owns the reading of `reference.omalizumab_parameter`, the covariates weight and baseline IgE, and the anchors of the
baseline. Draws of what persons differ in beyond covariates belong in `variability`.

Published production over clearance is some 0.87 of the measured baseline, so that an untreated person would drift. An anchor
says what gives way: `clearance` (of free IgE: on treatment nothing changes, and long after the last dose free IgE is back at
the person's own baseline), `production` (free IgE on treatment is higher by the same share), or nothing (`published`).
Source: Hayashi 2007, Br J Clin Pharmacol 63:548; Lowe 2009, ibid. 68:61.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import polars as pl

from analysis.pkpd.quantities import Floats, Integers, PkpdError

Model = Literal["lowe", "hayashi"]
Anchor = Literal["clearance", "production", "published"]
# What persons differ in, in the order of the draws.
STRUCTURAL = (
    "absorption_rate", "drug_clearance", "ige_clearance", "complex_clearance", "complex_clearance_excess", "volume",
    "complex_volume", "ige_production", "dissociation_constant",
)  # fmt: skip
_EITHER = {"complex_clearance", "complex_clearance_excess"}
_SCALARS = ("reference_weight", "reference_ige", "drug_molar_mass", "ige_molar_mass", "dissociation_exponent")
_RESIDUALS = ("omalizumab", "free_ige", "total_ige")
_COVARIANCE, _RESIDUAL = "covariance ", "residual_variance "
UNITS = {
    "reference_weight": "kg", "reference_ige": "ng/mL", "drug_molar_mass": "kDa", "ige_molar_mass": "kDa",
    "absorption_rate": "1/d", "drug_clearance": "L/d", "ige_clearance": "L/d", "complex_clearance": "L/d",
    "complex_clearance_excess": "L/d", "volume": "L", "complex_volume": "L", "ige_production": "ug/d",
    "dissociation_constant": "nmol/L", "dissociation_exponent": "1",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parameter:
    """A typical value, its powers of the covariates, and the variance of its logarithm between persons (None: not estimated)."""

    value: float
    weight_exponent: float
    ige_exponent: float
    variance: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSet:
    """One published model. `covariances`: of logarithms, by pair of parameters. `residual_variances`: of log measurements."""

    model: Model
    reference_weight_kg: float
    reference_ige_ng_per_ml: float
    drug_molar_mass_kda: float
    ige_molar_mass_kda: float
    dissociation_exponent: float
    parameters: Mapping[str, Parameter]
    covariances: Mapping[tuple[str, str], float]
    residual_variances: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Individuals:
    """Parameters of persons, arrays of one shape: rates 1/d, clearances L/d, volumes L, production nmol/d, binding nmol.

    `binding_scale`: dissociation constant in nmol at equal amounts. `baseline_ige`: nmol of free IgE before treatment.
    """

    absorption_rate: Floats
    drug_clearance: Floats
    ige_clearance: Floats
    complex_clearance: Floats
    volume: Floats
    complex_volume: Floats
    ige_production: Floats
    binding_scale: Floats
    baseline_ige: Floats
    dissociation_exponent: float
    drug_molar_mass_kda: float
    ige_molar_mass_kda: float

    def __len__(self) -> int:
        return int(self.volume.size)

    def of(self, rows: Integers | slice) -> Individuals:
        """The same of some persons."""
        arrays = {name: getattr(self, name)[rows] for name in _ARRAYS}
        return Individuals(
            **arrays,
            dissociation_exponent=self.dissociation_exponent,
            drug_molar_mass_kda=self.drug_molar_mass_kda,
            ige_molar_mass_kda=self.ige_molar_mass_kda,
        )

    @property
    def baseline_ng_per_ml(self) -> Floats:
        """Free IgE before treatment, ng/mL."""
        return self.ige_molar_mass_kda * self.baseline_ige / self.volume


_ARRAYS = (
    "absorption_rate", "drug_clearance", "ige_clearance", "complex_clearance", "volume", "complex_volume",
    "ige_production", "binding_scale", "baseline_ige",
)  # fmt: skip


def parameter_set(rows: pl.DataFrame, *, model: str) -> ParameterSet:
    """One model of `reference.omalizumab_parameter`, whose columns may still be text.

    Raises PkpdError for a model that the rows lack, for a missing, repeated, unknown or non-positive parameter and for a
    unit other than the one that the model computes in.
    """
    if model not in get_args(Model):
        raise PkpdError(f"unknown model {model!r}")
    numbers = ("value", "weight_exponent", "ige_exponent", "between_person_variance")
    held = rows.filter(pl.col("model") == model).with_columns(pl.col(*numbers).cast(pl.Float64))
    if held["parameter"].is_duplicated().any():
        raise PkpdError(f"{model}: a parameter has more than one row")
    table = {row["parameter"]: row for row in held.iter_rows(named=True)}
    pairs = [name for name in table if name.startswith(_COVARIANCE)]
    wanted = {*_SCALARS, *STRUCTURAL, *(_RESIDUAL + name for name in _RESIDUALS)} - _EITHER
    missing, unknown = wanted - table.keys(), table.keys() - wanted - _EITHER - set(pairs)
    if missing or unknown or len(_EITHER & table.keys()) != 1:
        raise PkpdError(f"{model}: parameters missing {sorted(missing)}, unknown {sorted(unknown)}")
    for name, row in table.items():
        if row["unit"] != UNITS.get(name, "1"):
            raise PkpdError(f"{model}: {name} is in {row['unit']}, not in {UNITS.get(name, '1')}")
        if row["value"] is None or not (row["value"] > 0.0 or name in pairs):
            raise PkpdError(f"{model}: {name} must be above 0, not {row['value']}")
    return ParameterSet(
        model=model,  # type: ignore[arg-type]
        reference_weight_kg=table["reference_weight"]["value"],
        reference_ige_ng_per_ml=table["reference_ige"]["value"],
        drug_molar_mass_kda=table["drug_molar_mass"]["value"],
        ige_molar_mass_kda=table["ige_molar_mass"]["value"],
        dissociation_exponent=table["dissociation_exponent"]["value"],
        parameters={name: Parameter(*(table[name][key] for key in numbers)) for name in STRUCTURAL if name in table},
        covariances={_pair(name): table[name]["value"] for name in pairs},
        residual_variances={name: table[_RESIDUAL + name]["value"] for name in _RESIDUALS},
    )


def _pair(name: str) -> tuple[str, str]:
    first, second = name.removeprefix(_COVARIANCE).split(" ")
    return first, second


def individuals(
    published: ParameterSet,
    *,
    weight_kg: Floats,
    baseline_ige_ng_per_ml: Floats,
    anchor: Anchor,
    deviations: Mapping[str, Floats] | None = None,
) -> Individuals:
    """Parameters of persons from weight and IgE before treatment, arrays that broadcast.

    deviations: by parameter, what a person's logarithm is above the typical one; none: typical persons.
    Misleads for IgE measured on treatment or within a year after it, which is total IgE and several times the baseline.
    Raises PkpdError for weight or IgE that is not a number above 0, an unknown anchor or parameter,
    and deviations that are no numbers.
    """
    for name, given in (("weight", weight_kg), ("baseline IgE", baseline_ige_ng_per_ml)):
        wrong = int(np.count_nonzero(~(np.isfinite(given) & (np.asarray(given) > 0.0))))
        if wrong:
            raise PkpdError(f"{wrong} persons without a {name} above 0")
    if anchor not in get_args(Anchor):
        raise PkpdError(f"unknown anchor {anchor!r}")
    beyond = dict(deviations or {})
    if unknown := beyond.keys() - published.parameters.keys():
        raise PkpdError(f"{published.model} has no parameters {sorted(unknown)}")
    if not all(np.isfinite(values).all() for values in beyond.values()):
        raise PkpdError("deviations must be numbers")
    heavier = weight_kg / published.reference_weight_kg
    higher = baseline_ige_ng_per_ml / published.reference_ige_ng_per_ml
    ones = np.ones(np.broadcast_shapes(heavier.shape, higher.shape, *(np.shape(array) for array in beyond.values())))
    values = {
        name: ones * each.value * heavier**each.weight_exponent * higher**each.ige_exponent * np.exp(beyond.get(name, 0.0))
        for name, each in published.parameters.items()
    }  # fmt: skip
    baseline = ones * baseline_ige_ng_per_ml / published.ige_molar_mass_kda  # nmol/L: kDa is ug/nmol
    clearance, production = values["ige_clearance"], values["ige_production"] / published.ige_molar_mass_kda
    if anchor == "clearance":
        clearance = production / baseline
    elif anchor == "production":
        production = clearance * baseline
    volume, complex_volume = values["volume"], values["complex_volume"]
    if (excess := values.get("complex_clearance_excess")) is not None:
        values["complex_clearance"] = values["drug_clearance"] + excess
    return Individuals(
        absorption_rate=values["absorption_rate"],
        drug_clearance=values["drug_clearance"],
        ige_clearance=clearance,
        complex_clearance=values["complex_clearance"],
        volume=volume,
        complex_volume=complex_volume,
        ige_production=production,
        binding_scale=values["dissociation_constant"] * volume * volume / complex_volume,
        baseline_ige=baseline * volume,
        dissociation_exponent=published.dissociation_exponent,
        drug_molar_mass_kda=published.drug_molar_mass_kda,
        ige_molar_mass_kda=published.ige_molar_mass_kda,
    )
