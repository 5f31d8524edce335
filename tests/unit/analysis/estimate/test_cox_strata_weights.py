"""Cox regression with strata and weights: R's coxph, by hand, and interaction on the hazard."""

import json
import math
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest

from analysis.estimate.counting_process import cut_at
from analysis.estimate.cox import CoxFit, cox, hazard_ratio
from analysis.estimate.interaction import JointRatios, interaction
from analysis.estimate.result import EstimationError
from analysis.estimate.risk_sets import Ties

_FILE = json.loads((Path(__file__).parents[3] / "truth" / "cox_strata_weights.json").read_text())
TRUTH = {row["name"]: row for row in _FILE["fits"]}
HOW = {
    "stratified": {"strata": "stratum"},
    "weighted": {"weight": "weight"},
    "both": {"strata": "stratum", "weight": "weight"},
}
EVERY_TIES = get_args(Ties)


def rows_of(truth: dict[str, Any]) -> pl.DataFrame:
    names = {"id": "person_id", "start": "start_day", "stop": "stop_day"}
    return pl.DataFrame(truth["data"], strict=False).rename(names)


def frame(*rows: tuple[int, int, int, int, float, int, float]) -> pl.DataFrame:
    """Rows of person, start, stop, event, x, stratum and weight."""
    names = ["person_id", "start_day", "stop_day", "event", "x", "stratum", "weight"]
    return pl.DataFrame(rows, schema=names, orient="row")


@pytest.mark.parametrize("ties", EVERY_TIES)
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", TRUTH)
def test_strata_and_weights_are_those_of_coxph(name: str, how: str, ties: Ties) -> None:
    truth = TRUTH[name]
    fit = cox(rows_of(truth), covariates=truth["covariates"], confidence=0.95, ties=ties, **HOW[how])
    for ours, theirs in (
        (fit.coefficients, "coefficients"),
        (fit.model_standard_errors, "model_standard_errors"),
        (fit.robust_standard_errors, "robust_standard_errors"),
        (fit.robust_covariance.ravel(), "robust_covariance"),
    ):
        assert list(ours) == pytest.approx(truth[ties][how][theirs], rel=1e-8, abs=1e-12)
    assert fit.null_log_likelihood == pytest.approx(truth[ties][how]["null_log_likelihood"], rel=1e-12)
    assert fit.log_likelihood == pytest.approx(truth[ties][how]["log_likelihood"], rel=1e-12)


def test_the_method_names_strata_and_weights() -> None:
    rows = rows_of(TRUTH["tied"])
    answer = hazard_ratio(
        cox(rows, covariates=["exposed"], confidence=0.95, ties="breslow", strata="stratum", weight="weight"), "exposed"
    )
    assert answer.method == "cox_breslow_robust_stratified_weighted"
    assert answer.event_count == rows["event"].sum()


def test_a_weighted_tie_by_hand() -> None:
    # One risk set: exposed 1 (weight 3, event), unexposed 2 (weight 1, event), unexposed 3 (weight 2). With theta:
    # Efron takes half of 3 theta + 1 off the second slot, and each slot weighs (3 + 1) / 2 = 2. Slope of
    # 3 log theta - 2 log(3 theta + 3) - 2 log(1.5 theta + 2.5) in log theta is 0 at the positive root of
    # 3 = 2 theta / (theta + 1) + 6 theta / (3 theta + 5), so 3 theta^2 - 8 theta - 15 = 0.
    rows = frame((1, 0, 4, 1, 1, 0, 3.0), (2, 0, 4, 1, 0, 0, 1.0), (3, 0, 9, 0, 0, 0, 2.0))
    fit = cox(rows, covariates=["x"], confidence=0.95, ties="efron", weight="weight")
    assert fit.coefficients[0] is not None
    theta = math.exp(fit.coefficients[0])
    assert pytest.approx(2 * theta / (theta + 1) + 6 * theta / (3 * theta + 5), rel=1e-9) == 3.0
    assert theta == pytest.approx((8.0 + math.sqrt(64.0 + 180.0)) / 6.0, rel=1e-9)


def test_strata_are_never_at_risk_together() -> None:
    # Within each stratum x does not vary, so that nothing is left to compare; across them it would.
    rows = frame((1, 0, 5, 1, 1, 0, 1.0), (2, 0, 7, 1, 1, 0, 1.0), (3, 0, 6, 1, 0, 1, 1.0), (4, 0, 8, 0, 0, 1, 1.0))
    fit = cox(rows, covariates=["x"], confidence=0.95, ties="efron", strata="stratum")
    assert hazard_ratio(fit, "x").reason == "x does not vary within any risk set"
    assert cox(rows, covariates=["x"], confidence=0.95, ties="efron").coefficients[0] is not None


def test_moving_one_stratum_in_time_changes_nothing() -> None:
    truth = TRUTH["tied"]
    rows = rows_of(truth)
    ahead = pl.when(pl.col("stratum") == 1).then(10_000).when(pl.col("stratum") == 2).then(-7).otherwise(0)
    moved = rows.with_columns(pl.col("start_day") + ahead, pl.col("stop_day") + ahead)
    one, other = (
        cox(each, covariates=["exposed", "dose"], confidence=0.95, ties="efron", strata="stratum")
        for each in (rows, moved)
    )
    assert one.coefficients == pytest.approx(other.coefficients, rel=1e-9)
    assert one.robust_standard_errors == pytest.approx(other.robust_standard_errors, rel=1e-9)


def test_strata_may_be_named_by_text() -> None:
    rows = rows_of(TRUTH["tied"]).with_columns(site=pl.format("site {}", "stratum"))
    fit = cox(rows, covariates=["exposed", "dose"], confidence=0.95, ties="efron", strata="site")
    assert fit.coefficients == pytest.approx(TRUTH["tied"]["efron"]["stratified"]["coefficients"], rel=1e-9)


