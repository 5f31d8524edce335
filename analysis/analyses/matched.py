"""Odds ratios of an outcome by ladder level from matched sets inside the cohort.

Controls are drawn from those at risk on the event date of their case, so that the odds ratio is the rate ratio of persons equal in
sex, indication, age, calendar time and time since entry, and nobody's later treatment is known before it happens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.analyses.ladder import LEVELS, SECOND_STEP
from analysis.estimate.adjusted import adjusted_odds_ratio
from analysis.estimate.conditional_logistic import conditional_logistic, firth_conditional_logistic
from analysis.estimate.e_value import e_value
from analysis.estimate.result import Answer, Estimate, EstimationError, Question, not_assessable
from analysis.estimate.two_by_two import TwoByTwo, odds_ratio
from analysis.matching.control_sample import DESIGNS
from analysis.study.spec import Contrast

ANALYSIS = "matched_odds_ratio"
METHOD = "conditional_logistic_profile"
ADJUSTED_METHOD = "conditional_logistic_adjusted_profile"
ADJUSTED_FOR = ("age_years", "charlson_score", "hospital_days", "has_prior_event")
TREND = "per level"
ALONE = "cases without a control"
RUNGS = {"toruner": "toruner_count", "broad": "broad_count", "study_drugs": "risk_drug_count"}
SCALES: tuple[Mapping[int, str], ...] = ({0: "0", 1: "1", 2: ">=2"}, {0: "0", 1: "1", 2: "2", 3: ">=3"})
NEEDS = {"charlson_score": "diagnoses", "hospital_days": "visits"}


def with_covariates(sets: pl.DataFrame, basis: pl.DataFrame, baseline: pl.DataFrame) -> pl.DataFrame:
    """`cohort.matched_set` with the covariates that adjusted estimates use, as Float64.

    basis: `cohort.match_basis`. baseline: `cohort.baseline_covariate`. Age is that of the index date, the others are of the
    look-back before entry. A covariate whose table the source lacks is null for all; adjusted estimates then
    do without it and say so. Raises EstimationError for a person without a row in both, and for one whose covariate alone is missing.
    """
    key = ["exposure_rule", "person_id"]
    at_entry = baseline.rename({"baseline_date": "entry_date"})
    joined = sets.join(basis.select(*key, "birth_date", "entry_date"), on=key, how="left").join(
        at_entry, on=[*key, "entry_date"], how="left"
    )
    found = joined.with_columns(
        age_years=(pl.col("index_date") - pl.col("birth_date")).dt.total_days() / 365.25,
        charlson_score=pl.col("charlson_score").cast(pl.Float64),
        hospital_days=pl.col("hospital_days").cast(pl.Float64),
        has_prior_event=(pl.col("prior_event_count") > 0).cast(pl.Float64),
    )
    missing = found.select(ADJUSTED_FOR).null_count().row(0)
    if (
        found.height != sets.height
        or any(0 < count < found.height for count in missing)
        or found["age_years"].null_count()
    ):
        raise EstimationError("a person of a matched set has no covariates")
    return found


def matched_odds_ratios(
    sets: pl.DataFrame,
    contrast: Contrast,
    *,
    rules: Sequence[str],
    confidence: float,
    small_cell: int,
    is_assessable: bool,
    levels: Sequence[str] = LEVELS,
) -> list[Estimate]:
    """Each ladder level against the comparator level, and the odds ratio for one level more, for every exposure rule.

    sets: `cohort.matched_set` with covariates; a rule without a set has answers too. Levels 0, 1, >= 2 are one model, 0, 1,
    2, >= 3 another; of the second only what the first lacks is told. levels: `SECOND_STEP` tells >= 2 against the comparator
    level alone, from the first model, without the counts of sets that the whole ladder tells.
    Conditional logistic regression with profile limits;
    beside it the same adjusted for `ADJUSTED_FOR`, the crude odds ratio that ignores the sets, and Firth's where a level has
    fewer than `small_cell` cases or controls;
    sets without a control are left out. `event_count` and `person_count` are those at the two levels compared. Persons
    who serve in several sets are treated as independent, as is usual in sets drawn at random. Misleads when level and
    outcome share a cause that is neither matched on nor adjusted for (severity, steroids for early symptoms): the E-value
    of the adjusted ratio says how strong that cause would have to be.
    """
    design = DESIGNS[contrast.estimator]
    chosen = sets.filter((pl.col("outcome_id") == contrast.outcome) & (pl.col("design") == design))
    members = chosen.with_columns(rung=pl.col(RUNGS[contrast.ladder]))
    estimates = []
    for rule in rules:
        held = members.filter(pl.col("exposure_rule") == rule)
        is_step = tuple(levels) == SECOND_STEP
        answers = _answers(
            with_a_control(held), contrast, confidence, small_cell, is_assessable=is_assessable, is_step=is_step
        )
        estimates += [Estimate(_question(contrast, rule, design, level), answer) for level, answer in answers]
        estimates += [
            Estimate(
                replace(_question(contrast, rule, design, level), estimand="e_value"),
                _e_value(answer),
            )
            for level, answer in answers
            if answer.method == ADJUSTED_METHOD
        ]
        for level, (count, persons) in _counts(held).items() if is_assessable and not is_step else ():
            question = replace(_question(contrast, rule, design, level), estimand="count", comparator_id="")
            estimates.append(Estimate(question, Answer(method="count", value=float(count), person_count=persons)))
    return estimates


def with_a_control(sets: pl.DataFrame) -> pl.DataFrame:
    """The sets that have a control.

    A case without one says nothing of a matched odds ratio. In a ratio that ignores the sets it would stand for people of whom there are
    no controls, which moves that ratio where nothing acts.
    """
    key = ["exposure_rule", "outcome_id", "design", "set_number"]
    return sets.filter(pl.len().over(key) > 1)


def _e_value(ratio: Answer) -> Answer:
    if ratio.status == "not_assessable":
        return not_assessable("e_value_risk_ratio", ratio.reason)
    return e_value(ratio, scale="risk_ratio")


def _counts(members: pl.DataFrame) -> dict[str, tuple[int, int]]:
    """Cases, those of them for whom nobody could serve as a control, and controls; each with its persons.

    A person may serve as a control in several sets, so that there are fewer persons than controls.
    """
    cases = int(members["is_case"].sum())
    alone = members.group_by("set_number").len().filter(pl.col("len") == 1).height
    serving = members.filter(~pl.col("is_case"))["person_id"].n_unique()
    return {"cases": (cases, cases), ALONE: (alone, alone), "controls": (members.height - cases, serving)}


def _question(contrast: Contrast, rule: str, design: str, level: str) -> Question:
    return Question(
        analysis=ANALYSIS, estimand="odds_ratio", exposure_rule=rule, population=design,
        comparator_id="" if level == TREND else contrast.comparator_level, outcome_id=contrast.outcome,
        stratum=f"ladder={contrast.ladder}", level=level,
    )  # fmt: skip


def _answers(
    members: pl.DataFrame,
    contrast: Contrast,
    confidence: float,
    small_cell: int,
    *,
    is_assessable: bool,
    is_step: bool,
) -> list[tuple[str, Answer]]:
    if not is_assessable:
        return [
            (level, not_assessable(METHOD, NO_RECORDS))
            for level in (SECOND_STEP if is_step else SCALES[0].values())
            if level != contrast.comparator_level
        ]
    if is_step:
        first = at_levels(members, SCALES[0], contrast.comparator_level, confidence, small_cell)
        return [(level, answer) for level in SECOND_STEP for answer in first[level]]
    found: dict[str, list[Answer]] = {}
    for scale in SCALES:
        for level, answers in at_levels(members, scale, contrast.comparator_level, confidence, small_cell).items():
            found.setdefault(level, answers)
    found[TREND] = [_trend(members, confidence)]
    return [(level, answer) for level, answers in found.items() for answer in answers]


def at_levels(
    members: pl.DataFrame, scale: Mapping[int, str], comparator: str, confidence: float, small_cell: int
) -> dict[str, list[Answer]]:
    """Matched, adjusted, crude and, where a cell is small, penalised odds ratio of each level of a scale.

    members: matched sets of one outcome, design and rule with covariates and `rung` (number of classes or drugs).
    """
    levelled, names = _levelled(members, scale, comparator)
    frame = set_frame(levelled, {name: pl.col("level") == level for level, name in names.items()})
    fit = conditional_logistic(frame, covariates=list(names.values()), confidence=confidence)
    absent = _absent(members)
    known = [name for name in ADJUSTED_FOR if name not in absent]
    with_others = frame.with_columns(levelled.select(known))
    adjusted = conditional_logistic(with_others, covariates=[*names.values(), *known], confidence=confidence)
    cells = {
        (row["level"], row["is_case"]): row["len"]
        for row in levelled.group_by("level", "is_case").len().iter_rows(named=True)
    }
    found = {}
    for level, name in names.items():
        table = TwoByTwo(
            exposed_cases=cells.get((level, True), 0),
            exposed_noncases=cells.get((level, False), 0),
            comparator_cases=cells.get((comparator, True), 0),
            comparator_noncases=cells.get((comparator, False), 0),
        )
        answers = [
            adjusted_odds_ratio(fit, name, limits="profile"),
            _adjusted(adjusted_odds_ratio(adjusted, name, limits="profile"), absent),
            _crude(table, confidence),
        ]
        if min(cells.get((rung, is_case), 0) for rung in (level, comparator) for is_case in (True, False)) < small_cell:
            penalised = firth_conditional_logistic(frame, covariates=list(names.values()), confidence=confidence)
            answers.append(adjusted_odds_ratio(penalised, name, limits="profile"))
        found[level] = [with_counts(answer, levelled, (level, comparator)) for answer in answers]
    return found


def adjusted_at_levels(
    members: pl.DataFrame, comparator: str, levels: Sequence[str], confidence: float
) -> dict[str, Answer]:
    """The adjusted odds ratio of some levels of 0, 1, >= 2, or the matched one where no covariate is known.

    members: as for `at_levels`. What negative controls need, and no more.
    """
    levelled, names = _levelled(members, SCALES[0], comparator)
    absent = _absent(members)
    known = [name for name in ADJUSTED_FOR if name not in absent] if len(absent) < len(NEEDS) else []
    frame = set_frame(levelled, {name: pl.col("level") == level for level, name in names.items()})
    fit = conditional_logistic(
        frame.with_columns(levelled.select(known)), covariates=[*names.values(), *known], confidence=confidence
    )
    return {
        level: with_counts(adjusted_odds_ratio(fit, names[level], limits="profile"), levelled, (level, comparator))
        for level in levels
    }


def _levelled(members: pl.DataFrame, scale: Mapping[int, str], comparator: str) -> tuple[pl.DataFrame, dict[str, str]]:
    """Members with their `level`, and the other levels as reasons name them."""
    levelled = members.with_columns(
        level=pl.col("rung").clip(upper_bound=max(scale)).replace_strict(scale, return_dtype=pl.String)
    )
    return levelled, {level: f"level {level}" for level in scale.values() if level != comparator}


def _absent(members: pl.DataFrame) -> list[str]:
    """Covariates that the source cannot tell."""
    return [name for name in NEEDS if members.height and members[name].null_count()]


def _adjusted(answer: Answer, absent: Sequence[str]) -> Answer:
    """The adjusted answer, which says what it is not adjusted for; without any baseline it is no adjusted answer at all."""
    missing = [f"{name.replace('_', ' ')} (the source has no {NEEDS[name]})" for name in absent]
    if len(absent) == len(NEEDS):
        return not_assessable(ADJUSTED_METHOD, f"not known: {' and '.join(missing)}")
    reasons = [answer.reason, *(f"not adjusted for {each}" for each in missing)]
    return replace(answer, method=ADJUSTED_METHOD, reason="; ".join(reason for reason in reasons if reason))


def _crude(table: TwoByTwo, confidence: float) -> Answer:
    answer = odds_ratio(table, method="woolf", confidence=confidence)
    return replace(answer, method=f"crude_{answer.method}")


def _trend(members: pl.DataFrame, confidence: float) -> Answer:
    frame = set_frame(members, {TREND: pl.col("rung").clip(upper_bound=3)})
    fit = conditional_logistic(frame, covariates=[TREND], confidence=confidence)
    answer = adjusted_odds_ratio(fit, TREND, limits="profile")
    return replace(answer, person_count=members["person_id"].n_unique(), event_count=int(members["is_case"].sum()))


def set_frame(members: pl.DataFrame, covariates: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """Members of sets as conditional regressions read them: `set_id`, `event` and the covariates as numbers."""
    return members.select(
        set_id="set_number",
        event=pl.col("is_case").cast(pl.Float64),
        **{name: value.cast(pl.Float64) for name, value in covariates.items()},
    )


def with_counts(answer: Answer, members: pl.DataFrame, levels: Sequence[str]) -> Answer:
    """The answer with the persons and cases of the levels that it compares (column `level`)."""
    compared = members.filter(pl.col("level").is_in(list(levels)))
    return replace(answer, person_count=compared["person_id"].n_unique(), event_count=int(compared["is_case"].sum()))
