"""What the last step of a run writes of itself: its description in `meta.*` and the report bundle.

Owns which frames the report gets and the last look at a public one. Replacing the published files is in `publish.py`.
"""

from __future__ import annotations

import datetime as dt
from importlib.metadata import version
from pathlib import Path

import polars as pl

from analysis.disclosure import disclosed
from analysis.report import REPORT_TABLES, ReportInput, write_bundle
from expectations.rule import RuleResult
from pipelines import doors, steps
from pipelines.errors import BlockedError
from pipelines.publish import PACKAGES
from sql.catalog import queries


def write_report(
    build: steps.Build, folder: Path, *, run_id: str, written: dt.datetime, fingerprint: str
) -> RuleResult:
    """Renders the report bundle of a database into a new folder; returns what DQ079 says of it.

    Raises BlockedError, and writes nothing, when a count that the profile withholds would be shown.
    """
    frames = {name: build.warehouse.read(name) for name in REPORT_TABLES}
    disclosure = build.spec.disclosure
    shown = disclosed(frames, profile=disclosure.profile, minimum_count=disclosure.minimum_count)
    result = doors.grade_report(build.spec, shown)
    if result.is_blocking:
        raise BlockedError(f"the report is withheld. {result.message}.")
    rules = frames["quality.rule_result"].filter(pl.col("layer") != "report")
    frames["quality.rule_result"] = pl.concat([rules, pl.DataFrame([result.row()])], how="vertical_relaxed")
    folder.mkdir(parents=True)
    write_bundle(
        ReportInput(spec=build.spec, frames=frames), folder,
        run={"run_id": run_id, "written_at": written.isoformat(timespec="seconds")}, fingerprint=fingerprint,
    )  # fmt: skip
    return result


def write_meta(build: steps.Build, *, run_id: str, started: dt.datetime, fingerprint: str) -> None:
    """Writes what the run was: study, data cut, fingerprint, SELECTs and versions."""
    warehouse = build.warehouse
    cut = warehouse.read("quality.data_cut")["data_cut_date"][0]
    warehouse.write(
        "meta.run",
        pl.DataFrame(
            [
                {
                    "run_id": run_id, "started_at": started.replace(tzinfo=None), "study_id": build.spec.study.id,
                    "study_digest": build.spec.digest(), "data_cut_date": cut, "fingerprint": fingerprint,
                }
            ]
        ),
    )  # fmt: skip
    warehouse.write(
        "meta.sql_digest",
        pl.DataFrame([{"table_name": name, "sha256": query.digest} for name, query in sorted(queries().items())]),
    )
    warehouse.write(
        "meta.package_version", pl.DataFrame([{"package": name, "version": version(name)} for name in sorted(PACKAGES)])
    )
