"""Kept records that break each rule of the second door, beside records that do not: by rule, table and field."""

from __future__ import annotations

from collections.abc import Mapping

from tests.unit.expectations.raw_cases import ANAPHYLAXIS

LABEL = {
    "reference.drug_label": "drug_id | minimum_age_years\nomalizumab | 6",
    "staged.person": "person_id | birth_date\n1 | 2014-06-15",
}
Rows = list[tuple[object, ...]]
CASES: dict[tuple[str, str, str], tuple[Mapping[str, str], Rows]] = {
    ("DQ020", "person", "identity"): (
        {
            "staged.person": """
                person_id | sex | birth_date | is_birth_date_imputed
                1         | F   | 1980-01-01 | false
                2         | F   | 1980-01-01 | false
                3         | M   | 1980-01-01 | false
                4         | F   | 1980-01-01 | true
                5         | F   | 1980-01-01 | false""",
            "staged.prescription": "person_id | drug_id | start_date\n"
            + "\n".join(f"{person} | omalizumab | 2020-0{month}-01" for person in (1, 2, 3, 4) for month in (1, 2, 3))
            + "\n5 | omalizumab | 2020-01-01\n5 | omalizumab | 2020-02-01\n5 | salbutamol | 2020-03-01",
        },
        [(1,), (2,)],
    ),
    ("DQ022", "prescription", "coverage"): (
        {
            "staged.observation_period": "person_id | start_date | stop_date\n1 | 2020-01-01 | 2020-02-01",
            "staged.prescription": """
                prescription_id | person_id | start_date
                1               | 1         | 2019-12-31
                2               | 1         | 2020-01-01
                3               | 1         | 2020-01-31
                4               | 1         | 2020-02-01
                5               | 2         | 2020-01-15""",
        },
        [("1",), ("4",), ("5",)],
    ),
    ("DQ022", "adverse_event", "coverage"): (
        {
            "staged.observation_period": "person_id | start_date | stop_date\n1 | 2020-01-01 | 2020-02-01",
            "staged.adverse_event": "adverse_event_id | person_id | onset_date\n1 | 1 | 2020-01-31\n2 | 1 | 2020-02-01",
        },
        [("2",)],
    ),
    ("DQ022", "condition", "coverage"): (
        {
            "staged.observation_period": "person_id | start_date | stop_date\n1 | 2020-01-01 | 2020-02-01",
            "staged.condition": "condition_id | person_id | start_date\n1 | 1 | 2019-12-31\n2 | 1 | 2020-01-01",
        },
        [("1",)],
    ),
    ("DQ024", "prescription", "biologic"): (
        {
            "reference.drug": "drug_id | generic_name | is_biologic\nomalizumab | omalizumab | 1\nprednisone | prednisone | 0",
            "quality.drug_map": """
                drug_source_value     | drug_code | code_system | drug_id    | is_conflict
                'OMALIZUMAB 150 MG'   | ''        | ''          | -          | false
                omalizumab            | ''        | ''          | omalizumab | false
                'prednisone 5 mg'     | ''        | ''          | -          | false
                'omalizumab conflict' | ''        | ''          | -          | true""",
            "staged.prescription": """
                prescription_id | drug_source_value     | drug_id
                1               | 'OMALIZUMAB 150 MG'   | -
                2               | omalizumab            | omalizumab
                3               | 'prednisone 5 mg'     | -
                4               | 'omalizumab conflict' | -""",
        },
        [("1",)],
    ),
    ("DQ029", "prescription", "end_date"): (
        {
            "staged.prescription": """
                prescription_id | drug_id    | start_date | stop_date
                1               | omalizumab | 2020-01-01 | 2021-02-05
                2               | omalizumab | 2020-01-01 | 2021-02-06
                3               | salbutamol | 2020-01-01 | 2025-01-01
                4               | omalizumab | 2020-01-01 | -"""
        },
        [("2",)],
    ),
    ("DQ033", "prescription", "dose"): (
        {"staged.prescription": "prescription_id | drug_id | dose\n1 | omalizumab | -\n2 | infliximab | 300\n3 | adalimumab | -"},
        [("1",)],
    ),
    ("DQ034", "prescription", "range"): (
        {
            "staged.measurement": """
                person_id | test_id | measured_date | standard_value
                1         | weight  | 2019-06-01    | 50
                1         | weight  | 2019-12-01    | 80
                1         | weight  | 2020-02-01    | 20
                2         | weight  | 2010-01-01    | 10""",
            "staged.prescription": """
                prescription_id | person_id | drug_id    | start_date | dose | dose_unit
                1               | 1         | omalizumab | 2020-01-01 | 74   | mg
                2               | 1         | omalizumab | 2020-01-01 | 75   | mg
                3               | 1         | omalizumab | 2020-01-01 | 600  | MG
                4               | 1         | omalizumab | 2020-01-01 | 601  | mg
                5               | 1         | infliximab | 2020-01-01 | 1600 | mg
                6               | 1         | infliximab | 2020-01-01 | 1601 | mg
                7               | 2         | infliximab | 2020-01-01 | 1601 | mg
                8               | 2         | infliximab | 2020-01-01 | 21   | mg/kg
                9               | 2         | omalizumab | 2020-01-01 | 2    | vials
                10              | 1         | omalizumab | 2020-01-01 | 0.3  | g""",
        },
        [("1",), ("4",), ("6",), ("8",)],
    ),
    ("DQ035", "prescription", "dose_unit"): (
        {
            "staged.prescription": """
                prescription_id | drug_id    | dose | dose_unit
                1               | omalizumab | 2    | vials
                2               | omalizumab | 300  | Mg
                3               | omalizumab | 300  | -
                4               | omalizumab | -    | vials
                5               | salbutamol | 2    | puffs"""
        },
        [("1",), ("3",)],
    ),
    ("DQ037", "prescription", "interval"): (
        {
            "staged.prescription": """
                person_id | drug_id    | start_date | record_type
                1         | omalizumab | 2020-01-01 | administration
                1         | omalizumab | 2020-01-01 | administration
                1         | omalizumab | 2020-01-10 | administration
                1         | omalizumab | 2020-01-20 | administration
                1         | omalizumab | 2020-01-21 | order
                2         | adalimumab | 2020-01-01 | administration
                2         | adalimumab | 2020-01-02 | administration"""
        },
        [(1, "2020-01-10")],
    ),
    ("DQ040", "prescription", "route"): (
        {
            "staged.prescription": """
                prescription_id | person_id | drug_id     | start_date | route
                1               | 1         | ustekinumab | 2020-01-01 | SC
                2               | 1         | ustekinumab | 2020-02-01 | iv
                3               | 1         | ustekinumab | 2020-03-01 | SC
                4               | 2         | ustekinumab | 2020-01-01 | SC
                5               | 1         | infliximab  | 2019-01-01 | SC"""
        },
        [("1",)],
    ),
    ("DQ042", "prescription", "age"): (
        {
            **LABEL,
            "staged.prescription": """
                prescription_id | person_id | drug_id    | start_date
                1               | 1         | omalizumab | 2020-06-14
                2               | 1         | omalizumab | 2020-06-15
                3               | 1         | infliximab | 2015-01-01""",
        },
        [("1",)],
    ),
    ("DQ044", "adverse_event", "term"): (
        {
            "intake.dictionary": "term\nrash",
            "staged.adverse_event": "adverse_event_id | term\n1 | Rash\n2 | Rsah\n3 | -",
        },
        [("2",)],
    ),
    ("DQ048", "adverse_event", "onset_date"): (
        {
            "staged.prescription": "person_id | drug_id | start_date\n1 | salbutamol | 2019-01-01\n1 | omalizumab | 2020-01-01",
            "staged.adverse_event": "adverse_event_id | person_id | onset_date\n1 | 1 | 2019-12-31\n2 | 1 | 2020-01-01\n3 | 2 | 2019-01-01",
        },
        [("1",)],
    ),
    ("DQ051", "adverse_event", "outcome"): (
        {
            "staged.death": "person_id | death_date\n1 | 2020-01-01",
            "staged.adverse_event": "adverse_event_id | person_id | outcome\n1 | 1 | Fatal\n2 | 2 | fatal\n3 | 2 | recovered\n4 | 3 | -",
        },
        [("2",)],
    ),
    ("DQ051", "death", "fatal_event"): (
        {
            "staged.death": "person_id | death_date\n1 | 2020-01-01\n2 | 2020-01-01",
            "staged.adverse_event": "adverse_event_id | person_id | outcome\n1 | 1 | Fatal\n2 | 2 | recovered",
        },
        [(2,)],
    ),
    ("DQ053", "adverse_event", "action_taken"): (
        {
            "staged.prescription": """
                person_id | drug_id    | start_date
                1         | omalizumab | 2020-03-02
                2         | omalizumab | 2020-03-01
                3         | infliximab | 2020-06-01""",
            "staged.adverse_event": """
                adverse_event_id | person_id | onset_date | action_taken | suspect_drug_id
                1                | 1         | 2020-01-01 | withdrawn    | omalizumab
                2                | 2         | 2020-01-01 | withdrawn    | omalizumab
                3                | 3         | 2020-01-01 | withdrawn    | omalizumab
                4                | 1         | 2020-01-01 | not changed  | omalizumab""",
        },
        [("1",)],
    ),
    ("DQ055", "adverse_event", "duplicate"): (
        {
            "staged.adverse_event": """
                adverse_event_id | person_id | term | onset_date
                1                | 1         | Rash | 2020-01-01
                2                | 1         | rash | 2020-01-02
                3                | 1         | rash | 2020-01-04
                4                | 2         | rash | 2020-01-02
                5                | 1         | -    | 2020-01-01
                6                | 1         | -    | 2020-01-01"""
        },
        [("2",)],
    ),
    ("DQ056", "adverse_event", "suspect_drug"): (
        {
            "staged.prescription": "person_id | drug_id\n1 | omalizumab",
            "staged.adverse_event": "adverse_event_id | person_id | suspect_drug_id\n1 | 1 | omalizumab\n2 | 2 | omalizumab\n3 | 2 | -",
        },
        [("2",)],
    ),
    ("DQ058", "adverse_event", "latency"): (
        {
            **ANAPHYLAXIS,
            "staged.prescription": "person_id | drug_id | start_date\n1 | omalizumab | 2020-01-01\n1 | omalizumab | 2020-02-01",
            "staged.adverse_event": """
                adverse_event_id | person_id | term                  | onset_date | suspect_drug_id
                1                | 1         | Anaphylactic reaction | 2020-01-04 | omalizumab
                2                | 1         | Anaphylactic reaction | 2020-01-05 | omalizumab
                3                | 1         | Anaphylactic shock    | 2020-02-05 | omalizumab
                4                | 1         | Rash                  | 2020-01-20 | omalizumab
                5                | 1         | Anaphylactic reaction | 2019-01-01 | omalizumab""",
        },
        [("2",), ("3",)],
    ),
    ("DQ062", "condition", "sex"): (
        {
            "staged.person": "person_id | sex\n1 | M\n2 | F\n3 | U",
            "staged.condition": """
                condition_id | person_id | code | code_system
                1            | 1         | O80  | ICD10
                2            | 1         | N80  | ICD10CM
                3            | 1         | Z380 | ICD10
                4            | 1         | 6500 | ICD9CM
                5            | 1         | D075 | ICD10
                6            | 2         | C61  | ICD10
                7            | 2         | 600  | ICD9CM
                8            | 2         | O80  | ICD10
                9            | 3         | C61  | ICD10
                10           | 1         | O80  | SNOMED
                11           | 1         | N40  | ICD10"""
        },
        [("1",), ("2",), ("4",), ("6",), ("7",)],
    ),
    ("DQ063", "condition", "position"): (
        {
            "spec.outcome": "outcome_id | position\nserious | primary\nany | any",
            "spec.outcome_code": "outcome_id | vocabulary | code_prefix | is_exclusion\n"
            "serious | ICD10 | J18 | false\nany | ICD10 | A00 | false",
            "staged.condition": """
                condition_id | code | code_system | position
                1            | J189 | ICD10       | -
                2            | J189 | ICD10       | secondary
                3            | A00  | ICD10       | -
                4            | J189 | ICD9CM      | -""",
        },
        [("1",)],
    ),
    ("DQ072", "symptom_score", "direction"): (
        {
            "staged.symptom_score": "person_id | instrument_id | better | score_date | score\n"
            + "\n".join(
                f"{n} | act | higher | 2020-01-01 | {5 + n % 20}\n{n} | acq | lower | 2020-01-01 | {(n % 20) / 4}\n"
                f"{n} | tass | lower | 2020-01-01 | {30 - n % 20}"
                for n in range(1, 21)
            )
        },
        # The one that runs with ACT, and against the symptom score that should run with it.
        sorted([(n, "2020-01-01") for n in range(1, 21)] * 2, key=repr),
    ),
    ("DQ073", "discontinuation", "stop_date"): (
        {
            "staged.prescription": """
                person_id | drug_id    | start_date | stop_date  | days_supply
                1         | omalizumab | 2020-01-10 | -          | 28
                2         | omalizumab | 2020-01-10 | 2020-06-01 | -""",
            "staged.discontinuation": """
                source_file | row_number | person_id | drug_id    | stop_date
                f           | 1          | 1         | omalizumab | 2020-01-10
                f           | 2          | 1         | omalizumab | 2020-01-11
                f           | 3          | 1         | omalizumab | 2020-06-06
                f           | 4          | 1         | omalizumab | 2020-06-07
                f           | 5          | 2         | omalizumab | 2020-09-29
                f           | 6          | 3         | omalizumab | 2020-01-11
                f           | 7          | 3         | -          | 2020-01-11""",
        },
        [("f", 1), ("f", 4), ("f", 6)],
    ),
    ("DQ074", "discontinuation", "reason"): (
        {
            "staged.discontinuation": "source_file | row_number | reason\nf | 1 | unmapped\nf | 2 | efficacy\nf | 3 | unknown"
        },
        [("f", 1)],
    ),
}  # fmt: skip
