"""Rules of single tables at the first door: what a record of a drug, an event, a diagnosis, a visit, a test or a score must hold.

Owns the rules that belong to one table. Those that every table has are in `raw`.
Source: the project's data-quality rules (reference.quality_rule); ICH E2A and E2B(R3) for events; the code formats of WHO ICD-10,
ICD-10-CM and ICD-9-CM.
"""

from __future__ import annotations

from collections.abc import Mapping

from expectations.rule import Rule
from expectations.writing import ANAPHYLAXIS, FATAL, NO, YES, raw_rule, where

LONGEST_STAY_DAYS = 365
# States in which nothing was given, in lower case with - and _ as spaces: HL7 FHIR R5 (MedicationRequest, -Dispense and
# -Administration) and words of medication charts. A drug that is stopped or held later was given before.
_NOT_GIVEN = (
    "'cancelled', 'canceled', 'not given', 'not done', 'not started', 'not applied', 'declined', 'refused', 'rejected', "
    "'missed', 'withheld', 'hold dose', 'draft', 'entered in error', 'void', 'voided', 'reversed'"
)
_CAUSALITY = (  # WHO-UMC, CDISC and E2B words
    "'certain', 'definite', 'probable', 'probably related', 'likely', 'possible', 'possibly related', 'related', 'unlikely', "
    "'unlikely related', 'remote', 'doubtful', 'unrelated', 'not related', 'none', 'conditional', 'unclassified', 'unassessable', "
    "'unclassifiable', 'not assessable', 'reasonable possibility', 'no reasonable possibility', 'unknown', 'y', 'n'"
)
# A product that acts where it is put. Whole words, for "cutaneous" stands in "subcutaneous" too.
_LOCAL_ROUTE = (
    r"'\b(topical|cutaneous|inhalation|inhaled|nebulised|nebulized|respiratory|nasal|intranasal|ophthalmic|ocular|intraocular|otic|"
    r"auricular|rectal|vaginal|buccal|dental)\b'"
)
VOCABULARIES = ("ICD10", "ICD10CM", "ICD9CM", "SNOMED", "OMOP")
_SHAPES = {  # a code as it may look, upper case, with or without its dot
    "ICD10": r"^[A-Z][0-9]{2}(\.?[0-9]{1,2})?[*+]?$",
    "ICD10CM": r"^[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?$",
    "ICD9CM": r"^([0-9]{3}(\.?[0-9]{1,2})?|V[0-9]{2}(\.?[0-9]{1,2})?|E[0-9]{3}(\.?[0-9])?)$",
    "SNOMED": r"^[0-9]{6,18}$",
    "OMOP": r"^[0-9]{1,10}$",
}
_ZEROS_LOST = r"^[0-9]{1,2}\.[0-9]{1,2}$"  # 8.45 for 008.45
_CODE, _SYSTEM = "UPPER(r.code)", "UPPER(r.code_system)"
_MAPPED_DRUG = (
    "SELECT r.source_file, r.row_number FROM {batch} AS r INNER JOIN quality.drug_map AS m "
    "ON COALESCE(r.drug_source_value, '') = m.drug_source_value AND COALESCE(r.drug_code, '') = m.drug_code "
    "AND COALESCE(r.code_system, '') = m.code_system"
)
_MAPPED_TEST = (
    "SELECT r.source_file, r.row_number FROM {batch} AS r INNER JOIN quality.test_map AS m ON r.test = m.test"
)


def _person() -> tuple[Rule, ...]:
    return (
        raw_rule(
            "DQ019", "person", "quarantine", "the person has two dates of birth",
            "SELECT r.source_file, r.row_number FROM {batch} AS r INNER JOIN (SELECT p.person_source_value FROM intake.person AS p "
            "GROUP BY p.person_source_value HAVING COUNT(DISTINCT p.birth_date) > 1 OR "
            "COUNT(DISTINCT COALESCE(YEAR(p.birth_date), p.year_of_birth)) > 1) AS d "
            "ON r.person_source_value = d.person_source_value", field="birth", block_above=0.001,
        ),
    )  # fmt: skip


