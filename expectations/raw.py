"""Rules at the first door: each received record by itself and against its person, before anything is derived from it.

The order matters: persons first, so that the records of a person who is set aside fall under DQ008.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from expectations.rule import Layer, Rule, Severity

LAYER: Layer = "raw"
UNCAST_SHARE = 0.01  # above this share of a column the file is wrong, not the record
ORPHAN_SHARE = 0.05
DAYS_AFTER_DEATH = 30  # billing lag

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
}
# States in which nothing was given, in lower case with - and _ as spaces: HL7 FHIR R5 (MedicationRequest, -Dispense and
# -Administration) and words of medication charts. A drug that is stopped or held later was given before.
_NOT_GIVEN = (
    "'cancelled', 'canceled', 'not given', 'not done', 'not started', 'not applied', 'declined', 'refused', 'rejected', "
    "'missed', 'withheld', 'hold dose', 'draft', 'entered in error', 'void', 'voided', 'reversed'"
)
_KEPT_PERSON = (
    "SELECT p.person_source_value FROM intake.person AS p WHERE NOT EXISTS (SELECT 1 FROM quality.quarantine AS q "
    "WHERE q.table_name = 'person' AND q.source_file = p.source_file AND q.row_number = p.row_number)"
)


def raw_rules(columns: Mapping[str, Sequence[str]], keys: Mapping[str, Sequence[str]]) -> list[Rule]:
    """Every rule of this door, in the order in which they must set rows aside.

    columns: columns of each input table that are typed. keys: what identifies a record of each table.
    """
    return [*_person_rules(), *(rule for table in columns for rule in _table_rules(table, columns[table], keys[table]))]


def _where(condition: str) -> str:
    return f"SELECT r.source_file, r.row_number FROM {{batch}} AS r WHERE {condition}"


def _rule(
    rule_id: str,
    table: str,
    severity: Severity,
    sentence: str,
    sql: str,
    *,
    field: str = "",
    block_above: float | None = None,
    needs: tuple[str, ...] = (),
) -> Rule:
    return Rule(
        id=rule_id, table=table, batch=f"intake.{table}", severity=severity, layer=LAYER, sentence=sentence, sql=sql,
        field=field, block_above=block_above, needs=needs,
    )  # fmt: skip


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
        _rule("DQ017", "person", "warn", "sex is not F, M or U and is taken as unknown",
              _where("COALESCE(UPPER(r.sex), '') NOT IN ('F', 'M', 'U')"), field="sex"),
        _rule("DQ018", "person", "quarantine",
              "no usable birth, born after the last record, or older than 115 years at the first record",
              f"SELECT r.source_file, r.row_number FROM {{batch}} AS r LEFT JOIN ({seen}) AS s "
              f"ON r.person_source_value = s.person_source_value WHERE {born} IS NULL OR YEAR({born}) > YEAR(s.last_date) "
              f"OR YEAR(s.first_date) - YEAR({born}) > 115", field="birth_date"),
    ]  # fmt: skip


def _table_rules(table: str, columns: Sequence[str], key: Sequence[str]) -> Iterator[Rule]:
    yield _rule(
        "DQ007", table, "quarantine", "no person identifier", _where("r.person_source_value IS NULL"), field="person_id"
    )
    for column in columns:
        yield _rule(
            "DQ002", table, "quarantine", "the value cannot be read as the type of its column",
            _where(f"CONCAT(',', r.uncast_columns, ',') LIKE '%,{column},%'"), field=column, block_above=UNCAST_SHARE,
        )  # fmt: skip
        if "date" in column:
            yield _rule(
                "DQ012", table, "block", "day and month cannot be told apart; write dates as YYYY-MM-DD",
                _where(f"CONCAT(',', r.ambiguous_columns, ',') LIKE '%,{column},%'"), field=column, block_above=0,
            )  # fmt: skip
    if key:
        names = ", ".join("person_source_value" if name == "person_id" else name for name in key)
        yield _rule(
            "DQ005", table, "quarantine", "the identifier of the record is absent or shared by records that differ",
            f"SELECT k.source_file, k.row_number FROM (SELECT r.source_file, r.row_number, {names}, COUNT(*) OVER "
            f"(PARTITION BY {names}) AS version_count FROM {{batch}} AS r) AS k "
            f"WHERE k.version_count > 1 OR {' OR '.join(f'k.{name.strip()} IS NULL' for name in names.split(','))}",
            field=key[0],
        )  # fmt: skip
    if table in _EVENT_TABLES:
        yield from _event_rules(table, _EVENT_TABLES[table])
    if table in _END_BEFORE_START:
        rule_id, end, start = _END_BEFORE_START[table]
        yield _rule(
            rule_id, table, "quarantine", "the end is before the start", _where(f"r.{end} < r.{start}"), field=end
        )
    yield from _own_rules(table)


def _event_rules(table: str, date: str) -> Iterator[Rule]:
    day = date if "(" in date else f"r.{date}"
    field = date if "(" not in date else date.split(".")[1].split(" ", maxsplit=1)[0]
    missing = {"prescription": "DQ027", "adverse_event": "DQ046"}.get(table, "DQ027")
    yield _rule("DQ008", table, "quarantine", "the person is not among the kept persons",
                _where(f"r.person_source_value IS NOT NULL AND r.person_source_value NOT IN ({_KEPT_PERSON} "
                       "AND p.person_source_value IS NOT NULL)"),
                field="person_id", block_above=ORPHAN_SHARE)  # fmt: skip
    yield _rule(missing, table, "quarantine", "no date on which it happened",
                _where(f"{day} IS NULL AND CONCAT(',', COALESCE(r.uncast_columns, ''), ',') NOT LIKE '%,{field},%'"),
                field=field)  # fmt: skip
    yield _rule("DQ009", table, "quarantine", "the date is after the last day of data",
                f"SELECT r.source_file, r.row_number FROM {{batch}} AS r CROSS JOIN quality.data_cut AS k WHERE {day} > k.data_cut_date",
                field=field)  # fmt: skip
    yield _rule("DQ010", table, "quarantine", "the date is a placeholder or before birth",
                "SELECT r.source_file, r.row_number FROM {batch} AS r LEFT JOIN (SELECT p.person_source_value, "
                "MAX(p.birth_date) AS birth_date, MAX(COALESCE(YEAR(p.birth_date), p.year_of_birth)) AS birth_year "
                "FROM intake.person AS p GROUP BY p.person_source_value) AS b ON r.person_source_value = b.person_source_value "
                f"WHERE {day} IN (SELECT d.placeholder_date FROM spec.placeholder_date AS d) OR {day} < b.birth_date "
                f"OR (b.birth_date IS NULL AND YEAR({day}) < b.birth_year)", field=field)  # fmt: skip
    yield _rule("DQ010", table, "warn", "a far-future end means open", _where("r.has_open_end"), field="open_end")
    if table != "death":
        yield _rule("DQ011", table, "quarantine", f"it happened more than {DAYS_AFTER_DEATH} days after death",
                    "SELECT r.source_file, r.row_number FROM {batch} AS r INNER JOIN (SELECT d.person_source_value, "
                    "MIN(d.death_date) AS death_date FROM intake.death AS d GROUP BY d.person_source_value) AS d "
                    f"ON r.person_source_value = d.person_source_value WHERE {day} > d.death_date + {DAYS_AFTER_DEATH}",
                    field=field, needs=("death",))  # fmt: skip


def _own_rules(table: str) -> Iterator[Rule]:
    if table == "prescription":
        yield _rule("DQ024", table, "quarantine", "neither the name nor a code of a drug",
                    _where("r.drug_source_value IS NULL AND r.drug_code IS NULL"), field="drug_source_value")  # fmt: skip
        yield _rule("DQ025", table, "quarantine", "the name and the code of the drug disagree",
                    "SELECT r.source_file, r.row_number FROM {batch} AS r INNER JOIN quality.drug_map AS m "
                    "ON COALESCE(r.drug_source_value, '') = m.drug_source_value AND COALESCE(r.drug_code, '') = m.drug_code "
                    "AND COALESCE(r.code_system, '') = m.code_system WHERE m.is_conflict", field="drug_code")  # fmt: skip
        yield _rule("DQ030", table, "quarantine", "a negative supply", _where("r.days_supply < 0"), field="days_supply")
        yield _rule("DQ032", table, "quarantine", "a quantity of zero or less: a reversed or void record",
                    _where("r.quantity <= 0"), field="quantity")  # fmt: skip
        yield _rule("DQ038", table, "quarantine", "the order was cancelled or the drug not given",
                    _where(f"REPLACE(REPLACE(LOWER(r.status), '-', ' '), '_', ' ') IN ({_NOT_GIVEN})"), field="status")  # fmt: skip
    if table == "adverse_event":
        yield _rule("DQ043", table, "quarantine", "neither a term nor a code",
                    _where("r.term IS NULL AND r.code IS NULL"), field="term")  # fmt: skip
