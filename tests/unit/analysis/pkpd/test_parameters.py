"""The parameters load as data, mean what their units say, and refuse what no model can mean."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from analysis.pkpd.parameters import UNITS, Anchor, ParameterSet, individuals, parameter_set
from analysis.pkpd.quantities import NG_PER_IU, PkpdError, ige_iu_per_ml, ige_ng_per_ml
from analysis.pkpd.variability import covariance, draws
from sql.catalog import tables

ONE = np.array([1.0])


def test_the_reference_table_is_as_its_contract_says(parameter_rows: pl.DataFrame) -> None:
    contract = tables()["reference.omalizumab_parameter"]
    assert parameter_rows.columns == [column.name for column in contract.columns]
    key = parameter_rows.select(contract.key)
    assert key.height == key.unique().height == key.drop_nulls().height
    numbers = [column.name for column in contract.columns if column.type == "DOUBLE"]
    assert parameter_rows.with_columns(pl.col(*numbers).cast(pl.Float64)).height == parameter_rows.height
    assert set(parameter_rows["certainty"]) == {"primary", "transcribed", "derived"}
    assert parameter_rows["source"].null_count() == 0


def test_an_exponent_whose_sign_was_derived_says_so(parameter_rows: pl.DataFrame) -> None:
    row = parameter_rows.row(
        by_predicate=(pl.col("model") == "lowe") & (pl.col("parameter") == "ige_clearance"), named=True
    )
    assert (row["ige_exponent"], row["certainty"]) == ("-0.372", "derived")
    assert "sign of the IgE exponent derived" in row["note"]


def test_both_models_give_the_published_half_lives(lowe: ParameterSet, hayashi: ParameterSet) -> None:
    """Lowe: free omalizumab 31 d, complex 5.3 d, IgE 1.7 d. Hayashi: omalizumab 23 d, IgE 2.4 d."""
    half = np.log(2.0)
    for published, free, ige, bound in ((lowe, 31.0, 1.7, 5.3), (hayashi, 23.3, 2.4, None)):
        reference = individuals(
            published,
            weight_kg=published.reference_weight_kg * ONE,
            baseline_ige_ng_per_ml=published.reference_ige_ng_per_ml * ONE,
            anchor="published",
        )
        assert half * reference.volume[0] / reference.drug_clearance[0] == pytest.approx(free, rel=0.02)
        assert half * reference.volume[0] / reference.ige_clearance[0] == pytest.approx(ige, rel=0.02)
        if bound:
            assert half * reference.complex_volume[0] / reference.complex_clearance[0] == pytest.approx(bound, rel=0.02)


def test_the_complex_of_hayashi_is_cleared_by_the_sum(hayashi: ParameterSet) -> None:
    heavy = individuals(hayashi, weight_kg=122.2 * ONE, baseline_ige_ng_per_ml=482.4 * ONE, anchor="clearance")
    assert heavy.complex_clearance[0] == pytest.approx(0.17568 * 2**0.911 + 0.14064, rel=1e-12)


def test_an_anchor_makes_production_meet_clearance_at_the_baseline(lowe: ParameterSet) -> None:
    given = {"weight_kg": np.array([40.0, 120.0]), "baseline_ige_ng_per_ml": np.array([60.0, 2000.0])}
    kept = individuals(lowe, **given, anchor="published")
    untreated = 190.0 * kept.ige_production / kept.ige_clearance / given["baseline_ige_ng_per_ml"]
    assert ((untreated > 0.8) & (untreated < 0.95)).all()
    for anchor, same, other in (
        ("clearance", "ige_production", "ige_clearance"),
        ("production", "ige_clearance", "ige_production"),
    ):
        people = individuals(lowe, **given, anchor=anchor)
        assert (getattr(people, same) == getattr(kept, same)).all()
        assert (getattr(people, other) != getattr(kept, other)).all()
        assert people.ige_production / people.ige_clearance * 190.0 == pytest.approx(given["baseline_ige_ng_per_ml"])
        assert people.baseline_ng_per_ml == pytest.approx(given["baseline_ige_ng_per_ml"])


def test_units_of_ige() -> None:
    assert ige_ng_per_ml(np.array([100.0]))[0] == pytest.approx(242.0)
    assert ige_iu_per_ml(np.array([50.0]))[0] == pytest.approx(50.0 / NG_PER_IU)


@pytest.mark.parametrize(
    ("weight", "ige", "said"),
    [
        (np.nan, 100.0, "1 persons without a weight above 0"),
        (0.0, 100.0, "1 persons without a weight above 0"),
        (70.0, -1.0, "1 persons without a baseline IgE above 0"),
        (70.0, np.inf, "1 persons without a baseline IgE above 0"),
    ],
)
def test_persons_without_covariates_are_refused(lowe: ParameterSet, weight: float, ige: float, said: str) -> None:
    with pytest.raises(PkpdError, match=said):
        individuals(lowe, weight_kg=weight * ONE, baseline_ige_ng_per_ml=ige * ONE, anchor="clearance")


def test_unknown_anchors_and_deviations_are_refused(lowe: ParameterSet) -> None:
    given = {"weight_kg": 70.0 * ONE, "baseline_ige_ng_per_ml": 365.0 * ONE}
    with pytest.raises(PkpdError, match="unknown anchor 'none'"):
        individuals(lowe, **given, anchor="none")  # type: ignore[arg-type]
    with pytest.raises(PkpdError, match=r"has no parameters \['complex_clearance_excess'\]"):
        individuals(lowe, **given, anchor="clearance", deviations={"complex_clearance_excess": ONE})
    with pytest.raises(PkpdError, match="deviations must be numbers"):
        individuals(lowe, **given, anchor="clearance", deviations={"volume": np.nan * ONE})


def _without(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    return rows.filter(pl.col("parameter") != name)


def test_incomplete_or_odd_parameters_are_refused(parameter_rows: pl.DataFrame) -> None:
    with pytest.raises(PkpdError, match="unknown model 'other'"):
        parameter_set(parameter_rows, model="other")
    with pytest.raises(PkpdError, match=r"missing \['volume'\]"):
        parameter_set(_without(parameter_rows, "volume"), model="lowe")
    with pytest.raises(PkpdError, match="more than one row"):
        parameter_set(pl.concat([parameter_rows, parameter_rows]), model="lowe")
    for column, value, said in (("unit", "mL/h", "in mL/h, not in L/d"), ("value", "0", "must be above 0")):
        is_it = pl.col("parameter") == "drug_clearance"
        changed = parameter_rows.with_columns(pl.when(is_it).then(pl.lit(value)).otherwise(column).alias(column))
        with pytest.raises(PkpdError, match=said):
            parameter_set(changed, model="lowe")
    renamed = parameter_rows.with_columns(pl.col("parameter").replace("volume", "volumes"))
    with pytest.raises(PkpdError, match=r"unknown \['volumes'\]"):
        parameter_set(renamed, model="hayashi")
    assert set(UNITS) <= set(parameter_rows["parameter"])


@pytest.mark.parametrize("model", ["lowe", "hayashi"])
def test_draws_have_the_published_covariance(parameter_rows: pl.DataFrame, model: str) -> None:
    published = parameter_set(parameter_rows, model=model)
    names, matrix = covariance(published)
    drawn = draws(published, count=200_000, seed=5)
    assert list(drawn) == names
    found = np.cov(np.array(list(drawn.values())))
    scale = np.sqrt(np.diag(matrix))
    assert np.abs(found - matrix).max() < 0.01 * matrix.max()
    assert np.abs(found / np.outer(scale, scale) - matrix / np.outer(scale, scale)).max() < 0.01


def test_draws_are_those_of_the_seed(lowe: ParameterSet) -> None:
    one, again, other = (draws(lowe, count=3, seed=seed) for seed in (1, 1, 2))
    assert all((one[name] == again[name]).all() for name in one)
    assert all((one[name] != other[name]).all() for name in one)


def test_a_replaced_variance_is_used_and_a_contradiction_is_refused(lowe: ParameterSet) -> None:
    names, matrix = covariance(lowe, replaced={"absorption_rate": 0.16})
    assert matrix[names.index("absorption_rate"), names.index("absorption_rate")] == 0.16
    assert "absorption_rate" not in covariance(lowe, replaced={"absorption_rate": 0.0})[0]
    with pytest.raises(PkpdError, match="contradict each other"):
        covariance(lowe, replaced={"volume": 0.0479})  # the printed 22 %: the correlation would exceed 1
    with pytest.raises(PkpdError, match=r"has no parameters \['frequency'\]"):
        covariance(lowe, replaced={"frequency": 1.0})
    with pytest.raises(PkpdError, match="at least one draw"):
        draws(lowe, count=0, seed=1)


def test_anchors_are_a_closed_set() -> None:
    assert set(Anchor.__args__) == {"clearance", "production", "published"}  # type: ignore[attr-defined]
