"""The rule of three and the number of persons it takes to see one event."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.estimate.proportion import proportion
from analysis.estimate.rare_events import persons_to_see_one, rule_of_three
from analysis.estimate.result import EstimationError


def test_a_risk_of_nine_in_ten_thousand_takes_3328_persons() -> None:
    assert persons_to_see_one(0.0009, probability=0.95) == 3328


@given(risk=st.floats(1e-6, 0.999), probability=st.floats(0.01, 0.999))
def test_one_person_less_is_too_few(risk: float, probability: float) -> None:
    persons = persons_to_see_one(risk, probability=probability)
    assert 1.0 - (1.0 - risk) ** persons >= probability * (1 - 1e-9)
    assert persons == 1 or 1.0 - (1.0 - risk) ** (persons - 1) < probability * (1 + 1e-9)


@pytest.mark.parametrize(
    ("risk", "probability", "persons"),
    [(0.5, 0.75, 2), (0.5, 0.7501, 3), (0.9, 0.999, 3), (1.0, 0.95, 1), (0.99, 0.5, 1)],
)
def test_a_probability_met_exactly_takes_no_person_more(risk: float, probability: float, persons: int) -> None:
    assert persons_to_see_one(risk, probability=probability) == persons


def test_three_over_n_exceeds_the_exact_one_sided_limit_a_little() -> None:
    for total in (30, 100, 3328, 10_000_000):
        answer = rule_of_three(total)
        exact = proportion(0, total, confidence=0.90)
        assert (answer.value, answer.lower, answer.confidence_level) == (0.0, 0.0, 0.90)
        assert exact.upper is not None
        assert answer.upper is not None
        assert exact.upper < answer.upper < exact.upper * 1.06
    assert rule_of_three(2).upper == 1.0


def test_nobody_is_not_estimable_and_less_is_refused() -> None:
    assert (rule_of_three(0).status, rule_of_three(0).reason) == ("not_estimable", "total is 0")
    with pytest.raises(EstimationError, match="from 0"):
        rule_of_three(-1)


@pytest.mark.parametrize(("risk", "probability"), [(0.0, 0.95), (-0.1, 0.95), (1.1, 0.95), (0.1, 0.0), (0.1, 1.0)])
def test_what_is_no_risk_or_no_probability_is_refused(risk: float, probability: float) -> None:
    with pytest.raises(EstimationError):
        persons_to_see_one(risk, probability=probability)
