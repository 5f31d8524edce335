"""Propensity and preference scores, weights and balance: R's glm and formulas, a theorem, and scores that do not exist."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.estimate.balance import standardised_differences
from analysis.estimate.propensity import Propensity, equipoise, propensity
from analysis.estimate.result import EstimationError
from analysis.estimate.weighting import effective_sample_size, inverse_probability_weights, overlap_weights

TRUTH = json.loads((Path(__file__).parents[3] / "truth" / "propensity.json").read_text())
COVARIATES = TRUTH["covariates"]


def rows() -> pl.DataFrame:
    return pl.DataFrame(TRUTH["data"], strict=False).with_columns(pl.all().cast(pl.Float64))


def scores() -> Propensity:
    return propensity(rows(), covariates=COVARIATES)


def test_scores_and_preference_are_those_of_glm() -> None:
    assert scores().scores == pytest.approx(np.array(TRUTH["score"]), rel=1e-10)
    assert scores().preference == pytest.approx(np.array(TRUTH["preference"]), rel=1e-10)
    found = equipoise(scores())
    assert [found.share, found.exposed_share, found.comparator_share] == pytest.approx(TRUTH["equipoise"], rel=1e-12)


def test_weights_and_effective_sizes_are_those_of_the_formulas() -> None:
    overlap, exposed = overlap_weights(scores()), scores().is_exposed
    stabilised = inverse_probability_weights(scores(), truncate_tail=0.0)
    truncated = inverse_probability_weights(scores(), truncate_tail=0.05)
    for ours, theirs in ((overlap, "overlap"), (stabilised, "stabilised"), (truncated, "truncated")):
        assert ours == pytest.approx(np.array(TRUTH[theirs]), rel=1e-9)
    sizes = [effective_sample_size(weights) for weights in (overlap[exposed], stabilised, truncated[~exposed])]
    assert sizes == pytest.approx(TRUTH["effective_sizes"], rel=1e-9)
    assert effective_sample_size(np.full(7, 1e-200)) == pytest.approx(7.0)


def test_standardised_differences_are_those_of_the_formulas() -> None:
    def found(weights: np.ndarray | None) -> list[float]:
        frame = rows() if weights is None else rows().with_columns(weight=weights)
        name = None if weights is None else "weight"
        return standardised_differences(frame, covariates=COVARIATES, weight=name)["standardised_difference"].to_list()

    assert found(None) == pytest.approx(TRUTH["balance_before"], rel=1e-9)
    for tail, theirs in ((0.0, "balance_stabilised"), (0.05, "balance_truncated")):
        weights = inverse_probability_weights(scores(), truncate_tail=tail)
        assert found(weights) == pytest.approx(TRUTH[theirs], rel=1e-7)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_overlap_weights_balance_every_covariate_exactly(seed: int) -> None:
    # Li, Morgan and Zaslavsky 2018, theorem 3; with stabilised weights the balance is not exact.
    random = np.random.default_rng(seed)
    frame = pl.DataFrame({"a": random.normal(size=400), "b": (random.random(400) < 0.3).astype(float)})
    frame = frame.with_columns(
        is_exposed=pl.Series(random.random(400) < 1 / (1 + np.exp(1 - frame["a"].to_numpy()))).cast(pl.Int64)
    )
    fitted = propensity(frame, covariates=["a", "b"])
    balanced = standardised_differences(
        frame.with_columns(weight=overlap_weights(fitted)), covariates=["a", "b"], weight="weight"
    )
    assert balanced["standardised_difference"].abs().max() < 1e-9
    other = standardised_differences(
        frame.with_columns(weight=inverse_probability_weights(fitted, truncate_tail=0.0)),
        covariates=["a", "b"],
        weight="weight",
    )
    assert other["standardised_difference"].abs().max() > 1e-5


def test_preference_is_a_half_where_the_score_is_the_share() -> None:
    constant = propensity(rows().with_columns(one=1.0), covariates=["one"])
    assert constant.scores == pytest.approx(np.full(rows().height, rows()["is_exposed"].mean()), rel=1e-12)
    assert constant.preference == pytest.approx(np.full(rows().height, 0.5), rel=1e-12)
    assert equipoise(constant).share == 1.0


def test_repeated_covariates_do_no_harm() -> None:
    repeated = rows().with_columns(twice=2 * pl.col("age") + pl.col("lwt"))
    assert propensity(repeated, covariates=[*COVARIATES, "twice"]).scores == pytest.approx(scores().scores, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"is_exposed": pl.lit(0.0)}, "nobody is exposed"),
        ({"is_exposed": pl.lit(1.0)}, "everybody is exposed"),
        ({"ht": pl.col("is_exposed")}, "exposure is told without error by ht"),
        ({"ht": pl.col("is_exposed") * pl.col("ht")}, "exposure is told without error by ht"),
    ],
)
def test_scores_of_0_or_1_do_not_exist(change: dict[str, pl.Expr], reason: str) -> None:
    without = propensity(rows().with_columns(**change), covariates=COVARIATES)
    assert (without.reason, without.scores.size) == (reason, 0)
    for use in (overlap_weights, equipoise):
        with pytest.raises(EstimationError, match="there are no propensity scores"):
            use(without)
    with pytest.raises(EstimationError, match="there are no propensity scores"):
        inverse_probability_weights(without, truncate_tail=0.0)


def test_scores_that_round_to_1_are_no_scores() -> None:
    # The covariate overlaps between 30 and 31, and is far away at 90.
    ages = [30.0] * 11 + [31.0] * 5 + [90.0] * 8
    frame = pl.DataFrame({"age": ages, "is_exposed": [1] + [0] * 10 + [0] + [1] * 4 + [1] * 8})
    assert propensity(frame, covariates=["age"]).reason == "some scores are 0 or 1"


def test_balance_without_variance() -> None:
    frame = pl.DataFrame(
        {
            "is_exposed": [1, 1, 0, 0],
            "same": [2.0, 2.0, 2.0, 2.0],
            "apart": [3.0, 3.0, 2.0, 2.0],
            "half": [1.0, 1.0, 0.0, 1.0],
        }
    )
    found = standardised_differences(frame, covariates=["same", "apart", "half"])
    assert found["status"].to_list() == ["ok", "not_estimable", "ok"]
    assert found["standardised_difference"].to_list() == [0.0, None, pytest.approx(0.5 / np.sqrt(0.125))]
    assert found["reason"][1] == "apart differs between the groups and varies in neither"
    nobody = standardised_differences(frame.with_columns(w=1 - pl.col("is_exposed")), covariates=["same"], weight="w")
    assert nobody["reason"].to_list() == ["nobody of any weight is exposed"]
    alone = standardised_differences(frame.head(2), covariates=["same"])
    assert alone["reason"].to_list() == ["nobody of any weight is in the comparator"]


def test_what_cannot_be_meant_is_refused() -> None:
    for tail in (-0.1, 0.5):
        with pytest.raises(EstimationError, match="truncated at a tail"):
            inverse_probability_weights(scores(), truncate_tail=tail)
    for weights in ([-1.0, 2.0], [0.0, 0.0], [np.inf, 1.0], []):
        with pytest.raises(EstimationError, match="effective sample size"):
            effective_sample_size(np.array(weights))
    with pytest.raises(EstimationError, match="finite and not negative"):
        standardised_differences(rows().with_columns(weight=-1.0), covariates=COVARIATES, weight="weight")
