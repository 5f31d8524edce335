"""The examples of docs/estimators.md print what they say."""

import doctest
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "estimators.md").read_text()
OPTIONS = doctest.ELLIPSIS | doctest.REPORT_NDIFF
ESTIMATORS = (
    "odds_ratio", "mantel_haenszel_odds_ratio", "exact_conditional_stratified", "proportion", "clustered_proportion",
    "incidence_rate_per_100py", "kaplan_meier", "survival_at", "median_in_months", "naive_median", "cox",
    "hazard_ratio", "risk_ratio", "risk_difference", "mantel_haenszel_risk_ratio", "mantel_haenszel_risk_difference",
    "breslow_day_tarone", "cochran_armitage", "mantel_extension", "rule_of_three", "persons_to_see_one", "rate_ratio",
    "rate_difference_per_100py", "mantel_haenszel_rate_ratio", "mantel_haenszel_rate_difference_per_100py",
    "directly_standardised_rate_per_100py", "overdispersion", "interaction", "interaction_from_draws", "e_value",
    "misclassified_outcome", "fit_systematic_error", "calibrated",
    "logistic", "firth_logistic", "adjusted_odds_ratio", "likelihood_ratio_test",
    "conditional_logistic", "firth_conditional_logistic", "exact_logistic", "propensity", "equipoise",
    "overlap_weights", "inverse_probability_weights", "effective_sample_size", "standardised_differences", "match",
    "cumulative_incidence", "cumulative_incidence_at", "restricted_mean", "restricted_mean_difference",
    "restricted_mean_time_lost", "log_rank", "log_rank_trend", "gray_test", "fine_gray",
    "subdistribution_hazard_ratio", "nelson_aalen", "cumulative_hazard_at",
    "weighted_curves", "weighted_survival_at", "weighted_incidence_at",
    "proportional_hazards_test", "piecewise_hazard_ratios", "recurrent_rows", "andersen_gill",
    "prentice_williams_peterson", "mean_cumulative_count", "mean_count_at", "censoring_weights",
    "rate_per_10000_administrations", "information_component", "sample_median",
    "minimal_detectable_odds_ratio", "minimal_detectable_rate_ratio", "minimal_detectable_hazard_ratio",
)  # fmt: skip


def failures_of(page: str) -> tuple[int, int, str]:
    """Failed and tried examples of the fenced pycon blocks, which share their names from top to bottom."""
    blocks = re.findall(r"^```pycon\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    examples = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "estimators.md", "estimators.md", 0)
    said: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=OPTIONS).run(examples, out=said.append)
    return outcome.failed, outcome.attempted, "".join(said)


def test_every_example_prints_what_the_page_says() -> None:
    failed, attempted, said = failures_of(PAGE)
    assert failed == 0, said
    assert attempted > 20


def test_a_wrong_digit_on_the_page_is_found() -> None:
    wrong = PAGE.replace("woolf 6.857", "woolf 6.858")
    assert wrong != PAGE
    assert failures_of(wrong)[0] == 1


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_has_an_example(name: str) -> None:
    assert re.search(rf"^(>>>|\.\.\.).*\b{name}\b", PAGE, flags=re.MULTILINE)
