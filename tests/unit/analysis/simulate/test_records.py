"""The written tables are valid input: names, keys, dates and codes of the native format."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from analysis.simulate import Simulation

_CUT = dt.date(2025, 12, 31)
_COLUMNS = {
    "person": {"person_id", "sex", "birth_date"},
    "observation_period": {"person_id", "start_date", "end_date"},
    "death": {"person_id", "death_date"},
    "prescription": {
        "prescription_id", "person_id", "record_type", "drug_source_value", "drug_code", "code_system", "start_date",
        "days_supply", "dose", "dose_unit", "route",
    },
    "adverse_event": {
        "adverse_event_id", "person_id", "term", "onset_date", "serious", "hospitalisation", "action_taken",
        "suspect_drug",
    },
    "discontinuation": {"person_id", "drug_source_value", "stop_date", "reason"},
    "condition": {"condition_id", "person_id", "code", "code_system", "start_date", "position", "setting"},
    "measurement": {"measurement_id", "person_id", "test", "datetime", "value", "unit"},
    "symptom_score": {"person_id", "instrument", "date", "value"},
}  # fmt: skip
_DATED = [
    ("prescription", "start_date"), ("adverse_event", "onset_date"), ("discontinuation", "stop_date"),
    ("condition", "start_date"), ("symptom_score", "date"),
]  # fmt: skip


def test_tables_have_the_columns_of_the_native_format(large: Simulation) -> None:
    assert {name: set(table.columns) for name, table in large.tables.items()} == _COLUMNS


@pytest.mark.parametrize(
    ("table", "key"),
    [("person", "person_id"), ("observation_period", "person_id"), ("death", "person_id"),
     ("prescription", "prescription_id"), ("adverse_event", "adverse_event_id"), ("condition", "condition_id")],
)  # fmt: skip
def test_keys_are_unique_text(large: Simulation, table: str, key: str) -> None:
    values = large.tables[table][key]
    assert values.dtype == pl.String
    assert values.null_count() == 0
    assert values.n_unique() == values.len()


@pytest.mark.parametrize(("table", "column"), _DATED)
def test_no_record_lies_outside_the_observed_time_of_its_person(large: Simulation, table: str, column: str) -> None:
    """Within [observed start, observed end], so after birth, not after death, not after the data cut."""
    rows = large.tables[table].join(large.tables["observation_period"], on="person_id", suffix="_observed")
    start = "start_date_observed" if column == "start_date" else "start_date"
    assert rows.height == large.tables[table].height
    assert rows[column].dtype == pl.Date
    assert rows.filter((pl.col(column) < pl.col(start)) | (pl.col(column) > pl.col("end_date"))).height == 0


def test_observed_time_ends_with_death_or_the_data_cut_and_starts_after_birth(large: Simulation) -> None:
    rows = large.tables["observation_period"].join(large.tables["person"], on="person_id")
    assert rows.filter(pl.col("end_date") < pl.col("start_date")).height == 0
    assert rows.filter(pl.col("start_date") <= pl.col("birth_date")).height == 0
    assert rows["end_date"].max() == _CUT
    dead = large.tables["death"].join(large.tables["observation_period"], on="person_id")
    assert (dead["death_date"] == dead["end_date"]).all()


def test_every_person_is_observed_for_a_year_before_the_first_study_drug(large: Simulation) -> None:
    rows = large.truth_person.join(large.tables["observation_period"], on="person_id")
    assert rows.filter((pl.col("entry_date") - pl.col("start_date")).dt.total_days() < 365).height == 0


def test_only_background_drugs_carry_days_supply_and_only_infusions_are_administrations(
    large: Simulation, drugs: pl.DataFrame
) -> None:
    rows = large.tables["prescription"].select("record_type", "drug_source_value", "days_supply", "route").unique()
    names = drugs.select(
        "is_biologic",
        "routes",
        pl.concat_list("generic_name", pl.col("brands").fill_null("").str.split(";")).alias("drug_source_value"),
    ).explode("drug_source_value", empty_as_null=True)
    named = rows.join(names, on="drug_source_value")
    assert named.height == rows.height
    is_background = pl.col("is_biologic") == "0"
    assert named.filter(is_background != (pl.col("days_supply") == 30).fill_null(value=False)).height == 0
    is_infusion = (pl.col("is_biologic") == "1") & pl.col("routes").str.starts_with("IV")
    assert named.filter(is_infusion != (pl.col("record_type") == "administration")).height == 0
    assert named.filter(is_infusion & (pl.col("route") != "IV")).height == 0


def test_code_is_rxnorm_where_certain_and_atc_elsewhere(large: Simulation) -> None:
    codes = large.tables["prescription"].select("drug_source_value", "drug_code", "code_system").unique()
    found = {row["drug_source_value"]: (row["code_system"], row["drug_code"]) for row in codes.iter_rows(named=True)}
    assert found["omalizumab"] == ("RxNorm", "302379")
    assert found["mepolizumab"] == ("ATC", "R03DX09")


def test_biosimilars_are_about_five_percent_of_the_courses_that_have_one(large: Simulation) -> None:
    names = large.tables["prescription"]["drug_source_value"]
    infliximab = names.filter(names.is_in(["infliximab", "Remicade", "Inflectra", "Renflexis", "Avsola", "Remsima"]))
    share = (~infliximab.is_in(["infliximab", "Remicade"])).mean()
    assert isinstance(share, float)
    assert 0.03 < share < 0.07


def test_every_serious_event_is_an_infection_component_of_one_outcome_only(
    large: Simulation, outcomes: pl.DataFrame
) -> None:
    terms = outcomes.select(
        "serious_infection_component", "outcome_id", pl.col("meddra_pt_names").str.split(";").alias("term")
    ).explode("term", empty_as_null=True)
    serious = large.tables["adverse_event"].filter(pl.col("serious") == "Y").select("term").unique()
    listed = serious.join(terms, on="term")
    assert listed.height == serious.height
    assert (listed["serious_infection_component"] == "1").all()
    minor = large.tables["adverse_event"].filter(pl.col("serious") == "N").select("term").unique()
    assert "1" not in minor.join(terms, on="term")["serious_infection_component"].to_list()


def test_an_opportunistic_first_date_belongs_to_a_term_flagged_opportunistic(
    large: Simulation, outcomes: pl.DataFrame
) -> None:
    flagged = (
        outcomes.filter(pl.col("opportunistic_winthrop2015") == "1")["meddra_pt_names"]
        .str.split(";")
        .explode(empty_as_null=True, keep_nulls=True)
    )
    events = large.tables["adverse_event"].filter(pl.col("term").is_in(flagged.to_list()))
    first = events.group_by("person_id").agg(pl.col("onset_date").min()).sort("person_id")
    truth = large.truth_person.drop_nulls("first_opportunistic_infection_date").sort("person_id")
    assert first["person_id"].to_list() == truth["person_id"].to_list()
    assert (first["onset_date"] == truth["first_opportunistic_infection_date"]).all()


def test_infections_of_a_person_lie_at_least_31_days_apart(large: Simulation) -> None:
    serious = large.tables["adverse_event"].filter(pl.col("serious") == "Y").sort("person_id", "onset_date")
    space = serious.select(pl.col("onset_date").diff().over("person_id").dt.total_days())["onset_date"].drop_nulls()
    assert space.len() > 100
    assert space.filter(space < 31).is_empty()


def test_a_recorded_adverse_event_stop_has_its_event_and_an_unrecorded_one_has_none(large: Simulation) -> None:
    stops = large.tables["discontinuation"].filter(pl.col("reason") == "adverse event")
    events = large.tables["adverse_event"].filter(pl.col("action_taken") == "drug withdrawn")
    assert stops.height > 50
    left = stops.select("person_id", "stop_date", "drug_source_value").sort(pl.all())
    right = events.select("person_id", "onset_date", "suspect_drug").sort(pl.all())
    assert left.rows() == right.rows()


def test_pregnancy_ends_pairs_of_women_below_fifty_only(large: Simulation) -> None:
    rows = large.truth_person.join(large.tables["person"], on="person_id").filter(pl.col("pair_ending") == "pregnancy")
    assert rows.height > 50
    assert rows.filter((pl.col("sex") != "F") | (pl.col("age") >= 50)).height == 0


def test_tiny_koc_has_its_31_pairs_and_no_adverse_event_stop(tiny: Simulation) -> None:
    pairs = dict(tiny.truth_person["pair"].value_counts().iter_rows())
    assert pairs == {
        "adalimumab+omalizumab": 3, "omalizumab+ustekinumab": 4, "omalizumab+secukinumab": 17,
        "ixekizumab+omalizumab": 7,
    }  # fmt: skip
    assert "adverse event" not in tiny.truth_person["pair_ending"].to_list()
    assert "drug withdrawn" not in tiny.tables["adverse_event"]["action_taken"].to_list()
    assert tiny.truth["planted"][0]["value"] == pytest.approx(8.0)
