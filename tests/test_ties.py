"""Two things on one day: the table of docs/ties.md from records through SQL, and what each estimator makes of a tie, by hand."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from analysis.estimate.cox import cox
from analysis.estimate.cumulative_incidence import cumulative_incidence, cumulative_incidence_at
from analysis.estimate.log_rank import log_rank
from analysis.estimate.mean_cumulative_count import mean_count_at, mean_cumulative_count
from analysis.estimate.persistence import kaplan_meier, survival_at
from analysis.estimate.risk_sets import Ties
from analysis.estimate.weighted_survival import weighted_curves, weighted_incidence_at
from pipelines.steps import Build
from tests.whole_run import built, small_study, write_csv

PAGE = (Path(__file__).parents[1] / "docs" / "ties.md").read_text(encoding="utf-8")
GIVEN = ("outcome on", "death on", "dupilumab again on")
TOLD = ("as treated", "carried forward", "outcome counts for", "pair ends")
LATER = 1000  # person numbers of the same records a day later
# No edge lies between these and the day after.
UNMOVED = {
    "nothing happens",
    "outcome after the last observed day",
    "restart on the day after, in the tail",
    "restart a day too late",
}
PAIR = "dupilumab+omalizumab"


def _table() -> list[dict[str, str]]:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line[:1] == "|"]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[2:] if len(line) == len(lines[0])]


TIES = _table()


def _shifted(day: str, days: int) -> str:
    return day if day == "-" else (dt.date.fromisoformat(day) + dt.timedelta(days=days)).isoformat()


def _drawn(header: str, rows: Sequence[Sequence[object]]) -> str:
    return "\n".join([header, *(" | ".join(map(str, row)) for row in rows)])


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Every row of the table as a person, the same a day later, and one who goes on with omalizumab alone."""
    people: dict[int, list[str]] = {}
    for number, tie in enumerate(TIES, start=1):
        for person, days in ((number, 0), (number + LATER, 1)):
            people[person] = [_shifted(tie[name], days) for name in GIVEN]
    everybody = [*people, 2 * LATER]
    taken = [("omalizumab", person, "2019-10-01", 400) for person in everybody]
    taken += [("dupilumab", person, "2020-01-01", 60) for person in people]
    taken += [("dupilumab", person, again, 60) for person, (_, _, again) in people.items() if again != "-"]
    happened = [(person, event) for person, (event, _, _) in people.items() if event != "-"]
    folder = tmp_path_factory.mktemp("ties")
    source = write_csv(
        folder / "source",
        person=_drawn("person_id | sex | birth_date", [(person, "F", "1980-01-01") for person in everybody]),
        observation_period=_drawn(
            "person_id | start_date | end_date", [(person, "2019-01-01", "2020-06-30") for person in everybody]
        ),
        death=_drawn("person_id | death_date", [(p, death) for p, (_, death, _) in people.items() if death != "-"]),
        prescription=_drawn(
            "prescription_id | person_id | record_type | drug_source_value | start_date | days_supply",
            [(i, person, "dispensing", drug, day, days) for i, (drug, person, day, days) in enumerate(taken)],
        ),
        adverse_event=_drawn(
            "adverse_event_id | person_id | term | onset_date | serious",
            [(i, person, "fever", day, "Y") for i, (person, day) in enumerate(happened)],
        ),
    )
    study = small_study(
        contrast=[{"id": "added", "estimator": "time_zero_comparison", "outcome": "fever"}],
        exposure_rule=[{"id": "primary", "gap_days": 30, "tail_days": 40, "washout_days": 0}],
    )
    return built(study, source, folder / "ties.duckdb")


