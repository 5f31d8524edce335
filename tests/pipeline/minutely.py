"""The code location with its schedule on and every minute, for the proof with Dagster's daemon."""

import dagster as dg

from pipelines.definitions import build_defs

defs = build_defs(cron_schedule="* * * * *", schedule_status=dg.DefaultScheduleStatus.RUNNING)
