"""Records that break each rule of single tables at the first door, beside records that do not: by rule, table and field."""

from __future__ import annotations

from collections.abc import Mapping

NAME = "person_source_value"
ANAPHYLAXIS = {
    "reference.outcome": "outcome_id | meddra_pt_names\nanaphylaxis | Anaphylactic reaction;Anaphylactic shock\nother | Rash"
}
TESTS = "test | test_id\nIgE | total_ige\nFree IgE | free_ige\nWeight | weight\nIGRA | igra\nPEF | morning_pef"
UNITS = """
    test_id   | unit  | standard_unit | factor
    total_ige | IU/mL | IU/mL         | 1
    total_ige | ng/mL | IU/mL         | 0.4132231404958678
    free_ige  | ng/mL | ng/mL         | 1
    weight    | kg    | kg            | 1
    weight    | lb    | kg            | 0.45359237"""
MEASURED = {"quality.test_map": TESTS, "reference.unit_conversion": UNITS}
FREE_IGE = """
    person_source_value | test     | datetime            | value
    a                   | Free IgE | 2020-01-01 08:00:00 | 100
    a                   | Free IgE | 2020-03-01 08:00:00 | {after}
    b                   | Free IgE | 2020-01-01 08:00:00 | 50
    b                   | Free IgE | 2020-03-01 08:00:00 | {after}
    b                   | IgE      | 2020-03-01 08:00:00 | 9000"""
DOSES = {
    "intake.prescription": f"{NAME} | drug_source_value | start_date\n"
    "a | Xolair | 2020-01-15\nb | Xolair | 2020-01-01\nb | Xolair | 2020-02-01",
    "quality.drug_map": "drug_source_value | drug_code | code_system | drug_id\nXolair | '' | '' | omalizumab",
}

