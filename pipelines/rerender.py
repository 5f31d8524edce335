"""`coexposure report`: the report again, from the published database."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

from analysis.study.read import StudyError, read_study
from pipelines.errors import UsageError
from pipelines.paths import Output
from pipelines.publish import exchange
from pipelines.reporting import write_report
from pipelines.steps import Build
from sql.warehouse import Warehouse


def rerender(study: Path, out: Output) -> Path:
    """Writes `report/` anew; returns the folder.

    Raises UsageError when nothing is published, StudyError when the study file is not the one that was run: its settings
    would describe other numbers.
    """
    spec = read_study(study)
    if not out.database.is_file():
        raise UsageError(f"no published database at {out.database}: run the study first")
    build = Build(spec=spec, source=Path(), warehouse=Warehouse(out.database))
    run = build.warehouse.read("meta.run").row(0, named=True)
    if run["study_digest"] != spec.digest():
        raise StudyError(
            f"{study.name} differs from the study that {out.database.name} was made by: run the study again"
        )
    folder = out.build / "rerender.report"
    shutil.rmtree(folder, ignore_errors=True)
    write_report(
        build, folder, run_id=run["run_id"], written=dt.datetime.now(tz=dt.UTC), fingerprint=run["fingerprint"]
    )
    exchange(folder, out.report)
    return out.report