@pytest.fixture(scope="module")
def told(build: Build) -> dict[int, tuple[str, ...]]:
    """What SQL makes of each person, in the words of the table."""
    found: dict[str, dict[int, str]] = {name: {} for name in TOLD}
    for population, name in (("as_treated", TOLD[0]), ("carried_forward", TOLD[1])):
        rows = build.warehouse.read("cohort.comparison_time").filter(population=population, is_combination=True)
        assert rows["start_day"].to_list() == [0] * rows.height
        for row in rows.iter_rows(named=True):
            assert row["event_count"] == (row["ending"] == "event")
            found[name][row["person_id"]] = f"{row['ending']} {row['stop_day']}"
    time = build.warehouse.read("cohort.person_time").filter(population="all_time", event_count=1)
    for person, covered, at_risk in time.select("person_id", "regimen_id", "risk_regimen_id").iter_rows():
        state = "pair" if covered == PAIR else "tail" if at_risk == PAIR else "one drug"
        assert found[TOLD[2]].setdefault(person, state) == state
    pairs = build.warehouse.read("cohort.combination").filter(population="first_episode", regimen_id="all")
    found[TOLD[3]] = {p: f"{end} {days}" for p, end, days in pairs["person_id", "ending", "time_days"].iter_rows()}
    absent = ("not at risk", "not at risk", "-", "-")
    return {
        person + shift: tuple(found[name].get(person + shift, no) for name, no in zip(TOLD, absent, strict=True))
        for person in range(1, len(TIES) + 1)
        for shift in (0, LATER)
    }


@pytest.mark.parametrize("number", range(1, len(TIES) + 1), ids=[tie["what"] for tie in TIES])
def test_the_records_of_a_tie_give_its_row(told: dict[int, tuple[str, ...]], number: int) -> None:
    assert told[number] == tuple(TIES[number - 1][name] for name in TOLD)


def test_a_day_later_in_the_records_is_another_row(told: dict[int, tuple[str, ...]]) -> None:
    """The negative control: what has an edge between its day and the next moves."""
    same = {tie["what"] for number, tie in enumerate(TIES, 1) if told[number] == told[number + LATER]}
    assert same == UNMOVED


def test_endings_by_day_are_counts_of_these_pairs(build: Build, told: dict[int, tuple[str, ...]]) -> None:
    rows = build.warehouse.read("summary.ending_day").filter(
        population="first_episode", regimen_id="all", dimension="reason"
    )
    counted = {(f"{row['cause']} {row['time_days']}", row["person_count"]) for row in rows.iter_rows(named=True)}
    assert counted == {
        (ending.replace("stopped", "unknown"), count) for ending, count in Counter(t[3] for t in told.values()).items()
    }


def test_the_days_at_risk_end_with_the_tie(build: Build) -> None:
    """Nobody has time 0, and the rows of a person follow each other without a hole or an overlap."""
    time = build.warehouse.read("cohort.person_time").filter(population="all_time").sort("person_id", "start_day")
    assert (time["stop_day"] > time["start_day"]).all()
    joined = time.with_columns(before=pl.col("stop_day").shift(1).over("person_id"))
    assert joined.filter(pl.col("before").is_not_null() & (pl.col("before") != pl.col("start_day"))).is_empty()
    assert joined.filter(pl.col("event_count") == 1)["person_id"].n_unique() == joined["event_count"].sum()


def _survival(*persons: tuple[int, int], day: int) -> float | None:
    rows = pl.DataFrame(persons, schema=["time_days", "event_count"], orient="row").with_columns(
        entry_days=0, censored_count=1 - pl.col("event_count")
    )
    return survival_at(kaplan_meier(rows, confidence=0.95), time_days=day).value


def test_kaplan_meier_takes_the_event_before_the_censoring_of_its_day() -> None:
    assert _survival((10, 1), (10, 0), day=10) == pytest.approx(0.5, abs=1e-15)
    assert _survival((10, 1), (9, 0), day=10) == 0.0
    assert _survival((1, 1), (10, 0), (10, 0), day=1) == pytest.approx(2 / 3, abs=1e-15)  # on day 0: time 1


def _incidence(*persons: tuple[int, str]) -> list[float | None]:
    rows = pl.DataFrame(persons, schema=["time_days", "cause"], orient="row").with_columns(entry_days=0, count=1)
    fit = cumulative_incidence(rows, causes=("event", "death"), confidence=0.95)
    weighted = weighted_curves(
        rows.with_row_index("person_id").with_columns(pl.col("person_id").cast(pl.Int64), weight=0.7),
        causes=("event", "death"), confidence=0.95,
    )  # fmt: skip
    found = [cumulative_incidence_at(fit, cause=cause, time_days=10).value for cause in fit.causes]
    assert found == pytest.approx(
        [weighted_incidence_at(weighted, cause=cause, time_days=10).value for cause in fit.causes], abs=1e-15
    )
    return found


