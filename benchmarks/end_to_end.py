"""End to end: a million or ten million prescription rows from Parquet to the published database and report.

Each round runs, in this order and each in its own process, DuckDB scanning the rows, DuckDB sorting them, and the whole
run; figures are medians over rounds and ratios to the sort of the same round, because machines are noisy.

    python -m benchmarks.end_to_end [--rows N] [--rounds N] [--one-rule] [--write PAGE [--part NAME]]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from pathlib import Path

from benchmarks.pages import commit, machine, replace_part

ROWS_PER_PERSON = 76  # prescriptions a person of the demo profile has on average
STUDY = "study.toml"  # beside the source
STAGES = (
    "import",
    "spec",
    "reference",
    "ingest",
    "quality",
    "checks",
    "staged",
    "exposure",
    "cohort",
    "summary",
    "estimate",
    "publication",
)


def make_source(folder: Path, *, rows: int) -> int:
    """Simulated records as Parquet; returns the number of prescription rows."""
    from analysis.simulate import simulate
    from pipelines.steps import reference_frame

    made = simulate(
        "demo",
        persons=max(rows // ROWS_PER_PERSON, 100),
        seed=1,
        drugs=reference_frame("drug"),
        outcomes=reference_frame("outcome"),
    )
    folder.mkdir(parents=True)
    for name, frame in made.tables.items():
        frame.write_parquet(folder / f"{name}.parquet")
    return made.tables["prescription"].height


def make_study(path: Path, *, one_rule: bool) -> Path:
    """The default study, or a copy whose only exposure rule is the primary one."""
    from pipelines.paths import DEFAULT_STUDY

    head, *rules = DEFAULT_STUDY.read_text(encoding="utf-8").split("[[exposure_rule]]\n")
    after = rules[-1].partition("\n[")
    text = "[[exposure_rule]]\n".join([head, rules[0] + "".join(after[1:])] if one_rule else [head, *rules])
    path.write_text(text, encoding="utf-8")
    return path


def child(kind: str, source: Path, out: Path) -> dict[str, object]:
    """One measurement in this process: seconds, peak resident memory and, for a run, seconds by stage."""
    began = time.perf_counter()
    stages: dict[str, float] = {}
    if kind == "run":
        stages = _run(source, out)
    else:
        import duckdb

        rows = f"read_parquet('{source / 'prescription.parquet'}')"
        columns = "person_id, drug_source_value, start_date, days_supply"
        text = {
            "scan": f"SELECT COUNT(person_id), COUNT(drug_source_value), MAX(start_date), SUM(days_supply) FROM {rows}",
            "sort": f"CREATE TABLE sorted AS SELECT {columns} FROM {rows} ORDER BY person_id, drug_source_value, start_date",
        }[kind]
        with duckdb.connect(str(out / f"{uuid.uuid4()}.duckdb")) as con:
            began = time.perf_counter()
            con.execute(text).fetchall()
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mib": peak, "stages": stages}


def _run(source: Path, out: Path) -> dict[str, float]:
    began = time.perf_counter()
    import dagster as dg
    from rich.console import Console

    from pipelines.execute import execute_study
    from pipelines.paths import Output

    stages = defaultdict(float, {"import": time.perf_counter() - began})
    run_id = str(uuid.uuid4())
    with dg.DagsterInstance.ephemeral() as instance:
        failure = execute_study(
            source.parent / STUDY,
            source,
            Output(out),
            run_id=run_id,
            screen=Console(file=io.StringIO()),
            instance=instance,
        )
        if failure is not None:
            raise SystemExit(failure.message)
        for step in instance.get_run_step_stats(run_id):
            stage = "checks" if step.step_key.endswith("_door") else step.step_key.split("__")[0]
            stages[stage] += (step.end_time or 0) - (step.start_time or 0)
    return dict(stages)


def measure(kind: str, source: Path, out: Path) -> dict[str, object]:
    """A child process's measurement."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.end_to_end", "--child", kind, str(source), str(out)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def page(rows: int, rounds: list[dict[str, dict[str, object]]], *, rule_words: str) -> str:
    """The table in Markdown."""

    def median(kind: str, what: str) -> float:
        return statistics.median(float(r[kind][what]) for r in rounds)

    def ratio(kind: str) -> float:
        return statistics.median(float(r[kind]["seconds"]) / float(r["sort"]["seconds"]) for r in rounds)

    lines = [
        "## From Parquet to the published database and report",
        "",
        f"{rows:,} prescription rows (simulated `demo` records, {rule_words}), {len(rounds)} interleaved rounds, commit "
        f"`{commit()}`, {machine()}. Medians; the ratio is to the sort of the same round.",
        "",
        "| what | seconds | times the sort | peak resident MiB |",
        "|---|--:|--:|--:|",
    ]
    names = {
        "scan": "DuckDB scans the four columns",
        "sort": "DuckDB sorts them by person, drug, start",
        "run": "the whole run",
    }
    for kind, name in names.items():
        lines.append(f"| {name} | {median(kind, 'seconds'):.2f} | {ratio(kind):.2f} | {median(kind, 'peak_mib'):.0f} |")
    pairs = [(float(r["run"]["seconds"]) - _estimating(r), float(r["sort"]["seconds"])) for r in rounds]
    lines.append(
        f"| the same without estimates | {statistics.median(s for s, _ in pairs):.2f} "
        f"| {statistics.median(s / t for s, t in pairs):.2f} | |"
    )
    lines += ["", "| stage of the run | seconds | share |", "|---|--:|--:|"]
    whole = median("run", "seconds")
    for stage in STAGES:
        seconds = statistics.median(float(r["run"]["stages"].get(stage, 0.0)) for r in rounds)  # type: ignore[attr-defined]
        lines.append(f"| {stage} | {seconds:.2f} | {100 * seconds / whole:.0f} % |")
    lines += [
        "",
        "The run reads the records, sets aside and counts what breaks a rule with Great Expectations, builds every table under each "
        "exposure rule, estimates, renders the report and replaces the published files. `import` is loading Python's libraries.",
        "",
    ]
    return "\n".join(lines)


def _estimating(measured: dict[str, dict[str, object]]) -> float:
    return float(measured["run"]["stages"].get("estimate", 0.0))  # type: ignore[attr-defined]


def main() -> None:
    """Measures and prints, or writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one-rule", action="store_true")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--part", default="end to end", help="part of the page that is replaced")
    parser.add_argument("--child", nargs=3, metavar=("KIND", "SOURCE", "OUT"))
    options = parser.parse_args()
    if options.child:
        kind, source, out = options.child
        print(json.dumps(child(kind, Path(source), Path(out))), flush=True)
        os._exit(0)
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        rows = make_source(source, rows=options.rows)
        make_study(Path(scratch) / STUDY, one_rule=options.one_rule)
        rounds = []
        for number in range(options.rounds):
            out = Path(scratch) / f"out{number}"
            out.mkdir()
            rounds.append({kind: measure(kind, source, out) for kind in ("scan", "sort", "run")})
    text = page(rows, rounds, rule_words="one exposure rule" if options.one_rule else "three exposure rules")
    if options.write:
        replace_part(options.write, options.part, text)
    print(text)


if __name__ == "__main__":
    main()
