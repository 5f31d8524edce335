"""Rules at the second door: kept records together. They warn; nothing is set aside here.

Owns what is asked of drug records, stops and all tables together. Events, diagnoses and scores are in `staged_events`.
"""

from __future__ import annotations

from expectations.rule import Rule
from expectations.staged_events import EVENT_RULES
from expectations.writing import warning

_ACTIVE = "SELECT d.drug_id FROM spec.drug AS d WHERE d.role IN ('study', 'background')"
_TO_MG = "'mg', 'milligram', 'milligrams', 'g', 'gram', 'ug', 'mcg', 'microgram', 'mg/kg'"
# Dose in mg; of infliximab also by weight, with the nearest weight in the year before.
_DOSE = (
    "CASE LOWER(r.dose_unit) WHEN 'mg' THEN r.dose WHEN 'milligram' THEN r.dose WHEN 'milligrams' THEN r.dose "
    "WHEN 'g' THEN 1000 * r.dose WHEN 'gram' THEN 1000 * r.dose END"
)
_SHARED_RECORDS = 3  # of one drug on one day, by two people of one sex and birth date
_WITHOUT_PERIOD = (
    "LEFT JOIN staged.observation_period AS o ON r.person_id = o.person_id AND o.start_date <= r.{date} AND r.{date} < o.stop_date "
    "WHERE o.person_id IS NULL"
)


def _outside(table: str, key: str, date: str) -> Rule:
    return warning(
        "DQ022", table, "outside the observed time of the person: it counts in no rate",
        f"SELECT r.{key} FROM {{batch}} AS r " + _WITHOUT_PERIOD.replace("{date}", date),
        field="coverage", needs=("observation_period",),
    )  # fmt: skip


_ALL = (
    Rule(
        id="DQ006", table="all", batch="intake.duplicate", severity="warn", layer="staged",
        sentence="an exact duplicate of an earlier row, left out",
        sql="SELECT r.table_name, r.source_file, r.row_number FROM {batch} AS r",
    ),
    warning(
        "DQ021", "observation_period", "a period overlaps an earlier one of the same person; they are merged",
        "SELECT o.source_file, o.row_number FROM (SELECT r.source_file, r.row_number, r.start_date, MAX(r.end_date) OVER ("
        "PARTITION BY r.person_source_value ORDER BY r.start_date, r.end_date, r.source_file, r.row_number "
        "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS observed_until FROM {batch} AS r) AS o "
        "WHERE o.start_date <= o.observed_until",
        batch="intake.observation_period", field="overlap",
    ),
    warning(
        "DQ020", "person",
        "of one sex and birth date with another person who began a drug on the same day, and half of the drug records (3 or more) on the "
        "same days",
        "WITH started AS (SELECT x.person_id, x.drug_id, MIN(x.start_date) AS first_date FROM staged.prescription AS x "
        f"WHERE x.drug_id IN ({_ACTIVE}) GROUP BY x.person_id, x.drug_id), "
        "pair AS (SELECT DISTINCT a.person_id, b.person_id AS other_id FROM {batch} AS a "
        "INNER JOIN started AS s ON a.person_id = s.person_id "
        "INNER JOIN {batch} AS b ON a.sex = b.sex AND a.birth_date = b.birth_date AND a.person_id <> b.person_id "
        "AND NOT a.is_birth_date_imputed AND NOT b.is_birth_date_imputed "
        "INNER JOIN started AS t ON b.person_id = t.person_id AND s.drug_id = t.drug_id AND s.first_date = t.first_date), "
        "record AS (SELECT DISTINCT x.person_id, x.drug_id, x.start_date FROM staged.prescription AS x "
        f"WHERE x.drug_id IN ({_ACTIVE}) AND x.person_id IN (SELECT p.person_id FROM pair AS p)) "
        "SELECT p.person_id FROM pair AS p INNER JOIN record AS x ON p.person_id = x.person_id LEFT JOIN record AS y "
        "ON p.other_id = y.person_id AND x.drug_id = y.drug_id AND x.start_date = y.start_date GROUP BY p.person_id, p.other_id "
        f"HAVING COUNT(y.person_id) >= {_SHARED_RECORDS} AND 2 * COUNT(y.person_id) >= COUNT(*)",
        field="identity",
    ),
    _outside("prescription", "prescription_id", "start_date"),
    _outside("adverse_event", "adverse_event_id", "onset_date"),
    _outside("condition", "condition_id", "start_date"),
)  # fmt: skip

