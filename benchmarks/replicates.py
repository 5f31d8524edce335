"""One replicate of the validation: a simulated world, through ingest and SQL to its matched sets, and what is estimated from them.

Owns the analyses that are held against the truth. Worlds are in `worlds.py`; `validation.py` runs many and counts.
A replicate has the smallest study that asks its question (one exposure rule, the outcomes of the world), and builds only the
tables from which matched sets come; those are built by the SELECTs of the product, as are the sets by its sampler.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from analysis.analyses.joint import joint_odds_ratios
from analysis.estimate.adjusted import adjusted_odds_ratio
from analysis.estimate.conditional_logistic import conditional_logistic
from analysis.estimate.result import Answer
from analysis.estimate.two_by_two import TwoByTwo, exact_conditional_stratified, odds_ratio
from analysis.simulate import Simulation, simulate_profile
from analysis.study.read import study_from
from analysis.study.spec import StudySpec
from benchmarks.worlds import OPPORTUNISTIC, WORLDS, World
from pipelines.doors import RAW_QUERIES, set_aside
from pipelines.draws import build_order, build_table
from pipelines.steps import Build, ingest, load_reference, load_spec, reference_frame
from sql.warehouse import Warehouse

CONFIDENCE = 0.95
LADDER = {"1": 1, ">=2": 2}
PROXIES = ("log_crp", "bursts", "flares", "hospital_days")
_WANTED = ("cohort.matched_set", "cohort.baseline_covariate", "cohort.person_time", "cohort.match_basis")
_MADE_BEFORE = (*RAW_QUERIES, "quality.row_account")
_NOT_READ = ("drug_code", "code_system", "dose", "dose_unit", "route")


def replicate(name: str, seed: int) -> pl.DataFrame:
    """The estimates of one replicate of a world, in the columns of `found_rows`."""
    world = WORLDS[name]
    simulation = simulated(world, seed)
    with tempfile.TemporaryDirectory() as folder:
        build = built_sets(world, simulation, Path(folder))
        try:
            return _ROWS_OF.get(name, ladder_rows)(build, simulation)
        finally:
            build.warehouse.discard()


def simulated(world: World, seed: int) -> Simulation:
    """A world's records and truth."""
    return simulate_profile(
        world.profile, persons=world.persons, seed=seed, drugs=reference_frame("drug"), outcomes=reference_frame("outcome")
    )  # fmt: skip


def study_of(world: World) -> StudySpec:
    """The default study's drugs, its primary rule, and matched sets of each outcome.

    In the null world the negative controls are what is studied: `negative_control = false`.
    """
    contrasts = [
        {"id": f"{outcome}_matched", "estimator": "matched_odds_ratio", "outcome": outcome}
        for outcome in world.outcomes
    ]
    return study_from(
        {
            "study": {"id": "validation", "title": "Validation"},
            "drugs": {
                "study": ["agent_type:biologic"],
                "background": [
                    "agent_type:tsDMARD", "agent_type:immunosuppressant", "agent_type:systemic_corticosteroid"
                ],
            },
            "outcome": [{"id": outcome, "negative_control": False} for outcome in world.outcomes],
            "contrast": contrasts,
        },
        name="validation.toml",
    )  # fmt: skip


def built_sets(world: World, simulation: Simulation, folder: Path, *, threads: int = 1) -> Build:
    """The product's tables from these records up to the matched sets."""
    source = folder / "source"
    source.mkdir()
    for table, rows in simulation.tables.items():
        kept = rows.drop(_NOT_READ) if table == "prescription" else rows
        kept.write_parquet(source / f"{table}.parquet")
    build = Build(study_of(world), source, Warehouse(folder / "build.duckdb", threads=threads))
    build.warehouse.create()
    for step in (load_reference, load_spec, ingest, set_aside):
        step(build)
    with build.warehouse.session():
        for table in build_order(*_WANTED):
            if table not in _MADE_BEFORE:
                build_table(build, table)
    return build


