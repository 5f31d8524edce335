"""stub until the branch is merged"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from analysis.study.spec import StudySpec

REPORT_TABLES = ("estimate.result",)


@dataclass(frozen=True)
class ReportInput:
    spec: StudySpec
    frames: Mapping[str, pl.DataFrame]


def write_bundle(report, folder, *, run, fingerprint):
    (folder / "index.html").write_text("x")
    report.frames["estimate.result"].write_csv(folder / "estimates.csv")
    report.frames["estimate.result"].write_parquet(folder / "estimates.parquet")
    (folder / "manifest.json").write_text(json.dumps({"fingerprint": fingerprint, "run": dict(run)}))
    return []
