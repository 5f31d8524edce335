"""Odds ratio of an outcome from the day on which a second study drug is added, against going on with the first alone.

Owns follow-up in periods and the estimates, each with its gates. How the groups are made comparable is in `time_zero_groups.py`.
Source: D'Agostino 1990, Stat Med 9:1501 (pooled logistic regression); definitions of time zero and follow-up: `cohort.comparison_time`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import polars as pl

from analysis.analyses import NO_RECORDS
from analysis.analyses.gates import Diagnostic, NegativeControls, gated, judge_detectable, judge_negative_controls
from analysis.analyses.time_zero_groups import ANALYSIS, CRUDE, MATCHED, OVERLAP, Groups, groups_of_rule
from analysis.analyses.time_zero_periods import in_periods
from analysis.analyses.time_zero_recurrent import mean_counts, recurrent_ratios, recurrent_rows_of
from analysis.analyses.time_zero_survival import DIFFERENCE, hazard_answer, incidence_answers, weighted_incidence
from analysis.estimate.adjusted import adjusted_odds_ratio
from analysis.estimate.e_value import e_value
from analysis.estimate.empirical_calibration import calibrated
from analysis.estimate.incidence import incidence_rate_per_100py
from analysis.estimate.logistic import logistic
from analysis.estimate.power import minimal_detectable_rate_ratio
from analysis.estimate.result import Answer, Estimate, Question, not_assessable, not_estimable
from analysis.estimate.two_by_two import TwoByTwo, odds_ratio
from analysis.study.spec import StudySpec

POPULATIONS = ("as_treated", "carried_forward")
METHODS = {
    CRUDE: "pooled_logistic_robust", OVERLAP: "pooled_logistic_overlap_robust", MATCHED: "pooled_logistic_matched_robust",
}  # fmt: skip
GROUPS = {1: "combination", 0: "one_drug"}


def time_zero_comparison(
    comparison: pl.DataFrame,
    time: pl.DataFrame,
    spec: StudySpec,
    *,
    rules: Sequence[str],
    negative_controls: Sequence[str],
    assessable: Collection[str],
    recurrence: tuple[pl.DataFrame, Mapping[str, int]] | None = None,
    has_deaths: bool = True,
) -> tuple[list[Estimate], list[Diagnostic]]:
    """Combination against one drug for every outcome that the study asks for, with its diagnostics.

    comparison: `cohort.comparison`; time: `cohort.comparison_time`; recurrence: `cohort.comparison_record` and the days within which
    a record of each outcome that can recur is the same event; of others only first events count. assessable: outcomes that
    the source could hold.
    Crude, overlap-weighted and matched; pooled logistic regression over periods with the time since time zero in three bands, limits
    robust to persons who serve in several sets, and hazard ratios beside. Then the rates, probabilities by a day with their
    difference, events that recur, the minimal detectable ratio, the E-value and, with enough negative controls, the
    calibrated ratio. The negative controls are followed under the first rule, and what they say holds for the others. An
    estimate that fails a gate has status `gate_failed` and keeps its numbers. Weights are taken as known, which makes limits of
    weighted estimates a little too wide. Misleads when severity that the covariates do not hold decides on the second drug.
    """
    wanted = [c.outcome for c in spec.contrast if c.estimator == ANALYSIS]
    if not wanted:
        return [], []
    estimates: list[Estimate] = []
    diagnostics: list[Diagnostic] = []
    controls: dict[tuple[str, str], NegativeControls] = {}
    for rule in rules:
        groups = groups_of_rule(
            comparison.filter(pl.col("exposure_rule") == rule), rule, spec.comparison, spec.diagnostics
        )
        diagnostics += groups.diagnostics
        estimates += _counts(groups, rule)
        for population in POPULATIONS:
            followed = time.filter((pl.col("exposure_rule") == rule) & (pl.col("population") == population))
            asked = _Asked(rule, population, spec, groups, followed, has_deaths=has_deaths, recurrence=recurrence)
            if rule == rules[0]:
                ratios = {name: {way: asked.answer(name, way) for way in METHODS} for name in negative_controls}
                for way in METHODS:
                    answers = {name: by_way[way] for name, by_way in ratios.items()}
                    found = judge_negative_controls(
                        answers, spec.diagnostics, analysis=ANALYSIS,
                        parts={"exposure_rule": rule, "method": way, "population": population},
                    )  # fmt: skip
                    controls[population, way] = found
                    diagnostics += found.diagnostics
                    estimates += [
                        Estimate(asked.question(name), answer) for name, answer in answers.items() if way != CRUDE
                    ]
            for outcome in dict.fromkeys(wanted):
                if outcome in assessable:
                    told, judged = asked.outcome(outcome, {way: controls[population, way] for way in METHODS})
                    estimates += told
                    diagnostics += judged
                else:
                    estimates.append(Estimate(asked.question(outcome), not_assessable(METHODS[OVERLAP], NO_RECORDS)))
    return estimates, diagnostics


def _counts(groups: Groups, rule: str) -> list[Estimate]:
    """Persons who add a drug, and those of them who have a comparator."""
    base = Question(analysis=ANALYSIS, estimand="count", exposure_rule=rule, population="time_zero")
    told = {"added a drug": groups.added_count, "added a drug and have a comparator": groups.compared_count}
    return [
        Estimate(replace(base, level=level), Answer(method="count", value=float(count), person_count=count))
        for level, count in told.items()
    ]


class _Asked:
    """One exposure rule and population: its members with follow-up, and the answers they give."""

    def __init__(
        self,
        rule: str,
        population: str,
        spec: StudySpec,
        groups: Groups,
        followed: pl.DataFrame,
        *,
        has_deaths: bool,
        recurrence: tuple[pl.DataFrame, Mapping[str, int]] | None = None,
    ) -> None:
        self.rule, self.population, self.spec, self.groups = rule, population, spec, groups
        self.has_deaths = has_deaths
        self.recurrence = recurrence
        self.followed = followed.drop("is_combination", "person_id").join(
            groups.members, on=["set_number", "member_number"], how="inner", maintain_order="left"
        )
        self._periods: dict[str, pl.DataFrame] = {}

    def periods(self, outcome: str) -> pl.DataFrame:
        """Follow-up of one outcome in periods."""
        if outcome not in self._periods:
            held = self.followed.filter(pl.col("outcome_id") == outcome)
            self._periods = {outcome: in_periods(held, period_days=self.spec.analysis.period_days)}
        return self._periods[outcome]

    def question(self, outcome: str) -> Question:
        return Question(
            analysis=ANALYSIS, estimand="odds_ratio", exposure_rule=self.rule, population=self.population, regimen_id="all",
            comparator_id="one_drug", outcome_id=outcome, level="combination",
        )  # fmt: skip

    def answer(self, outcome: str, way: str) -> Answer:
        """The odds ratio of one outcome in one way."""
        method = METHODS[way]
        if self.groups.reasons[way]:
            return not_estimable(method, self.groups.reasons[way])
        held = self.followed.filter((pl.col("outcome_id") == outcome) & (pl.col(way) > 0.0))
        persons, events = held["person_id"].n_unique(), int(held["event_count"].sum())
        empty = [name for group, name in GROUPS.items() if not (held["is_combination"] == group).any()]
        if empty:
            return not_estimable(method, f"nobody followed: {empty[0].replace('_', ' ')}", event_count=events)
        rows = self.periods(outcome).filter(pl.col(way) > 0.0)
        fit = logistic(
            rows.with_columns(weight=pl.col(way)),
            covariates=("combination", *(name for name in rows.columns if name.startswith("from_day"))),
            confidence=self.spec.analysis.confidence_level,
            cluster="person_id",
            frequency="period_count",
            weight="weight",
        )
        answer = adjusted_odds_ratio(fit, "combination", limits="robust")
        return self._said(replace(answer, method=method, person_count=persons, event_count=events), way)

    def _said(self, answer: Answer, way: str) -> Answer:
        """The answer, which says what of the score is not known where it rests on the score."""
        unknown = [f"{name.replace('_', ' ')} not known" for name in self.groups.unknown] if way != CRUDE else []
        if answer.status not in ("ok", "limit_only"):
            return answer
        return replace(answer, reason="; ".join(reason for reason in (answer.reason, *unknown) if reason))

    def outcome(self, outcome: str, controls: dict[str, NegativeControls]) -> tuple[list[Estimate], list[Diagnostic]]:
        """Every estimate of one outcome, gated, and its minimal detectable ratio."""
        settings, confidence = self.spec.diagnostics, self.spec.analysis.confidence_level
        rates = self._rates(outcome)
        detectable = minimal_detectable_rate_ratio(
            rates["one_drug"].event_count or 0,
            exposed_person_days=rates["combination"].person_days or 0,
            comparator_person_days=rates["one_drug"].person_days or 0,
            confidence=confidence,
            power=settings.power,
        )
        row, too_few = judge_detectable(
            detectable, settings, analysis=ANALYSIS,
            parts={"exposure_rule": self.rule, "outcome_id": outcome, "population": self.population},
        )  # fmt: skip
        question = self.question(outcome)
        estimates = [
            Estimate(replace(question, estimand="incidence_rate_per_100py", comparator_id="", level=group), answer)
            for group, answer in rates.items()
        ]
        estimates.append(Estimate(replace(question, estimand="minimal_detectable_ratio"), detectable))
        followed = self.followed.filter(pl.col("outcome_id") == outcome)
        estimates += [
            Estimate(_by_day(question, group, day), answer)
            for group, day, answer in incidence_answers(
                followed,
                GROUPS,
                days=self.spec.analysis.persistence_days,
                confidence=confidence,
                has_deaths=self.has_deaths,
            )
        ]
        weighted = weighted_incidence(
            followed,
            self.groups,
            GROUPS,
            days=self.spec.analysis.persistence_days,
            confidence=confidence,
            has_deaths=self.has_deaths,
        )
        failures = {way: [*self.groups.failures[way], controls[way].failure, too_few] for way in METHODS}
        estimates += [
            gated(Estimate(_by_day(question, level, day), self._said(answer, OVERLAP)), failures[OVERLAP])
            for level, day, answer in weighted
        ]
        estimates += self._recurrent(outcome, followed, failures)
        for way, method in METHODS.items():
            answers = [self.answer(outcome, way)]
            error = controls[way].error
            if error is not None and way != CRUDE:
                adjusted = calibrated(answers[0], error, confidence=confidence)
                answers.append(self._said(replace(adjusted, method=f"{method}_calibrated"), way))
            if way == CRUDE and (exact := self._exact(outcome)) is not None:
                answers.append(exact)
            estimates += [gated(Estimate(question, answer), failures[way]) for answer in answers]
            ratio = Estimate(
                replace(question, estimand="hazard_ratio"),
                self._said(hazard_answer(followed, self.groups, way, confidence=confidence), way),
            )
            estimates.append(gated(ratio, failures[way]))
            if way == OVERLAP:
                strength = e_value(answers[0], scale="risk_ratio")
                estimates.append(gated(Estimate(replace(question, estimand="e_value"), strength), failures[way]))
        return estimates, [row]

    def _recurrent(self, outcome: str, followed: pl.DataFrame, failures: dict[str, list[str]]) -> list[Estimate]:
        """Later events too, under the rule whose records were given."""
        if self.recurrence is None or outcome not in self.recurrence[1]:
            return []
        all_records, gap_days = self.recurrence
        records = all_records.filter((pl.col("outcome_id") == outcome) & (pl.col("exposure_rule") == self.rule))
        rows = recurrent_rows_of(followed, records, gap_days=gap_days[outcome])
        settings, question = self.spec.analysis, self.question(outcome)
        counts = mean_counts(
            followed,
            rows,
            GROUPS,
            days=settings.persistence_days,
            confidence=settings.confidence_level,
            has_deaths=self.has_deaths,
        )
        return [
            Estimate(replace(_by_day(question, group, day), estimand="mean_cumulative_count"), answer)
            for group, day, answer in counts
        ] + [
            gated(Estimate(replace(question, estimand="hazard_ratio"), self._said(answer, way)), failures[way])
            for way, answer in recurrent_ratios(rows, self.groups, confidence=settings.confidence_level)
        ]

    def _rates(self, outcome: str) -> dict[str, Answer]:
        held = self.followed.filter(pl.col("outcome_id") == outcome)
        rates = {}
        for group, name in GROUPS.items():
            part = held.filter(pl.col("is_combination") == group)
            rates[name] = incidence_rate_per_100py(
                int(part["event_count"].sum()),
                int((part["stop_day"] - part["start_day"]).sum()),
                person_count=part["person_id"].n_unique(),
                confidence=self.spec.analysis.confidence_level,
            )
        return rates

    def _exact(self, outcome: str) -> Answer | None:
        """The exact odds ratio over periods, where a cell is small; persons who serve twice count twice."""
        held = self.followed.filter(pl.col("outcome_id") == outcome)
        if not held.height:
            return None
        rows = self.periods(outcome)
        cells = {
            (row["combination"], row["event"]): row["period_count"]
            for row in rows.group_by("combination", "event").agg(pl.col("period_count").sum()).iter_rows(named=True)
        }
        table = TwoByTwo(
            exposed_cases=cells.get((1.0, 1), 0), exposed_noncases=cells.get((1.0, 0), 0),
            comparator_cases=cells.get((0.0, 1), 0), comparator_noncases=cells.get((0.0, 0), 0),
        )  # fmt: skip
        small = self.spec.analysis.small_cell
        if min(table.exposed_cases, table.exposed_noncases, table.comparator_cases, table.comparator_noncases) >= small:
            return None
        answer = odds_ratio(table, method="exact_conditional", confidence=self.spec.analysis.confidence_level)
        return replace(answer, method="pooled_periods_exact_conditional")


def _by_day(question: Question, level: str, day: int) -> Question:
    """The probability of the outcome by a day, of a group or as the difference of both."""
    is_difference = level == DIFFERENCE
    return replace(
        question,
        estimand="risk_difference" if is_difference else "cumulative_incidence",
        comparator_id=question.comparator_id if is_difference else "",
        level="combination" if is_difference else level,
        time_days=day,
    )
