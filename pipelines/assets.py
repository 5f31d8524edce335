"""The assets: what each makes is one step or one SELECT; this module only names them and says what depends on what.

Dependencies of SQL assets are parsed from their text. `intake.*` has no assets of its own: it is how `raw.*` is read.
"""

import contextlib
import datetime as dt
import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import ParamSpec, TypeVar

import dagster as dg
import polars as pl

from pipelines import doors, steps
from pipelines.analyses import ANALYSES, Analysis, store
from pipelines.draws import DRAWS, Draw
from pipelines.errors import USER_ERRORS
from pipelines.ingest.files import InputError
from pipelines.ingest.tables import INPUT_TABLES
from pipelines.publish import fingerprint, publish, purge, source_files, write_quarantine
from pipelines.reporting import write_meta, write_report
from pipelines.resources import StudyRun
from pipelines.views import create_views
from sql.catalog import Query, Table, queries, tables

P = ParamSpec("P")
R = TypeVar("R")
RAW = [dg.AssetKey(["raw", name]) for name in INPUT_TABLES]
QUALITY = ("quality.data_cut", "quality.drug_map", "quality.test_map", "quality.quarantine", "quality.row_account")
META_INGEST = (
    "meta.source",
    "meta.source_table",
    "meta.source_column",
    "meta.input_file",
    "meta.previous_table",
    "meta.previous_rule",
)
META_LAST = ("meta.run", "meta.sql_digest", "meta.package_version")


def key_of(name: str) -> dg.AssetKey:
    """The asset key of a table; records in native shape belong to the raw table that they were read from."""
    schema, table = name.split(".")
    if schema == "intake":
        return dg.AssetKey(["raw", table if table in INPUT_TABLES else "prescription"])
    return dg.AssetKey([schema, table])


def told(body: Callable[P, R]) -> Callable[P, R]:
    """Turns what a user can mend into a plain failure of the run, with the kind that the command line needs."""

    @functools.wraps(body)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with _plain_failures():
            return body(*args, **kwargs)

    @functools.wraps(body)
    def generating(*args: P.args, **kwargs: P.kwargs) -> Iterator[object]:
        with _plain_failures():
            yield from body(*args, **kwargs)  # type: ignore[misc]

    return generating if inspect.isgeneratorfunction(body) else wrapped  # type: ignore[return-value]


@contextlib.contextmanager
def _plain_failures() -> Iterator[None]:
    try:
        yield
    except USER_ERRORS as error:
        raise dg.Failure(str(error), metadata={"kind": type(error).__name__}, allow_retries=False) from None


def all_assets() -> list[dg.AssetsDefinition]:
    """Every asset of the job."""
    built_elsewhere = set(QUALITY)
    from_sql = [_sql_asset(query) for name, query in queries().items() if name not in built_elsewhere]
    return [
        spec_tables,
        reference_tables,
        raw_tables,
        quality_tables,
        *(_draw_asset(name, draw) for name, draw in DRAWS.items()),
        *from_sql,
        *map(_analysis_asset, ANALYSES),
        publication,
    ]


def _names(schema: str) -> list[str]:
    return [name for name in tables() if name.startswith(f"{schema}.")]


def _outs(names: Sequence[str], *, deps: Sequence[dg.AssetKey] = ()) -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            key_of(name), deps=deps, group_name=name.split(".")[0], description=tables()[name].about,
            metadata=_schema(tables()[name]),
        )
        for name in names
    ]  # fmt: skip


def _schema(table: Table) -> dict[str, dg.TableSchema]:
    columns = [dg.TableColumn(column.name, type=column.type, description=column.comment) for column in table.columns]
    return {"dagster/column_schema": dg.TableSchema(columns=columns)}


def _counted(names: Sequence[str], build: steps.Build) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    for name in names:
        yield dg.MaterializeResult(asset_key=key_of(name), metadata={"dagster/row_count": build.warehouse.count(name)})


_SPEC_KEYS = [key_of(name) for name in _names("spec")]


@dg.multi_asset(specs=_outs(_names("spec")), name="spec", description="The study file as rows.")
@told
def spec_tables(context: dg.AssetExecutionContext, study_run: StudyRun) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """The study's settings as rows; the first step of a run, which begins its build file."""
    build = study_run.build(context.run.run_id)
    if not build.source.exists():
        raise InputError(f"source not found: {build.source}. Name it with --source or source.path in the study file.")
    build.warehouse.create()
    steps.load_spec(build)
    yield from _counted(_names("spec"), build)


@dg.multi_asset(
    specs=_outs(_names("reference"), deps=[key_of("spec.study")]), name="reference", description="The reference tables."
)
@told
def reference_tables(context: dg.AssetExecutionContext, study_run: StudyRun) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """Drugs, outcomes and other reference tables from their versioned CSV files."""
    build = study_run.build(context.run.run_id)
    steps.load_reference(build)
    yield from _counted(_names("reference"), build)