def _death() -> tuple[Rule, ...]:
    first = (
        "SELECT r.source_file, r.row_number FROM {batch} AS r INNER JOIN (SELECT d.person_source_value, MIN(d.death_date) AS "
        "death_date FROM intake.death AS d GROUP BY d.person_source_value) AS d ON r.person_source_value = d.person_source_value WHERE "
    )
    return (
        raw_rule("DQ023", "death", "quarantine", "more than 30 days after the person's first date of death",
                 first + "r.death_date > d.death_date + 30", field="death_date"),
        raw_rule("DQ023", "death", "warn", "another date of death within 30 days; the first is used",
                 first + "r.death_date > d.death_date AND r.death_date <= d.death_date + 30", field="another"),
    )  # fmt: skip


def _prescription() -> tuple[Rule, ...]:
    table = "prescription"
    return (
        raw_rule("DQ024", table, "quarantine", "neither the name nor a code of a drug",
                 where("r.drug_source_value IS NULL AND r.drug_code IS NULL"), field="drug_source_value"),
        raw_rule("DQ025", table, "quarantine", "the name and the code of the drug disagree",
                 f"{_MAPPED_DRUG} WHERE m.is_conflict", field="drug_code"),
        raw_rule("DQ026", table, "quarantine", "a product that acts where it is put, for a drug that counts as systemic",
                 f"{_MAPPED_DRUG} INNER JOIN spec.drug AS d ON m.drug_id = d.drug_id "
                 "WHERE d.agent_type IN ('systemic_corticosteroid', 'immunosuppressant') "
                 f"AND REGEXP_MATCHES(LOWER(r.route), {_LOCAL_ROUTE})", field="route"),
        raw_rule("DQ030", table, "quarantine", "a negative supply", where("r.days_supply < 0"), field="days_supply"),
        raw_rule("DQ032", table, "quarantine", "a quantity of zero or less: a reversed or void record",
                 where("r.quantity <= 0"), field="quantity"),
        raw_rule("DQ038", table, "quarantine", "the order was cancelled or the drug not given",
                 where(f"REPLACE(REPLACE(LOWER(r.status), '-', ' '), '_', ' ') IN ({_NOT_GIVEN})"), field="status"),
        raw_rule("DQ041", table, "quarantine", "dated more than a year before the drug was approved anywhere",
                 f"{_MAPPED_DRUG} INNER JOIN reference.drug_label AS l ON m.drug_id = l.drug_id "
                 "WHERE YEAR(r.start_date) < l.first_approval_year - 1", field="start_date"),
    )  # fmt: skip


