"""What every test may use, and when a test that needs something from outside skips.

COEXPOSURE_REQUIRE=data,browser,r,spark turns the skip of these kinds into a failure.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
SHARED = Path(os.environ.get("COEXPOSURE_SHARED", PROJECT.parent / "shared"))


def _has_survival_in_r() -> bool:
    rscript = shutil.which("Rscript")
    return rscript is not None and subprocess.run(
        [rscript, "-e", "stopifnot(requireNamespace('survival'), requireNamespace('epitools'))"],
        capture_output=True, check=False,
    ).returncode == 0  # fmt: skip


NEEDS = {
    "data": ("the third-party records beside the project (../shared/data)", (SHARED / "data").is_dir),
    "browser": ("Chromium", lambda: any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))),
    "r": ("R with survival and epitools", _has_survival_in_r),
    "spark": (
        "PySpark and Java",
        lambda: importlib.util.find_spec("pyspark") is not None and bool(shutil.which("java")),
    ),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    required = {kind.strip() for kind in os.environ.get("COEXPOSURE_REQUIRE", "").split(",") if kind.strip()}
    unknown = required - NEEDS.keys()
    if unknown:
        raise pytest.UsageError(f"COEXPOSURE_REQUIRE names {sorted(unknown)}; known are {sorted(NEEDS)}")
    for kind, (what, is_there) in NEEDS.items():
        marked = [item for item in items if item.get_closest_marker(kind)]
        if marked and kind not in required and not is_there():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=f"needs {what}"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the third-party records."""
    return SHARED / "data"


@pytest.fixture(scope="session")
def contract_checker() -> Path:
    """The program that checks an output folder against the public contract."""
    return SHARED / "tools" / "check_contract.py"
