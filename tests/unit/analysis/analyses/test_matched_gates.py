"""Gates of matched sets: which verdict an odds ratio gets, and from which controls."""

from __future__ import annotations

import polars as pl

from analysis.analyses.gates import Diagnostic
from analysis.analyses.ladder import comparisons
from analysis.analyses.matched import ADJUSTED_METHOD, matched_odds_ratios
from analysis.analyses.matched_gates import gate_matched
from analysis.estimate.result import Estimate
from analysis.matching.control_sample import DESIGNS
from analysis.study.read import study_from
from analysis.study.spec import StudySpec
from tests.unit.analysis.analyses.test_matched import CONTRAST, _sets

NULL = {(1, 0): 20, (0, 1): 20, (2, 0): 20, (0, 2): 20}
HARMFUL = {(1, 0): 40, (0, 1): 20, (2, 0): 60, (0, 2): 12}


def _spec(**diagnostics: float) -> StudySpec:
    return study_from(
        {
            "study": {"id": "s", "title": "S"},
            "drugs": {"study": ["omalizumab", "dupilumab"]},
            "outcome": [{"id": CONTRAST.outcome, "terms": ["x"]}],
            "contrast": [CONTRAST.model_dump()],
            "diagnostics": diagnostics,
        },
        name="s.toml",
    )


def _gated(
    pairs: dict[tuple[int, int], int], controls: list[dict[tuple[int, int], int]], **diagnostics: float
) -> tuple[list[Estimate], list[Diagnostic]]:
    spec = _spec(**diagnostics)
    own = _sets(pairs)
    named = {f"nc{number}": _sets(found) for number, found in enumerate(controls)}
    sets = pl.concat([own, *(frame.with_columns(outcome_id=pl.lit(name)) for name, frame in named.items())])
    asked = comparisons(spec.contrast, tuple(DESIGNS))
    estimates = [
        estimate
        for each in asked
        for estimate in matched_odds_ratios(
            sets, each.contrast, levels=each.levels, rules=["primary"], confidence=0.95, small_cell=5, is_assessable=True
        )
    ]  # fmt: skip
    return gate_matched(estimates, sets, asked, spec, rules=["primary"], negative_controls=list(named))


def _statuses(estimates: list[Estimate], level: str, comparator: str = "0") -> set[str]:
    return {
        e.answer.status
        for e in estimates
        if e.question.estimand in ("odds_ratio", "e_value")
        and (e.question.level, e.question.comparator_id) == (level, comparator)
    }


def test_honest_controls_pass_and_biased_ones_set_aside_the_levels_that_they_speak_of() -> None:
    honest, rows = _gated(HARMFUL, [NULL] * 3)
    assert _statuses(honest, "1") == _statuses(honest, ">=2") == {"ok"}
    failed = {row.item for row in rows if row.status == "fail"}
    assert {item.split(";")[3] for item in failed} <= {"level=>=3"}  # nobody is there
    only_two = {(1, 0): 20, (0, 1): 20, (2, 0): 60, (0, 2): 15}
    biased, rows = _gated(HARMFUL, [only_two] * 3)
    assert _statuses(biased, "1") == {"ok"}
    assert _statuses(biased, ">=2") == _statuses(biased, "2") == _statuses(biased, "per level", "") == {"gate_failed"}
    failed = {row.item for row in rows if row.diagnostic == "negative_controls_off_null" and row.status == "fail"}
    assert "comparator_id=0;exposure_rule=primary;ladder=toruner;level=>=2" in failed
    assert "comparator_id=0;exposure_rule=primary;ladder=toruner;level=1" not in failed


def test_enough_controls_calibrate_the_adjusted_ratio() -> None:
    found, _ = _gated(HARMFUL, [HARMFUL] * 4, controls_to_calibrate=4)
    ratios = {
        e.answer.method: e.answer
        for e in found
        if e.question.level == ">=2" and e.question.comparator_id == "0" and e.question.estimand == "odds_ratio"
    }
    own, calibrated = ratios[ADJUSTED_METHOD], ratios[f"{ADJUSTED_METHOD}_calibrated"]
    assert own.value is not None and own.value > 3
    assert calibrated.value is not None and abs(calibrated.value - 1) < 1e-6
    assert calibrated.status == "gate_failed" and "4 negative controls" in calibrated.reason


def test_a_level_that_could_show_nothing_is_set_aside_and_its_ratio_is_told() -> None:
    found, rows = _gated({(1, 0): 20, (0, 1): 20, (2, 0): 2, (0, 2): 1}, [])
    detectable = {
        (e.question.level, e.question.comparator_id): e.answer
        for e in found
        if e.question.estimand == "minimal_detectable_ratio"
    }
    assert detectable["1", "0"].value is not None and detectable["1", "0"].value < 10
    row = next(
        r
        for r in rows
        if r.diagnostic == "minimal_detectable_ratio" and "level=>=2" in r.item and "comparator_id=0" in r.item
    )
    assert row.status == "fail"
    assert _statuses(found, "1") == {"ok"}
    assert "gate_failed" in _statuses(found, ">=2")
    controls = [r for r in rows if r.diagnostic == "negative_controls_off_null"]
    assert {r.status for r in controls} == {"not_assessable"}


def test_a_replica_is_judged_by_its_size_alone() -> None:
    spec = _spec()
    replica = CONTRAST.model_copy(update={"id": "replica", "estimator": "toruner_replica_odds_ratio"})
    sets = pl.concat(
        [
            _sets(HARMFUL).with_columns(design=pl.lit("toruner_replica")),
            _sets(HARMFUL).with_columns(outcome_id=pl.lit("nc")),
        ]
    )
    asked = comparisons([replica], tuple(DESIGNS))
    estimates = matched_odds_ratios(
        sets, replica, levels=asked[0].levels, rules=["primary"], confidence=0.95, small_cell=5, is_assessable=True
    )
    found, rows = gate_matched(estimates, sets, asked, spec, rules=["primary"], negative_controls=["nc"])
    assert _statuses(found, ">=2") == {"ok"}
    assert {row.diagnostic for row in rows} == {"minimal_detectable_ratio"}
