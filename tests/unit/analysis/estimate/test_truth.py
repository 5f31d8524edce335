"""The digits that R gives: each script has its output, and R still gives it."""

import shutil
import subprocess
from pathlib import Path

import pytest

TRUTH = Path(__file__).parents[3] / "truth"
SCRIPTS = sorted(path.stem for path in TRUTH.glob("*.R"))


def test_every_script_has_its_output_and_every_output_its_script() -> None:
    assert sorted(path.stem for path in TRUTH.glob("*.json")) == SCRIPTS
    assert len(SCRIPTS) >= 5


@pytest.mark.r
def test_r_still_gives_the_same_limits() -> None:
    rscript = shutil.which("Rscript")
    if rscript is None:
        pytest.skip("Rscript is not on the path")
    made = subprocess.run(
        [rscript, "--vanilla", "exact_limits.R"], cwd=TRUTH, capture_output=True, text=True, check=True, timeout=60
    )
    assert made.stdout == (TRUTH / "exact_limits.json").read_text()