def test_cumulative_incidence_has_one_risk_set_for_all_that_happens_on_a_day() -> None:
    on_one_day = [(10, "event"), (10, "death"), (10, "censored"), (10, "censored")]
    assert _incidence(*on_one_day) == pytest.approx([1 / 4, 1 / 4], abs=1e-15)
    assert _incidence(*on_one_day[::-1]) == _incidence(*on_one_day)
    assert _incidence((10, "event"), (9, "death"), (10, "censored"), (10, "censored")) == pytest.approx([1 / 4, 1 / 4])
    assert _incidence((10, "event"), (10, "death"), (9, "censored"), (9, "censored")) == pytest.approx([1 / 2, 1 / 2])
    assert _incidence((10, "event"), (9, "death"), (9, "censored"), (10, "censored")) == pytest.approx([3 / 8, 1 / 4])


def test_log_rank_counts_ties_by_the_hypergeometric_variance() -> None:
    def tested(censored_on: int) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "group": ["x", "y"], "entry_days": [0, 0], "time_days": [10, censored_on],
                "event_count": [2, 0], "censored_count": [0, 2],
            }
        )  # fmt: skip

    # Of 4 at risk 2 have the event, both of the 2 in x: expected 1, variance 2 (2/4) (2/4) (4 - 2) / (4 - 1).
    assert log_rank(tested(10)).answer.value == pytest.approx((2 - 1) ** 2 / (1 / 3), rel=1e-12)
    assert log_rank(tested(9)).answer.status == "not_estimable"


def _ratio(*rows: tuple[int, int, int, float], ties: Ties = "efron") -> float:
    """Hazard ratio of rows of one person each: start, stop, event, covariate."""
    frame = pl.DataFrame(rows, schema=["start_day", "stop_day", "event", "x"], orient="row").with_row_index("person_id")
    coefficient = cox(frame, covariates=["x"], confidence=0.95, ties=ties).coefficients[0]
    assert coefficient is not None
    return math.exp(coefficient)


def test_cox_holds_in_the_risk_set_who_is_censored_on_the_day() -> None:
    rows = [(0, 10, 1, 1.0), (0, 10, 1, 0.0), (0, 10, 0, 0.0)]
    # Efron: r / ((r + 2) (r / 2 + 3 / 2)); Breslow: r / (r + 2)^2.
    assert _ratio(*rows) == pytest.approx(math.sqrt(6), rel=1e-9)
    assert _ratio(*rows, ties="breslow") == pytest.approx(2.0, rel=1e-9)
    assert _ratio(*rows[:2], (0, 9, 0, 0.0)) == pytest.approx(1.0, rel=1e-9)


def test_cox_gives_the_event_on_the_day_of_a_change_to_the_state_before_it() -> None:
    """A row is (start, stop]: the outcome on the last day of one is its own, and the next row is at risk a day later."""
    others = [(0, 10, 1, 0.0), (0, 20, 0, 0.0), (0, 20, 0, 1.0)]
    before = _ratio(*others, (0, 10, 1, 1.0))
    assert before == pytest.approx(_ratio(*others, (0, 10, 1, 1.0), (10, 20, 0, 1.0)), rel=1e-12)
    assert before != pytest.approx(_ratio(*others, (0, 10, 1, 1.0), (9, 20, 0, 1.0)), rel=1e-3)


def _mean(persons: list[tuple[int, int]], events: list[tuple[int, int]]) -> float | None:
    """Mean count by day 10 of persons (stop, died) and events (person, day)."""
    follow_up = pl.DataFrame(persons, schema=["stop_day", "is_death"], orient="row").with_row_index("person_id")
    counted = pl.DataFrame(events, schema={"person_id": pl.UInt32, "day": pl.Int64}, orient="row")
    return mean_count_at(
        mean_cumulative_count(follow_up.with_columns(start_day=0), counted, confidence=0.95), time_days=10
    ).value


def test_a_mean_count_holds_the_outcome_of_the_day_of_death() -> None:
    assert _mean([(10, 1), (20, 0)], [(0, 10)]) == pytest.approx(1 / 2, abs=1e-15)
    # Of three, one dies on the day of another's outcome, and the third is censored on it.
    assert _mean([(10, 1), (10, 0), (10, 0)], [(1, 10)]) == pytest.approx(1 / 3, abs=1e-15)
    assert _mean([(9, 1), (10, 0), (9, 0)], [(1, 10)]) == pytest.approx(2 / 3, abs=1e-15)