def _adverse_event() -> tuple[Rule, ...]:
    table = "adverse_event"
    criteria = ("death", "life_threatening", "hospitalisation", "disability")
    return (
        raw_rule("DQ043", table, "quarantine", "neither a term nor a code", where("r.term IS NULL AND r.code IS NULL"), field="term"),
        raw_rule("DQ045", table, "warn", "not coded in the dictionary version of most records",
                 where("r.dictionary_version IS DISTINCT FROM (SELECT MODE(v.dictionary_version) FROM {batch} AS v)"),
                 field="dictionary_version", needs=("adverse_event.dictionary_version",)),
        raw_rule("DQ049", table, "warn", "it is not said whether the event was serious; it counts as unknown",
                 where(f"COALESCE(UPPER(r.serious), '') NOT IN {YES} AND COALESCE(UPPER(r.serious), '') NOT IN {NO}"),
                 field="serious", needs=("adverse_event.serious",)),
        raw_rule("DQ050", table, "quarantine", "called not serious, and one of the criteria of a serious event is met (ICH E2A)",
                 where(f"UPPER(r.serious) IN {NO} AND (" + " OR ".join(f"UPPER(r.{name}) IN {YES}" for name in criteria) + ")"),
                 field="criteria"),
        raw_rule("DQ052", table, "quarantine", "of grade 5, which is death, and its outcome is another",
                 where("REPLACE(LOWER(r.severity), 'grade ', '') = '5' AND LOWER(r.outcome) NOT IN " + FATAL), field="severity"),
        raw_rule("DQ054", table, "warn", "the causality is none of the known words; it counts as unknown",
                 where(f"LOWER(r.causality) NOT IN ({_CAUSALITY})"), field="causality", needs=("adverse_event.causality",)),
        raw_rule("DQ057", table, "quarantine", "anaphylaxis earlier on the day than the first administration of that day",
                 "SELECT r.source_file, r.row_number FROM {batch} AS r INNER JOIN (SELECT x.person_source_value, "
                 "CAST(x.start_datetime AS DATE) AS start_date, MIN(x.start_datetime) AS first_datetime FROM intake.prescription AS x "
                 "WHERE LOWER(x.record_type) = 'administration' AND x.start_datetime > CAST(x.start_datetime AS DATE) "
                 "GROUP BY x.person_source_value, CAST(x.start_datetime AS DATE)) AS g "
                 "ON r.person_source_value = g.person_source_value AND CAST(r.onset_datetime AS DATE) = g.start_date "
                 "WHERE r.onset_datetime > CAST(r.onset_datetime AS DATE) AND r.onset_datetime < g.first_datetime "
                 f"AND LOWER(r.term) IN {ANAPHYLAXIS}", field="onset_datetime",
                 needs=("adverse_event.onset_datetime", "prescription.start_datetime")),
    )  # fmt: skip


def _condition() -> tuple[Rule, ...]:
    table = "condition"
    known = ", ".join(f"'{name}'" for name in VOCABULARIES)
    misshapen = " OR ".join(
        f"({_SYSTEM} = '{name}' AND NOT REGEXP_MATCHES({_CODE}, '{shape}'))" for name, shape in _SHAPES.items()
    )
    lost = f"{_SYSTEM} = 'ICD9CM' AND REGEXP_MATCHES({_CODE}, '{_ZEROS_LOST}')"
    return (
        raw_rule("DQ059", table, "quarantine", "it does not look like a code of its vocabulary",
                 where(f"({misshapen}) AND NOT ({lost})"), field="code"),
        raw_rule("DQ059", table, "quarantine", f"no code, or a vocabulary that is none of {', '.join(VOCABULARIES)}",
                 "SELECT r.source_file, r.row_number FROM {batch} AS r CROSS JOIN meta.source AS m "
                 f"WHERE m.source_format = 'native' AND (r.code IS NULL OR COALESCE({_SYSTEM}, '') NOT IN ({known}))", field="code_system"),
        raw_rule("DQ060", table, "quarantine", "leading zeros were lost: it is a code only with them", where(lost), field="zeros"),
        raw_rule("DQ061", table, "warn", "an ICD-9-CM code from October 2015 on, or one of ICD-10-CM before",
                 where(f"({_SYSTEM} = 'ICD9CM' AND r.start_date >= DATE '2015-10-01') "
                       f"OR ({_SYSTEM} = 'ICD10CM' AND r.start_date < DATE '2015-10-01')"), field="start_date"),
    )  # fmt: skip


def _visit() -> tuple[Rule, ...]:
    return (
        raw_rule("DQ064", "visit", "quarantine", f"a stay of more than {LONGEST_STAY_DAYS} days",
                 where(f"DATE_DIFF('day', CAST(r.start_datetime AS DATE), CAST(r.end_datetime AS DATE)) > {LONGEST_STAY_DAYS}"),
                 field="stay"),
        raw_rule("DQ065", "visit", "warn", "the type of the visit is not known: no hospital stay can be told from it",
                 where("COALESCE(LOWER(r.visit_type), '') NOT IN ('inpatient', 'outpatient', 'emergency')"), field="visit_type"),
    )  # fmt: skip


