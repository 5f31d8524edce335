"""Publishing: killed at any moment it leaves good files; what lies about from others is refused or purged."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from pipelines.paths import Output
from pipelines.publish import code_digest, exchange, purge
from tests.pipeline.records import DEFAULT_STUDY, PROJECT, write_records

_LOOP = """
import itertools, sys
from pathlib import Path
from pipelines.paths import Output
from pipelines.publish import publish
from sql.warehouse import Warehouse

out = Output(Path(sys.argv[1]))
for number in itertools.count():
    folder = out.build / str(number)
    warehouse = Warehouse(folder / "build.duckdb")
    warehouse.create()
    warehouse.execute("CREATE TABLE meta.number AS SELECT %d AS number, * FROM range(20000)" % number)
    for name in ("report", "quarantine"):
        (folder / name).mkdir(parents=True)
        (folder / name / "index.html").write_text(str(number) * 1000)
    publish(warehouse, report=folder / "report", quarantine=folder / "quarantine", out=out)
    if number == 0:
        print("published", flush=True)
"""


@pytest.mark.slow
def test_publishing_killed_at_any_moment_leaves_files_that_can_be_read(tmp_path: Path) -> None:
    out = Output(tmp_path / "out")
    moments = random.Random(1)  # noqa: S311  a moment to kill at, not a secret
    for _ in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", _LOOP, str(out.root)], cwd=PROJECT, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": str(PROJECT)},
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "published\n"
        time.sleep(moments.uniform(0.0, 0.6))
        process.kill()
        process.communicate()
        with duckdb.connect(str(out.database), read_only=True) as con:
            assert con.execute("SELECT COUNT(*), COUNT(DISTINCT number) FROM meta.number").fetchall() == [(20_000, 1)]
        for folder in (out.report, out.quarantine):
            text = (folder / "index.html").read_text()
            assert len(text) >= 1000
            assert text == text[: len(text) // 1000] * 1000


@pytest.mark.slow
def test_a_run_killed_half_way_leaves_the_last_good_files(tmp_path: Path) -> None:
    source, out = write_records(tmp_path / "source"), Output(tmp_path / "out")
    home = tmp_path / "home"
    home.mkdir()
    command = [
        sys.executable,
        "-m",
        "pipelines",
        "run",
        str(DEFAULT_STUDY),
        "--source",
        str(source),
        "--out",
        str(out.root),
    ]
    environment = os.environ | {"DAGSTER_HOME": str(home), "PYTHONPATH": str(PROJECT)}
    subprocess.run(command, cwd=PROJECT, env=environment, check=True, capture_output=True)
    good = out.database.read_bytes(), (out.report / "index.html").read_bytes()
    process = subprocess.Popen(
        command,
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not any(out.build.glob("*.duckdb")):
        time.sleep(0.05)
    time.sleep(3)
    assert process.poll() is None, "the run ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert (out.database.read_bytes(), (out.report / "index.html").read_bytes()) == good


def test_an_exchange_puts_the_new_folder_in_place_and_removes_the_old(tmp_path: Path) -> None:
    for name in ("new", "published"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    exchange(tmp_path / "new", tmp_path / "published")
    assert [path.name for path in tmp_path.iterdir()] == ["published"]
    assert (tmp_path / "published" / "file").read_text() == "new"


def test_purging_takes_this_run_and_old_leftovers_and_leaves_a_young_run_of_another(tmp_path: Path) -> None:
    out = Output(tmp_path)
    out.build.mkdir()
    for name in ("mine.duckdb", "mine.report", "young.duckdb", "old.duckdb"):
        (out.build / name).write_text("x")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(out.build / "old.duckdb", (two_days_ago, two_days_ago))
    purge(out, run_id="mine")
    assert [path.name for path in out.build.iterdir()] == ["young.duckdb"]


@pytest.mark.parametrize(
    "name", ["analysis/estimate/cox.py", "sql/exposure/episode.sql", "analysis/report/templates/style.css"]
)
def test_a_change_of_any_code_is_a_change_of_the_fingerprint(tmp_path: Path, name: str) -> None:
    """Without it a schedule would skip the run that brings a corrected estimator."""
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    file.write_text("one")
    before = code_digest(tmp_path)
    assert code_digest(tmp_path) == before
    file.write_text("two")
    assert code_digest(tmp_path) != before


def test_caches_and_notes_beside_the_code_are_no_change(tmp_path: Path) -> None:
    before = code_digest(tmp_path)
    (tmp_path / "analysis" / "__pycache__").mkdir(parents=True)
    (tmp_path / "analysis" / "__pycache__" / "cox.pyc").write_bytes(b"x")
    (tmp_path / "analysis" / "notes.md").write_text("x")
    assert code_digest(tmp_path) == before
