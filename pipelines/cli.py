"""The command line: `coexposure`. The only place that knows exit codes; everything it does is one call elsewhere."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import sys
import traceback
import uuid
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from analysis.study.read import read_study
from pipelines.errors import EXIT_CODES, USER_ERRORS, UsageError
from pipelines.paths import DEFAULT_STUDY, Output

app = typer.Typer(
    help="Safety analytics for combination therapy: from prescription and adverse-event records to a report.",
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
)  # fmt: skip
screen = Console()
errors = Console(stderr=True, soft_wrap=True, highlight=False)

Study = Annotated[Path, typer.Argument(help="Study file (TOML).", show_default=False)]
Source = Annotated[Path | None, typer.Option(help="Folder of the records; wins over source.path of the study file.")]
Out = Annotated[Path, typer.Option(help="Output folder.")]
OUT = Path("out")


@app.command()
def run(study: Study, source: Source = None, out: Out = OUT) -> None:
    """Runs a study: ingest, checks, exposure, estimates, report, publication."""
    _run_study(study, source, out)


@app.command()
def demo(
    persons: Annotated[int, typer.Option(help="Number of simulated persons.", min=1)] = 5_000,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.", min=0)] = 1,
    out: Out = OUT,
) -> None:
    """Simulates the demo profile and runs the default study on it."""
    folder = out / "demo_source"
    _simulate("demo", persons, seed, folder)
    _run_study(DEFAULT_STUDY, folder, out)


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Folder to write; it must not exist or be empty.")],
    profile: Annotated[str, typer.Option(help="Profile: demo, clinic, boosted, tiny_koc, validation, null or dirty.")],
    persons: Annotated[int | None, typer.Option(help="Number of persons; default: the profile's.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Seed.", min=0)] = 1,
) -> None:
    """Writes input tables with known truth."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and is not empty: name a new folder")
    _simulate(profile, persons, seed, out)


@app.command()
def check(
    study: Study,
    source: Source = None,
    out: Out = OUT,
    regrade: Annotated[bool, typer.Option("--regrade", help="Grade the stored counts again; reads no source.")] = False,
) -> None:
    """Ingest and data-quality checks only, into OUT/check/; never publishes."""
    from pipelines.check_only import blocked_message, check_source, regrade_stored  # noqa: PLC0415  seconds to import

    folder = out / "check"
    if regrade:
        results = regrade_stored(study, folder)
    else:
        with screen.status("Reading and checking the source"):
            results = check_source(study, source, folder)
    _show_rules(results)
    _say_where(
        {
            "page": folder / "expectations.html",
            "results": folder / "rule_result.csv",
            "database": folder / "check.duckdb",
        }
    )
    if said := blocked_message(study, folder):
        errors.print(f"coexposure: {said}", markup=False)
        raise typer.Exit(EXIT_CODES["BlockedError"])


@app.command()
def report(study: Study, out: Out = OUT) -> None:
    """Renders the report again from the published database."""
    from pipelines.rerender import rerender  # noqa: PLC0415  seconds to import

    folder = rerender(study, Output(out))
    _say_where({"report": folder / "index.html"})


@app.command()
def schema() -> None:
    """Prints the study file's JSON schema."""
    from analysis.study.spec import StudySpec  # noqa: PLC0415

    typer.echo(json.dumps(StudySpec.model_json_schema(), indent=2))


@app.command()
def sql(
    table: Annotated[str | None, typer.Argument(help="SCHEMA.TABLE; without it, lists the tables.")] = None,
    dialect: Annotated[str, typer.Option(help="duckdb or spark.")] = "duckdb",
) -> None:
    """Lists the tables built by SQL, or prints the SELECT behind one."""
    from sql.catalog import queries, transpiled  # noqa: PLC0415

    if table is None:
        for name, query in queries().items():
            typer.echo(f"{name:34} {query.about}")
        return
    if table not in queries():
        from analysis.study.read import nearest  # noqa: PLC0415

        raise UsageError(f"no SELECT builds {table!r}{nearest(table, list(queries()))}; `coexposure sql` lists them")
    if dialect not in ("duckdb", "spark"):
        raise UsageError(f"unknown dialect {dialect!r}: duckdb or spark")
    text = queries()[table].text
    typer.echo(text if dialect == "duckdb" else transpiled(text, dialect=dialect))