def _measurement() -> tuple[Rule, ...]:
    table = "measurement"
    in_unit = (
        _MAPPED_TEST
        + " INNER JOIN reference.test AS t ON m.test_id = t.test_id INNER JOIN reference.unit_conversion AS u "
        "ON m.test_id = u.test_id AND LOWER(r.unit) = LOWER(u.unit) WHERE "
        "r.value * u.factor < t.lower_plausible OR r.value * u.factor > t.upper_plausible"
    )
    # Free IgE falls by 95 % and more on the drug while total IgE rises: where the median person's rises, it is total IgE.
    relabelled = (
        _MAPPED_TEST
        + " AND m.test_id = 'free_ige' INNER JOIN (SELECT p.source_file FROM (SELECT f.source_file, f.person_source_value, "
        "MEDIAN(CASE WHEN CAST(f.datetime AS DATE) > g.start_date THEN f.value END) / "
        "NULLIF(MEDIAN(CASE WHEN CAST(f.datetime AS DATE) <= g.start_date THEN f.value END), 0) AS ratio "
        "FROM intake.measurement AS f INNER JOIN quality.test_map AS n ON f.test = n.test AND n.test_id = 'free_ige' "
        "INNER JOIN (SELECT x.person_source_value, MIN(x.start_date) AS start_date FROM intake.prescription AS x "
        "INNER JOIN quality.drug_map AS d ON COALESCE(x.drug_source_value, '') = d.drug_source_value "
        "AND COALESCE(x.drug_code, '') = d.drug_code AND COALESCE(x.code_system, '') = d.code_system AND d.drug_id = 'omalizumab' "
        "GROUP BY x.person_source_value) AS g ON f.person_source_value = g.person_source_value "
        "GROUP BY f.source_file, f.person_source_value) AS p GROUP BY p.source_file HAVING MEDIAN(p.ratio) > 2) AS s "
        "ON r.source_file = s.source_file"
    )
    return (
        raw_rule("DQ066", table, "quarantine", "IgE without a unit, or in one that cannot be converted",
                 _MAPPED_TEST + " LEFT JOIN reference.unit_conversion AS u ON m.test_id = u.test_id AND LOWER(r.unit) = LOWER(u.unit) "
                 "WHERE m.test_id IN ('total_ige', 'free_ige') AND u.unit IS NULL", field="unit"),
        raw_rule("DQ067", table, "quarantine", "the value is beyond what the test can give", in_unit, field="value"),
        raw_rule("DQ068", table, "warn", "a number with < or > before it; the sign is kept beside it",
                 where("r.signed_columns IS NOT NULL"), field="operator"),
        raw_rule("DQ069", table, "quarantine", "called free IgE, and in its file it rises after the first dose of omalizumab: total IgE",
                 relabelled, field="test"),
        raw_rule("DQ070", table, "warn", "a test for tuberculosis that is neither positive, negative nor indeterminate",
                 _MAPPED_TEST + " WHERE m.test_id IN ('igra', 'tst') AND r.value IS NULL AND COALESCE(LOWER(r.value_text), '') "
                 "NOT IN ('positive', 'negative', 'indeterminate', 'pos', 'neg', 'borderline', 'equivocal')", field="value_text"),
    )  # fmt: skip


def _symptom_score() -> tuple[Rule, ...]:
    return (
        raw_rule("DQ071", "symptom_score", "quarantine", "the score is outside the range of its instrument",
                 "SELECT r.source_file, r.row_number FROM {batch} AS r INNER JOIN reference.instrument AS i "
                 "ON CONTAINS(CONCAT(';', LOWER(i.synonyms), ';'), CONCAT(';', LOWER(r.instrument), ';')) "
                 "WHERE r.value < i.lower_bound OR r.value > i.upper_bound", field="value"),
    )  # fmt: skip


TABLE_RULES: Mapping[str, tuple[Rule, ...]] = {
    "person": _person(), "death": _death(), "prescription": _prescription(), "adverse_event": _adverse_event(), "condition": _condition(),
    "visit": _visit(), "measurement": _measurement(), "symptom_score": _symptom_score(),
}  # fmt: skip
