"""The doors as asset checks: Great Expectations counts, we grade, and what blocks stops the assets behind it.

One check a rule and table. Results carry counts and the rule's sentence, never a record.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from expectations.rule import Layer, Rule, RuleResult
from pipelines import doors
from pipelines.assets import key_of, told
from pipelines.errors import BlockedError
from pipelines.resources import StudyRun

STAGED = tuple(
    f"staged.{name}"
    for name in (
        "adverse_event", "condition", "death", "discontinuation", "measurement", "person", "prescription", "symptom_score"
    )
)  # fmt: skip
DOORS: dict[Layer, tuple[str, tuple[str, ...]]] = {  # door -> (asset that it guards, other assets that must be there)
    "raw": ("quality.quarantine", ("quality.row_account",)),
    "staged": ("staged.observation_period", STAGED),  # the last of them, and everything else is built from it
    "derived": (
        "exposure.combination_interval",
        ("exposure.class_interval", "exposure.combination_episode", "quality.row_account", "staged.observation_period"),
    ),
    "cohort": (
        "cohort.matched_set",
        ("cohort.control_sample", "cohort.entry", "cohort.outcome_event", "exposure.episode"),
    ),
}


def all_checks() -> list[dg.AssetChecksDefinition]:
    """The checks of every door."""
    return [_door(layer, asset, others) for layer, (asset, others) in DOORS.items()]


def check_name(rule: Rule) -> str:
    """Name of the check that a rule belongs to: the rule and the table."""
    return f"{rule.id}_{rule.table}"


def _door(layer: Layer, asset: str, others: tuple[str, ...]) -> dg.AssetChecksDefinition:
    grouped = defaultdict(list)
    for rule in doors.rules_of(layer):
        grouped[check_name(rule)].append(rule)
    if layer == "raw":
        grouped["DQ001_person"], grouped["DQ001_prescription"] = [], []
    specs = [
        dg.AssetCheckSpec(
            name, asset=key_of(asset), additional_deps=list(map(key_of, others)), blocking=True,
            description="; ".join(sorted({rule.sentence for rule in rules})) or "a required table has no rows",
        )
        for name, rules in sorted(grouped.items())
    ]  # fmt: skip

    @dg.multi_asset_check(name=f"{layer}_door", specs=specs, description=f"The {layer} door.")
    @told
    def door(context: dg.AssetCheckExecutionContext, study_run: StudyRun) -> Iterator[dg.AssetCheckResult]:
        build = study_run.build(context.run.run_id)
        results = doors.grade(build, layer)
        by_check = defaultdict(list)
        for result in results:
            by_check[check_name(result.rule)].append(result)
        before = doors.failed_before(build)
        for spec in specs:
            yield _check_result(spec, by_check[spec.name], before)
        if any(result.is_blocking for result in results):
            raise BlockedError(doors.blocked_message(build.warehouse, results))

    return door


def _check_result(
    spec: dg.AssetCheckSpec, results: Sequence[RuleResult], before: Mapping[tuple[str, str, str], int]
) -> dg.AssetCheckResult:
    blocking = [result for result in results if result.is_blocking]
    failed = [result for result in results if result.status == "fail"]
    shown = blocking or failed
    assessed = [result for result in results if result.status != "not_assessable"]
    return dg.AssetCheckResult(
        check_name=spec.name,
        asset_key=spec.asset_key,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
        description=shown[0].message
        if shown
        else ""
        if assessed
        else "not assessable: the source lacks a table that the rule needs",
        metadata={
            "rows_checked": max((result.rows_checked for result in results), default=0),
            "rows_failed": sum(result.rows_failed for result in results),
            **(
                {"rows_failed_last_time": sum(known)}
                if (known := [before[r.rule.key] for r in results if r.rule.key in before])
                else {}
            ),
            "status": "fail" if failed else "pass" if assessed else "not_assessable",
        },
    )