Case = tuple[Mapping[str, str], list[int]]
CASES: dict[tuple[str, str, str], Case | list[Case]] = {
    ("DQ019", "person", "birth"): (
        {
            "intake.person": f"""
                {NAME} | birth_date | year_of_birth
                a      | 1980-01-01 | -
                a      | 1980-01-02 | -
                b      | 1980-01-01 | 1980
                b      | 1980-01-01 | -
                c      | -          | 1980
                c      | -          | 1981
                d      | 1980-05-05 | -
                d      | -          | 1980"""
        },
        [1, 2, 5, 6],
    ),
    ("DQ023", "death", "death_date"): (
        {"intake.death": f"{NAME} | death_date\na | 2020-01-01\na | 2020-01-31\na | 2020-02-01\nb | 2021-01-01\nb | -"},
        [3],
    ),
    ("DQ023", "death", "another"): (
        {"intake.death": f"{NAME} | death_date\na | 2020-01-01\na | 2020-01-31\na | 2020-02-01\na | 2020-01-01"},
        [2],
    ),
    ("DQ026", "prescription", "route"): (
        {
            "intake.prescription": """
                drug_source_value | route
                prednisone        | Topical
                prednisone        | oral
                prednisone        | Inhalation (oral)
                prednisone        | subcutaneous
                prednisone        | cutaneous
                prednisone        | -
                Xolair            | nasal
                unknown           | topical""",
            "quality.drug_map": "drug_source_value | drug_code | code_system | drug_id\nprednisone | '' | '' | prednisone\n"
            "Xolair | '' | '' | omalizumab\nunknown | '' | '' | -",
            "spec.drug": "drug_id | agent_type\nprednisone | systemic_corticosteroid\nomalizumab | biologic",
        },
        [1, 3, 5],
    ),
    ("DQ041", "prescription", "start_date"): (
        {
            "intake.prescription": "drug_source_value | start_date\nnew | 2015-12-31\nnew | 2016-01-01\nnew | -\nold | 1990-01-01",
            "quality.drug_map": "drug_source_value | drug_code | code_system | drug_id\n"
            "new | '' | '' | dupilumab\nold | '' | '' | prednisone",
            "reference.drug_label": "drug_id | first_approval_year\ndupilumab | 2017",
        },
        [1],
    ),
    ("DQ045", "adverse_event", "dictionary_version"): (
        {"intake.adverse_event": "dictionary_version | term\n27.0 | x\n27.0 | y\n26.1 | z\n- | w"},
        [3, 4],
    ),
    ("DQ049", "adverse_event", "serious"): (
        {"intake.adverse_event": "serious | term\nY | x\nno | x\n- | x\nmaybe | x\n0 | x"},
        [3, 4],
    ),
    ("DQ050", "adverse_event", "criteria"): (
        {
            "intake.adverse_event": """
                serious | death | life_threatening | hospitalisation | disability
                N       | Y     | -                | -               | -
                N       | N     | N                | N               | N
                Y       | Y     | -                | -               | -
                no      | -     | yes              | -               | -
                N       | -     | -                | 1               | -
                N       | -     | -                | -               | true
                -       | Y     | -                | -               | -"""
        },
        [1, 4, 5, 6],
    ),
    ("DQ052", "adverse_event", "severity"): (
        {
            "intake.adverse_event": "severity | outcome\n5 | recovered\nGrade 5 | Fatal\n"
            "grade 5 | not recovered\n5 | -\n4 | recovered\n5 | Died"
        },
        [1, 3],
    ),
    ("DQ054", "adverse_event", "causality"): (
        {"intake.adverse_event": "causality | term\nPossible | x\nperhaps | x\n- | x\nNot related | x"},
        [2],
    ),
    ("DQ057", "adverse_event", "onset_datetime"): (
        {
            **ANAPHYLAXIS,
            "intake.prescription": f"""
                {NAME} | record_type    | start_datetime
                a      | administration | 2020-01-01 10:00:00
                a      | administration | 2020-01-01 12:00:00
                b      | administration | 2020-01-01 00:00:00
                c      | order          | 2020-01-01 10:00:00""",
            "intake.adverse_event": f"""
                {NAME} | term                  | onset_datetime
                a      | Anaphylactic reaction | 2020-01-01 09:59:00
                a      | anaphylactic shock    | 2020-01-01 10:00:00
                a      | Anaphylactic reaction | 2020-01-01 11:00:00
                a      | Anaphylactic reaction | 2020-01-01 00:00:00
                a      | Rash                  | 2020-01-01 09:00:00
                a      | Anaphylactic reaction | 2020-01-02 09:00:00
                b      | Anaphylactic reaction | 2020-01-01 09:00:00
                c      | Anaphylactic reaction | 2020-01-01 09:00:00""",
        },
        [1],
    ),
    ("DQ059", "condition", "code"): (
        {
            "intake.condition": """
                code   | code_system
                J18.9  | ICD10
                j189   | icd10
                A00.000 | ICD10
                M80.00XA | ICD10CM
                J189   | ICD10CM
                18.9   | ICD10CM
                486    | ICD9CM
                V58.69 | ICD9CM
                E930.0 | ICD9CM
                8.45   | ICD9CM
                J18    | ICD9CM
                22298006 | SNOMED
                J18    | SNOMED
                -      | ICD10
                x      | -"""
        },
        [3, 6, 11, 13],
    ),
    ("DQ059", "condition", "code_system"): [
        (
            {
                "intake.condition": "code | code_system\nJ18 | ICD10\nJ18 | icd10cm\nJ18 | -\nJ18 | READ\n- | ICD10",
                "meta.source": "source_format\nnative",
            },
            [3, 4, 5],
        ),
        ({"intake.condition": "code | code_system\nJ18 | -\n- | READ", "meta.source": "source_format\nomop"}, []),
    ],
    ("DQ060", "condition", "zeros"): (
        {"intake.condition": "code | code_system\n8.45 | ICD9CM\n008.45 | ICD9CM\n8.45 | ICD10\n38.9 | icd9cm\n845 | ICD9CM"},
        [1, 4],
    ),
    ("DQ061", "condition", "start_date"): (
        {
            "intake.condition": """
                code_system | start_date
                ICD9CM      | 2015-09-30
                ICD9CM      | 2015-10-01
                ICD10CM     | 2015-09-30
                ICD10CM     | 2015-10-01
                ICD10       | 2001-01-01"""
        },
        [2, 3],
    ),
    ("DQ064", "visit", "stay"): (
        {
            "intake.visit": "start_datetime | end_datetime\n2020-01-01 10:00:00 | 2020-12-31 09:00:00\n"
            "2020-01-01 10:00:00 | 2021-01-01 00:00:00\n2020-01-01 10:00:00 | -"
        },
        [2],
    ),
    ("DQ065", "visit", "visit_type"): (
        {"intake.visit": "visit_type | specialty\nInpatient | x\noutpatient | x\nwalk-in | x\n- | x\nEMERGENCY | x"},
        [3, 4],
    ),
    ("DQ066", "measurement", "unit"): (
        {**MEASURED, "intake.measurement": "test | unit\nIgE | IU/mL\nIgE | -\nIgE | mg/dL\nFree IgE | NG/ML\nWeight | -"},
        [2, 3],
    ),
    ("DQ067", "measurement", "value"): (
        {
            **MEASURED,
            "reference.test": "test_id | lower_plausible | upper_plausible\ntotal_ige | 0 | 50000\nweight | 10 | 300",
            "intake.measurement": """
                test   | unit  | value
                IgE    | IU/mL | 50000
                IgE    | IU/mL | 50001
                IgE    | ng/mL | 121000
                IgE    | ng/mL | 121100
                IgE    | IU/mL | -1
                Weight | kg    | 9.9
                Weight | lb    | 660
                Weight | lb    | 662
                Weight | -     | 1000
                other  | kg    | 1000""",
        },
        [2, 4, 5, 6, 8],
    ),
    ("DQ068", "measurement", "operator"): (
        {"intake.measurement": "signed_columns | operator\nvalue | <\n- | <\n- | -"},
        [1],
    ),
    ("DQ069", "measurement", "test"): [
        ({**MEASURED, **DOSES, "intake.measurement": FREE_IGE.format(after=250)}, [1, 2, 3, 4]),
        ({**MEASURED, **DOSES, "intake.measurement": FREE_IGE.format(after=5)}, []),
    ],
    ("DQ070", "measurement", "value_text"): (
        {
            "quality.test_map": TESTS,
            "intake.measurement": "test | value | value_text\nIGRA | - | Positive\nIGRA | - | unclear\nIGRA | - | -\n"
            "IGRA | 0.4 | -\nIgE | - | unclear",
        },
        [2, 3],
    ),
    ("DQ071", "symptom_score", "value"): (
        {
            "reference.instrument": "synonyms | lower_bound | upper_bound\nact;asthma control test | 5 | 25\nhbi | 0 | -",
            "intake.symptom_score": "instrument | value\nACT | 4\nACT | 5\nAsthma Control Test | 26\nHBI | 90\nHBI | -1\nother | 1000",
        },
        [1, 3, 5],
    ),
}  # fmt: skip
