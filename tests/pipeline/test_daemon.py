"""Dagster's daemon with an every-minute schedule: it publishes, skips unchanged input, and a blocked run changes nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.pipeline.records import DEFAULT_STUDY, PROJECT, TABLES, write_records

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
PATIENCE_SECONDS = 240


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A Dagster home with the project's own settings."""
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copy(PROJECT / "dagster.yaml", folder)
    # Two processes that make the same new SQLite files at once can break them: they are made here, before the daemon.
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        assert instance.get_runs() == []
        assert instance.all_instigator_state() == []
        assert list(instance.all_asset_keys()) == []
    return folder


@pytest.fixture
def daemon(tmp_path: Path, home: Path) -> Iterator[None]:
    """The daemon on a hand-made source, ended with everything that it started."""
    write_records(tmp_path / "source")
    environment = os.environ | {
        "DAGSTER_HOME": str(home), "COEXPOSURE_STUDY": str(DEFAULT_STUDY), "COEXPOSURE_SOURCE": str(tmp_path / "source"),
        "COEXPOSURE_OUT": str(tmp_path / "out"), "PYTHONPATH": str(PROJECT),
    }  # fmt: skip
    with (tmp_path / "daemon.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("dagster-daemon"), "run", "-m", "tests.pipeline.minutely"],
            env=environment, cwd=PROJECT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=60)


def test_a_tick_publishes_the_next_is_skipped_and_a_blocked_one_fails(daemon: None, home: Path, tmp_path: Path) -> None:
    database = tmp_path / "out" / "coexposure.duckdb"
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert _eventually(database.is_file), (tmp_path / "daemon.log").read_text()[-3000:]
        assert _eventually(lambda: dg.DagsterRunStatus.SUCCESS in _statuses(instance))

        assert _eventually(lambda: any("nothing to do" in reason for reason in _skips(instance)))
        assert _statuses(instance) == [dg.DagsterRunStatus.SUCCESS]

        before = _digest(database)
        write_records(tmp_path / "source", prescription=TABLES["prescription"].replace("2019-06-01", "01/06/2019"))
        assert _eventually(lambda: dg.DagsterRunStatus.FAILURE in _statuses(instance))
        assert _digest(database) == before


def _eventually(is_so: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if is_so():
            return True
        time.sleep(1)
    return False


def _statuses(instance: dg.DagsterInstance) -> list[dg.DagsterRunStatus]:
    return [run.status for run in instance.get_runs()]


def _skips(instance: dg.DagsterInstance) -> Iterator[str]:
    for state in instance.all_instigator_state():
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id):
            if tick.skip_reason:
                yield tick.skip_reason


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
