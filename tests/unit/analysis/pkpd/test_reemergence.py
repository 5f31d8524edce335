"""The return of symptoms, by hand."""

from __future__ import annotations

import polars as pl
import pytest

from analysis.pkpd.courses import collected, courses, daily
from analysis.pkpd.effect import effect_days
from analysis.pkpd.parameters import ParameterSet
from analysis.pkpd.quantities import PkpdError
from analysis.pkpd.reemergence import observed_return, predicted_return

STOPS = pl.DataFrame({"person_id": ["a"], "last_dose_day": [100], "until_day": [200]})
RULE = {"share": 0.5, "treated_days": 56}


def _effects(after: list[float]) -> pl.DataFrame:
    values = [1.0] + [0.2] * 100 + after
    return pl.DataFrame({"person_id": "a", "day": range(len(values)), "effect": values})


def test_the_predicted_day_is_the_first_with_half_of_the_gain_lost() -> None:
    """From 1.0 to 0.2: half is lost at 0.6."""
    found = predicted_return(_effects([0.2, 0.59, 0.6, 0.9, 0.9]), STOPS, **RULE)  # type: ignore[arg-type]
    assert found.rows() == [("a", 100, 200, 3, "reached", "")]


def test_what_does_not_return_is_censored_and_what_gained_nothing_is_not_assessable() -> None:
    late = predicted_return(_effects([0.3] * 100 + [0.9] * 5), STOPS, **RULE)  # type: ignore[arg-type]
    assert late.rows() == [("a", 100, 200, None, "not_reached", "not back before the end of follow-up")]
    idle = _effects([0.2, 0.9]).with_columns(effect=pl.lit(0.2))
    assert predicted_return(idle, STOPS, **RULE)["reason"].to_list() == [  # type: ignore[arg-type]
        "treatment had gained nothing that could be lost"
    ]
    nobody = predicted_return(_effects([0.2]).with_columns(person_id=pl.lit("b")), STOPS, **RULE)  # type: ignore[arg-type]
    assert nobody["reason"].to_list() == ["nothing known before treatment"]
    for rule in ({"share": 0.0, "treated_days": 56}, {"share": 0.5, "treated_days": 0}):
        with pytest.raises(PkpdError, match="a return needs"):
            predicted_return(idle, STOPS, **rule)  # type: ignore[arg-type]


def _records(*scores: tuple[int, float]) -> pl.DataFrame:
    return pl.DataFrame(
        [("a", day, score) for day, score in scores], schema=["person_id", "day", "score"], orient="row"
    )


BEFORE = ((-10, 20.0), (0, 22.0), (60, 5.0), (90, 7.0))  # before 21, on treatment 6: half is lost at 13.5


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (((110, 8.0), (120, 14.0), (127, 15.0)), (20, 10, "reached")),
        (((110, 8.0), (120, 14.0), (126, 15.0)), (None, None, "not_reached")),  # six days are not a week
        (((110, 14.0), (120, 8.0), (130, 13.5), (140, 13.5)), (30, 20, "reached")),  # the first does not last
        (((110, 13.4), (120, 13.4)), (None, None, "not_reached")),
        (((104, 14.0), (112, 14.0)), (4, 0, "reached")),
        (((195, 14.0), (202, 14.0)), (None, None, "not_reached")),  # the second is after follow-up
    ],
)
def test_the_observed_day_is_the_first_of_a_week_of_records(
    after: tuple[tuple[int, float], ...], expected: tuple[object, ...]
) -> None:
    for sign, higher_is_better in ((1.0, False), (-1.0, True)):
        records = _records(*((day, sign * score) for day, score in (*BEFORE, *after)))
        found = observed_return(
            records, STOPS, **RULE, smallest_important_difference=3.0, higher_is_better=higher_is_better  # type: ignore[arg-type]
        )  # fmt: skip
        assert found.select("days_after_last_dose", "days_after_before", "status").row(0) == expected


def test_an_unimportant_gain_or_missing_records_are_not_assessable() -> None:
    def reason(records: pl.DataFrame, important: float) -> str:
        found = observed_return(
            records, STOPS, **RULE, smallest_important_difference=important, higher_is_better=False  # type: ignore[arg-type]
        )  # fmt: skip
        assert found["status"].to_list() == ["not_assessable"]
        assert found["days_after_last_dose"].to_list() == [None]
        return str(found["reason"][0])

    after = ((120, 20.0), (130, 20.0))
    assert reason(_records(*BEFORE, *after), 15.1) == "treatment had gained nothing that could be lost"
    assert reason(_records(*BEFORE[2:], *after), 1.0) == "nothing known before treatment"
    assert reason(_records(*BEFORE[:2], (20, 5.0), *after), 1.0) == "nothing known in the last treated days"
    with pytest.raises(PkpdError, match="smallest important difference cannot be"):
        reason(_records(*BEFORE), -1.0)


def test_modelled_symptoms_return_after_free_ige_and_later_the_longer_the_half_time(lowe: ParameterSet) -> None:
    person = pl.DataFrame(
        {"person_id": ["a"], "weight_kg": [75.0], "baseline_ige_iu_per_ml": [150.0], "until_day": [308]}
    )
    doses = pl.DataFrame({"person_id": "a", "day": range(0, 169, 28), "dose_mg": 300.0})
    (days,) = collected(courses(person, doses, lowe, anchor="clearance"), daily)
    stops = pl.DataFrame({"person_id": ["a"], "last_dose_day": [168], "until_day": [308]})
    returned = []
    for half_time in (0.01, 21.0, 42.0):
        effects = effect_days(days, ic50_ng_per_ml=50.0, hill=4.0, onset_days=half_time, offset_days=half_time)
        assert effects.height == days.height
        assert effects["effect"].is_between(0.0, 1.0).all()
        returned.append(predicted_return(effects, stops, **RULE)["days_after_last_dose"][0])  # type: ignore[arg-type]
    first_above = days.filter((pl.col("day") > 168) & (pl.col("free_ige_ng_per_ml") >= 50.0))["day"].min()
    assert returned[0] == pytest.approx(first_above - 168, abs=1)  # type: ignore[operator]
    assert returned[0] < returned[1] < returned[2]
