"""Every rule of the first door fires on the rows that break it and on no other."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from expectations.rule import Rule, graded
from pipelines.doors import rules_of
from pipelines.ingest.tables import INPUT_TABLES
from tests.unit.expectations.conftest import Door
from tests.unit.expectations.raw_cases import CASES

RULES = {rule.key: rule for rule in rules_of("raw")}
DATES = {  # table -> its date, and the same as rows of a table would hold it
    name: table.event_date for name, table in INPUT_TABLES.items() if table.event_date
}
NAME = "person_source_value"


def _of(rule_id: str, *, severity: str | None = None) -> list[Rule]:
    return [r for r in RULES.values() if r.id == rule_id and severity in (None, r.severity)]


def _ids(rule: Rule) -> str:
    return rule.name


@pytest.mark.parametrize("rule", _of("DQ002") + _of("DQ012"), ids=_ids)
def test_a_value_that_could_not_be_read_is_told_by_its_column(door: Door, rule: Rule) -> None:
    kind = "uncast_columns" if rule.id == "DQ002" else "ambiguous_columns"
    rows = f"{kind}\n{rule.field}\nother,{rule.field}\n{rule.field},other\nx{rule.field}\n{rule.field}x\nother\n-"
    assert door.failing_rows(rule, {rule.batch: rows}) == [1, 2, 3]


def test_every_typed_column_has_its_rule_and_every_date_the_one_for_ambiguous_dates() -> None:
    typed = {(name, f.name): f.kind for name, t in INPUT_TABLES.items() for f in t.fields if f.kind != "text"}
    assert {(r.table, r.field) for r in _of("DQ002")} == set(typed)
    dates = {key for key, kind in typed.items() if kind in ("date", "datetime")}
    assert {(r.table, r.field) for r in _of("DQ012")} >= dates
    assert all(r.severity == "block" and r.block_above == 0 for r in _of("DQ012"))


@pytest.mark.parametrize("rule", _of("DQ007"), ids=_ids)
def test_a_record_without_a_person_is_set_aside(door: Door, rule: Rule) -> None:
    assert door.failing_rows(rule, {rule.batch: f"{NAME} | uncast_columns\na | -\n- | -"}) == [2]


@pytest.mark.parametrize("rule", _of("DQ005"), ids=_ids)
def test_an_identifier_that_is_absent_or_shared_sets_all_its_records_aside(door: Door, rule: Rule) -> None:
    (key,) = INPUT_TABLES[rule.table].key
    column = NAME if key == "person_id" else key
    rows = f"{column} | uncast_columns\n7 | -\n8 | -\n7 | x\n- | -\n007 | -"
    assert door.failing_rows(rule, {rule.batch: rows}) == [1, 3, 4]


@pytest.mark.parametrize("rule", _of("DQ008"), ids=_ids)
def test_a_record_of_a_person_who_was_not_kept_is_an_orphan(door: Door, rule: Rule) -> None:
    given = {
        "intake.person": f"source_file | row_number | {NAME}\np | 1 | a\np | 2 | b\np | 3 | -",
        "quality.quarantine": "table_name | source_file | row_number\nperson | p | 2\nvisit | p | 1",
        rule.batch: f"{NAME} | uncast_columns\na | -\nb | -\nz | -\n- | -",
    }
    assert door.failing_rows(rule, given) == [2, 3]


def _dated(rule: Rule, *days: str, extra: str = "") -> dict[str, str]:
    rows = "\n".join(f"a | {day}" for day in days)
    return {rule.batch: f"{NAME} | {DATES[rule.table]}{extra}\n{rows}"}


@pytest.mark.parametrize("rule", _of("DQ027") + _of("DQ046"), ids=_ids)
def test_a_record_without_a_date_is_told_once_not_also_as_unreadable(door: Door, rule: Rule) -> None:
    column = DATES[rule.table]
    given = _dated(rule, "2020-01-01 | -", "- | -", f"- | {column}", "- | other", extra=" | uncast_columns")
    assert door.failing_rows(rule, given) == [2, 4]


@pytest.mark.parametrize("rule", _of("DQ009"), ids=_ids)
def test_the_last_day_of_data_is_data_and_the_day_after_is_not(door: Door, rule: Rule) -> None:
    given = _dated(rule, "2020-02-28", "2020-02-29", "-") | {"quality.data_cut": "data_cut_date\n2020-02-28"}
    assert door.failing_rows(rule, given) == [2]


@pytest.mark.parametrize("rule", _of("DQ010", severity="quarantine"), ids=_ids)
def test_placeholders_and_dates_before_birth_are_set_aside_years_compared_where_only_the_year_is_known(
    door: Door, rule: Rule
) -> None:
    column = DATES[rule.table]
    given = {
        "spec.placeholder_date": "placeholder_date\n1970-01-01",
        "intake.person": f"{NAME} | birth_date | year_of_birth\na | 1960-06-15 | 1960\nb | - | 1960\nc | - | -",
        rule.batch: f"""
            {NAME} | {column}
            a | 1970-01-01
            a | 1960-06-14
            a | 1960-06-15
            b | 1960-01-01
            b | 1959-12-31
            c | 1900-01-02
            z | 1900-01-02
            z | 1970-01-01
            a | -""",
    }
    assert door.failing_rows(rule, given) == [1, 2, 5, 8]


@pytest.mark.parametrize("rule", _of("DQ010", severity="warn"), ids=_ids)
def test_an_open_end_is_counted_and_keeps_its_record(door: Door, rule: Rule) -> None:
    assert door.failing_rows(rule, {rule.batch: "has_open_end | uncast_columns\ntrue | -\nfalse | -"}) == [1]


@pytest.mark.parametrize("rule", _of("DQ011"), ids=_ids)
def test_thirty_days_after_death_are_billing_and_a_day_more_is_not(door: Door, rule: Rule) -> None:
    given = _dated(rule, "2020-01-31", "2020-02-01", "2019-12-31", "2020-01-01", "2020-01-02") | {
        "intake.death": f"{NAME} | death_date\na | 2020-01-01\na | 2020-06-01\nb | 2010-01-01"
    }
    assert door.failing_rows(rule, given) == ([2] if rule.severity == "quarantine" else [1, 5])
    assert rule.needs == ("death",)


@pytest.mark.parametrize("rule", _of("DQ004"), ids=_ids)
def test_the_newest_record_may_be_as_old_as_the_study_says_and_no_day_older(door: Door, rule: Rule) -> None:
    def stale(newest: str) -> bool:
        given = _dated(rule, "2000-01-01", newest, "-")
        return bool(
            door.failing(
                rule, given | {"quality.data_cut": "data_cut_date\n2020-12-31", "spec.quality": "freshness_days\n30"}
            )
        )

    assert not stale("2020-12-01")
    assert stale("2020-11-30")


@pytest.mark.parametrize("rule", _of("DQ003"), ids=_ids)
def test_rows_are_counted_against_the_last_publication(door: Door, rule: Rule) -> None:
    def missing(now: int, before: int) -> int:
        return len(door.failing(rule, {
            "meta.source_table": f"table_name | rows_in\n{rule.table} | {now}\nother | 7",
            "meta.previous_table": f"table_name | rows_in\n{rule.table} | {before}\nother | 700",
        }))  # fmt: skip

    assert missing(60, 100) == (40 if rule.field == "fewer" else 0)
    assert missing(250, 100) == (0 if rule.field == "fewer" else 150)
    assert missing(0, 100) == (100 if rule.field == "fewer" else 0)
    assert rule.needs == ("previous",)


def test_a_table_that_shrinks_by_40_percent_passes_by_60_warns_and_by_95_stops_the_run() -> None:
    rule = next(rule for rule in _of("DQ003") if rule.field == "fewer")
    told = [graded(rule, rows_checked=100, rows_failed=failed) for failed in (40, 50, 60, 90, 95)]
    assert [result.status for result in told] == ["pass", "pass", "fail", "fail", "fail"]
    assert [result.is_blocking for result in told] == [False, False, False, False, True]


@pytest.mark.parametrize("rule", _of("DQ013") + _of("DQ016"), ids=_ids)
def test_partial_dates_and_untidy_texts_are_told_and_kept(door: Door, rule: Rule) -> None:
    column = "partial_columns" if rule.id == "DQ013" else "untidy_columns"
    assert door.failing_rows(rule, {rule.batch: f"{column} | uncast_columns\nx:month | -\n- | x"}) == [1]


@pytest.mark.parametrize("rule", _of("DQ014"), ids=_ids)
def test_times_without_a_zone_and_times_that_there_were_not(door: Door, rule: Rule) -> None:
    if rule.field.endswith("_skipped"):
        column = rule.field.removesuffix("_skipped")
        rows = f"nonexistent_time_columns | uncast_columns\n{column} | -\nother,{column} | -\nother | -\n- | -"
        assert door.failing_rows(rule, {rule.batch: rows}) == [1, 2]
    else:
        rows = f"{rule.field} | zoned_columns\n2020-01-01 10:00:00 | -\n2020-01-01 10:00:00 | {rule.field}\n2020-01-01 00:00:00 | -\n- | -"
        assert door.failing_rows(rule, {rule.batch: rows}) == [1]


@pytest.mark.parametrize("rule", _of("DQ015"), ids=_ids)
def test_times_at_midnight_are_counted_among_the_times(door: Door, rule: Rule) -> None:
    rows = f"{rule.field} | uncast_columns\n2020-01-01 00:00:00 | -\n2020-01-01 00:00:01 | -\n- | -"
    assert door.failing_rows(rule, {rule.batch: rows}) == [1]
    assert graded(rule, rows_checked=10, rows_failed=2).status == "pass"
    assert graded(rule, rows_checked=10, rows_failed=3).status == "fail"


@pytest.mark.parametrize(
    "rule", _of("DQ028") + _of("DQ021") + _of("DQ047") + [r for r in _of("DQ064") if r.field != "stay"], ids=_ids
)
def test_an_end_before_the_start_is_set_aside_and_on_the_same_day_it_is_not(door: Door, rule: Rule) -> None:
    start = DATES[rule.table]
    rows = f"""
        {start}    | {rule.field}
        2020-01-02 | 2020-01-01
        2020-01-02 | 2020-01-02
        2020-01-02 | -
        -          | 2020-01-01"""
    assert door.failing_rows(rule, {rule.batch: rows}) == [1]


OWN: dict[tuple[str, str, str], tuple[Mapping[str, str], list[int]]] = {
    ("DQ017", "person", "sex"): ({"intake.person": "sex | uncast_columns\nF|-\nm|-\nU|-\nfemale|-\n-|-"}, [4, 5]),
    ("DQ018", "person", "birth_date"): (
        {
            "spec.placeholder_date": "placeholder_date\n1900-01-01",
            "intake.person": f"""
                {NAME} | birth_date | year_of_birth
                a      | 1980-01-01 | -
                b      | -          | -
                c      | -          | 0
                d      | 2021-01-01 | -
                e      | 2020-12-31 | -
                f      | -          | 1904
                g      | -          | 1905
                h      | 1980-01-01 | -
                i      | -          | 2021""",
            "intake.prescription": f"{NAME} | start_date\n"
            + "\n".join(f"{person} | 2020-06-01" for person in "adefgi")
            + "\nh | 1900-01-01",
            "intake.observation_period": f"{NAME} | start_date\na | 1981-01-01",
            "intake.adverse_event": f"{NAME} | onset_date\nf | 2020-06-02",
        },
        [2, 3, 4, 6, 9],
    ),
    ("DQ024", "prescription", "drug_source_value"): (
        {"intake.prescription": "drug_source_value | drug_code\nx | -\n- | 1\n- | -"},
        [3],
    ),
    ("DQ025", "prescription", "drug_code"): (
        {
            "intake.prescription": "drug_source_value | drug_code | code_system\nx | 1 | OMOP\nx | - | -\ny | 1 | OMOP",
            "quality.drug_map": "drug_source_value | drug_code | code_system | is_conflict\n"
            "x | 1 | OMOP | true\nx | '' | '' | false\ny | 1 | OMOP | false",
        },
        [1],
    ),
    ("DQ030", "prescription", "days_supply"): (
        {"intake.prescription": "days_supply | uncast_columns\n-1 | -\n0 | -\n28 | -\n- | -\n-0.5 | -"},
        [1, 5],
    ),
    ("DQ032", "prescription", "quantity"): (
        {"intake.prescription": "quantity | uncast_columns\n-1 | -\n0 | -\n0.5 | -\n- | -"},
        [1, 2],
    ),
    ("DQ038", "prescription", "status"): (
        {
            "intake.prescription": "status | uncast_columns\nCancelled | -\nnot given | -\nactive | -\n- | -\nVOID | -\n"
            "not-done | -\nEntered_in_Error | -\nHold Dose | -\ndeclined | -\nstopped | -\non-hold | -\ncompleted | -"
        },
        [1, 2, 5, 6, 7, 8, 9],
    ),
    ("DQ043", "adverse_event", "term"): ({"intake.adverse_event": "term | code\nx | -\n- | 1\n- | -"}, [3]),
}


@pytest.mark.parametrize("key", [*OWN, *CASES], ids="_".join)
def test_the_rules_of_single_tables(door: Door, key: tuple[str, str, str]) -> None:
    cases = OWN.get(key) or CASES[key]
    for given, failing in cases if isinstance(cases, list) else [cases]:
        assert sorted(door.failing_rows(RULES[key], given)) == failing


def test_every_rule_has_a_test_here_and_is_known_by_its_key() -> None:
    general = {"DQ002", "DQ003", "DQ004", "DQ013", "DQ014", "DQ015", "DQ016", "DQ047",
               "DQ005", "DQ007", "DQ008", "DQ009", "DQ010", "DQ011", "DQ012", "DQ021", "DQ027", "DQ028",
               "DQ046", "DQ064"}  # fmt: skip
    own = {key for key in RULES if key[0] not in general or key[2] == "stay"}
    assert own == {*OWN, *CASES}
    assert len(RULES) == len(rules_of("raw"))


def test_persons_are_judged_before_their_records() -> None:
    tables = [rule.table for rule in rules_of("raw") if rule.severity == "quarantine"]
    assert "person" not in tables[tables.index(next(table for table in tables if table != "person")) :]
