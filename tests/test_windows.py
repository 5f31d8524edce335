"""Windows against the slow reference, on random small charts, and on to episodes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sql.catalog import Query, queries
from tests.cases.runner import Ascii, Bench, case_files, difference, input_columns, read_cases
from tests.reference.day_by_day import History, Policy, episodes
from tests.reference.records import KINDS, Chart, Record, Reversal, Setting, day_dose, uses, window
from tests.reference.supply import Window
from tests.whole_run import built, small_study, write_csv
from tests.worlds import SAME_EVERY_TIME, USES

DAY_0 = dt.date(2020, 1, 1)
DRUGS = {
    "infused": Setting(interval=20, induction=(0, 3, 10), look_back=12),
    "injected": Setting(interval=7, induction=(0, 2, 4, 6), look_back=5, units_per_day=Decimal("0.5")),
    "swallowed": Setting(is_injectable=False, units_per_day=Decimal("1.5")),
    "plain": Setting(interval=14, is_injectable=False),
}
GAP = 3
NUMBERS = st.sampled_from([None, *(Decimal(n) for n in ("0.5", "1", "1.2", "2", "7", "27.5", "400", "401", "601"))])


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(input_columns(tmp_path_factory.mktemp("windows") / "columns.duckdb"))
    yield made
    made.close()


@st.composite
def records(draw: st.DrawFn) -> Record:
    """One record without a name; most name no days, so that doses are counted."""
    start = draw(st.integers(0, 45))
    is_bare = draw(st.integers(0, 3)) > 0
    stop = draw(st.sampled_from((None, 1, 2, 9)))
    return Record(
        name="",
        drug=draw(st.sampled_from(("infused", "infused", *DRUGS))),
        kind=draw(st.sampled_from(KINDS)),
        start=start,
        stop=None if is_bare or stop is None else start + stop,
        supply=None if is_bare else draw(NUMBERS),
        quantity=draw(NUMBERS),
        dose=draw(st.sampled_from([None, *(Decimal(n) for n in ("0", "0.25", "0.3", "100", "300"))])),
        unit=draw(st.sampled_from((None, "mg", "mg", "g", "mcg", "vial"))),
    )


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    """The records of one person; reversals of some, of one too many and of none."""
    found = draw(st.lists(records(), max_size=9))
    named = tuple(
        Record(**{**vars(record), "name": f"{chr(97 + number)}{number}"}) for number, record in enumerate(found)
    )
    taken = draw(st.lists(st.sampled_from(named), max_size=3)) if named else []
    reversals = tuple(Reversal(r.drug, r.kind, r.start, r.quantity) for r in taken if r.quantity is not None)
    edges = sorted(draw(st.lists(st.integers(-20, 60), max_size=4, unique=True)))
    seen = draw(st.booleans())
    periods = [(-20, 60)] if seen else list(zip(edges[::2], edges[1::2], strict=False))
    return Chart(named, reversals, tuple(periods))


def _table(columns: str, rows: Sequence[Sequence[object]]) -> Ascii:
    return Ascii(tuple(columns.split()), [tuple(None if cell is None else str(cell) for cell in row) for row in rows])


def _date(day: int | None) -> dt.date | None:
    return None if day is None else DAY_0 + dt.timedelta(days=day)


def _load(bench: Bench, people: Sequence[Chart]) -> None:
    """Puts charts into a bench and builds windows and episodes from them."""
    charts_of = list(enumerate(people, start=1))
    counted: dict[tuple[int, Reversal], int] = {}
    for i, chart in charts_of:
        for reversal in chart.reversals:
            counted[i, reversal] = counted.get((i, reversal), 0) + 1
    for name, table in {
        "spec.drug": _table(
            "drug_id is_injectable interval_days units_per_day washout_days",
            [(d, s.is_injectable, s.interval, s.units_per_day, s.look_back) for d, s in DRUGS.items()],
        ),
        "spec.induction": _table(
            "drug_id dose_number cover_days",
            [
                (drug, number, setting.induction[number] - setting.induction[number - 1])
                for drug, setting in DRUGS.items()
                for number in range(1, len(setting.induction))
            ],
        ),
        "spec.exposure_rule": _table("exposure_rule", [("primary",)]),
        "spec.drug_policy": _table("drug_id gap_days", [(drug, GAP) for drug in DRUGS]),
        "staged.observation_period": _table(
            "person_id period_number start_date stop_date",
            [(i, n, _date(a), _date(b)) for i, c in charts_of for n, (a, b) in enumerate(c.periods, start=1)],
        ),
        "staged.reversal": _table(
            "person_id drug_id record_type start_date quantity record_count",
            [(i, r.drug, r.kind, _date(r.start), r.quantity, n) for (i, r), n in counted.items()],
        ),
        "staged.prescription": _table(
            "prescription_id person_id drug_id record_type start_date stop_date days_supply quantity dose dose_unit",
            [
                (
                    *(f"{i}-{r.name}", i, r.drug, r.kind, _date(r.start), _date(r.stop)),
                    *(r.supply, r.quantity, r.dose, r.unit),
                )
                for i, c in charts_of
                for r in c.records
            ],
        ),
    }.items():
        bench.fill(name, table)
    for name in ("exposure.window", *USES):
        bench.build(name)


def _expected_windows(people: Sequence[Chart]) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for i, chart in enumerate(people, start=1):
        used = uses(chart)
        for record in chart.records:
            source, stop = window(chart, record, DRUGS[record.drug])
            dose, unit = day_dose(chart, record)
            found.append((f"{i}-{record.name}", _date(stop), source, used[record.name], dose, unit))
    return sorted(found)


def _expected_episodes(people: Sequence[Chart]) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for i, chart in enumerate(people, start=1):
        used = uses(chart)
        covering = []
        for record in chart.records:
            _, stop = window(chart, record, DRUGS[record.drug])
            if used[record.name] == "used" and stop is not None:
                covering.append(Window(record.drug, record.start, stop))
        history = History(tuple(covering), chart.periods)
        for drug in DRUGS:
            found += [
                (i, drug, e.number, _date(e.start), _date(e.stop), e.record_count, e.ending)
                for e in episodes(history, drug, Policy(GAP, 0))
            ]
    return sorted(found)


_COURSE = Chart(
    tuple(Record(f"a{day}", "infused", "administration", day) for day in (0, 3, 10, 30, 45, 60)), (), ((-12, 90),)
)


@example([_COURSE])
@settings(SAME_EVERY_TIME, max_examples=150)
@given(people=st.lists(charts(), min_size=1, max_size=6))
def test_windows_agree_with_the_record_by_record_reference(bench: Bench, people: list[Chart]) -> None:
    with bench.transaction():
        _load(bench, people)
        windows = bench.rows(
            'SELECT prescription_id, stop_date, window_source, record_use, day_dose, dose_unit FROM exposure."window"'
        )
        assert sorted(windows) == _expected_windows(people)
        found = bench.rows(
            "SELECT person_id, drug_id, episode_number, start_date, stop_date, prescription_count, ending "
            "FROM exposure.episode"
        )
        assert sorted(found) == _expected_episodes(people)


def test_the_random_charts_meet_every_source_and_every_use() -> None:
    sources, used = set(), set()

    @settings(SAME_EVERY_TIME, max_examples=150)
    @given(chart=charts())
    def look(chart: Chart) -> None:
        used.update(uses(chart).values())
        sources.update(window(chart, record, DRUGS[record.drug])[0] for record in chart.records)

    look()
    assert used == {"used", "superseded", "reversed"}
    assert sources == {"days_supply", "end_date", "quantity", "induction", "interval", "window_unknown"}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("p.named_until <= p.look_back_date", "p.named_until < p.look_back_date"),
        ("o.start_date <= c.look_back_date", "o.start_date < c.look_back_date"),
        ("o.stop_date >= c.start_date", "o.stop_date > c.start_date"),
        ("o.stop_date >= c.start_date", "o.stop_date >= c.look_back_date"),
        ("WHERE r.record_use = 'used' AND NOT r.is_era_level", "WHERE NOT r.is_era_level"),
        ("WHERE r.record_use = 'used' AND NOT r.is_era_level", "WHERE r.record_use = 'used'"),
        ("MAX(COALESCE(r.named_stop_date, r.start_date + 1))", "MAX(r.start_date + 1)"),
        ("r.start_date = i.start_date AND r.record_use = 'used'", "r.start_date = i.start_date"),
        ("CEIL(ROUND(x.quantity", "FLOOR(ROUND(x.quantity"),
        (
            "CEIL(ROUND(x.quantity * 1000) / NULLIF(ROUND(d.units_per_day * 1000), 0))",
            "CEIL(x.quantity / d.units_per_day)",
        ),
        ("r.quantity_days <= 400", "r.quantity_days <= 401"),
        ("COUNT(*) = COUNT(r.dose)", "TRUE"),
        ("MIN(COALESCE(r.dose_unit, '')) = MAX(COALESCE(r.dose_unit, ''))", "MIN(r.dose_unit) = MAX(r.dose_unit)"),
    ],
)
def test_a_changed_rule_is_told_by_a_case(bench: Bench, right: str, wrong: str) -> None:
    """The negative control of the cases: every edge has one that falls when it moves."""
    query = queries()["exposure.window"]
    assert right in query.text
    moved = Query(query.name, query.text.replace(right, wrong), query.reads)
    cases = read_cases(query.name, case_files()[query.name])
    assert any(difference(case, bench.found(case, moved)) for case in cases)


@pytest.mark.parametrize("gap_days", [0, 60])
def test_eight_infusions_stored_as_one_day_each_are_one_use_of_378_days(bench: Bench, gap_days: int) -> None:
    starts = (0, 14, 42, *range(98, 98 + 5 * 56, 56))
    with bench.transaction():
        for name, table in {
            "spec.drug": _table("drug_id interval_days washout_days", [("infliximab", 56, 180)]),
            "spec.induction": _table("drug_id dose_number cover_days", [("infliximab", 1, 14), ("infliximab", 2, 28)]),
            "spec.exposure_rule": _table("exposure_rule", [("primary",)]),
            "spec.drug_policy": _table("drug_id gap_days", [("infliximab", gap_days)]),
            "staged.observation_period": _table("person_id start_date stop_date", [(1, "2019-01-01", "2022-01-01")]),
            "staged.prescription": _table(
                "prescription_id person_id drug_id record_type start_date stop_date",
                [(day, 1, "infliximab", "administration", _date(day), _date(day + 1)) for day in starts],
            ),
        }.items():
            bench.fill(name, table)
        for name in ("exposure.window", *USES):
            bench.build(name)
        found = bench.rows("SELECT DATE_DIFF('day', start_date, stop_date) FROM exposure.episode")
    assert found == [(378,)]


def test_what_was_cancelled_or_not_given_is_counted_and_never_a_window(tmp_path: Path) -> None:
    """Three of five records stand; a dispensing is not superseded by an administration that did not happen."""
    source = write_csv(
        tmp_path / "source",
        person="person_id | sex | year_of_birth\n1 | F | 1980",
        adverse_event="adverse_event_id | person_id | term | onset_date",
        prescription="""
            prescription_id | person_id | record_type    | drug_source_value | start_date | days_supply | status
            1               | 1         | dispensing     | omalizumab        | 2020-01-01 | 28          | completed
            2               | 1         | administration | omalizumab        | 2020-01-01 | 28          | not-done
            3               | 1         | order          | omalizumab        | 2020-03-01 | 28          | Cancelled
            4               | 1         | order          | omalizumab        | 2020-05-01 | 28          | active
            5               | 1         | order          | omalizumab        | 2020-06-01 | 28          | -""",
    )
    warehouse = built(small_study(), source, tmp_path / "build.duckdb").warehouse
    assert warehouse.query(
        'SELECT prescription_id, record_use FROM exposure."window" ORDER BY prescription_id'
    ).rows() == [
        ("1", "used"),
        ("4", "used"),
        ("5", "used"),
    ]
    aside = "SELECT rule_id, COUNT(*) FROM quality.quarantine WHERE table_name = 'prescription' GROUP BY rule_id"
    assert warehouse.query(aside).rows() == [("DQ038", 2)]
    account = warehouse.query(
        "SELECT rows_in, rows_kept, rows_quarantined, rows_duplicate FROM quality.row_account WHERE table_name = 'prescription'"
    )
    assert account.rows() == [(5, 3, 2, 0)]
