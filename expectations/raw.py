"""Rules at the first door: each received record by itself and against its person, before anything is derived from it.

The order matters: persons first, so that the records of a person who is set aside fall under DQ008.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from expectations.raw_tables import TABLE_RULES
from expectations.rule import Rule
from expectations.writing import raw_rule, where

UNCAST_SHARE = 0.01  # above this share of a column the file is wrong, not the record
ORPHAN_SHARE = 0.05
DAYS_AFTER_DEATH = 30  # billing lag
# Rows of a table against those of the last publication: below the first or above the second warns, below the third stops.
LEAST_SHARE, LARGEST_SHARE, COLLAPSED_SHARE = 0.5, 2.0, 0.1
MIDNIGHT_SHARE = 0.2
# From an administration to a reaction.
MINUTES_MATTER = (("prescription", "start_datetime"), ("adverse_event", "onset_datetime"))

_EVENT_TABLES = {  # table -> the date on which it happened
    "observation_period": "start_date", "death": "death_date", "prescription": "start_date", "adverse_event": "onset_date",
    "discontinuation": "stop_date", "condition": "start_date", "visit": "CAST(r.start_datetime AS DATE)",
    "measurement": "CAST(r.datetime AS DATE)", "symptom_score": "date", "procedure": "date",
}  # fmt: skip
_END_BEFORE_START = {
    "prescription": ("DQ028", "end_date", "start_date"),
    "observation_period": ("DQ021", "end_date", "start_date"),
    "condition": ("DQ028", "end_date", "start_date"),
    "visit": ("DQ064", "end_datetime", "start_datetime"),
    "adverse_event": ("DQ047", "end_date", "onset_date"),
}
_KEPT_PERSON = (
    "SELECT p.person_source_value FROM intake.person AS p WHERE NOT EXISTS (SELECT 1 FROM quality.quarantine AS q "
    "WHERE q.table_name = 'person' AND q.source_file = p.source_file AND q.row_number = p.row_number)"
)


def raw_rules(columns: Mapping[str, Sequence[str]], keys: Mapping[str, Sequence[str]]) -> list[Rule]:
    """Every rule of this door, in the order in which they must set rows aside.

    columns: columns of each input table that are typed. keys: what identifies a record of each table.
    """
    return [
        *_person_rules(),
        *TABLE_RULES["person"],
        *(rule for table in columns for rule in _table_rules(table, columns[table], keys[table])),
    ]


def _person_rules() -> list[Rule]:
    born = "COALESCE(r.birth_date, CASE WHEN r.year_of_birth BETWEEN 1 AND 9999 THEN MAKE_DATE(CAST(r.year_of_birth AS INTEGER), 7, 1) END)"
    seen = (
        "SELECT e.person_source_value, MIN(e.event_date) AS first_date, MAX(e.event_date) AS last_date FROM ("
        "SELECT x.person_source_value, x.start_date AS event_date FROM intake.prescription AS x UNION ALL "
        "SELECT o.person_source_value, o.start_date AS event_date FROM intake.observation_period AS o UNION ALL "
        "SELECT a.person_source_value, a.onset_date AS event_date FROM intake.adverse_event AS a) AS e "
        "WHERE e.event_date NOT IN (SELECT d.placeholder_date FROM spec.placeholder_date AS d) GROUP BY e.person_source_value"
    )
    return [
        raw_rule("DQ017", "person", "warn", "sex is not F, M or U and is taken as unknown",
              where("COALESCE(UPPER(r.sex), '') NOT IN ('F', 'M', 'U')"), field="sex"),
        raw_rule("DQ018", "person", "quarantine",
              "no usable birth, born after the last record, or older than 115 years at the first record",
              f"SELECT r.source_file, r.row_number FROM {{batch}} AS r LEFT JOIN ({seen}) AS s "
              f"ON r.person_source_value = s.person_source_value WHERE {born} IS NULL OR YEAR({born}) > YEAR(s.last_date) "
              f"OR YEAR(s.first_date) - YEAR({born}) > 115", field="birth_date"),
    ]  # fmt: skip


def _table_rules(table: str, columns: Sequence[str], key: Sequence[str]) -> Iterator[Rule]:
    yield raw_rule(
        "DQ007", table, "quarantine", "no person identifier", where("r.person_source_value IS NULL"), field="person_id"
    )
    for column in columns:
        yield raw_rule(
            "DQ002", table, "quarantine", "the value cannot be read as the type of its column",
            where(f"CONCAT(',', r.uncast_columns, ',') LIKE '%,{column},%'"), field=column, block_above=UNCAST_SHARE,
        )  # fmt: skip
        if "date" in column:
            yield raw_rule(
                "DQ012", table, "block", "day and month cannot be told apart; write dates as YYYY-MM-DD, or declare source.date_formats",
                where(f"CONCAT(',', r.ambiguous_columns, ',') LIKE '%,{column},%'"), field=column, block_above=0,
            )  # fmt: skip
    if key:
        (name,) = ("person_source_value" if column == "person_id" else column for column in key)
        yield raw_rule(
            "DQ005", table, "quarantine", "the identifier of the record is absent or shared by records that differ",
            where(f"r.{name} IS NULL OR r.{name} IN (SELECT k.{name} FROM {{batch}} AS k GROUP BY k.{name} HAVING COUNT(*) > 1)"),
            field=key[0],
        )  # fmt: skip
    if table in _EVENT_TABLES:
        yield from _event_rules(table, _EVENT_TABLES[table])
    if table in _END_BEFORE_START:
        rule_id, end, start = _END_BEFORE_START[table]
        yield raw_rule(
            rule_id, table, "quarantine", "the end is before the start", where(f"r.{end} < r.{start}"), field=end
        )
    yield from () if table == "person" else TABLE_RULES.get(table, ())
    if any("date" in column for column in columns):
        yield raw_rule(
            "DQ013", table, "warn", "only the year or the month of a date is known; the day stands for order alone",
            where("r.partial_columns IS NOT NULL"), field="partial_date",
        )  # fmt: skip
    yield raw_rule(
        "DQ016", table, "warn", "blanks around a name or code, control characters, or letters of a wrong encoding; blanks are taken off",
        where("r.untidy_columns IS NOT NULL"), field="text",
    )  # fmt: skip
    yield from _time_rules(table, [column for column in columns if column.endswith("datetime")])
    yield from _volume_rules(table)


def _event_rules(table: str, date: str) -> Iterator[Rule]:
    day = date if "(" in date else f"r.{date}"
    field = date if "(" not in date else date.split(".")[1].split(" ", maxsplit=1)[0]
    missing = {"prescription": "DQ027", "adverse_event": "DQ046"}.get(table, "DQ027")
    yield raw_rule("DQ008", table, "quarantine", "the person is not among the kept persons",
                where(f"r.person_source_value IS NOT NULL AND r.person_source_value NOT IN ({_KEPT_PERSON} "
                       "AND p.person_source_value IS NOT NULL)"),
                field="person_id", block_above=ORPHAN_SHARE)  # fmt: skip
    yield raw_rule(missing, table, "quarantine", "no date on which it happened",
                where(f"{day} IS NULL AND CONCAT(',', COALESCE(r.uncast_columns, ''), ',') NOT LIKE '%,{field},%'"),
                field=field)  # fmt: skip
    yield raw_rule("DQ009", table, "quarantine", "the date is after the last day of data",
                f"SELECT r.source_file, r.row_number FROM {{batch}} AS r CROSS JOIN quality.data_cut AS k WHERE {day} > k.data_cut_date",
                field=field)  # fmt: skip
    yield raw_rule("DQ010", table, "quarantine", "the date is a placeholder or before birth",
                "SELECT r.source_file, r.row_number FROM {batch} AS r LEFT JOIN (SELECT p.person_source_value, "
                "MAX(p.birth_date) AS birth_date, MAX(COALESCE(YEAR(p.birth_date), p.year_of_birth)) AS birth_year "
                "FROM intake.person AS p GROUP BY p.person_source_value) AS b ON r.person_source_value = b.person_source_value "
                f"WHERE {day} IN (SELECT d.placeholder_date FROM spec.placeholder_date AS d) OR {day} < b.birth_date "
                f"OR (b.birth_date IS NULL AND YEAR({day}) < b.birth_year)", field=field)  # fmt: skip
    yield raw_rule("DQ010", table, "warn", "a far-future end means open", where("r.has_open_end"), field="open_end")
    if table != "death":
        after = (
            "SELECT r.source_file, r.row_number FROM {batch} AS r INNER JOIN (SELECT d.person_source_value, "
            "MIN(d.death_date) AS death_date FROM intake.death AS d GROUP BY d.person_source_value) AS d "
            f"ON r.person_source_value = d.person_source_value WHERE {day} > d.death_date"
        )
        yield raw_rule("DQ011", table, "quarantine", f"it happened more than {DAYS_AFTER_DEATH} days after death",
                       f"{after} + {DAYS_AFTER_DEATH}", field=field, needs=("death",))  # fmt: skip
        yield raw_rule("DQ011", table, "warn", f"it happened in the {DAYS_AFTER_DEATH} days after death, as bills do",
                       f"{after} AND {day} <= d.death_date + {DAYS_AFTER_DEATH}", field="bill", needs=("death",))  # fmt: skip
    newest = "COALESCE(r.end_date, r.start_date)" if table == "observation_period" else day
    yield raw_rule("DQ004", table, "warn", "the newest record is long before the last day of data",
                   f"SELECT n.last_date FROM (SELECT MAX({newest}) AS last_date FROM {{batch}} AS r) AS n CROSS JOIN quality.data_cut AS k "
                   "CROSS JOIN spec.quality AS q WHERE n.last_date + CAST(q.freshness_days AS INTEGER) < k.data_cut_date",
                   field="freshness", checked="SELECT 1")  # fmt: skip


def _volume_rules(table: str) -> Iterator[Rule]:
    """How many rows came against the last publication, as so many rows missing or more; of a table that is gone all are missing."""
    before = f"(SELECT p.rows_in FROM meta.previous_table AS p WHERE p.table_name = '{table}')"

    def told(sentence: str, rows: str, **more: Any) -> Rule:
        return Rule(
            id="DQ003", table=table, layer="raw", severity="warn", sentence=sentence,
            sql=f"SELECT UNNEST(RANGE(GREATEST(0, {rows}))) AS missing FROM {{batch}} AS t WHERE t.table_name = '{table}'",
            batch="meta.source_table", checked=f"SELECT {before}", needs=("previous",), **more,
        )  # fmt: skip

    yield told(
        "fewer rows than in the last publication", f"{before} - t.rows_in", field="fewer",
        fail_above=1 - LEAST_SHARE, block_above=1 - COLLAPSED_SHARE,
    )  # fmt: skip
    yield told(
        "more rows than in the last publication", f"t.rows_in - {before}", field="more", fail_above=LARGEST_SHARE - 1
    )


def _time_rules(table: str, columns: Sequence[str]) -> Iterator[Rule]:
    for column in columns:
        if (table, column) in MINUTES_MATTER:
            yield raw_rule(
                "DQ014", table, "warn", "a time without a zone, where minutes matter",
                where(f"r.{column} > CAST(r.{column} AS DATE) "
                      f"AND CONCAT(',', COALESCE(r.zoned_columns, ''), ',') NOT LIKE '%,{column},%'"),
                field=column, checked=f"SELECT COUNT(r.{column}) FROM {{batch}} AS r", needs=(f"{table}.{column}",),
            )  # fmt: skip
        yield raw_rule(
            "DQ014", table, "warn", "the clocks of the source skip this time in spring",
            where(f"CONCAT(',', r.nonexistent_time_columns, ',') LIKE '%,{column},%'"), field=f"{column}_skipped",
            needs=(f"{table}.{column}",),
        )  # fmt: skip
        yield raw_rule(
            "DQ015", table, "warn", "at midnight to the minute, in more of the times than chance gives: no time is known",
            where(f"r.{column} = CAST(CAST(r.{column} AS DATE) AS TIMESTAMP)"), field=column, fail_above=MIDNIGHT_SHARE,
            checked=f"SELECT COUNT(r.{column}) FROM {{batch}} AS r", needs=(f"{table}.{column}",),
        )  # fmt: skip
