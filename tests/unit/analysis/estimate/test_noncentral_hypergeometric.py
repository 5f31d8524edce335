"""The conditional distribution against whole-number arithmetic."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nchypergeom_fisher

from analysis.estimate.noncentral_hypergeometric import (
    Margins,
    solve,
    strata_distribution,
    table_distribution,
)

ODDS_RATIO = Fraction(7, 3)


def exact_probabilities(margins: Margins) -> dict[int, Fraction]:
    weights = {
        count: math.comb(margins.exposed, count)
        * math.comb(margins.comparator, margins.cases - count)
        * ODDS_RATIO**count
        for count in range(margins.lowest, margins.highest + 1)
    }
    total = sum(weights.values())
    return {count: weight / total for count, weight in weights.items()}


@st.composite
def margin_sets(draw: st.DrawFn) -> Margins:
    exposed, comparator = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    return Margins(exposed=exposed, comparator=comparator, cases=draw(st.integers(1, exposed + comparator - 1)))


@settings(deadline=None)
@given(margins=margin_sets())
def test_probabilities_equal_fractions(margins: Margins) -> None:
    truth = exact_probabilities(margins)
    mass = table_distribution(margins)(math.log(ODDS_RATIO))
    for count, probability in truth.items():
        assert mass.at(count) == pytest.approx(float(probability), rel=1e-11)
        assert mass.above(count) == pytest.approx(float(sum(p for c, p in truth.items() if c > count)), abs=1e-12)
        assert mass.below(count) == pytest.approx(float(sum(p for c, p in truth.items() if c < count)), abs=1e-12)
    assert mass.mean() == pytest.approx(float(sum(c * p for c, p in truth.items())), rel=1e-11)


@settings(deadline=None)
@given(strata=st.lists(margin_sets(), min_size=1, max_size=4))
def test_strata_add_up_as_independent_counts(strata: list[Margins]) -> None:
    truth = {0: Fraction(1)}
    for margins in strata:
        added: dict[int, Fraction] = {}
        for total, probability in truth.items():
            for count, share in exact_probabilities(margins).items():
                added[total + count] = added.get(total + count, Fraction(0)) + probability * share
        truth = added
    mass = strata_distribution(strata)(math.log(ODDS_RATIO))
    for count, probability in truth.items():
        assert mass.at(count) == pytest.approx(float(probability), rel=1e-10, abs=1e-300)


def test_counts_outside_the_support_have_no_probability() -> None:
    mass = table_distribution(Margins(exposed=3, comparator=4, cases=5))(0.0)
    assert (mass.at(0), mass.at(4), mass.below(1), mass.above(3)) == (0.0, 0.0, 0.0, 0.0)
    assert mass.above(0) == pytest.approx(1.0)


@pytest.mark.parametrize("log_odds_ratio", [-3.0, 0.0, 0.7, 5.0])
def test_margins_of_ten_million_keep_nine_digits(log_odds_ratio: float) -> None:
    margins = Margins(exposed=10_000_000, comparator=10_000_000, cases=9_000_000)
    mass = table_distribution(margins)(log_odds_ratio)
    peak = mass.first + int(mass.mass.argmax())
    assert float(mass.mass.sum()) == pytest.approx(1.0, rel=1e-12)
    assert mass.mass.size < 200_000
    # The ratio of neighbours is a fraction, whatever the size of the margins.
    for count in (peak - 2_000, peak, peak + 2_000):
        up = (margins.exposed - count) * (margins.cases - count)
        down = (count + 1) * (margins.comparator - margins.cases + count + 1)
        assert mass.at(count + 1) / mass.at(count) == pytest.approx(up / down * math.exp(log_odds_ratio), rel=1e-9)


def test_the_window_holds_all_the_mass_of_a_long_tail() -> None:
    margins = Margins(exposed=2_000, comparator=100_000, cases=3_000)
    mass = table_distribution(margins)(0.4)
    law = nchypergeom_fisher(102_000, 2_000, 3_000, math.exp(0.4))
    for count in (40, 60, 90, 130):
        assert mass.at(count) == pytest.approx(float(law.pmf(count)), rel=1e-6)


@pytest.mark.parametrize("log_odds_ratio", [-690.0, 690.0])
def test_an_odds_ratio_near_the_largest_double_does_not_overflow(log_odds_ratio: float) -> None:
    mass = table_distribution(Margins(exposed=50, comparator=60, cases=40))(log_odds_ratio)
    assert mass.at(0 if log_odds_ratio < 0 else 40) == pytest.approx(1.0)


@pytest.mark.parametrize("start", [-9.0, 0.0, 1.25, 40.0])
def test_a_root_is_found_from_either_side_and_from_itself(start: float) -> None:
    assert solve(lambda x: math.tanh(x - 1.25), start=start) == pytest.approx(1.25, abs=1e-12)
