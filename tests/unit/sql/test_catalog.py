"""The SELECTs: portable, in order, and as their contracts promise; every guard is shown to fire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlglot import exp

from pipelines.steps import Build
from sql.catalog import ROOT, CatalogError, breaches, parse, queries, tables, transpiled
from tests.whole_run import FEVER, MATCHED, REACTION, STOCK_TOO, TINY, built, small_study, write_csv

# The column that makes the order of a table's windows total: without it rows that tie may come in any order.
LAST_KEYS = {
    "staged.person": {"i.person_source_value"},
    "pkpd.person": {"m.measurement_id"},
    "pkpd.stop": {"d.dose_date", "e.episode_number"},
    "pkpd.exacerbation": {"r.record_date"},  # days, one a row
    "staged.observation_period": {"c.stop_date", "p.stop_date"},  # rows that still tie are equal
    "exposure.window": {"r.prescription_id", "d.start_date", "p.start_date", "n.start_date"},  # the key of a dose day
    "exposure.handling": {"g.bridges_hospital_stays"},
    "exposure.hospital_stay": {"v.visit_id", "o.start_date"},
    "exposure.supply": {"s.prescription_id", "k.record_number", "f.record_number"},
    "exposure.coverage": {"e.stop_date"},  # rows that still tie are equal
    "exposure.episode": {"o.start_date", "j.start_date"},
    "exposure.combination_interval": {
        "d.drug_class", "d.drug_id", "h.start_date", "l.start_date", "r.rare_drugs", "n.broad_count",
        "v.event_date",  # sums over whole days: rows of one day have equal values
    },
    "exposure.class_interval": {
        "c.drug_class", "r.rare_classes", "h.event_date", "c.event_date",
        "v.event_date",  # sums over whole days: rows of one day have equal values
    },
    "exposure.combination_episode": {"d.stop_date"},
    "exposure.discontinuation": {"c.reason"},
    "exposure.after_stop": {"b.drug_id"},
    "exposure.initiation": {"e.episode_number"},
    "cohort.outcome_record": {"p.code_prefix"},
    "cohort.outcome_event": {"r.component_id", "q.component_id"},
    "cohort.comparison_candidate": {"c.cut_date"},
    "cohort.monotherapy": {"a.start_date", "c.start_date"},
    "cohort.combination": {"c.episode_number", "o.overall_number"},
    "cohort.attrition": {"a.outcome_id"},
    "care.administration": {"g.dose_date"},
    "care.reaction": {"t.dose_date"},
    "summary.exposure_cell": {"i.start_date"},
    "care.given_dose": {"d.dose_date", "f.dose_date", "c.dose_date"},  # the key of a dose day
    "care.evidence": {"m.measurement_id", "s.row_number"},
    "care.loss_of_response": {"g.dose_date", "s.sign"},  # rows that still tie are equal
    "care.moment": {"e.episode_number"},
    "care.item_result": {"e.trigger_date"},
    "care.overdue": {"r.trigger_date"},
    "care.antibody_time": {"c.cut_day"},
    "care.trough": {"g.dose_date"},
    "care.warned_count": {"p.stop_date", "r.stop_date"},  # rows that still tie are equal
    "summary.after_stop_count": {"a.episode_number"},
}  # fmt: skip


@pytest.mark.parametrize("name", list(queries()))
def test_every_select_keeps_to_the_portable_subset(name: str) -> None:
    assert breaches(queries()[name].text) == []


@pytest.mark.parametrize("name", list(queries()))
def test_every_select_can_be_written_for_spark(name: str) -> None:
    assert transpiled(queries()[name].text, dialect="spark")


def _last_keys(text: str) -> set[str]:
    orders = [window.args.get("order") for window in parse(text).find_all(exp.Window)]
    return {order.expressions[-1].this.sql("duckdb") for order in orders if order}


@pytest.mark.parametrize("name", list(queries()))
def test_the_order_of_every_window_ends_with_the_declared_key(name: str) -> None:
    assert _last_keys(queries()[name].text) == LAST_KEYS.get(name, set())


def test_a_dropped_tie_break_is_seen() -> None:
    for name, tie_break in (("exposure.coverage", ", e.stop_date"), ("exposure.supply", ", s.prescription_id")):
        text = queries()[name].text
        assert tie_break in text
        assert _last_keys(text.replace(tie_break, "")) != LAST_KEYS[name]


@pytest.mark.parametrize(
    ("select", "problem"),
    [
        ("SELECT * FROM s.t", "SELECT *"),
        ("SELECT t.* FROM s.t AS t", "SELECT *"),
        ("SELECT COLUMNS(*) FROM s.t", "SELECT *"),
        ("SELECT t.a, COUNT(*) AS n FROM s.t AS t GROUP BY ALL", "GROUP BY ALL"),
        ("SELECT t.a, COUNT(*) AS n FROM s.t AS t GROUP BY 1", "by position"),
        ("SELECT t.a FROM s.t AS t ORDER BY 1", "by position"),
        ("SELECT t.a FROM s.t AS t ORDER BY ALL", "ORDER BY ALL"),
        ("SELECT #1 AS a FROM s.t", "by position"),
        ("SELECT t.a FROM s.t AS t ASOF JOIN s.u AS u ON t.a >= u.a", "ASOF"),
        ("SELECT t.a FROM s.t AS t NATURAL JOIN s.u AS u", "NATURAL"),
        ("SELECT t.a FROM s.t AS t POSITIONAL JOIN s.u AS u", "POSITIONAL"),
        ("SELECT ROW_NUMBER() OVER (PARTITION BY t.a) AS n FROM s.t AS t", "without ORDER BY"),
        ("SELECT LAG(t.b) OVER (PARTITION BY t.a) AS n FROM s.t AS t", "without ORDER BY"),
        ("SELECT LEAD(t.b) OVER () AS n FROM s.t AS t", "without ORDER BY"),
        ("SELECT FIRST_VALUE(t.b IGNORE NULLS) OVER () AS n FROM s.t AS t", "without ORDER BY"),
        ("SELECT SUM(t.b) OVER (ROWS UNBOUNDED PRECEDING) AS n FROM s.t AS t", "without ORDER BY"),
        ("SELECT RANK() OVER (ORDER BY t.a ROWS UNBOUNDED PRECEDING) AS n FROM s.t AS t", "with a frame"),
        ("SELECT STRING_AGG(t.a, '+') AS n FROM s.t AS t", "gathered without ORDER BY"),
        ("SELECT LIST(t.a) AS n FROM s.t AS t", "gathered without ORDER BY"),
        ("SELECT CAST(t.a AS HUGEINT) AS n FROM s.t AS t", "HUGEINT"),
        ("SELECT CAST(t.a AS UHUGEINT) AS n FROM s.t AS t", "HUGEINT"),
        ("SELECT t.a // 2 AS n FROM s.t AS t", "INTDIV"),
        ("SELECT QUANTILE_CONT(t.a, 0.5) AS n FROM s.t AS t", "differs"),
        ("SELECT QUANTILE(t.a, 0.5) AS n FROM s.t AS t", "differs"),
        ("SELECT MEDIAN(t.a) AS n FROM s.t AS t", "differs"),
        ("SELECT APPROX_QUANTILE(t.a, 0.5) AS n FROM s.t AS t", "differs"),
        ("SELECT t.a FROM s.t AS t WHERE REGEXP_MATCHES(t.a, 'x')", "differs"),
        ("SELECT t.a FROM s.t AS t WHERE t.a ~ 'x'", "differs"),
        ("SELECT REGEXP_REPLACE(t.a, 'x', 'y') AS n FROM s.t AS t", "differs"),
        ("SELECT REGEXP_EXTRACT(t.a, 'x') AS n FROM s.t AS t", "differs"),
        ("SELECT REGEXP_FULL_MATCH(t.a, 'x') AS n FROM s.t AS t", "differs"),
        ("SELECT HASH(t.a) AS n FROM s.t AS t", "HASH"),
        ("SELECT ANY_VALUE(t.a) AS n FROM s.t AS t", "chance"),
        ("SELECT RANDOM() AS n FROM s.t AS t", "chance"),
        ("SELECT CURRENT_DATE AS n FROM s.t AS t", "chance"),
        ("SELECT NOW() AS n FROM s.t AS t", "NOW"),
        ("SELECT t.a FROM s.t AS t USING SAMPLE 5", "chance"),
        ("SELECT t.a FROM s.t AS t LIMIT 5", "chance"),
        ("SELECT t.stop_date - t.start_date AS n FROM s.t AS t", "date minus date"),
        ("SELECT COALESCE(t.stop_date, t.end_date) - t.start_date AS n FROM s.t AS t", "date minus date"),
        ("SELECT DATE '2020-01-01' - (t.start_date + 1) AS n FROM s.t AS t", "date minus date"),
        ("SELECT t.start_date + t.gap_days AS d FROM s.t AS t", "without CAST"),
        ("SELECT t.start_date + CAST(t.gap_days AS BIGINT) AS d FROM s.t AS t", "without CAST"),
        ("WITH x AS (SELECT t.a, COUNT(*) AS n FROM s.t AS t GROUP BY 1) SELECT x.a FROM x", "by position"),
    ],
)  # fmt: skip
def test_what_is_not_portable_is_told(select: str, problem: str) -> None:
    assert any(problem in breach for breach in breaches(select)), breaches(select)


@pytest.mark.parametrize(
    "select",
    [
        "SELECT t.start_date + CAST(t.gap_days AS INTEGER) AS d FROM s.t AS t",
        "SELECT t.stop_date - 1 AS d FROM s.t AS t",
        "SELECT DATE_DIFF('day', t.start_date, t.stop_date) AS n FROM s.t AS t",
        "SELECT STRING_AGG(t.a, '+' ORDER BY t.a) AS n FROM s.t AS t",
        "SELECT COUNT(*) AS n FROM s.t AS t",
        "SELECT t.a FROM s.t AS t QUALIFY ROW_NUMBER() OVER (PARTITION BY t.a ORDER BY t.b) = 1",
        "SELECT SUM(t.b) OVER (PARTITION BY t.a ORDER BY t.b ROWS UNBOUNDED PRECEDING) AS n FROM s.t AS t",
        "SELECT t.a - t.b AS n FROM s.t AS t",
    ],
)
def test_what_is_portable_passes(select: str) -> None:
    assert breaches(select) == []


@pytest.mark.parametrize(
    "text", ["", "SELECT 1 AS a; SELECT 2 AS b", "DROP TABLE s.t", "INSERT INTO s.t SELECT 1 AS a"]
)
def test_a_file_holds_exactly_one_select(text: str) -> None:
    with pytest.raises(CatalogError, match="exactly one SELECT"):
        parse(text)


def test_each_select_comes_after_the_tables_it_reads() -> None:
    order = list(queries())
    for name, query in queries().items():
        assert all(order.index(read) < order.index(name) for read in query.reads if read in order), name


def test_every_select_has_a_contract_and_reads_only_what_is_known() -> None:
    known = set(tables()) | {"intake." + name for name in (*TINY, "drug_ancestor")}
    assert set(queries()) <= set(tables())
    assert {read for query in queries().values() for read in query.reads} <= known


def test_every_select_says_what_it_is_and_its_grain_is_the_key_of_its_contract() -> None:
    for name, query in queries().items():
        header = [line for line in query.text.splitlines() if line.startswith("--")]
        assert query.about.strip(), name
        grain = next(line.removeprefix("-- grain: ") for line in header if line.startswith("-- grain: "))
        if grain != "one row":
            assert tuple(grain.split(", ")) == tables()[name].key, name


def test_every_reference_file_has_a_contract() -> None:
    files = {f"reference.{path.stem}" for path in (ROOT / "reference").glob("*.csv")}
    assert files == {name for name in tables() if name.startswith("reference.")}


# Somebody on infliximab to the end of the data, with a test for tuberculosis of another person: work is overdue, response was lost,
# and a JAK inhibitor was taken.
TREATED = {
    "person": "4         | F   | 1970-01-01 | 1970",
    "observation_period": "4         | 2019-01-01 | 2021-12-31",
    "prescription": """
        8               | 4         | administration | infliximab        | 2021-06-01 | 300         | -        | -
        9               | 4         | dispensing     | prednisone        | 2021-10-01 | 30          | -        | -
        10              | 4         | dispensing     | tofacitinib       | 2021-07-01 | 60          | -        | -
        11              | 4         | administration | infliximab        | 2021-06-15 | -           | -        | -
        12              | 4         | administration | infliximab        | 2021-07-13 | -           | -        | -
        13              | 4         | administration | infliximab        | 2021-09-07 | -           | -        | -""",
}


TESTED = """
    measurement_id | person_id | test           | datetime            | value | unit  | value_text
    1              | 1         | IgE            | 2020-06-01 08:00:00 | 120.5 | IU/mL | -
    2              | 1         | IGRA           | 2020-01-01 08:00:00 | -     | -     | negative
    3              | 4         | infliximab ADA | 2021-06-01 08:00:00 | -     | -     | negative
    4              | 4         | infliximab trough | 2021-09-07 07:00:00 | 4.0 | mg/L  | -"""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Build]:
    folder: Path = tmp_path_factory.mktemp("contract")
    yield built(
        small_study(
            exposure_rule=STOCK_TOO,
            contrast=MATCHED,
            outcome=[FEVER, REACTION],
            reactions={"window_hours": 96},
            drugs={"study": ["omalizumab", "dupilumab", "infliximab"], "background": ["prednisone", "tofacitinib"]},
        ),
        write_csv(
            folder / "source",
            **TINY | {name: f"{TINY[name]}\n{rows}" for name, rows in TREATED.items()} | {"measurement": TESTED},
        ),
        folder / "build.duckdb",
    )


def test_every_built_table_has_the_columns_and_types_that_its_contract_promises(build: Build) -> None:
    held = [name for name in tables() if build.warehouse.has(name)]
    assert set(queries()) <= set(held)
    for name in held:
        promised = [(column.name, column.type) for column in tables()[name].columns]
        assert build.warehouse.columns_of(name) == promised, name


def test_the_key_of_every_built_table_identifies_its_rows_and_is_never_missing(build: Build) -> None:
    for name in queries():
        key = list(tables()[name].key)
        frame = build.warehouse.read(name, columns=key)
        assert frame.height == frame.unique().height == frame.drop_nulls().height, name


def test_every_table_and_column_carries_its_comment(build: Build) -> None:
    schemas = "'reference', 'spec', 'quality', 'staged', 'exposure', 'cohort', 'summary', 'meta'"
    columns = build.warehouse.query(
        f"SELECT schema_name || '.' || table_name AS t, column_name AS c, comment FROM duckdb_columns() "
        f"WHERE schema_name IN ({schemas})"
    )
    assert columns.height > 300
    for table, column, comment in columns.rows():
        assert comment == next(c.comment for c in tables()[table].columns if c.name == column), (table, column)
    for table, comment in build.warehouse.query(
        f"SELECT schema_name || '.' || table_name AS t, comment FROM duckdb_tables() WHERE schema_name IN ({schemas})"
    ).rows():
        assert comment == tables()[table].about


def test_every_small_run_table_holds_rows(build: Build) -> None:
    empty = {name for name in queries() if not build.warehouse.count(name)}
    assert empty == set()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT SUM(event_count) FROM summary.adverse_event_count WHERE term = 'all' AND system_organ_class = 'all' "
         "AND event_class = 'any' AND dimension = 'study_drugs'", "SELECT COUNT(*) FROM care.adverse_event"),
        ("SELECT SUM(event_count) FROM summary.adverse_event_count WHERE term = 'all' AND system_organ_class = 'all' "
         "AND event_class = 'any' AND dimension = 'regimen'", "SELECT COUNT(*) FROM care.adverse_event"),
        ("SELECT SUM(person_days) FROM summary.adverse_event_count WHERE term = 'all' AND system_organ_class = 'all' "
         "AND event_class = 'any' AND dimension = 'study_drugs'",
         "SELECT SUM(person_days) FROM summary.adverse_event_count WHERE term = 'all' AND system_organ_class = 'all' "
         "AND event_class = 'any' AND dimension = 'regimen'"),
        ("SELECT SUM(administration_count) FROM summary.reaction_count WHERE is_primary AND drug_id <> 'all' "
         "AND regimen_id = 'all' AND dose_level = 'all'", "SELECT COUNT(*) FROM care.administration"),
        ("SELECT SUM(reaction_count) FROM summary.reaction_latency WHERE drug_id = 'all' AND is_primary",
         "SELECT reaction_count FROM summary.reaction_count WHERE is_primary AND drug_id = 'all' AND regimen_id = 'all' "
         "AND dose_level = 'all'"),
    ],
)  # fmt: skip
def test_counts_of_doses_and_adverse_events_add_up(build: Build, one: str, other: str) -> None:
    first, second = (build.warehouse.query(text).row(0)[0] for text in (one, other))
    assert first == second > 0
