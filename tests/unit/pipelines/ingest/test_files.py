"""Files of a source: found by the name of their table, plain or packed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.ingest.files import InputError, SourceFile, find_files


def _file(folder: Path, name: str, content: bytes | str) -> SourceFile:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return SourceFile(path.name.split(".")[0].lower(), name, path)


def test_files_are_found_by_the_name_of_their_table_in_either_case(tmp_path: Path) -> None:
    for name in ("PERSON.CSV", "visit.parquet", "notes.txt", ".hidden.csv", "prescription/b.parquet",
                 "prescription/A.parquet", "prescription/readme.md", "empty/readme.md", "DEATH.Csv.GZ", "condition/1.csv.zst",
                 "condition/2.csv", "condition/.part.csv", "procedure.csv.zip"):  # fmt: skip
        _file(tmp_path, name, "x")
    found = find_files(tmp_path)
    assert {table: [file.name for file in files] for table, files in found.items()} == {
        "person": ["PERSON.CSV"],
        "visit": ["visit.parquet"],
        "prescription": ["prescription/A.parquet", "prescription/b.parquet"],
        "death": ["DEATH.Csv.GZ"],
        "condition": ["condition/1.csv.zst", "condition/2.csv"],
    }


@pytest.mark.parametrize(
    "other", ["person.parquet", "person/1.parquet", "PERSON.csv", "person.old.csv", "person.csv.gz"]
)
def test_a_table_that_is_there_twice_is_refused(tmp_path: Path, other: str) -> None:
    _file(tmp_path, "person.csv", "x")
    _file(tmp_path, other, "x")
    with pytest.raises(InputError, match="table person is there twice"):
        find_files(tmp_path)


@pytest.mark.parametrize("place", ["death.csv", "death/1.csv"])
def test_what_is_no_file_is_told_and_never_waited_for(tmp_path: Path, place: str) -> None:
    (tmp_path / "death").mkdir()
    os.mkfifo(tmp_path / place)
    with pytest.raises(InputError, match=rf"{place} is not a file"):
        find_files(tmp_path)
    (tmp_path / place).unlink()
    (tmp_path / place).symlink_to(tmp_path / "none.csv")
    with pytest.raises(InputError, match=rf"{place} is not a file"):
        find_files(tmp_path)


def test_an_absent_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="source folder not found"):
        find_files(tmp_path / "none")


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # SHA-256 of "abc", FIPS 180-4
    assert _file(tmp_path, "person.csv", "abc").sha256 == digest