def ladder_rows(build: Build, simulation: Simulation) -> pl.DataFrame:
    """Both steps of the toruner ladder: adjusted for the latent severity, for its proxies, for nothing, and the level ever reached."""
    ratios = simulation.truth["parameters"]["infection"]["opportunistic_ratio"]
    truth = {level: float(ratios[number]) for level, number in LADDER.items()}
    names = severity_of(build, simulation)
    sets = build.warehouse.read("cohort.matched_set").join(names, on="person_id", how="left", validate="m:1")
    levels = sets.select(
        **{f"level {name}": (pl.col("toruner_count").clip(upper_bound=2) == n).cast(pl.Float64) for name, n in LADDER.items()}
    )  # fmt: skip
    frame = pl.concat([sets, levels], how="horizontal")
    found = []
    ways: dict[str, tuple[str, ...]] = {"latent severity": ("z",), "unadjusted": ()}
    if PROXIES[0] in names.columns:
        ways["proxies"] = PROXIES
    for analysis, others in ways.items():
        answers = conditional_answers(frame, levels.columns, others)
        found += [
            row(analysis, OPPORTUNISTIC, name, truth[name], answer)
            for name, answer in zip(LADDER, answers, strict=True)
        ]
    found += [row("level ever reached", OPPORTUNISTIC, name, truth[name], ever_reached(build, name)) for name in LADDER]
    return pl.DataFrame(found, schema=ROW_SCHEMA, orient="row")


def null_rows(build: Build, _: Simulation) -> pl.DataFrame:
    """Any class of the broad ladder against none, for each outcome: conditional logistic with profile limits, and exact."""
    sets = build.warehouse.read("cohort.matched_set").with_columns(
        any_class=(pl.col("broad_count") > 0).cast(pl.Float64)
    )
    found = []
    for outcome in build.spec.outcome:
        frame = sets.filter(pl.col("outcome_id") == outcome.id)
        (answer,) = conditional_answers(frame, ["any_class"], ())
        found.append(row("conditional logistic, profile", outcome.id, ">=1", 1.0, answer))
        found.append(row("exact conditional", outcome.id, ">=1", 1.0, _exact(frame)))
        crude = frame.group_by("any_class", "is_case").len()
        cells = {(exposed, case): count for exposed, case, count in crude.iter_rows()}
        table = TwoByTwo(*(cells.get((exposed, case), 0) for exposed in (1.0, 0.0) for case in (True, False)))
        fisher = odds_ratio(table, method="exact_conditional", confidence=CONFIDENCE)
        found.append(row("Fisher, sets ignored", outcome.id, ">=1", 1.0, fisher))
    return pl.DataFrame(found, schema=ROW_SCHEMA, orient="row")


def interaction_rows(build: Build, simulation: Simulation) -> pl.DataFrame:
    """The joint odds ratios of the planted pair and their interaction, as the product's analysis tells them."""
    estimates = joint_odds_ratios(
        build.warehouse.read("cohort.matched_set"), [OPPORTUNISTIC], rules=[build.spec.primary_rule],
        minimum_persons=10, confidence=CONFIDENCE, is_assessable=True,
    )  # fmt: skip
    told = {(e.question.estimand, e.question.regimen_id, e.question.level): e.answer for e in estimates}
    planted = [
        p for p in simulation.truth["planted"] if p["name"] == "interaction" and p["outcome_id"] == OPPORTUNISTIC
    ]
    found = [
        row(f"joint, {p['estimand']}", OPPORTUNISTIC, p["level"], p["value"], told[p["estimand"], p["regimen_id"], p["level"]])
        for p in planted
    ]  # fmt: skip
    return pl.DataFrame(found, schema=ROW_SCHEMA, orient="row")


ROW_SCHEMA = {
    "analysis": pl.String, "outcome_id": pl.String, "level": pl.String, "truth": pl.Float64, "status": pl.String,
    "value": pl.Float64, "lower": pl.Float64, "upper": pl.Float64, "cases": pl.Int64,
}  # fmt: skip
Row = tuple[str, str, str, float, str, float | None, float | None, float | None, int | None]


def row(analysis: str, outcome_id: str, level: str, truth: float, answer: Answer) -> Row:
    """One estimate in the columns of ROW_SCHEMA."""
    return (
        analysis, outcome_id, level, truth, answer.status, answer.value, answer.lower, answer.upper, answer.event_count,
    )  # fmt: skip