@app.command()
def query(statement: Annotated[str, typer.Argument(help="A SELECT.")], out: Out = OUT) -> None:
    """Asks the published database; read only, without access to any other file."""
    from sql.warehouse import WarehouseError, guarded_query  # noqa: PLC0415

    database = Output(out).database
    if not database.is_file():
        raise UsageError(f"no published database at {database}: run a study first")
    try:
        frame = guarded_query(database, statement)
    except WarehouseError as error:
        raise UsageError(str(error)) from None
    with pl.Config(
        tbl_rows=1000, tbl_cols=-1, tbl_width_chars=screen.width, fmt_str_lengths=80, tbl_hide_dataframe_shape=True
    ):
        typer.echo(str(frame))
    typer.echo(f"{frame.height} rows")


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="Older output folder.")],
    new: Annotated[Path, typer.Argument(help="Newer output folder.")],
) -> None:
    """What changed between two output folders: inputs, estimates, quality counts."""
    from pipelines.compare import differences  # noqa: PLC0415

    lines = differences(Output(old), Output(new))
    for line in lines:
        typer.echo(line)
    if not lines:
        typer.echo("no difference")


def main() -> None:
    """Runs the command line and ends the process with its exit code."""
    code = _exit_code()
    sys.stdout.flush()
    sys.stderr.flush()
    atexit._run_exitfuncs()
    os._exit(code)  # DuckDB beside SQLAlchemy reports leaks on standard error while the interpreter is torn down


def _exit_code() -> int:
    """Runs the command line and turns what a user can mend into one message and an exit code."""
    try:
        stopped = app(standalone_mode=False)
    except USER_ERRORS as error:
        errors.print(f"coexposure: {error}", style="red", markup=False)
        return EXIT_CODES[type(error).__name__]
    except typer.Exit as stop:
        return int(stop.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        errors.print("coexposure: interrupted; the published files are those of the last good run")
        return 130
    except Exception as error:
        show = getattr(error, "show", None)
        if show is None:
            traceback.print_exc()
            return 1
        show()  # a usage message of the command-line library
        return 2
    return stopped if isinstance(stopped, int) else 0


def _run_study(study: Path, source: Path | None, out: Path) -> None:
    read_study(study)  # what is wrong with the study file is said before the seconds that the rest needs to load
    from pipelines.execute import execute_study  # noqa: PLC0415

    output = Output(out)
    failure = execute_study(study, source, output, run_id=str(uuid.uuid4()), screen=screen)
    if failure is not None:
        errors.print(f"coexposure: {failure.message}", style="red", markup=False)
        raise typer.Exit(EXIT_CODES.get(failure.kind, 1))
    _say_where({"report": output.report / "index.html", "database": output.database})


def _simulate(profile: str, persons: int | None, seed: int, folder: Path) -> None:
    from analysis.simulate import SimulationError, simulate, write_simulation  # noqa: PLC0415
    from pipelines.steps import reference_frame  # noqa: PLC0415

    with screen.status(f"Simulating profile {profile}"):
        try:
            made = simulate(
                profile, persons=persons, seed=seed, drugs=reference_frame("drug"), outcomes=reference_frame("outcome")
            )
        except SimulationError as error:
            raise UsageError(str(error)) from None
        if folder.exists():
            shutil.rmtree(folder)
        write_simulation(made, folder)
    _say_where({"simulated records": folder})


def _show_rules(results: pl.DataFrame) -> None:
    table = Table("rule", "table", "severity", "failed", "checked", "what it says", box=None, header_style="bold")
    for row in results.filter(pl.col("status") == "fail").iter_rows(named=True):
        table.add_row(
            row["rule_id"], row["table_name"], "BLOCK" if row["is_blocking"] else row["severity"], f"{row['rows_failed']:,}",
            f"{row['rows_checked']:,}", row["sentence"],
        )  # fmt: skip
    counts = dict(results["status"].value_counts().rows())
    screen.print(
        f"{counts.get('pass', 0)} rules pass, {counts.get('fail', 0)} fail, {counts.get('not_assessable', 0)} not assessable"
    )
    if table.row_count:
        screen.print(table)


def _say_where(places: dict[str, Path]) -> None:
    width = max(map(len, places))
    for name, path in places.items():
        typer.echo(f"{name:{width}}  {path.resolve()}")
