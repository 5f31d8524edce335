"""The Dagster resource that every asset shares: the study, the source, the output and the build file of this run."""

import os
from pathlib import Path

import dagster as dg

from analysis.study.read import read_study
from analysis.study.spec import StudySpec
from pipelines.errors import UsageError
from pipelines.paths import DEFAULT_STUDY, Output
from pipelines.steps import Build
from sql.kept import keep_open
from sql.warehouse import Warehouse


class StudyRun(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Settings of a run: run config wins, then COEXPOSURE_STUDY, COEXPOSURE_SOURCE and COEXPOSURE_OUT, then defaults.

    They are read when the resource is used, so that a schedule follows the environment of the daemon.
    """

    study: str = ""
    source: str = ""
    out: str = ""

    def study_path(self) -> Path:
        """The study file."""
        return Path(self.study or os.environ.get("COEXPOSURE_STUDY") or DEFAULT_STUDY)

    def spec(self) -> StudySpec:
        """The study. Raises StudyError."""
        return read_study(self.study_path())

    def source_path(self, spec: StudySpec) -> Path:
        """The folder of the records. Raises UsageError when nothing names it."""
        named = self.source or os.environ.get("COEXPOSURE_SOURCE")
        if named:
            return Path(named)
        if spec.source.path:
            return self.study_path().parent / spec.source.path
        raise UsageError("no source: give --source, set COEXPOSURE_SOURCE, or set source.path in the study file")

    def output(self) -> Output:
        """The output folder."""
        return Output(Path(self.out or os.environ.get("COEXPOSURE_OUT") or "out"))

    def build(self, run_id: str) -> Build:
        """This run's inputs and build file. Raises StudyError and UsageError."""
        spec = self.spec()
        out = self.output()
        keep_open(out.build_file(run_id))
        return Build(
            spec=spec,
            source=self.source_path(spec),
            warehouse=Warehouse(out.build_file(run_id)),
            published=out.database,
        )
