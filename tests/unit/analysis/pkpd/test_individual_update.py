"""The mode lies where the density has its top, and knowing a person brings the course nearer to theirs."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from analysis.pkpd import individual_update as update_module
from analysis.pkpd.courses import collected, courses, daily, on_days
from analysis.pkpd.individual_update import MEASURES, individual_update, wide
from analysis.pkpd.parameters import ParameterSet
from analysis.pkpd.quantities import PkpdError
from analysis.pkpd.variability import covariance, draws

COUNT = 12
NARROW = {"absorption_rate": 0.16}
MEASURED_DAYS = (14, 28, 56, 84, 112, 140, 180, 220)
PERSONS = pl.DataFrame(
    {
        "person_id": np.arange(COUNT),
        "weight_kg": np.linspace(50.0, 100.0, COUNT),
        "baseline_ige_iu_per_ml": np.linspace(60.0, 400.0, COUNT),
        "until_day": 252,
    }
)
DOSES = (
    PERSONS.select("person_id").join(pl.DataFrame({"day": 28 * np.arange(6)}), how="cross").with_columns(dose_mg=300.0)
)


def _truth(lowe: ParameterSet) -> pl.DataFrame:
    return pl.DataFrame({"person_id": np.arange(COUNT), **draws(lowe, count=COUNT, seed=8, replaced=NARROW)})


def _measured(
    lowe: ParameterSet, truth: pl.DataFrame, noise: float, days: tuple[int, ...] = MEASURED_DAYS
) -> pl.DataFrame:
    asked = PERSONS.select("person_id").join(pl.DataFrame({"day": days}), how="cross")
    pieces = courses(PERSONS, DOSES, lowe, anchor="clearance", updated=truth)
    (found,) = collected(pieces, lambda piece: on_days(piece, asked))
    long = found.unpivot(MEASURES.keys(), index=["person_id", "day"], variable_name="measure", value_name="value")
    errors = noise * np.random.default_rng(5).standard_normal(long.height)
    return long.with_columns(value=pl.col("value") * np.exp(errors))


def _free_ige(lowe: ParameterSet, updated: pl.DataFrame | None) -> np.ndarray:
    (days,) = collected(courses(PERSONS, DOSES, lowe, anchor="clearance", updated=updated), daily)
    return days.sort("person_id", "day")["free_ige_ng_per_ml"].to_numpy()


def test_the_mode_is_the_minimum_of_the_same_function(lowe: ParameterSet) -> None:
    measured = _measured(lowe, _truth(lowe), 0.25).filter(pl.col("person_id") == 3)
    one, doses = PERSONS.filter(pl.col("person_id") == 3), DOSES.filter(pl.col("person_id") == 3)
    names, matrix = covariance(lowe, replaced=NARROW)
    precision = np.linalg.inv(matrix)
    found = individual_update(one, doses, measured, lowe, anchor="clearance", replaced=NARROW)
    assert found["parameter"].to_list() == names
    assert set(found["status"]) == {"ok"}

    def loss(deviation: np.ndarray) -> float:
        updated = pl.DataFrame(
            {"person_id": [3], **{name: [value] for name, value in zip(names, deviation, strict=True)}}
        )
        pieces = courses(one, doses, lowe, anchor="clearance", updated=updated)
        (days,) = collected(pieces, daily)
        total = float(deviation @ precision @ deviation)
        for measure, name in MEASURES.items():
            rows = measured.filter(pl.col("measure") == measure).join(
                days.select("person_id", "day", expected=measure), on=["person_id", "day"]
            )
            residual = rows["value"].log() - rows["expected"].log()
            total += float((residual**2).sum()) / lowe.residual_variances[name]
        return total

    mode = found["deviation"].to_numpy()
    at_mode, shift = loss(mode), 0.03
    for beside in shift * np.eye(mode.size):
        up, down = loss(mode + beside), loss(mode - beside)
        assert min(up, down) > at_mode
        vertex = 0.5 * shift * (down - up) / (up - 2.0 * at_mode + down)
        assert abs(vertex) < 0.002


def test_a_mode_that_is_not_reached_is_said(lowe: ParameterSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(update_module, "MOST_ROUNDS", 1)
    found = individual_update(PERSONS, DOSES, _measured(lowe, _truth(lowe), 0.25), lowe, anchor="clearance")
    assert set(found["status"]) == {"not_estimable"}
    assert set(found["reason"]) == {"no mode within 1 steps"}
    assert found["deviation"].null_count() == found["standard_error"].null_count() == found.height
    assert wide(found).is_empty()


def test_measurements_bring_the_course_nearer_to_the_persons_own(lowe: ParameterSet) -> None:
    truth = _truth(lowe)
    found = individual_update(PERSONS, DOSES, _measured(lowe, truth, 0.25), lowe, anchor="clearance", replaced=NARROW)
    own, typical, updated = (np.log(_free_ige(lowe, each)) for each in (truth, None, wide(found)))
    assert np.abs(updated - own).mean() < 0.5 * np.abs(typical - own).mean()
    assert set(found["measurement_count"]) == {3 * len(MEASURED_DAYS)}
    prior = np.sqrt(np.diag(covariance(lowe, replaced=NARROW)[1]))
    assert (found["standard_error"].to_numpy().reshape(COUNT, -1) <= prior + 1e-9).all()


def test_what_is_not_measured_stays_typical(lowe: ParameterSet) -> None:
    """Under the clearance anchor nothing tells of the clearance of IgE; nobody else's measurements tell of a person."""
    measured = _measured(lowe, _truth(lowe), 0.25).filter(pl.col("person_id").is_in([2, 7]))
    found = individual_update(PERSONS, DOSES, measured, lowe, anchor="clearance", replaced=NARROW)
    assert found["person_id"].unique().sort().to_list() == [2, 7]
    silent = found.filter(pl.col("parameter") == "ige_clearance")
    assert silent["deviation"].to_numpy() == pytest.approx([0.0, 0.0], abs=1e-9)
    assert silent["standard_error"].to_numpy() == pytest.approx([np.sqrt(0.0479)] * 2, rel=1e-6)
    alone = individual_update(
        PERSONS, DOSES, measured.filter(pl.col("person_id") == 7), lowe, anchor="clearance", replaced=NARROW
    )
    both = found.filter(pl.col("person_id") == 7)
    assert both["deviation"].to_numpy() == pytest.approx(alone["deviation"].to_numpy(), abs=1e-6)
    (days,) = collected(courses(PERSONS, DOSES, lowe, anchor="clearance", updated=wide(found)), daily)
    typical = collected(courses(PERSONS, DOSES, lowe, anchor="clearance"), daily)[0]
    same = days.join(typical, on=["person_id", "day"]).filter(~pl.col("person_id").is_in([2, 7]))
    assert (same["free_ige_ng_per_ml"] == same["free_ige_ng_per_ml_right"]).all()


