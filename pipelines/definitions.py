"""The Dagster code location. `build_defs` makes a fresh set of definitions, so that tests can swap the schedule."""

from __future__ import annotations

import dagster as dg

from pipelines.assets import all_assets
from pipelines.automation import study_schedule
from pipelines.checks import all_checks
from pipelines.resources import StudyRun

JOB = "study"
DAILY = "0 5 * * *"


def build_defs(
    *, cron_schedule: str = DAILY, schedule_status: dg.DefaultScheduleStatus = dg.DefaultScheduleStatus.STOPPED
) -> dg.Definitions:
    """Every asset and check, the job that runs them all, and its schedule, which somebody has to turn on."""
    job = dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.all(),
        executor_def=dg.in_process_executor,
        description="From files to the published database and report.",
    )
    return dg.Definitions(
        assets=all_assets(),
        asset_checks=all_checks(),
        jobs=[job],
        schedules=[study_schedule(JOB, cron_schedule=cron_schedule, default_status=schedule_status)],
        resources={"study_run": StudyRun()},
        executor=dg.in_process_executor,
    )


defs = build_defs()