@dg.multi_asset(
    specs=[
        *(
            dg.AssetSpec(key, deps=_SPEC_KEYS, group_name="raw", description=f"Records of {key.path[1]}, as received.")
            for key in RAW
        ),
        *_outs(META_INGEST, deps=_SPEC_KEYS),
    ],
    name="ingest",
    description="Files to raw.*",
)
@told
def raw_tables(context: dg.AssetExecutionContext, study_run: StudyRun) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """Reads the source into `raw.*` and describes it."""
    build = study_run.build(context.run.run_id)
    for file in steps.ingest(build):
        if file.encoding not in (None, "utf-8"):
            context.log.warning(f"{file.name} is not in UTF-8 and was read as {file.encoding}")
    received = dict(build.warehouse.query("SELECT table_name, rows_in FROM meta.source_table").rows())
    for name, key in zip(INPUT_TABLES, RAW, strict=True):
        yield dg.MaterializeResult(asset_key=key, metadata={"dagster/row_count": received[name]})
    yield from _counted(META_INGEST, build)


@dg.multi_asset(
    specs=_outs(QUALITY, deps=[*RAW, *_SPEC_KEYS, *map(key_of, _names("reference"))]),
    name="quality",
    description="Records set aside.",
)
@told
def quality_tables(context: dg.AssetExecutionContext, study_run: StudyRun) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """Sets aside the records that break a rule and accounts for every row."""
    build = study_run.build(context.run.run_id)
    doors.set_aside(build)
    yield from _counted(QUALITY, build)


def _sql_asset(query: Query) -> dg.AssetsDefinition:
    table = tables()[query.name]

    @dg.asset(
        key=key_of(query.name),
        deps=sorted({key_of(name) for name in query.reads}),
        group_name=query.schema,
        description=f"{query.about}\n\n```sql\n{query.text}\n```",
        metadata=_schema(table),
        kinds={"duckdb", "sql"},
        code_version=query.digest[:12],
    )
    @told
    def built(context: dg.AssetExecutionContext, study_run: StudyRun) -> dg.MaterializeResult:  # type: ignore[type-arg]
        build = study_run.build(context.run.run_id)
        rows = build.warehouse.build(query)
        if query.name == "staged.observation_period":
            steps.require_study_drug(build)
        return dg.MaterializeResult(metadata={"dagster/row_count": rows})

    return built


def _draw_asset(name: str, draw: Draw) -> dg.AssetsDefinition:
    @dg.asset(
        key=key_of(name),
        deps=[key_of(read) for read in draw.reads],
        group_name=name.split(".", maxsplit=1)[0],
        description=tables()[name].about,
        metadata=_schema(tables()[name]),
        kinds={"python"},
    )
    @told
    def drawn(context: dg.AssetExecutionContext, study_run: StudyRun) -> dg.MaterializeResult:  # type: ignore[type-arg]
        return dg.MaterializeResult(metadata={"dagster/row_count": draw.run(study_run.build(context.run.run_id))})

    return drawn


def _analysis_asset(analysis: Analysis) -> dg.AssetsDefinition:
    @dg.asset(
        key=["estimate", analysis.name],
        deps=[key_of(name) for name in analysis.reads],
        group_name="estimate",
        description=analysis.about,
        kinds={"python"},
    )
    @told
    def estimated(context: dg.AssetExecutionContext, study_run: StudyRun) -> dg.MaterializeResult:  # type: ignore[type-arg]
        rows = store(study_run.build(context.run.run_id), analysis)
        return dg.MaterializeResult(metadata={"dagster/row_count": rows})

    return estimated


_EVERYTHING = sorted(
    {
        *(key_of(name) for name in queries()),
        *map(key_of, DRAWS),
        *(dg.AssetKey(["estimate", analysis.name]) for analysis in ANALYSES),
        *map(key_of, _names("reference")),
    }
)


@dg.multi_asset(
    specs=[
        *_outs(META_LAST, deps=_EVERYTHING),
        dg.AssetSpec(["report", "bundle"], deps=_EVERYTHING, group_name="report", description="The safety report."),
    ],
    name="publication",
    description="Report and published database.",
)
@told
def publication(context: dg.AssetExecutionContext, study_run: StudyRun) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """Writes the report and replaces the published files: the last step of a run."""
    run_id = context.run.run_id
    build, out = study_run.build(run_id), study_run.output()
    print_of_input = fingerprint(build.spec, source_files(build.source))
    steps.drop_intake(build)
    started = dt.datetime.now(tz=dt.UTC)
    write_meta(build, run_id=run_id, started=started, fingerprint=print_of_input)
    rows = list(_counted(META_LAST, build))
    report, quarantine = out.build / f"{run_id}.report", out.build / f"{run_id}.quarantine"
    result = write_report(build, report, run_id=run_id, written=started, fingerprint=print_of_input)
    build.warehouse.replace_rows("quality.rule_result", pl.DataFrame([result.row()]), where={"layer": "report"})
    write_quarantine(build.warehouse, quarantine)
    create_views(build.warehouse)
    publish(build.warehouse, report=report, quarantine=quarantine, out=out)
    purge(out, run_id=run_id)
    yield from rows
    yield dg.MaterializeResult(
        asset_key=dg.AssetKey(["report", "bundle"]),
        metadata={
            "report": dg.MetadataValue.path(str((out.report / "index.html").resolve())),
            "database": dg.MetadataValue.path(str(out.database.resolve())),
        },
    )
