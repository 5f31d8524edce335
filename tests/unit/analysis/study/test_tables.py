"""The settings as rows: which setting wins, what a drug or an outcome means, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from analysis.study.outcomes import normalised_code
from analysis.study.read import StudyError, read_study, study_from
from analysis.study.tables import study_tables

ROOT = Path(__file__).parents[4]
REFERENCE = {
    name: pl.read_csv(ROOT / "sql" / "reference" / f"{name}.csv", infer_schema=False)
    for name in ("drug", "outcome", "condition")
}
OMALIZUMAB = REFERENCE["drug"].row(by_predicate=pl.col("drug_id") == "omalizumab", named=True)


SMALL: dict[str, Any] = {
    "study": {"id": "small", "title": "Small"},
    "drugs": {"study": ["omalizumab", "dupilumab"]},
    "outcome": [{"id": "pneumonia"}],
}


def _tables(**sections: Any) -> Mapping[str, pl.DataFrame]:
    return study_tables(study_from(SMALL | sections, name="s.toml"), REFERENCE)


def _refused(**sections: Any) -> str:
    with pytest.raises(StudyError) as caught:
        _tables(**sections)
    return str(caught.value)


def _policy(tables: Mapping[str, pl.DataFrame], drug: str, rule: str = "primary") -> tuple[int, int]:
    row = tables["drug_policy"].row(
        by_predicate=(pl.col("drug_id") == drug) & (pl.col("exposure_rule") == rule), named=True
    )
    return row["gap_days"], row["tail_days"]


def test_gap_and_tail_come_from_the_reference_then_the_drug_then_the_rule_then_the_drug_in_the_rule() -> None:
    reference = int(OMALIZUMAB["gap_days"]), int(OMALIZUMAB["tail_days"])
    assert reference == (28, 130)
    drug = [{"id": "omalizumab", "gap_days": 40, "tail_days": 41}]
    rule = {"id": "primary", "gap_days": 50, "tail_days": 51}
    single = {"drug": {"omalizumab": {"gap_days": 60, "tail_days": 61}}}
    assert _policy(_tables(), "omalizumab") == reference
    assert _policy(_tables(drug=drug), "omalizumab") == (40, 41)
    assert _policy(_tables(drug=drug, exposure_rule=[rule]), "omalizumab") == (50, 51)
    assert _policy(_tables(drug=drug, exposure_rule=[rule | single]), "omalizumab") == (60, 61)


def test_each_of_gap_and_tail_is_overridden_by_itself_and_zero_is_a_setting() -> None:
    rules = [{"id": "primary"}, {"id": "no_gap", "gap_days": 0}, {"id": "no_tail", "tail_days": 0}]
    tables = _tables(exposure_rule=rules)
    assert _policy(tables, "omalizumab", "no_gap") == (0, 130)
    assert _policy(tables, "omalizumab", "no_tail") == (28, 0)
    assert tables["exposure_rule"].select("exposure_rule", "rule_number", "label", "is_primary").rows() == [
        ("primary", 1, "primary", True),
        ("no_gap", 2, "no_gap", False),
        ("no_tail", 3, "no_tail", False),
    ]


def test_background_drugs_have_a_gap_of_30_and_their_own_tail_whatever_the_rule_says_of_study_drugs() -> None:
    drugs = {"study": ["omalizumab"], "background": ["azathioprine"]}
    own = REFERENCE["drug"].row(by_predicate=pl.col("drug_id") == "azathioprine", named=True)
    tables = _tables(drugs=drugs, exposure_rule=[{"id": "primary", "gap_days": 90, "tail_days": 90}])
    assert _policy(tables, "azathioprine") == (30, int(own["tail_days"]))
    changed = {"id": "primary", "background_gap_days": 45, "drug": {"azathioprine": {"tail_days": 3}}}
    assert _policy(_tables(drugs=drugs, exposure_rule=[changed]), "azathioprine") == (45, 3)


def test_a_type_stands_for_its_drugs_and_a_drug_named_by_itself_wins() -> None:
    tables = _tables(
        drugs={"study": ["agent_type:biologic"], "background": ["dupilumab"], "concomitant": ["agent_type:support"]}
    )
    roles = dict(tables["drug"].select("drug_id", "role").rows())
    biologics = REFERENCE["drug"].filter(pl.col("agent_type") == "biologic")["drug_id"].to_list()
    assert {roles[drug] for drug in biologics if drug != "dupilumab"} == {"study"}
    assert roles["dupilumab"] == "background"
    assert "concomitant" in roles.values()
    assert set(roles) == set(tables["drug"]["drug_id"])
    assert not set(tables["drug_policy"]["drug_id"]) & {drug for drug, role in roles.items() if role == "concomitant"}


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"drugs": {"study": ["omalizumb"]}}, "drugs.study: unknown drug 'omalizumb' (did you mean 'omalizumab'?)"),
        ({"drugs": {"study": ["agent_type:biologics"]}}, "no drug of type 'biologics' (did you mean 'biologic'?)"),
        (
            {"drugs": {"study": ["omalizumab"], "background": ["omalizumab"]}},
            "drug 'omalizumab' is given two roles, study and background",
        ),
        ({"drug": [{"id": "newdrug", "gap_days": 1, "tail_days": 1}]}, "[[drug]] 'newdrug' has no role"),
        (
            {"drugs": {"study": ["newdrug"]}, "drug": [{"id": "newdrug", "gap_days": 1}]},
            "drug 'newdrug' has no gap_days or tail_days in the reference",
        ),
        (
            {"drugs": {"study": ["omalizumab"]}, "drug": [{"id": "omalizumab", "drug_class": "anti-IgE + more"}]},
            "drug 'omalizumab': class 'anti-IgE + more' holds a '+' or is reserved",
        ),
        (
            {"drugs": {"study": ["omalizumab"]}, "drug": [{"id": "omalizumab", "drug_class": "none"}]},
            "class 'none' holds a '+' or is reserved",
        ),
        (
            {"exposure_rule": [{"id": "primary", "drug": {"omalizumb": {}}}]},
            "exposure_rule 'primary': unknown drug 'omalizumb' (did you mean 'omalizumab'?)",
        ),
        ({"outcome": [{"id": "pneumonja"}]}, "unknown outcome 'pneumonja' (did you mean 'pneumonia'?)"),
        ({"outcome": [{"id": "mine", "based_on": "nothing_known", "terms": ["x"]}]}, "unknown outcome 'nothing_known'"),
    ],
)
def test_what_nobody_defines_or_two_say_differently_is_refused(sections: dict[str, Any], told: str) -> None:
    assert told in _refused(**sections)


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ({"codes": {"local": ["X1"]}}, {"codes": {"local": ["X1"]}}, "'local' 'X1' would mean two drugs"),
        ({"codes": {"local": ["x1"]}}, {"codes": {"local": ["X1 "]}}, "'local' 'X1' would mean two drugs"),
        ({"names": ["Pen"]}, {"names": ["pen "]}, "would mean two drugs"),
        ({"name_patterns": ["pen%"]}, {"name_patterns": ["PEN%"]}, "would mean two drugs"),
    ],
)
def test_a_code_or_name_that_means_two_drugs_is_refused(one: Any, other: Any, told: str) -> None:
    drugs = [{"id": "omalizumab"} | one, {"id": "dupilumab"} | other]
    assert told in _refused(drug=drugs)


def test_codes_are_compared_in_upper_case_and_names_in_lower_case() -> None:
    tables = _tables(drug=[{"id": "omalizumab", "codes": {"local": [" oma-1 "]}, "names": [" Oma "]}])
    assert ("omalizumab", "local", "OMA-1") in tables["drug_code"].rows()
    assert ("omalizumab", "oma", False) in tables["drug_name"].rows()


def test_a_code_that_the_reference_does_not_confirm_never_maps() -> None:
    unconfirmed = REFERENCE["drug"].filter(
        pl.col("omop_certainty").fill_null("").str.to_lowercase().str.contains("unconfirmed")
    )
    mapped = {(drug, system) for drug, system, _ in _tables()["drug_code"].rows()}
    assert not {(drug, "OMOP") for drug in unconfirmed["drug_id"]} & mapped
    changed = {**REFERENCE, "drug": REFERENCE["drug"].with_columns(rxcui_certainty=pl.lit("UNCONFIRMED"))}
    spec = study_from(SMALL, name="s.toml")
    assert ("omalizumab", "RxNorm", OMALIZUMAB["rxnorm_rxcui"]) in study_tables(spec, REFERENCE)["drug_code"].rows()
    assert "RxNorm" not in study_tables(spec, changed)["drug_code"]["code_system"].to_list()


def test_a_code_that_the_reference_gives_to_two_drugs_maps_neither() -> None:
    shared = REFERENCE["drug"].with_columns(
        hcpcs_codes=pl.when(pl.col("drug_id").is_in(["omalizumab", "dupilumab"]))
        .then(pl.lit("J0001"))
        .otherwise("hcpcs_codes"),
        hcpcs_certainty=pl.lit("certain"),
    )
    spec = study_from(SMALL, name="s.toml")
    assert "J0001" not in study_tables(spec, REFERENCE | {"drug": shared})["drug_code"]["code"].to_list()


def test_a_drug_of_the_study_file_needs_no_reference() -> None:
    drug = {
        "id": "new_drug", "name": "New Drug", "gap_days": 5, "tail_days": 6, "interval_days": 7, "is_injectable": True,
        "counts_broad": True, "codes": {"NDC": ["1"]},
    }  # fmt: skip
    tables = _tables(drugs={"study": ["new_drug"]}, drug=[drug])
    assert tables["drug"].row(0, named=True) == {
        "drug_id": "new_drug",
        "drug_name": "New Drug",
        "role": "study",
        "drug_class": "new_drug",
        "agent_type": "other",
        "is_biologic": False,
        "is_injectable": True,
        "counts_toruner": False,
        "counts_broad": True,
        "interval_days": 7,
        "units_per_day": None,
        "washout_days": None,
    }
    assert _policy(tables, "new_drug") == (5, 6)


def test_a_composite_takes_the_union_of_its_components_and_nothing_else() -> None:
    tables = _tables(outcome=[{"id": "serious_infection"}, {"id": "opportunistic_infection"}])
    for outcome, column in (
        ("serious_infection", "serious_infection_component"),
        ("opportunistic_infection", "opportunistic_winthrop2015"),
    ):
        members = set(REFERENCE["outcome"].filter(pl.col(column) == "1")["outcome_id"])
        codes = tables["outcome_code"].filter(pl.col("outcome_id") == outcome)
        terms = tables["outcome_term"].filter(pl.col("outcome_id") == outcome)
        assert set() != members == set(codes["component_id"]) | set(terms["component_id"])
        assert members == set(tables["outcome_component"].filter(pl.col("outcome_id") == outcome)["component_id"])
    pneumonia = tables["outcome_code"].filter(
        (pl.col("outcome_id") == "serious_infection") & (pl.col("component_id") == "pneumonia")
    )
    assert ("ICD10", "J182", True) in pneumonia.select("vocabulary", "code_prefix", "is_exclusion").rows()
    assert ("ICD10CM", "J100", False) in pneumonia.select("vocabulary", "code_prefix", "is_exclusion").rows()


def test_serious_infection_asks_for_hospital_and_seriousness_and_infections_are_lagged_by_7_days() -> None:
    columns = ("setting", "position", "serious_only", "lag_days")
    outcomes = [
        {"id": "serious_infection"},
        {"id": "pneumonia"},
        {"id": "toruner_replica", "based_on": "serious_infection", "lag_days": 0, "setting": "any"},
    ]
    rows = _tables(outcome=outcomes)["outcome"].select(columns).rows()
    assert rows == [("inpatient", "primary", True, 7), ("any", "any", False, 7), ("any", "primary", True, 0)]


def test_own_codes_and_terms_of_an_outcome_are_added_under_its_own_name() -> None:
    outcome = {
        "id": "mine",
        "codes": {"ICD10CM": ["n17.9"]},
        "exclude_codes": {"ICD10CM": ["N17.99"]},
        "terms": [" Fever "],
    }
    tables = _tables(outcome=[outcome])
    assert tables["outcome_code"].rows() == [
        ("mine", "mine", "ICD10CM", "N179", False),
        ("mine", "mine", "ICD10CM", "N1799", True),
    ]
    assert tables["outcome_term"].rows() == [("mine", "mine", "fever")]
    assert tables["outcome_component"].is_empty(), "it is no composite"


def test_age_bands_meet_without_hole_and_the_last_is_open() -> None:
    bands = _tables(population={"age_band_starts": [0, 18, 65]})["age_band"].rows()
    assert bands == [("00-17", 0, 18), ("18-64", 18, 65), ("65+", 65, 200)]


def test_a_diagnosis_code_is_compared_trimmed_in_upper_case_and_without_dots() -> None:
    assert normalised_code(" j18.9 ") == "J189"


@pytest.mark.parametrize("name", ["biologic_combination", "vancomycin_piperacillin_aki"])
def test_the_studies_that_come_along_become_rows(name: str) -> None:
    tables = study_tables(read_study(ROOT / "studies" / f"{name}.toml"), REFERENCE)
    assert {"study", "drug", "drug_policy", "outcome", "exposure_rule"} <= set(tables)
    assert tables["drug_policy"].null_count().sum_horizontal()[0] == 0
    assert tables["outcome_code"].height > 0


def _induction(tables: Mapping[str, pl.DataFrame], drug: str) -> list[tuple[int, int]]:
    rows = tables["induction"].filter(pl.col("drug_id") == drug).select("dose_number", "cover_days").rows()
    return [(number, days) for number, days in rows]


def test_induction_comes_from_the_reference_unless_the_study_file_gives_another_or_none() -> None:
    drugs = {"study": ["infliximab", "secukinumab", "omalizumab", "adalimumab"]}
    tables = _tables(drugs=drugs)
    assert _induction(tables, "adalimumab") == []  # on days 0 and 14, as it goes on
    assert _induction(tables, "infliximab") == [(1, 14), (2, 28)]
    assert _induction(tables, "secukinumab") == [(1, 7), (2, 7), (3, 7), (4, 7)]
    assert _induction(tables, "omalizumab") == []
    own = [{"id": "infliximab", "induction_days": []}, {"id": "omalizumab", "induction_days": [0, 10]}]
    changed = _tables(drugs=drugs, drug=own)
    assert _induction(changed, "infliximab") == []
    assert _induction(changed, "omalizumab") == [(1, 10)]
    assert tables["drug"].filter(pl.col("drug_id") == "infliximab")["washout_days"].to_list() == [180]


def test_the_reference_writes_an_induction_as_rising_days_from_0_or_leaves_it_to_the_note() -> None:
    for drug, text in REFERENCE["drug"].select("drug_id", "induction_days").rows():
        days = [int(day) for day in (text or "0").split("|")]
        assert days[0] == 0, drug
        assert days == sorted(set(days)), drug
    noted = REFERENCE["drug"].filter(pl.col("induction_days").is_null() & pl.col("induction_note").is_not_null())
    assert {"ustekinumab", "golimumab", "risankizumab"} <= set(noted["drug_id"])


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"induction_days": [1, 14]}, "induction_days must rise from 0"),
        ({"induction_days": [0, 14, 14]}, "induction_days must rise from 0"),
        ({"induction_days": [0, 401]}, "by at most 400 days a dose"),
        ({"units_per_day": 0.0005}, "greater than or equal to 0.001"),
        ({"units_per_day": 1.0005}, "more than three decimals"),
        ({"induction_days": [0, 14], "washout_days": 0}, "no washout_days"),
    ],
)
def test_a_series_or_a_number_of_units_that_cannot_be_used_is_refused(setting: dict[str, Any], told: str) -> None:
    assert told in _refused(drug=[{"id": "omalizumab"} | setting])


@pytest.mark.parametrize(
    ("missing", "told"),
    [("interval_days", "no interval_days"), ("washout_days", "no washout_days")],
)
def test_an_induction_needs_an_interval_after_it_and_a_look_back_before_it(missing: str, told: str) -> None:
    drug = {"id": "mine", "gap_days": 1, "tail_days": 1, "induction_days": [0, 3], "interval_days": 7}
    drug |= {"washout_days": 90, "units_per_day": 0.5}
    drugs = {"study": ["mine"]}
    assert _induction(_tables(drugs=drugs, drug=[drug]), "mine") == [(1, 3)]
    assert _tables(drugs=drugs, drug=[drug])["drug"]["units_per_day"].to_list() == [0.5]
    without = {key: value for key, value in drug.items() if key != missing}
    assert told in _refused(drugs=drugs, drug=[without])
