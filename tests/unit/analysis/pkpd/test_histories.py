"""Who can be modelled, who cannot and why, and what is refused."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.pkpd.courses import collected, courses, daily, daily_limits
from analysis.pkpd.histories import assessed, histories
from analysis.pkpd.parameters import ParameterSet
from analysis.pkpd.quantities import PkpdError
from analysis.pkpd.thresholds import threshold_stretches, withdrawal
from analysis.pkpd.variability import draws

PERSONS = pl.DataFrame(
    {
        "person_id": [1, 2, 3, 4, 5, 6],
        "weight_kg": [70.0, None, 80.0, 60.0, 65.0, 30.0],
        "baseline_ige_iu_per_ml": [150.0, 100.0, None, 200.0, 90.0, 1400.0],
        "until_day": 60,
    }
)
DOSES = pl.DataFrame(
    {
        "person_id": [1, 1, 2, 3, 5, 5, 6],
        "day": [0, 28, 0, 0, 0, 14, 0],
        "dose_mg": [300.0, 300, 150, 150, 150, None, 300],
    }
)


def test_who_lacks_something_is_not_assessable_and_says_what() -> None:
    found = assessed(PERSONS, DOSES)
    assert found["person_id"].to_list() == [1, 2, 3, 4, 5, 6]
    assert found["reason"].to_list() == [
        None, "no weight", "no baseline IgE", "no dose", "a dose without an amount", None,
    ]  # fmt: skip
    assert found["is_assessable"].to_list() == [True, False, False, False, False, True]
    assert found["is_extrapolated"].to_list() == [False, None, None, False, False, True]


def test_the_model_takes_only_who_is_assessable() -> None:
    with pytest.raises(PkpdError, match="4 persons are not assessable, the first reason: no weight"):
        list(histories(PERSONS, DOSES, persons_at_once=10))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weight_kg": 0.0}, "6 persons with a weight_kg not above 0"),
        ({"weight_kg": float("nan")}, "6 persons with a weight_kg not above 0"),
        ({"baseline_ige_iu_per_ml": -5.0}, "6 persons with a baseline_ige_iu_per_ml not above 0"),
        ({"until_day": -1}, "6 persons without an until_day from 0 on"),
        ({"person_id": 1}, "6 persons repeated or nameless"),
        ({"weight_kg": "heavy"}, "persons hold something else than numbers"),
    ],
)
def test_impossible_persons_are_refused(change: dict[str, object], said: str) -> None:
    changed = PERSONS.with_columns(**{name: pl.lit(value) for name, value in change.items()})
    with pytest.raises(PkpdError, match=said):
        assessed(changed, DOSES)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"person_id": 1, "day": 3, "dose_mg": -150.0}, "1 doses not above 0 mg"),
        ({"person_id": 1, "day": 3, "dose_mg": 0.0}, "1 doses not above 0 mg"),
        ({"person_id": 1, "day": 3, "dose_mg": float("inf")}, "1 doses not above 0 mg"),
        ({"person_id": 1, "day": -1, "dose_mg": 150.0}, "1 persons with a dose before day 0"),
        ({"person_id": 4, "day": 7, "dose_mg": 150.0}, "1 persons whose first dose is not on day 0"),
        ({"person_id": 1, "day": None, "dose_mg": 150.0}, "1 doses without a day"),
        ({"person_id": 99, "day": 0, "dose_mg": 150.0}, "1 doses of persons that are not in persons"),
    ],
)
def test_impossible_doses_are_refused(row: dict[str, object], said: str) -> None:
    with pytest.raises(PkpdError, match=said):
        assessed(PERSONS, pl.concat([DOSES, pl.DataFrame([row], schema=DOSES.schema)]))


def test_missing_columns_are_named() -> None:
    with pytest.raises(PkpdError, match=r"doses lack the columns \['dose_mg'\]"):
        assessed(PERSONS, DOSES.drop("dose_mg"))


ONE = PERSONS.head(1)
ITS_DOSES = DOSES.filter(pl.col("person_id") == 1)


def test_limits_hold_the_middle_of_the_draws_and_are_those_of_the_seed(lowe: ParameterSet) -> None:
    made = []
    for _ in range(2):
        drawn = draws(lowe, count=60, seed=9, replaced={"absorption_rate": 0.16})
        pieces = courses(ONE, ITS_DOSES, lowe, anchor="clearance", deviations=drawn)
        made.append(collected(pieces, lambda piece: daily_limits(piece, level=0.8, every_days=7))[0])
    limits, again = made
    assert limits.equals(again)
    assert limits["day"].to_list() == list(range(0, 61, 7))
    (typical,) = collected(courses(ONE, ITS_DOSES, lowe, anchor="clearance"), lambda piece: daily(piece, every_days=7))
    inside = typical["free_ige_ng_per_ml"].is_between(
        limits["free_ige_ng_per_ml_lower"], limits["free_ige_ng_per_ml_upper"]
    )
    assert inside[1:].all()
    assert (limits["omalizumab_ug_per_ml_lower"] <= limits["omalizumab_ug_per_ml_median"]).all()
    wide = limits["free_ige_ng_per_ml_upper"][4] / limits["free_ige_ng_per_ml_lower"][4]
    assert 1.3 < wide < 4.0


def test_limits_do_not_depend_on_who_else_is_there(lowe: ParameterSet) -> None:
    both = PERSONS.filter(pl.col("person_id").is_in([1, 6]))
    doses = DOSES.filter(pl.col("person_id").is_in([1, 6]))
    drawn = draws(lowe, count=20, seed=4, replaced={"absorption_rate": 0.16})
    frames = [
        collected(
            courses(
                persons, doses.join(persons, on="person_id", how="semi"), lowe, anchor="clearance", deviations=drawn
            ),
            lambda piece: daily_limits(piece, level=0.5, every_days=30),
        )[0].filter(pl.col("person_id") == 1)
        for persons in (ONE, both)
    ]
    assert frames[0].drop(pl.selectors.string()).to_numpy() == pytest.approx(
        frames[1].drop(pl.selectors.string()).to_numpy(), rel=1e-12
    )


def test_a_piece_of_draws_has_limits_only_and_one_without_has_none(lowe: ParameterSet) -> None:
    drawn = {name: values[:2] for name, values in draws(lowe, count=2, seed=1).items()}
    (several,) = courses(ONE, ITS_DOSES, lowe, anchor="clearance", deviations=drawn)
    (single,) = courses(ONE, ITS_DOSES, lowe, anchor="clearance")
    with pytest.raises(PkpdError, match="limits, not days"):
        daily(several)
    with pytest.raises(PkpdError, match="limits, not stretches"):
        threshold_stretches(several)
    stop = pl.DataFrame({"person_id": [1], "last_dose_day": [28], "until_day": [60]})
    with pytest.raises(PkpdError, match="limits, not stretches"):
        withdrawal(several, stops=stop)
    for piece, level in ((single, 0.8), (several, 1.0)):
        with pytest.raises(PkpdError, match="limits need a level between 0 and 1, and draws"):
            daily_limits(piece, level=level)
    with pytest.raises(PkpdError, match="at least 1 apart"):
        daily(single, every_days=0)
    with pytest.raises(PkpdError, match="draws of different or no length"):
        next(courses(ONE, ITS_DOSES, lowe, anchor="clearance", deviations={**drawn, "volume": drawn["volume"][:1]}))
