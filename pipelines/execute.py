"""Running the Dagster job in this process, with a progress display and one message for what went wrong."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pipelines.definitions import JOB, build_defs
from pipelines.errors import BlockedError
from pipelines.paths import PROJECT, Output
from pipelines.publish import purge
from pipelines.resources import StudyRun
from sql.kept import kept_open

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class RunFailure:
    """Why a run failed: the kind of error and one message."""

    kind: str
    message: str


def execute_study(
    study: Path,
    source: Path | None,
    out: Output,
    *,
    run_id: str,
    screen: Console,
    instance: dg.DagsterInstance | None = None,
) -> RunFailure | None:
    """Executes the job and shows its progress; returns what a user can mend, None after success.

    The run is kept in Dagster's local storage (DAGSTER_HOME, else the checkout), where its pages show it afterwards.
    Raises what is not the user's to mend.
    """
    job = build_defs().resolve_job_def(JOB)
    settings = StudyRun(study=str(study), source=str(source or ""), out=str(out.root))
    with contextlib.nullcontext(instance) if instance else local_instance() as home, _progress(screen) as progress:
        steps = [node.name for node in job.nodes_in_topological_order]
        bar = progress.add_task("starting", total=len(steps))

        def follow(event: dg.EventLogEntry) -> None:
            occurred = event.dagster_event
            if occurred is None or occurred.step_key is None:
                return
            if occurred.event_type == dg.DagsterEventType.STEP_START:
                progress.update(bar, description=occurred.step_key.replace("__", "."))
            elif occurred.event_type == dg.DagsterEventType.STEP_SUCCESS:
                progress.advance(bar)

        home.add_event_listener(run_id, follow)
        with kept_open(out.build_file(run_id)):
            result = job.execute_in_process(
                instance=home, run_id=run_id, raise_on_error=False, resources={"study_run": settings}, run_config=_QUIET
            )
        progress.update(bar, description="published" if result.success else "stopped")
    if result.success:
        return None
    purge(out, run_id=run_id)
    return _failure(result)


def local_instance() -> dg.DagsterInstance:
    """Dagster's local storage: DAGSTER_HOME where it is set, else the checkout's own."""
    os.environ.setdefault("DAGSTER_HOME", str(PROJECT))
    return dg.DagsterInstance.get()


def _failure(result: dg.ExecuteInProcessResult) -> RunFailure:
    failures = [event for event in result.all_events if event.event_type == dg.DagsterEventType.STEP_FAILURE]
    for event in failures:
        told = event.step_failure_data.user_failure_data
        if told is not None and "kind" in told.metadata:
            return RunFailure(str(told.metadata["kind"].value), told.description or "")
    for event in failures:
        error = event.step_failure_data.error
        if error is not None:
            raise RuntimeError(f"step {event.step_key} failed\n{error.to_string()}")
    return RunFailure(BlockedError.__name__, "the run stopped before it was published")


def _progress(screen: Console) -> Progress:
    return Progress(
        SpinnerColumn(), TextColumn("{task.description:42}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=screen,
    )  # fmt: skip
