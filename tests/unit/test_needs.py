"""What a test needs from outside: absent, it skips with the reason; required, it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


def _run(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-ra", "tests/pipeline/test_real_input.py", "-k", "upper_case"],
        cwd=PROJECT, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_without_the_records_the_test_skips_and_says_why(tmp_path: Path) -> None:
    done = _run(COEXPOSURE_SHARED=str(tmp_path), COEXPOSURE_REQUIRE="")
    assert done.returncode == 0
    assert "third-party records" in done.stdout
    assert "SKIPPED [1]" in done.stdout


def test_where_the_records_are_required_their_absence_fails(tmp_path: Path) -> None:
    done = _run(COEXPOSURE_SHARED=str(tmp_path), COEXPOSURE_REQUIRE="data")
    assert done.returncode == 1
    assert "FAILED tests" in done.stdout


@pytest.mark.parametrize("word", ["dta", "data,brwoser"])
def test_an_unknown_requirement_is_refused(word: str) -> None:
    assert _run(COEXPOSURE_REQUIRE=word).returncode == 4
