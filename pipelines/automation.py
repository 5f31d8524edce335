"""When a study runs by itself: on a schedule, and only if study, source or code changed since what is published."""

import dagster as dg

from pipelines.errors import USER_ERRORS
from pipelines.publish import fingerprint, published_fingerprint, source_files
from pipelines.resources import StudyRun

UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def study_schedule(
    job_name: str, *, cron_schedule: str, default_status: dg.DefaultScheduleStatus
) -> dg.ScheduleDefinition:
    """The schedule of the job.

    A tick with unchanged input is skipped and says so, and so is one while a run goes on, for that run may be about to publish the same;
    input that cannot be read is run.
    """

    @dg.schedule(
        job_name=job_name,
        default_status=default_status,
        cron_schedule=cron_schedule,
        name="study_schedule",
        description="Runs the study when its input changed.",
    )
    def scheduled(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if context.instance.get_runs(dg.RunsFilter(job_name=job_name, statuses=UNDER_WAY), limit=1):
            return dg.SkipReason("a run of the study is under way; the next tick looks again")
        settings = StudyRun()
        try:
            spec = settings.spec()
            now = fingerprint(spec, source_files(settings.source_path(spec)))
        except USER_ERRORS:
            return dg.RunRequest()  # the run itself says what is wrong, and shows as failed
        if now == published_fingerprint(settings.output()):
            return dg.SkipReason("study, source files and code are those of the published report; nothing to do")
        return dg.RunRequest(tags={"fingerprint": now[:16]})

    return scheduled
