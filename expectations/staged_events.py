"""Rules at the second door for events, deaths, diagnoses and scores: kept records that contradict each other. They warn.

Source: ICH E2A (seriousness), E2B(R3) (outcome and action), the project's data-quality rules (reference.quality_rule).
"""

from __future__ import annotations

from expectations.rule import Rule
from expectations.writing import ANAPHYLAXIS, FATAL, WITHDRAWN, warning

CONTINUED_DAYS = 60
LATENCY_HOURS = 72
_STUDY_DRUG = "SELECT d.drug_id FROM spec.drug AS d WHERE d.role = 'study'"
# Chapters of one sex: pregnancy and female organs; male organs. ICD-10 and ICD-9-CM without dots.
_FEMALE = r"'^(O[0-9]|N(7[0-7]|8[0-9]|9[0-8])|C5[1-8]|D06|D07[0-3]|Z3[2-79])'"  # Z38 is of the newborn
_MALE = r"'^(N4[0-9]|N5[01]|C6[0-3]|D075)'"
_FEMALE_9 = r"'^(6[3-7][0-9]|61[4-9]|62[0-9]|174|179|18[0-4])'"
_MALE_9 = r"'^(60[0-8]|18[5-7])'"
_ICD10 = "r.code_system IN ('ICD10', 'ICD10CM')"

EVENT_RULES: tuple[Rule, ...] = (
    warning(
        "DQ044", "adverse_event", "the term is not in the dictionary that came with the records",
        "SELECT r.adverse_event_id FROM {batch} AS r WHERE r.term IS NOT NULL "
        "AND LOWER(r.term) NOT IN (SELECT t.term FROM intake.dictionary AS t)",
        field="term", needs=("dictionary",),
    ),
    warning(
        "DQ048", "adverse_event", "before the first study drug of the person: history, not an event under treatment",
        "SELECT r.adverse_event_id FROM {batch} AS r INNER JOIN (SELECT x.person_id, MIN(x.start_date) AS first_date "
        f"FROM staged.prescription AS x WHERE x.drug_id IN ({_STUDY_DRUG}) GROUP BY x.person_id) AS f ON r.person_id = f.person_id "
        "WHERE r.onset_date < f.first_date", field="onset_date",
    ),
    warning(
        "DQ051", "adverse_event", "a fatal outcome of a person without a record of death",
        f"SELECT r.adverse_event_id FROM {{batch}} AS r WHERE LOWER(r.outcome) IN {FATAL} "
        "AND NOT EXISTS (SELECT 1 FROM staged.death AS d WHERE d.person_id = r.person_id)",
        field="outcome", needs=("death", "adverse_event.outcome"),
    ),
    warning(
        "DQ051", "death", "a death of which no adverse event says that it was fatal",
        "SELECT r.person_id FROM {batch} AS r WHERE NOT EXISTS (SELECT 1 FROM staged.adverse_event AS a WHERE a.person_id = r.person_id "
        f"AND LOWER(a.outcome) IN {FATAL})", field="fatal_event", needs=("adverse_event.outcome",),
    ),
    warning(
        "DQ053", "adverse_event", f"the drug was withdrawn for it, and records of it go on more than {CONTINUED_DAYS} days later",
        "SELECT r.adverse_event_id FROM {batch} AS r "
        f"WHERE r.action_taken IN {WITHDRAWN} AND EXISTS (SELECT 1 FROM staged.prescription AS x WHERE x.person_id = r.person_id "
        f"AND x.drug_id = r.suspect_drug_id AND x.start_date > r.onset_date + {CONTINUED_DAYS})",
        field="action_taken", needs=("adverse_event.action_taken", "adverse_event.suspect_drug"),
    ),
    warning(
        "DQ055", "adverse_event", "another record of the same event of the person within a day",
        "SELECT n.adverse_event_id FROM (SELECT r.adverse_event_id, r.onset_date, LAG(r.onset_date) OVER (PARTITION BY r.person_id, "
        "LOWER(r.term) ORDER BY r.onset_date, r.adverse_event_id) AS previous_date FROM {batch} AS r WHERE r.term IS NOT NULL) AS n "
        "WHERE DATE_DIFF('day', n.previous_date, n.onset_date) <= 1", field="duplicate",
    ),
    warning(
        "DQ056", "adverse_event", "a drug is suspected of which the person has no record",
        "SELECT r.adverse_event_id FROM {batch} AS r WHERE r.suspect_drug_id IS NOT NULL AND NOT EXISTS ("
        "SELECT 1 FROM staged.prescription AS x WHERE x.person_id = r.person_id AND x.drug_id = r.suspect_drug_id)",
        field="suspect_drug", needs=("adverse_event.suspect_drug",),
    ),
    warning(
        "DQ058", "adverse_event", f"anaphylaxis more than {LATENCY_HOURS} hours after the last record of the suspected drug",
        "SELECT r.adverse_event_id FROM {batch} AS r INNER JOIN staged.prescription AS x ON r.person_id = x.person_id "
        f"AND r.suspect_drug_id = x.drug_id AND x.start_date <= r.onset_date WHERE LOWER(r.term) IN {ANAPHYLAXIS} "
        f"GROUP BY r.adverse_event_id, r.onset_date HAVING DATE_DIFF('day', MAX(x.start_date), r.onset_date) > {LATENCY_HOURS // 24}",
        field="latency", needs=("adverse_event.suspect_drug",),
    ),
    warning(
        "DQ062", "condition", "a diagnosis that the recorded sex of the person cannot have",
        "SELECT r.condition_id FROM {batch} AS r INNER JOIN staged.person AS p ON r.person_id = p.person_id "
        f"WHERE (p.sex = 'M' AND (({_ICD10} AND REGEXP_MATCHES(r.code, {_FEMALE})) "
        f"OR (r.code_system = 'ICD9CM' AND REGEXP_MATCHES(r.code, {_FEMALE_9})))) "
        f"OR (p.sex = 'F' AND (({_ICD10} AND REGEXP_MATCHES(r.code, {_MALE})) "
        f"OR (r.code_system = 'ICD9CM' AND REGEXP_MATCHES(r.code, {_MALE_9}))))",
        field="sex",
    ),
    warning(
        "DQ063", "condition", "an outcome asks for a primary diagnosis, and it is not said whether this one is",
        "SELECT DISTINCT r.condition_id FROM {batch} AS r INNER JOIN spec.outcome_code AS k ON r.code_system = k.vocabulary "
        "AND STARTS_WITH(r.code, k.code_prefix) AND NOT k.is_exclusion INNER JOIN spec.outcome AS o ON k.outcome_id = o.outcome_id "
        "AND o.position = 'primary' WHERE r.position IS NULL", field="position",
    ),
    warning(
        "DQ072", "symptom_score", "it runs with a score of the same day that should run against it, or against one that should run with it",
        "SELECT s.person_id, s.score_date FROM (SELECT a.person_id, a.score_date, CORR(a.score, b.score) OVER pair AS together, "
        "COUNT(*) OVER pair AS pair_count, a.better = b.better AS is_alike FROM {batch} AS a INNER JOIN {batch} AS b "
        "ON a.person_id = b.person_id AND a.score_date = b.score_date AND a.instrument_id < b.instrument_id "
        "WHERE a.better IS NOT NULL AND b.better IS NOT NULL WINDOW pair AS (PARTITION BY a.instrument_id, b.instrument_id)) AS s "
        "WHERE s.pair_count >= 20 AND CASE WHEN s.is_alike THEN s.together < -0.2 ELSE s.together > 0.2 END",
        field="direction",
    ),
)  # fmt: skip
