"""The study's own table of codes: read with the study file, joined to the other codes, refused where it is unclear."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.study.code_map import code_forms
from analysis.study.read import StudyError, read_study, study_from
from analysis.study.tables import study_tables
from pipelines.steps import reference_frame
from tests.whole_run import prepared, write_csv

STUDY = """
[study]
id = "small"
title = "Small"
[source]
code_map = "codes.csv"
[drugs]
study = ["omalizumab", "dupilumab"]
[[outcome]]
id = "fever"
terms = ["fever"]
"""
HEAD = b"code_system,code,drug_id\n"


def _study(folder: Path, codes: bytes | None) -> Path:
    if codes is not None:
        (folder / "codes.csv").write_bytes(codes)
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return folder / "study.toml"


def _codes(folder: Path, codes: bytes) -> set[tuple[str, str, str]]:
    frames = study_tables(
        read_study(_study(folder, codes)), {name: reference_frame(name) for name in ("drug", "outcome", "condition")}
    )
    return set(frames["drug_code"].rows())


def test_its_rows_extend_the_codes_and_are_part_of_the_digest(tmp_path: Path) -> None:
    without = _codes(tmp_path, HEAD)
    rows = "\ufeffDrug_ID, CODE ,code_system\r\nomalizumab, x-1 ,LOCAL\r\nprednisone,0009,ndc\r\n\r\n".encode()
    found = _codes(tmp_path, rows)
    assert found - without == {("omalizumab", "local", "X-1"), ("prednisone", "NDC", "0009")}
    assert without < found
    digests = {read_study(_study(tmp_path, codes)).digest() for codes in (HEAD, rows, HEAD + b"local,X-1,omalizumab\n")}
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        (None, "the file codes.csv cannot be read"),
        (b"", "its header must be code_system, code, drug_id"),
        (b"code_system,code\n", "its header must be"),
        (b"code_system;code;drug_id\n", "its header must be"),
        (HEAD + b"NDC,1\n", "row 1 does not have the three cells"),
        (HEAD + b"NDC,1,omalizumab\nNDC, ,omalizumab\n", "row 2 does not have the three cells"),
        (HEAD + b"NCD,1,omalizumab\n", "row 1: code_system 'NCD' is not one of RxNorm"),
        (HEAD + b"NDC,1,omalizumab\nndc,1,dupilumab\n", "row 2: NDC '1' would mean two drugs"),
        (HEAD + b"NDC,\xeb,omalizumab\n", "it is not in UTF-8"),
        (HEAD + b'NDC,"1,omalizumab\n', "it is not a CSV file"),
        (HEAD + b"NDC,1,Omalizumab!\n", "drug_id"),
    ],
)
def test_a_table_that_cannot_be_used_is_told(tmp_path: Path, codes: bytes | None, told: str) -> None:
    with pytest.raises(StudyError, match=r"study\.toml: ") as caught:
        read_study(_study(tmp_path, codes))
    assert told in str(caught.value)


def test_a_drug_that_nobody_knows_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"'omalizumap' is neither .*did you mean 'omalizumab'"):
        _codes(tmp_path, HEAD + b"NDC,1,omalizumap\n")


@pytest.mark.parametrize(
    "code", [b"NDC,50242-0040-62,omalizumab\nNDC,50242-040-62,dupilumab\n", b"HCPCS,J2357,dupilumab\n"]
)
def test_a_code_that_means_another_drug_elsewhere_is_refused(tmp_path: Path, code: bytes) -> None:
    with pytest.raises(StudyError, match="would mean two drugs"):
        _codes(tmp_path, HEAD + code)


@pytest.mark.parametrize(
    ("code", "forms"),
    [
        ("50242-040-62", {"50242-040-62", "50242-0040-62", "50242004062"}),
        ("0378-0001-01", {"0378-0001-01", "00378-0001-01", "00378000101", "00378-001-01", "00378-0001-1"}),
        ("12345-6789-1", {"12345-6789-1", "12345-6789-01", "12345678901"}),
        ("12345678901", {"12345678901", "12345-6789-01", "12345-6789-1"}),
        ("1234567890", {"1234567890"}),
        ("12345-67-8901", {"12345-67-8901"}),
        ("ABCDE-6789-01", {"ABCDE-6789-01"}),
        ("50242-040", {"50242-040"}),
    ],
)
def test_an_ndc_is_the_same_with_and_without_its_hyphens(code: str, forms: set[str]) -> None:
    assert code_forms("NDC", code) == forms
    assert code_forms("local", code) == {code}


def test_a_record_with_a_mapped_code_is_of_its_drug(tmp_path: Path) -> None:
    spec = read_study(_study(tmp_path, HEAD + b"NDC,50242-040-62,omalizumab\nlocal,vial 7,dupilumab\n"))
    source = write_csv(
        tmp_path / "source",
        person="person_id | sex | birth_date\na | F | 1980-01-01",
        adverse_event="adverse_event_id | person_id | term | onset_date",
        prescription="""
            prescription_id | person_id | record_type | drug_source_value | drug_code   | code_system | start_date
            1               | a         | order       | vial              | 50242004062 | NDC         | 2020-01-01
            2               | a         | order       | Vial 7            | -           | -           | 2020-01-01
            3               | a         | order       | box               | 7           | NDC         | 2020-01-01""",
    )
    build = prepared(spec, source, tmp_path / "build.duckdb")
    found = build.warehouse.query("SELECT drug_source_value, drug_id FROM quality.drug_map ORDER BY ALL").rows()
    assert found == [("Vial 7", "dupilumab"), ("box", None), ("vial", "omalizumab")]


def test_rows_may_stand_in_the_study_itself() -> None:
    rows = [{"code_system": "local", "code": "x", "drug_id": "omalizumab"}]
    settings = {
        "study": {"id": "small", "title": "Small"},
        "source": {"code_map": rows},
        "drugs": {"study": ["omalizumab"]},
        "outcome": [{"id": "fever", "terms": ["fever"]}],
    }
    assert study_from(settings, name="small.toml").source.code_map[0].code == "x"
