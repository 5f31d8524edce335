"""The reference concentrations of a stiff solver are reproduced, and by no other parameters than the right ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from analysis.pkpd.courses import collected, courses, on_days
from analysis.pkpd.parameters import Anchor, ParameterSet, parameter_set
from analysis.pkpd.quantities import NG_PER_IU

CASE = ["model", "anchor", "wt_kg", "ige_ng_ml", "mg", "weeks"]
LEVELS = {
    "omalizumab_ug_per_ml": "omalizumab_ug_ml", "free_ige_ng_per_ml": "free_ige_ng_ml", "total_ige_ng_per_ml": "total_ige_ng_ml",
}  # fmt: skip
PRINTED = 1e-5  # six digits, and the steps
DOSES_STOP = 182 + 1  # the reference's last dose of either interval comes before this day


def _errors(golden: pl.DataFrame, published: ParameterSet, anchor: Anchor | None = None, **steps: int) -> np.ndarray:
    """Relative errors of the three concentrations (columns) on all reference days of the model."""
    errors = []
    cases = golden.filter(pl.col("model") == published.model)
    for (_, named, weight, ige, mg, weeks), case in cases.group_by(CASE, maintain_order=True):
        days = range(0, 168 + 1 if weeks == 4 else DOSES_STOP, 7 * int(weeks))  # type: ignore[call-overload]
        person = pl.DataFrame(
            {"person_id": [1], "weight_kg": [weight], "baseline_ige_iu_per_ml": [ige / NG_PER_IU], "until_day": [308]}  # type: ignore[operator]
        )
        doses = pl.DataFrame({"person_id": 1, "day": list(days), "dose_mg": mg})
        asked = case.select(person_id=pl.lit(1), day="day")
        meant: Anchor = "published" if named == "none" else "clearance"
        pieces = courses(person, doses, published, anchor=anchor or meant, **steps)
        (found,) = collected(pieces, lambda piece, asked=asked: on_days(piece, asked))
        errors.append(found.select(*LEVELS).to_numpy() / case.select(*LEVELS.values()).to_numpy() - 1.0)
    return np.abs(np.concatenate(errors))


@pytest.mark.parametrize("model", ["lowe", "hayashi"])
def test_the_reference_concentrations_are_reproduced_to_the_digits_printed(
    golden: pl.DataFrame, parameter_rows: pl.DataFrame, model: str
) -> None:
    errors = _errors(golden, parameter_set(parameter_rows, model=model))
    assert errors.max() < PRINTED


def test_smaller_steps_change_no_printed_digit(golden: pl.DataFrame, lowe: ParameterSet) -> None:
    assert _errors(golden, lowe, steps_per_day=8).max() < PRINTED


def _changed(published: ParameterSet, name: str, **fields: float) -> ParameterSet:
    parameters = dict(published.parameters)
    parameters[name] = replace(parameters[name], **fields)
    return replace(published, parameters=parameters)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("dissociation_constant", {"value": 1.81 / 2}),
        ("dissociation_constant", {"ige_exponent": -0.115}),
        ("drug_clearance", {"weight_exponent": 0.0}),
        ("ige_production", {"ige_exponent": -0.594}),
        ("complex_clearance", {"value": 0.832 + 0.208}),
        ("absorption_rate", {"value": 0.48}),
        ("volume", {"value": 9.33 * 1.01}),
    ],
)
def test_a_wrong_parameter_is_found(
    golden: pl.DataFrame, lowe: ParameterSet, name: str, fields: dict[str, float]
) -> None:
    assert _errors(golden, _changed(lowe, name, **fields)).max() > 100 * PRINTED


def test_the_wrong_sign_of_the_ige_exponent_of_ige_clearance_is_found(lowe: ParameterSet, golden: pl.DataFrame) -> None:
    """At the reference IgE the power is 1 and the clearance anchor replaces it: a case of its own, against the same equations."""
    wrong = _changed(lowe, "ige_clearance", ige_exponent=0.372)
    low = pl.DataFrame({"person_id": [1], "weight_kg": [70.0], "baseline_ige_iu_per_ml": [40.0], "until_day": [700]})
    dose = pl.DataFrame({"person_id": [1], "day": [0], "dose_mg": [150.0]})
    ends = [
        collected(courses(low, dose, published, anchor="published"), lambda piece: on_days(piece, END))[0][
            "free_ige_share_of_baseline"
        ][0]
        for published in (lowe, wrong)
    ]
    assert 0.82 < ends[0] < 0.92 < ends[1]


END = pl.DataFrame({"person_id": [1], "day": [700]})


@pytest.mark.parametrize("anchor", ["production", "published"])
def test_the_wrong_anchor_is_found(golden: pl.DataFrame, lowe: ParameterSet, anchor: Anchor) -> None:
    anchored = golden.filter(pl.col("anchor") == "clearance")
    assert _errors(anchored, lowe).max() < PRINTED
    assert _errors(anchored, lowe, anchor).max() > 0.01


def test_a_complex_cleared_by_the_difference_alone_is_found(golden: pl.DataFrame, hayashi: ParameterSet) -> None:
    """Some sources take Hayashi's 5.86 mL/h, what the complex is cleared by above free drug, for all of its clearance."""
    parameters = dict(hayashi.parameters)
    parameters["complex_clearance"] = parameters.pop("complex_clearance_excess")
    assert _errors(golden, replace(hayashi, parameters=parameters)).max() > 0.05