_PRESCRIPTION = (
    warning(
        "DQ024", "prescription", "a named drug that is neither in the reference nor in the study; kept and listed in quality.unmapped",
        "SELECT r.prescription_id FROM {batch} AS r WHERE r.drug_id IS NULL", field="drug_id",
    ),
    warning(
        "DQ024", "prescription", "its name holds that of a biologic of the reference and means none: a name is missing in the study file",
        "SELECT r.prescription_id FROM {batch} AS r INNER JOIN (SELECT DISTINCT m.drug_source_value FROM quality.drug_map AS m "
        "INNER JOIN reference.drug AS d ON d.is_biologic = 1 AND CONTAINS(LOWER(m.drug_source_value), LOWER(d.generic_name)) "
        "WHERE m.drug_id IS NULL AND NOT m.is_conflict) AS n ON r.drug_source_value = n.drug_source_value WHERE r.drug_id IS NULL",
        field="biologic", block_above=0.02,
        checked="SELECT COUNT(*) FROM {batch} AS r LEFT JOIN reference.drug AS d ON r.drug_id = d.drug_id "
        "WHERE d.is_biologic = 1 OR r.drug_id IS NULL AND EXISTS (SELECT 1 FROM reference.drug AS b WHERE b.is_biologic = 1 "
        "AND CONTAINS(LOWER(r.drug_source_value), LOWER(b.generic_name)))",
    ),
    warning(
        "DQ029", "prescription", "the record spans more than 400 days",
        f"SELECT r.prescription_id FROM {{batch}} AS r WHERE r.drug_id IN ({_ACTIVE}) "
        "AND DATE_DIFF('day', r.start_date, r.stop_date) - 1 > 400", field="end_date",
    ),
    warning(
        "DQ030", "prescription", "supply is absent, zero or over 400 days; the end date or the drug's interval is used",
        f"SELECT r.prescription_id FROM {{batch}} AS r WHERE r.drug_id IN ({_ACTIVE}) "
        "AND (r.days_supply IS NULL OR r.days_supply = 0 OR r.days_supply > 400)", field="days_supply",
    ),
    warning(
        "DQ031", "prescription", "an injected drug with a supply of one day; the drug's interval is used",
        "SELECT r.prescription_id FROM {batch} AS r INNER JOIN spec.drug AS d ON r.drug_id = d.drug_id "
        "WHERE d.is_injectable AND r.days_supply = 1", field="days_supply",
    ),
    warning(
        "DQ033", "prescription", "omalizumab or infliximab without a dose: no check of the dose is possible",
        "SELECT r.prescription_id FROM {batch} AS r WHERE r.drug_id IN ('omalizumab', 'infliximab') AND r.dose IS NULL",
        field="dose", checked="SELECT COUNT(*) FROM {batch} AS r WHERE r.drug_id IN ('omalizumab', 'infliximab')",
        needs=("prescription.dose",),
    ),
    warning(
        "DQ034", "prescription", "a dose beyond what is given: omalizumab below 75 or above 600 mg a day, infliximab above 20 mg/kg",
        f"SELECT r.prescription_id FROM {{batch}} AS r WHERE (r.drug_id = 'omalizumab' AND ({_DOSE} < 75 OR {_DOSE} > 600)) "
        "OR (r.drug_id = 'infliximab' AND LOWER(r.dose_unit) = 'mg/kg' AND r.dose > 20) "
        f"OR (r.drug_id = 'infliximab' AND {_DOSE} > 20 * (SELECT ARG_MAX(w.standard_value, w.measured_date) "
        "FROM staged.measurement AS w WHERE w.person_id = r.person_id AND w.test_id = 'weight' "
        "AND w.measured_date <= r.start_date AND w.measured_date >= r.start_date - 365))",
        field="range", needs=("prescription.dose",),
    ),
    warning(
        "DQ035", "prescription", "the unit of the dose cannot be converted to mg",
        f"SELECT r.prescription_id FROM {{batch}} AS r WHERE r.drug_id IN ({_ACTIVE}) AND r.dose IS NOT NULL "
        f"AND COALESCE(LOWER(r.dose_unit), '') NOT IN ({_TO_MG})", field="dose_unit", needs=("prescription.dose",),
    ),
    warning(
        "DQ036", "prescription", "the same drug on the same day from more than one kind of record",
        "SELECT r.person_id, r.drug_id, r.start_date FROM {batch} AS r WHERE r.drug_id IN ("
        "SELECT k.drug_id FROM {batch} AS k GROUP BY k.drug_id HAVING MIN(k.record_type) <> MAX(k.record_type)) "
        "GROUP BY r.person_id, r.drug_id, r.start_date HAVING MIN(r.record_type) <> MAX(r.record_type)", field="record_type",
    ),
    warning(
        "DQ037", "prescription", "omalizumab or infliximab given again within 10 days, and not on the same day",
        "SELECT n.person_id, n.start_date FROM (SELECT r.person_id, r.start_date, LAG(r.start_date) OVER ("
        "PARTITION BY r.person_id, r.drug_id ORDER BY r.start_date) AS previous_date FROM (SELECT DISTINCT a.person_id, a.drug_id, "
        "a.start_date FROM {batch} AS a WHERE a.drug_id IN ('omalizumab', 'infliximab') AND a.record_type = 'administration') AS r) AS n "
        "WHERE DATE_DIFF('day', n.previous_date, n.start_date) < 10", field="interval",
    ),
    warning(
        "DQ040", "prescription", "under the skin before the first infusion of a drug that begins with infusions",
        "SELECT r.prescription_id FROM {batch} AS r INNER JOIN (SELECT i.person_id, i.drug_id, MIN(i.start_date) AS first_date "
        "FROM {batch} AS i WHERE i.drug_id IN ('ustekinumab', 'vedolizumab') AND UPPER(i.route) IN ('IV', 'INTRAVENOUS') "
        "GROUP BY i.person_id, i.drug_id) AS f ON r.person_id = f.person_id AND r.drug_id = f.drug_id AND r.start_date < f.first_date "
        "WHERE UPPER(r.route) IN ('SC', 'SUBCUTANEOUS')", field="route", needs=("prescription.route",),
    ),
    warning(
        "DQ042", "prescription", "the person is younger than the label of the drug allows",
        "SELECT r.prescription_id FROM {batch} AS r INNER JOIN staged.person AS p ON r.person_id = p.person_id "
        "INNER JOIN reference.drug_label AS l ON r.drug_id = l.drug_id WHERE r.start_date < p.birth_date + "
        "TO_YEARS(CAST(l.minimum_age_years AS INTEGER))", field="age",
    ),
)  # fmt: skip