def test_the_same_measurement_made_often_is_believed(lowe: ParameterSet) -> None:
    truth = _truth(lowe)
    exact = _measured(lowe, truth, 0.0, days=tuple(range(1, 252, 2)))
    often = pl.concat([exact] * 20)
    found = individual_update(PERSONS, DOSES, often, lowe, anchor="clearance", replaced=NARROW)
    own, updated = np.log(_free_ige(lowe, truth)), np.log(_free_ige(lowe, wide(found)))
    assert np.abs(updated - own).max() < 0.02


def test_no_measurements_give_no_rows(lowe: ParameterSet) -> None:
    nothing = pl.DataFrame(schema={"person_id": pl.Int64, "day": pl.Int64, "measure": pl.String, "value": pl.Float64})
    found = individual_update(PERSONS, DOSES, nothing, lowe, anchor="clearance")
    assert found.is_empty()
    assert "deviation" in found.columns


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((0, 5, "free_ige", 10.0), "1 measurements of something else"),
        ((0, 5, "free_ige_ng_per_ml", 0.0), "1 measurements not above 0"),
        ((0, 5, "free_ige_ng_per_ml", None), "1 measurements not above 0"),
        ((99, 5, "free_ige_ng_per_ml", 10.0), "1 measurements of unknown persons"),
        ((0, 0, "free_ige_ng_per_ml", 10.0), "outside day 1 to until_day"),
        ((0, 253, "free_ige_ng_per_ml", 10.0), "outside day 1 to until_day"),
    ],
)
def test_impossible_measurements_are_refused(lowe: ParameterSet, row: tuple[object, ...], said: str) -> None:
    schema = {"person_id": pl.Int64, "day": pl.Int64, "measure": pl.String, "value": pl.Float64}
    with pytest.raises(PkpdError, match=said):
        individual_update(PERSONS, DOSES, pl.DataFrame([row], schema=schema, orient="row"), lowe, anchor="clearance")


def test_draws_and_own_deviations_exclude_each_other(lowe: ParameterSet) -> None:
    with pytest.raises(PkpdError, match="not both"):
        next(
            courses(
                PERSONS, DOSES, lowe, anchor="clearance", deviations=draws(lowe, count=2, seed=1), updated=_truth(lowe)
            )
        )
