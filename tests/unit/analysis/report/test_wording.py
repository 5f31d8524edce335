"""The format of numbers, and the words for what has no number."""

from __future__ import annotations

import pytest

from analysis.report import wording
from analysis.report.figures import at_risk
from analysis.report.people import standardised_difference
from analysis.report.wording import THIN


def row(**parts: object) -> dict[str, object]:
    return {
        "status": "ok",
        "reason": "",
        "value": None,
        "lower": None,
        "upper": None,
        "person_count": 31,
        "person_days": None,
        "confidence_level": 0.95,
    } | parts


@pytest.mark.parametrize(
    ("value", "style", "text"),
    [
        (0.112, "percent", "11.2"),
        (1.03, "rate", "1.03"),
        (12345.6, "rate", f"12{THIN}346"),
        (2.664, "ratio", "2.66"),
        (11.41, "ratio", "11.4"),
        (838.5, "ratio", "838"),
        (0.0266, "ratio", "0.027"),
        (8.77, "months", "8.8"),
        (0.0986, "months", "0.10"),
    ],
)
def test_a_number_has_the_digits_of_its_kind(value: float, style: wording.Style, text: str) -> None:
    assert wording.number(value, style) == text


def test_counts_are_in_groups_of_three_and_absent_ones_a_dash() -> None:
    assert wording.count(1234567) == f"1{THIN}234{THIN}567"
    assert wording.count(None) == wording.NONE


def test_limits_of_a_large_rate_have_no_more_decimals_than_the_rate() -> None:
    assert wording.limits(row(value=901.85, lower=109.22, upper=3257.9), "rate") == f"(109\N{EN DASH}3{THIN}258)"


def test_a_zero_names_persons_and_the_limit() -> None:
    zero = row(value=0.0, lower=0.0, upper=0.11219)
    assert wording.zero_sentence(zero, "percent") == f"no events in 31 persons; up to 11.2{THIN}% not excluded"
    assert "no events in 1 person;" in wording.zero_sentence(zero | {"person_count": 1}, "percent")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("not_estimable", "not estimable"),
        ("not_assessable", "not assessable"),
        ("suppressed", "withheld"),
        ("limit_only", "limit only"),
    ],
)
def test_a_status_other_than_ok_is_a_word(status: str, words: str) -> None:
    cell = wording.estimate_cell(row(status=status, reason="why", upper=3.0), "ratio")
    assert cell.text == words
    assert cell.note == ("" if status == "suppressed" else "why")
    assert not cell.is_number


def test_a_failed_gate_keeps_its_number_and_says_so() -> None:
    cell = wording.estimate_cell(
        row(status="gate_failed", reason="imbalance", value=2.0, lower=1.0, upper=4.0), "ratio"
    )
    assert (cell.text, cell.limits, cell.note) == ("2.00", "(1.00\N{EN DASH}4.00)", "set aside by a check: imbalance")


def test_a_short_median_is_given_in_days_too() -> None:
    assert wording.days_note(row(value=3 / 30.4375)) == "that is 3 days"
    assert wording.days_note(row(value=8.0)) == ""


def test_a_difference_that_rounds_to_zero_has_no_sign() -> None:
    assert [wording.signed(value) for value in (-0.001, -0.2, 0.2)] == ["0.00", "\N{MINUS SIGN}0.20", "0.20"]


def test_standardised_difference_by_hand() -> None:
    # (0.6 - 0.5) / sqrt((0.24 + 0.25) / 2)
    assert standardised_difference(0.6, 0.5) == pytest.approx(0.1 / 0.245**0.5)
    assert standardised_difference(1.0, 1.0) is None


def test_numbers_at_risk_are_those_just_before_the_next_time() -> None:
    rows: list[dict[str, object]] = [
        {"time_days": day, "at_risk_count": left} for day, left in ((0, 1), (29, 30), (40, 21))
    ]
    assert [at_risk(rows, day) for day in (0, 20, 29, 30, 41)] == ["30", "30", "30", "21", "0"]


def test_a_rare_share_keeps_its_digits_and_its_limits_have_as_many() -> None:
    rare = {"status": "ok", "reason": "", "value": 0.000886, "lower": 0.00062, "upper": 0.00123, "person_count": 39510}
    cell = wording.estimate_cell(rare, "rare_percent")
    assert (cell.text, cell.limits) == ("0.089", "(0.062\N{EN DASH}0.123)")
    assert wording.number(0.0139, "rare_percent") == "1.39"
    assert wording.number(0.36, "rare_percent") == "36.0"


def test_a_rate_by_dose_and_a_difference_of_shares_name_their_unit() -> None:
    zero = {"status": "ok", "reason": "", "value": 0.0, "lower": 0.0, "upper": 3.95, "person_count": 636}
    assert (
        wording.estimate_cell(zero, "dose_rate").note
        == "no events in 636 persons; up to 3.95 per 10,000 doses not excluded"
    )
    none = {"status": "ok", "reason": "", "value": 0.0, "lower": -0.05, "upper": 0.05, "person_count": None}
    cell = wording.estimate_cell(none, "points")
    assert (cell.text, cell.limits, cell.note) == ("0.00", "(\N{MINUS SIGN}5.00 to 5.00)", "")
