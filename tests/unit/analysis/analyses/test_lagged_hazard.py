"""The hazard ratio with other lags: the lag alone moves it, and a drug begun for the first signs is unmasked."""

from __future__ import annotations

import numpy as np
import polars as pl

from analysis.analyses.hazard import METHOD
from analysis.analyses.lagged_hazard import lag_stratum, lagged_hazards
from analysis.estimate.result import Answer
from analysis.report import ratios
from analysis.study.spec import Contrast

CONTRAST = Contrast(id="second", estimator="time_varying_cox", outcome="infection", ladder="study_drugs")
LAGS = (0, 30)


def _world(*, protopathic: float, persons: int = 3_000) -> pl.DataFrame:
    """Persons on one drug, a third of whom add a second on a random day that does nothing; daily hazard 1/1000 for 720 days.

    protopathic: the share of persons with an event who are given the second drug 15 days before it, for its first signs.
    """
    rng = np.random.default_rng(8)
    event = np.floor(rng.exponential(1000, persons)).astype(int) + 1
    added = np.where(rng.random(persons) < 1 / 3, rng.integers(1, 700, persons), 9_999)
    early = (event > 16) & (event <= 720) & (rng.random(persons) < protopathic)
    added = np.where(early, np.minimum(added, event - 15), added)
    rows = []
    for lag in LAGS:
        for person in range(persons):
            stop, cut = min(event[person], 720), added[person] + lag
            pieces = [(0, stop, 1)] if cut >= stop else [(0, cut, 1), (cut, stop, 2)]
            rows += [
                (lag, person, start, end, drugs, int(end == stop and event[person] <= 720))
                for start, end, drugs in pieces
            ]
    names = ["lag_days", "person_id", "start_day", "stop_day", "risk_drug_count", "event_count"]
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(
        exposure_rule=pl.lit("primary"), outcome_id=pl.lit("infection")
    )


def _answers(frame: pl.DataFrame, *, is_assessable: bool = True) -> dict[str, Answer]:
    found = lagged_hazards(frame, CONTRAST, rule="primary", confidence=0.95, is_assessable=is_assessable)
    assert {e.answer.method for e in found} == {METHOD}
    return {e.question.stratum: e.answer for e in found}


def test_a_drug_for_the_first_signs_raises_the_ratio_without_a_lag_and_not_with_one_longer_than_the_signs() -> None:
    answers = _answers(_world(protopathic=0.2))
    on_the_day, before = (answers[lag_stratum(lag)] for lag in LAGS)
    assert on_the_day.lower is not None and on_the_day.lower > 1.5
    assert before.upper is not None and before.upper < 1.1


def test_where_nothing_acts_every_lag_gives_one_with_the_same_persons_days_and_events() -> None:
    answers = _answers(_world(protopathic=0.0))
    assert list(answers) == [lag_stratum(lag) for lag in LAGS]
    for answer in answers.values():
        assert answer.lower is not None and answer.upper is not None and answer.lower < 1.0 < answer.upper
    assert len({(a.person_count, a.event_count, a.person_days) for a in answers.values()}) == 1


def test_without_outcome_tables_or_another_lag_there_is_nothing_to_tell() -> None:
    frame = _world(protopathic=0.0, persons=50)
    assert {a.status for a in _answers(frame, is_assessable=False).values()} == {"not_assessable"}
    assert lagged_hazards(frame.clear(), CONTRAST, rule="primary", confidence=0.95, is_assessable=True) == []


def test_the_table_names_each_lag() -> None:
    row = {"stratum": "ladder=study_drugs", "method": METHOD, "level": ">=2"}
    names = {lag: ratios._hazard_name(row | {"stratum": lag_stratum(lag)}) for lag in LAGS}
    assert names == {0: "exposure on the day itself", 30: "exposure 30 days before"}
    assert ratios._hazard_name(row | {"stratum": "ladder=study_drugs;period=days 1 to 90"}) == "days 1 to 90"
    assert ratios._hazard_name(row).startswith("Cox")
    assert ratios._hazard_name(row | {"level": "0"}).startswith("no study drug against one: Cox")