_DISCONTINUATION = (
    warning(
        "DQ073", "discontinuation", "a stop before the first record of the drug, or more than 120 days after all its records",
        "SELECT r.source_file, r.row_number FROM {batch} AS r LEFT JOIN (SELECT x.person_id, x.drug_id, MIN(x.start_date) AS first_date, "
        "MAX(GREATEST(x.start_date, COALESCE(x.stop_date, x.start_date), "
        "x.start_date + CAST(LEAST(COALESCE(x.days_supply, 0), 400) AS INTEGER))) AS last_date FROM staged.prescription AS x "
        "GROUP BY x.person_id, x.drug_id) AS f "
        "ON r.person_id = f.person_id AND r.drug_id = f.drug_id "
        "WHERE r.drug_id IS NOT NULL AND (f.first_date IS NULL OR r.stop_date <= f.first_date "
        "OR r.stop_date > f.last_date + 120)",
        field="stop_date",
    ),
    warning(
        "DQ074", "discontinuation", "the reason means none of ours; it counts as unmapped and never as a reason",
        "SELECT r.source_file, r.row_number FROM {batch} AS r WHERE r.reason = 'unmapped'", field="reason",
        needs=("discontinuation.reason",),
    ),
)  # fmt: skip

STAGED_RULES: tuple[Rule, ...] = (*_ALL, *_PRESCRIPTION, *EVENT_RULES, *_DISCONTINUATION)