@pytest.mark.parametrize("ties", EVERY_TIES)
def test_the_scale_of_weights_does_not_matter_and_equal_ones_are_none(ties: Ties) -> None:
    rows = rows_of(TRUTH["tied"]).with_columns(larger=pl.col("weight") * 1e4, same=pl.lit(0.25))

    def fit(weight: str | None) -> CoxFit:
        return cox(rows, covariates=["exposed", "dose"], confidence=0.95, ties=ties, weight=weight)

    for one, other in ((fit("weight"), fit("larger")), (fit(None), fit("same"))):
        assert one.coefficients == pytest.approx(other.coefficients, rel=1e-9)
        assert one.robust_standard_errors == pytest.approx(other.robust_standard_errors, rel=1e-9)


def test_a_weight_of_two_is_two_persons_under_breslow() -> None:
    rows = rows_of(TRUTH["tied"]).with_columns(twice=1.0 + (pl.col("person_id") % 2 == 0).cast(pl.Float64))
    doubled = pl.concat([rows, rows.filter(pl.col("twice") == 2.0)])
    weighted = cox(rows, covariates=["exposed", "dose"], confidence=0.95, ties="breslow", weight="twice")
    repeated = cox(doubled, covariates=["exposed", "dose"], confidence=0.95, ties="breslow")
    assert weighted.coefficients == pytest.approx(repeated.coefficients, rel=1e-9)
    assert weighted.robust_standard_errors == pytest.approx(repeated.robust_standard_errors, rel=1e-9)


def test_the_order_of_rows_does_not_matter() -> None:
    rows = rows_of(TRUTH["colon"])
    one, other = (
        cox(each, covariates=["age", "sex"], confidence=0.95, ties="efron", strata="stratum", weight="weight")
        for each in (rows, rows.sample(fraction=1.0, shuffle=True, seed=1))
    )
    assert one.coefficients == pytest.approx(other.coefficients, rel=1e-10)
    assert one.robust_standard_errors == pytest.approx(other.robust_standard_errors, rel=1e-10)


def test_without_any_event_nothing_is_estimable() -> None:
    rows = frame((1, 0, 5, 0, 1, 0, 1.0), (2, 0, 7, 0, 0, 1, 2.0))
    fit = cox(rows, covariates=["x"], confidence=0.95, ties="efron", strata="stratum", weight="weight")
    answer = hazard_ratio(fit, "x")
    assert (answer.status, answer.reason, answer.event_count) == ("not_estimable", "no events", 0)


@pytest.mark.parametrize("weight", [0.0, -1.0, math.inf, math.nan])
def test_a_weight_that_cannot_be_meant_is_refused(weight: float) -> None:
    rows = frame((1, 0, 5, 1, 1, 0, weight), (2, 0, 7, 0, 0, 0, 1.0))
    with pytest.raises(EstimationError, match="weight must be finite and above 0"):
        cox(rows, covariates=["x"], confidence=0.95, ties="efron", weight="weight")


def test_strata_and_weights_must_be_there() -> None:
    rows = frame((1, 0, 5, 1, 1, 0, 1.0), (2, 0, 7, 0, 0, 0, 1.0))
    with pytest.raises(EstimationError, match="columns site"):
        cox(rows, covariates=["x"], confidence=0.95, ties="efron", strata="site")
    with pytest.raises(EstimationError, match="nulls in stratum"):
        cox(rows.with_columns(stratum=None), covariates=["x"], confidence=0.95, ties="efron", strata="stratum")


def test_interaction_on_the_hazard_is_that_of_the_delta_method_in_r() -> None:
    truth = _FILE["interaction"]
    fit = cox(
        rows_of(TRUTH["heart"]), covariates=["a", "b", "ab", "year"], confidence=0.95, ties="efron", weight="weight"
    )
    product = ["a", "b", "ab"]
    coefficients = [fit.coefficients[fit.covariates.index(name)] or 0.0 for name in product]
    joint = JointRatios.from_product_term(coefficients, fit.covariance_of(product), event_count=fit.event_count)
    answer = interaction(joint, measure="reri", method="delta", confidence=0.95)
    for part in ("value", "standard_error", "lower", "upper"):
        assert getattr(answer, part) == pytest.approx(truth[part], rel=1e-7)
    ratio = interaction(joint, measure="ratio_of_ratios", method="delta", confidence=0.95)
    assert ratio.value == pytest.approx(truth["ratio_of_ratios"], rel=1e-7)
    assert ratio.standard_error == pytest.approx(truth["ratio_standard_error"], rel=1e-7)


def test_a_covariance_of_what_has_no_coefficient_is_refused() -> None:
    rows = rows_of(TRUTH["tied"]).with_columns(constant=1.0)
    fit = cox(rows, covariates=["exposed", "constant"], confidence=0.95, ties="efron")
    with pytest.raises(EstimationError, match="no coefficient of constant"):
        fit.covariance_of(["exposed", "constant"])
    with pytest.raises(EstimationError, match="no coefficient of age"):
        fit.covariance_of(["age"])


def test_a_row_is_cut_at_the_days_within_it_only() -> None:
    rows = pl.DataFrame(
        {"person_id": [1, 2, 3], "start_day": [0, 90, 10], "stop_day": [400, 91, 90], "event": [1, 1, 0]}
    )
    cut = cut_at(rows, [90, 365])
    assert cut.rows() == [(1, 0, 90, 0), (1, 90, 365, 0), (1, 365, 400, 1), (2, 90, 91, 1), (3, 10, 90, 0)]
    assert cut_at(rows, []).equals(rows)
    with pytest.raises(EstimationError, match="must rise, got 365, 90"):
        cut_at(rows, [365, 90])
