"""Our episodes and overlaps against what other people's engines and brute force gave for third-party records."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from pathlib import Path

import duckdb
import polars as pl
import pytest

from tests.cases.runner import Ascii, Bench, input_columns
from tests.worlds import USES

pytestmark = pytest.mark.data
NO_CAP = 36_500
RULES = [
    ("merge_0", 0, "merge", 0),
    ("merge_30", 30, "merge", 0),
    ("refills_30", 30, "stockpile", NO_CAP),
    ("refills_90", 90, "stockpile", NO_CAP),
]


def built(scratch: Path, windows: list[tuple[object, ...]], drugs: list[str]) -> Bench:
    """Covers, episodes and pair episodes of these windows: (record, person, drug, start, stop)."""
    bench = Bench(input_columns(scratch / "columns.duckdb"))
    rules = [(name, str(number)) for number, (name, *_) in enumerate(RULES, start=1)]
    policies = [(name, drug, str(gap), "0", handling, str(cap)) for name, gap, handling, cap in RULES for drug in drugs]
    columns = ("exposure_rule", "drug_id", "gap_days", "tail_days", "overlap_handling", "stockpile_cap_days")
    bench.fill("spec.exposure_rule", Ascii(("exposure_rule", "rule_number"), rules))
    bench.fill("spec.study", Ascii(("study_id",), [("s",)]))
    bench.fill("spec.drug", Ascii(("drug_id", "drug_class"), [(drug, drug) for drug in drugs]))
    bench.fill("spec.drug_policy", Ascii(columns, policies))
    names = ("prescription_id", "person_id", "drug_id", "start_date", "stop_date")
    bench.fill("exposure.window", Ascii(names, [tuple(map(str, row)) for row in windows]))
    for table in (*USES, "exposure.combination_episode"):
        bench.build(table)
    return bench


@pytest.fixture(scope="module")
def expected(shared_data: Path) -> dict[str, list[dict[str, object]]]:
    return json.loads((shared_data / "expected" / "adherer_medevents.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def dispensings(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Bench:
    frame = pl.read_csv(shared_data / "adherer" / "med_events.csv")
    windows = []
    for number, row in enumerate(frame.iter_rows(named=True)):
        start = dt.datetime.strptime(row["DATE"], "%m/%d/%Y").replace(tzinfo=dt.UTC).date()
        stop = start + dt.timedelta(days=row["DURATION"])
        windows.append((number, row["PATIENT_ID"], row["CATEGORY"].lower(), start, stop))
    return built(tmp_path_factory.mktemp("dispensings"), windows, ["meda", "medb"])


def test_days_covered_by_each_drug_and_by_both_are_those_of_brute_force(
    dispensings: Bench, expected: dict[str, object]
) -> None:
    days = dict(
        dispensings.rows(
            "SELECT drug_id, SUM(DATE_DIFF('day', start_date, stop_date)) FROM exposure.episode "
            "WHERE exposure_rule = 'merge_0' GROUP BY drug_id"
        )
    )
    both = dispensings.rows(
        "SELECT SUM(DATE_DIFF('day', start_date, stop_date)), COUNT(DISTINCT person_id) FROM exposure.combination_episode "
        "WHERE exposure_rule = 'merge_0'"
    )
    brute = expected["bruteforce_combination_days"]
    assert isinstance(brute, dict)
    assert (days["meda"], days["medb"], both[0][0]) == tuple(
        brute["total"][k] for k in ("days_A", "days_B", "days_both")
    )
    assert both[0][1] == brute["n_with_overlap"]


@pytest.mark.parametrize("gap", [30, 90])
def test_episodes_with_refills_carried_over_are_those_of_another_package(
    dispensings: Bench, expected: dict[str, list[dict[str, object]]], gap: int
) -> None:
    """Every start, and the end of every episode but a person's last of a drug, which the package draws to the window's end."""
    ours: defaultdict[tuple[str, int], list[tuple[dt.date, dt.date]]] = defaultdict(list)
    for drug, person, start, stop in dispensings.rows(
        f"SELECT drug_id, person_id, start_date, stop_date FROM exposure.episode WHERE exposure_rule = 'refills_{gap}' ORDER BY ALL"
    ):
        ours[drug, person].append((start, stop))
    theirs: defaultdict[tuple[str, int], list[tuple[dt.date, dt.date]]] = defaultdict(list)
    for row in expected[f"episodes_per_drug_gap{gap}"]:
        start, stop = (dt.date.fromisoformat(str(row[f"episode.{edge}"])) for edge in ("start", "end"))
        theirs[str(row["drug"]).lower(), int(str(row["PATIENT_ID"]))].append((start, stop))
    differing = [
        key
        for key in theirs
        if [s for s, _ in ours[key]][: len(theirs[key])] != [s for s, _ in theirs[key]]
        or [e for _, e in ours[key]][: len(theirs[key]) - 1] != [e for _, e in theirs[key][:-1]]
    ]
    assert len(theirs) > 100
    assert differing == []


def test_a_30_day_merge_of_conditions_gives_the_eras_that_came_with_the_records(
    tmp_path: Path, shared_data: Path
) -> None:
    """CONDITION_ERA: a missing end is the start + 1 day, inclusive ends, joined while the next starts within 30 days."""
    folder = shared_data / "synthea27nj_omop"
    with duckdb.connect() as con:
        conditions = f"read_csv('{folder / 'CONDITION_OCCURRENCE.csv'}', all_varchar = true)"
        rows = con.execute(
            f"""SELECT condition_occurrence_id, person_id, 'c' || condition_concept_id, CAST(condition_start_date AS DATE),
            COALESCE(CAST(condition_end_date AS DATE), CAST(condition_start_date AS DATE) + 1) FROM {conditions}
            WHERE condition_concept_id <> '0'"""
        ).fetchall()
        eras = con.execute(
            f"""SELECT CAST(person_id AS BIGINT), 'c' || condition_concept_id, CAST(condition_era_start_date AS DATE),
            CAST(condition_era_end_date AS DATE), CAST(condition_occurrence_count AS BIGINT)
            FROM read_csv('{folder / "CONDITION_ERA.csv"}', all_varchar = true) ORDER BY ALL"""
        ).fetchall()
    one_day = dt.timedelta(days=1)
    windows = [(i, person, drug, start, max(stop, start + one_day)) for i, person, drug, start, stop in rows]
    bench = built(tmp_path, windows, sorted({str(row[2]) for row in rows}))
    ours = bench.rows(
        "SELECT person_id, drug_id, start_date, stop_date, prescription_count FROM exposure.episode "
        "WHERE exposure_rule = 'merge_30' ORDER BY ALL"
    )
    assert len(eras) > 100
    assert ours == eras
