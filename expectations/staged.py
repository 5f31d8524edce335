"""Rules at the second door: kept records together. They warn; nothing is set aside here."""

from __future__ import annotations

from expectations.rule import Rule

_ACTIVE = "SELECT d.drug_id FROM spec.drug AS d WHERE d.role IN ('study', 'background')"

STAGED_RULES: tuple[Rule, ...] = (
    Rule(
        id="DQ006", table="all", batch="intake.duplicate", severity="warn", layer="staged",
        sentence="an exact duplicate of an earlier row, left out",
        sql="SELECT r.table_name, r.source_file, r.row_number FROM {batch} AS r",
    ),
    Rule(
        id="DQ021", table="observation_period", batch="intake.observation_period", severity="warn", layer="staged",
        field="overlap", sentence="a period overlaps an earlier one of the same person; they are merged",
        needs=("observation_period",),
        sql="SELECT o.source_file, o.row_number FROM (SELECT r.source_file, r.row_number, r.start_date, MAX(r.end_date) OVER ("
        "PARTITION BY r.person_source_value ORDER BY r.start_date, r.end_date, r.source_file, r.row_number "
        "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS observed_until FROM {batch} AS r) AS o "
        "WHERE o.start_date <= o.observed_until",
    ),
    Rule(
        id="DQ030", table="prescription", batch="staged.prescription", severity="warn", layer="staged", field="days_supply",
        sentence="supply is absent, zero or over 400 days; the end date or the drug's interval is used",
        sql=f"SELECT r.prescription_id FROM {{batch}} AS r WHERE r.drug_id IN ({_ACTIVE}) "
        "AND (r.days_supply IS NULL OR r.days_supply = 0 OR r.days_supply > 400)",
    ),
    Rule(
        id="DQ031", table="prescription", batch="staged.prescription", severity="warn", layer="staged", field="days_supply",
        sentence="an injected drug with a supply of one day; the drug's interval is used",
        sql="SELECT r.prescription_id FROM {batch} AS r INNER JOIN spec.drug AS d ON r.drug_id = d.drug_id "
        "WHERE d.is_injectable AND r.days_supply = 1",
    ),
    Rule(
        id="DQ036", table="prescription", batch="staged.prescription", severity="warn", layer="staged", field="record_type",
        sentence="the same drug on the same day from more than one kind of record",
        sql="SELECT r.person_id, r.drug_id, r.start_date FROM {batch} AS r WHERE r.drug_id IS NOT NULL "
        "GROUP BY r.person_id, r.drug_id, r.start_date HAVING COUNT(DISTINCT r.record_type) > 1",
    ),
    Rule(
        id="DQ024", table="prescription", batch="staged.prescription", severity="warn", layer="staged", field="drug_id",
        sentence="a named drug that is neither in the reference nor in the study; kept and listed in quality.unmapped",
        sql="SELECT r.prescription_id FROM {batch} AS r WHERE r.drug_id IS NULL",
    ),
)  # fmt: skip
