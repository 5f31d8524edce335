"""Both dosing tables as they are, the look-up at every edge, and the classes of given doses."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.pkpd.dose_check import MG_PER_KG_AND_IU, dose_check
from analysis.pkpd.dosing_table import DosingTable, dosing_table, expected_dose
from analysis.pkpd.quantities import PkpdError

FOUR_WEEKS_MG = 4.0 * pl.col("mg") / pl.col("interval_weeks")
UPPER_NEED = FOUR_WEEKS_MG / (pl.col("wt_le") * pl.col("ige_le"))


@pytest.fixture
def eu(eu_table: pl.DataFrame) -> DosingTable:
    return dosing_table(eu_table, name="eu", version="current")


@pytest.fixture
def us(us_table: pl.DataFrame) -> DosingTable:
    return dosing_table(us_table, name="us_12plus", version="asthma from 12 years")


def test_every_eu_dose_is_at_least_0016_mg_at_the_upper_corner_of_its_cell(eu: DosingTable) -> None:
    dosed = eu.cells.drop_nulls()
    assert (dosed.height, eu.cells.height) == (106, 140)
    assert dosed.select(UPPER_NEED.min()).item() == pytest.approx(MG_PER_KG_AND_IU, abs=1e-12)


def test_eu_cells_are_empty_exactly_where_1200_mg_in_four_weeks_do_not_suffice(eu: DosingTable) -> None:
    need = MG_PER_KG_AND_IU * pl.col("wt_le") * pl.col("ige_le")
    held = eu.cells.with_columns(is_empty=pl.col("mg").is_null(), is_too_much=need > 1200.0 + 1e-9)
    assert (held["is_empty"] == held["is_too_much"]).all()


def test_the_us_table_does_not_keep_the_rule(us: DosingTable) -> None:
    dosed = us.cells.drop_nulls()
    assert dosed.select(UPPER_NEED.min()).item() == pytest.approx(0.01333, abs=5e-5)


@pytest.mark.parametrize(("table", "most", "heaviest"), [("us", 375.0, 150.0), ("eu", 600.0, 150.0)])
def test_doses_rise_with_ige_and_weight_up_to_the_most(
    request: pytest.FixtureRequest, table: str, most: float, heaviest: float
) -> None:
    held: DosingTable = request.getfixturevalue(table)
    assert held.cells["mg"].max() == most
    assert held.highest_weight == heaviest
    assert set(held.cells["interval_weeks"].drop_nulls()) == {2.0, 4.0}
    ordered = held.cells.with_columns(dose=FOUR_WEEKS_MG.fill_null(1e9))
    for by, along in (("ige_gt", "wt_gt"), ("wt_gt", "ige_gt")):
        falls = ordered.sort(by, along).select(pl.col("dose").diff().over(by)).to_series().drop_nulls() < 0.0
        assert not falls.any()


@pytest.mark.parametrize(
    ("ige", "weight", "us_dose", "eu_dose"),
    [
        (30.0, 30.0, (150.0, 28), (75.0, 28)),  # the first bands hold their lower bounds
        (29.99, 70.0, "off_table_ige", "off_table_ige"),
        (100.0, 60.0, (150.0, 28), (150.0, 28)),  # upper bounds belong to the band
        (100.01, 60.0, (300.0, 28), (300.0, 28)),
        (100.0, 90.01, (300.0, 28), (300.0, 28)),
        (250.0, 60.0, (300.0, 28), (300.0, 28)),
        (250.0, 60.01, (225.0, 14), (450.0, 28)),
        (700.0, 60.0, (375.0, 14), (375.0, 14)),
        (700.0, 60.01, "no_dose", (450.0, 14)),
        (700.01, 60.0, "off_table_ige", (450.0, 14)),
        (1500.0, 50.0, "off_table_ige", (600.0, 14)),
        (1500.01, 50.0, "off_table_ige", "off_table_ige"),
        (1500.0, 50.01, "off_table_ige", "no_dose"),
        (150.0, 150.0, (225.0, 14), (600.0, 28)),
        (150.0, 150.01, "off_table_weight", "off_table_weight"),
        (150.0, 20.0, "off_table_weight", (150.0, 28)),
        (150.0, 19.99, "off_table_weight", "off_table_weight"),
        (None, 70.0, "no_ige", "no_ige"),
        (150.0, None, "no_weight", "no_weight"),
    ],
)
def test_the_dose_of_a_person_at_each_edge(
    us: DosingTable, eu: DosingTable, ige: float | None, weight: float | None, us_dose: object, eu_dose: object
) -> None:
    schema = {"person_id": pl.Int64, "weight_kg": pl.Float64, "baseline_ige_iu_per_ml": pl.Float64}
    person = pl.DataFrame([(1, weight, ige)], schema=schema, orient="row")
    for table, expected in ((us, us_dose), (eu, eu_dose)):
        ((_, status, mg, days),) = expected_dose(person, table).rows()
        assert (expected == (mg, days)) if status == "dosed" else (status == expected and mg is None and days is None)


def test_every_person_has_one_row_in_the_order_given(us: DosingTable) -> None:
    persons = pl.DataFrame({"person_id": [3, 1, 2], "weight_kg": 70.0, "baseline_ige_iu_per_ml": [900.0, 50.0, 650.0]})
    assert expected_dose(persons, us)["status"].to_list() == ["off_table_ige", "dosed", "no_dose"]
    assert expected_dose(persons, us)["person_id"].to_list() == [3, 1, 2]


def test_a_table_with_a_hole_is_refused(us_table: pl.DataFrame) -> None:
    with pytest.raises(PkpdError, match="not each pair of bands once"):
        dosing_table(us_table.slice(1), name="t", version="v")
    with pytest.raises(PkpdError, match="bands of ige_gt do not follow each other"):
        dosing_table(us_table.filter(pl.col("ige_gt") != "200"), name="t", version="v")
    with pytest.raises(PkpdError, match="needs an interval above 0"):
        dosing_table(us_table.with_columns(interval_weeks=pl.lit(None)), name="t", version="v")


GIVEN = pl.DataFrame(
    [
        ("as_table", 70.0, 250.0, 225.0, 14, True),
        ("equal_four_week_dose", 70.0, 250.0, 450.0, 28, True),
        ("under", 70.0, 250.0, 300.0, 28, True),
        ("over", 70.0, 250.0, 300.0, 14, True),
        ("off_table_ige", 70.0, 20.0, 150.0, 28, True),
        ("off_table_weight", 160.0, 250.0, 150.0, 28, True),
        ("no_dose", 80.0, 600.0, 375.0, 14, True),
        ("not_applicable", 70.0, 250.0, 300.0, 28, False),
        ("no weight", None, 250.0, 300.0, 28, True),
        ("no given dose or interval", 70.0, 250.0, None, 28, True),
        ("indication unknown", 70.0, 250.0, 300.0, 28, None),
    ],
    schema={
        "person_id": pl.String, "weight_kg": pl.Float64, "baseline_ige_iu_per_ml": pl.Float64, "given_dose_mg": pl.Float64,
        "given_interval_days": pl.Int64, "is_dosed_by_table": pl.Boolean,
    },
    orient="row",
)  # fmt: skip


def test_the_class_of_each_given_dose(us: DosingTable, eu: DosingTable) -> None:
    found = dose_check(GIVEN, [us, eu], tolerance=0.0)
    assert found.height == 2 * GIVEN.height
    by_us = found.filter(pl.col("table_name") == "us_12plus")
    for row in by_us.iter_rows(named=True):
        if row["dose_class"] == "not_assessable":
            assert row["reason"] == row["person_id"]
        else:
            assert row["dose_class"] == row["person_id"]
            assert (row["reason"] is None) == (
                row["dose_class"] in {"as_table", "equal_four_week_dose", "under", "over"}
            )
    ratios = dict(by_us.select("person_id", "given_to_expected").iter_rows())
    assert (ratios["as_table"], ratios["under"]) == (1.0, pytest.approx(300 / 450))
    assert ratios["not_applicable"] is None
    need = dict(by_us.select("person_id", "to_0016").iter_rows())
    assert need["as_table"] == pytest.approx(450.0 / (70.0 * 250.0) / 0.016)
    assert need["no weight"] is None
    assert need["not_applicable"] is None
    by_eu = dict(found.filter(pl.col("table_name") == "eu").select("person_id", "dose_class").iter_rows())
    assert (by_eu["as_table"], by_eu["equal_four_week_dose"]) == ("equal_four_week_dose", "as_table")
    assert set(found["table_version"]) == {"current", "asthma from 12 years"}


@pytest.mark.parametrize(("days", "given"), [(28, "as_table"), (29, "as_table"), (30, "under"), (26, "over")])
def test_intervals_within_the_tolerance_are_the_same(us: DosingTable, days: int, given: str) -> None:
    person = GIVEN.head(1).with_columns(
        baseline_ige_iu_per_ml=pl.lit(150.0), given_dose_mg=pl.lit(300.0), given_interval_days=pl.lit(days)
    )
    assert dose_check(person, [us], tolerance=1 / 28)["dose_class"].to_list() == [given]


def test_impossible_doses_are_refused(us: DosingTable) -> None:
    for change, said in (
        ({"given_dose_mg": -1.0}, "11 persons with a given_dose_mg not above 0"),
        ({"given_interval_days": 0}, "11 persons with a given_interval_days not above 0"),
        ({"person_id": "same"}, "a person is given more than once"),
    ):
        with pytest.raises(PkpdError, match=said):
            dose_check(
                GIVEN.with_columns(**{name: pl.lit(value) for name, value in change.items()}), [us], tolerance=0.0
            )
    with pytest.raises(PkpdError, match="tolerance must be"):
        dose_check(GIVEN, [us], tolerance=0.5)
    with pytest.raises(PkpdError, match="no dosing tables"):
        dose_check(GIVEN, [], tolerance=0.0)