def conditional_answers(frame: pl.DataFrame, exposures: Sequence[str], others: Sequence[str]) -> list[Answer]:
    """Odds ratios of the exposures, given the others, with profile limits. frame: members of matched sets."""
    data = frame.select(
        *(pl.col(name).cast(pl.Float64) for name in (*exposures, *others)),
        set_id="set_number", event=pl.col("is_case").cast(pl.Float64),
    )  # fmt: skip
    fit = conditional_logistic(data, covariates=[*exposures, *others], confidence=CONFIDENCE)
    return [adjusted_odds_ratio(fit, name, limits="profile") for name in exposures]


def severity_of(build: Build, simulation: Simulation) -> pl.DataFrame:
    """Each person's latent severity `z` and, where the world measures it, its traces in the year before entry, from records alone."""
    people = build.warehouse.query("SELECT person_id, person_source_value FROM staged.person")
    entry = simulation.truth_person.select(person_source_value="person_id", z="z", entry_date="entry_date")
    found = people.join(entry, on="person_source_value", validate="1:1")
    if "measurement" not in simulation.tables:
        return found.select("person_id", "z")
    parts = {
        "log_crp": _counted(simulation.tables["measurement"], entry, pl.col("value").log().mean(), "datetime"),
        "bursts": _counted(
            simulation.tables["prescription"].filter(drug_source_value="prednisone"), entry, pl.len(), "start_date"
        ),
        "flares": _counted(simulation.tables["condition"].filter(setting="emergency"), entry, pl.len(), "start_date"),
    }
    for name, part in parts.items():
        found = found.join(part.rename({"counted": name}), on="person_source_value", how="left", validate="1:1")
    stays = build.warehouse.read("cohort.baseline_covariate").select("person_id", "hospital_days")
    found = found.join(stays, on="person_id", how="left", validate="1:1").drop("entry_date", "person_source_value")
    return found.with_columns(pl.all().exclude("person_id").cast(pl.Float64).fill_null(0.0))


def _counted(rows: pl.DataFrame, entry: pl.DataFrame, what: pl.Expr, day: str) -> pl.DataFrame:
    before = rows.join(entry, left_on="person_id", right_on="person_source_value").filter(
        pl.col(day) < pl.col("entry_date"), pl.col(day) >= pl.col("entry_date") - pl.duration(days=365)
    )
    return before.group_by(person_source_value="person_id").agg(counted=what)


def ever_reached(build: Build, level: str) -> Answer:
    """The naive analysis: persons by the highest level of their whole follow-up, as if it had been known at its beginning."""
    time = build.warehouse.read(
        "cohort.person_time", where=f"population = 'all_time' AND outcome_id = '{OPPORTUNISTIC}'"
    )
    people = time.group_by("person_id").agg(
        level=pl.col("toruner_count").max().clip(upper_bound=2), case=pl.col("event_count").max()
    )
    cells = {(reached, case): n for reached, case, n in people.group_by("level", "case").len().iter_rows()}
    number = LADDER[level]
    table = TwoByTwo(*(cells.get((reached, case), 0) for reached in (number, 0) for case in (1, 0)))
    return odds_ratio(table, method="woolf", confidence=CONFIDENCE)


def _exact(frame: pl.DataFrame) -> Answer:
    sets = frame.group_by("set_number").agg(
        exposed_cases=((pl.col("any_class") == 1) & pl.col("is_case")).sum(),
        exposed_noncases=((pl.col("any_class") == 1) & ~pl.col("is_case")).sum(),
        comparator_cases=((pl.col("any_class") == 0) & pl.col("is_case")).sum(),
        comparator_noncases=((pl.col("any_class") == 0) & ~pl.col("is_case")).sum(),
    ).sort("set_number")  # fmt: skip
    tables = [TwoByTwo(*(int(cell) for cell in cells)) for cells in sets.drop("set_number").iter_rows()]
    return exact_conditional_stratified(tables, confidence=CONFIDENCE)


_ROWS_OF = {"null": null_rows, "interaction": interaction_rows}


def is_outside(value: float, lower: float | None, upper: float | None) -> bool:
    """Whether an interval leaves a value out; a limit that does not exist leaves out nothing."""
    return (lower is not None and math.isfinite(lower) and value < lower) or (
        upper is not None and math.isfinite(upper) and value > upper
    )
