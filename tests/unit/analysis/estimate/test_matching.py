"""Matching on the propensity score against a slow search, and what makes it reproducible."""

import math

import numpy as np
import polars as pl
import pytest

from analysis.estimate.matching import CALIPER, match
from analysis.estimate.propensity import Propensity, propensity
from analysis.estimate.result import EstimationError


def people(count: int = 300, seed: int = 5) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    age = random.integers(20, 80, count).astype(float)
    exposed = random.random(count) < 1 / (1 + np.exp(4.5 - age / 15))
    return pl.DataFrame({"person_id": random.permutation(count), "age": age, "is_exposed": exposed.astype(int)})


def scores_of(frame: pl.DataFrame) -> Propensity:
    return propensity(frame, covariates=["age"])


def matched(frame: pl.DataFrame, *, comparators: int = 2, seed: int = 1, caliper: float = CALIPER) -> pl.DataFrame:
    return match(scores_of(frame), frame["person_id"], comparators=comparators, seed=seed, caliper=caliper)


def width_of(frame: pl.DataFrame) -> float:
    logits, exposed = scores_of(frame).logits, frame["is_exposed"].to_numpy() == 1
    return CALIPER * math.sqrt((logits[exposed].var(ddof=1) + logits[~exposed].var(ddof=1)) / 2)


def by_search(frame: pl.DataFrame, comparators: int, seed: int) -> dict[int, list[float]]:
    """Distances of the comparators of each exposed: in the seed's order, round by round, the nearest of all left."""
    ordered = frame.sort("person_id")
    logits = dict(zip(ordered["person_id"], scores_of(ordered).logits, strict=True))
    ranks = dict(zip(ordered["person_id"], np.random.default_rng(seed).permutation(ordered.height), strict=True))
    exposed = sorted(ordered.filter(pl.col("is_exposed") == 1)["person_id"], key=lambda person: int(ranks[person]))
    left = set(ordered.filter(pl.col("is_exposed") == 0)["person_id"])
    found: dict[int, list[float]] = {}
    for turn in range(comparators):
        for person in exposed:
            if len(found.get(person, [])) < turn or not left:
                continue
            nearest = min(left, key=lambda other: abs(logits[other] - logits[person]))
            if abs(logits[nearest] - logits[person]) <= width_of(frame):
                found.setdefault(person, []).append(abs(logits[nearest] - logits[person]))
                left.remove(nearest)
    return found


@pytest.mark.parametrize("comparators", [1, 2, 4])
def test_matches_are_those_of_a_search_through_all(comparators: int) -> None:
    # Distinct log odds, so that the nearest is one person.
    frame = people().with_columns(age=pl.col("age") + pl.col("person_id") / 1000)
    found = matched(frame, comparators=comparators)
    sets = found.group_by("set_id").agg(
        person=pl.col("person_id").filter(pl.col("is_exposed") == 1).first(),
        distances=pl.col("distance").filter(pl.col("is_exposed") == 0),
    )
    truth = by_search(frame, comparators, seed=1)
    assert len(truth) == sets.height > 50
    for person, distances in sets.select("person", "distances").iter_rows():
        assert distances == pytest.approx(truth[person], abs=1e-9)


def test_a_set_is_one_exposed_and_its_comparators_each_once_within_the_caliper() -> None:
    frame = people()
    found = matched(frame, comparators=3)
    assert found["person_id"].is_unique().all()
    assert found["distance"].max() <= width_of(frame)
    sets = found.group_by("set_id").agg(
        pl.col("is_exposed").sum(), pl.len(), weight=pl.col("weight").filter(pl.col("is_exposed") == 0).sum()
    )
    assert sets["is_exposed"].to_list() == [1] * sets.height
    assert sets["len"].is_between(2, 4).all()
    assert sets["weight"].to_list() == pytest.approx([1.0] * sets.height)
    truth = frame.select("person_id", truly=pl.col("is_exposed").cast(pl.Int64))
    assert found.join(truth, on="person_id").filter(pl.col("is_exposed") != pl.col("truly")).height == 0


def test_the_order_of_rows_changes_nothing_and_the_seed_does() -> None:
    frame = people()  # whole years of age: most log odds are shared
    one = matched(frame)
    for seed in range(3):
        assert matched(frame.sample(fraction=1.0, shuffle=True, seed=seed)).equals(one)
    assert not matched(frame, seed=2).equals(one)


def test_among_equally_near_the_seed_draws_without_favour() -> None:
    # One exposed at 30 and ten comparators at 30: each is drawn about as often.
    ages, exposed = [30.0] * 11 + [33.0] * 15, [1] + [0] * 10 + [1] * 12 + [0] * 3
    frame = pl.DataFrame({"person_id": range(26), "age": ages, "is_exposed": exposed})
    drawn = [
        matched(frame, comparators=1, seed=seed).filter(pl.col("set_id") == 0, pl.col("is_exposed") == 0)["person_id"][
            0
        ]
        for seed in range(400)
    ]
    assert set(drawn) == set(range(1, 11))
    counts = np.bincount(drawn, minlength=11)[1:]
    assert float(((counts - 40.0) ** 2 / 40.0).sum()) < 27.9  # chi-squared of 9 degrees, P = 0.001


def test_exposed_beyond_the_caliper_are_left_out() -> None:
    frame = people()
    narrow, wide = matched(frame, caliper=0.001), matched(frame, caliper=10.0)
    assert narrow.filter(pl.col("is_exposed") == 1).height < wide.filter(pl.col("is_exposed") == 1).height


def test_what_cannot_be_meant_is_refused() -> None:
    frame = people()
    fitted = scores_of(frame)
    for settings in ({"comparators": 0}, {"caliper": 0.0}):
        with pytest.raises(EstimationError, match="at least 1 comparator and a caliper"):
            match(fitted, frame["person_id"], **{"comparators": 1, "seed": 1, **settings})  # type: ignore[arg-type]
    with pytest.raises(EstimationError, match="one row a person"):
        match(fitted, frame["age"], comparators=1, seed=1)
    told = propensity(frame.with_columns(age=pl.col("is_exposed")), covariates=["age"])
    with pytest.raises(EstimationError, match="there are no propensity scores"):
        match(told, frame["person_id"], comparators=1, seed=1)
    lone = frame.filter((pl.col("is_exposed") == 0) | (pl.col("is_exposed").cum_sum() == 1))
    lone = lone.with_columns(age=pl.col("age") % 7)
    with pytest.raises(EstimationError, match="at least two persons in each group"):
        match(propensity(lone.head(40), covariates=["age"]), lone.head(40)["person_id"], comparators=1, seed=1)
