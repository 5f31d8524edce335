"""The sentences of the report, filled from estimates and settings: what was seen, data quality, methods and limitations.

Owns the words of a safety board's first page and the standing limitations with the condition that brings each in. Draws no
conclusion: it says what was seen with its limits, and never that something is harmless or a cause.
"""

from __future__ import annotations

from dataclasses import dataclass

from analysis.report import endings, outcomes, wording
from analysis.report.view import Row, View, as_int, total
from analysis.report.wording import THIN, count

FEW_PERSONS = 50
MANY_UNKNOWN = 0.2


@dataclass(frozen=True, slots=True)
class Gate:
    """Data quality in one line: the worst that happened, in a word and in a sentence."""

    grade: str
    word: str
    sentence: str


def combined_persons(view: View) -> Row | None:
    """The Kaplan-Meier median of first combinations, with the persons behind it."""
    return view.estimate(
        analysis="persistence", estimand="median_duration_months", regimen_id="all", population="first_episode",
        method="kaplan_meier_log_log",
    )  # fmt: skip


def headline(view: View) -> dict[str, str]:
    """Persons and person-years of the title block."""
    rows = view.rows("summary.exposure_time", exposure_rule=view.rule, population="observed")
    together = [row for row in rows if "+" in str(row["regimen_id"])]
    treated = [row for row in rows if row["regimen_id"] != "none"]
    steps = {row["step_number"]: row["person_count"] for row in view.attrition()}
    return {
        "persons": _said(steps.get(3)), "treated_persons": _said(steps.get(5)), "cohort": _said(steps.get(6)),
        "combined": _said(steps.get(8)),
        "years": _years(rows), "treated_years": _years(treated), "combined_years": _years(together),
    }  # fmt: skip


def _said(value: object) -> str:
    return wording.WITHHELD if value is None else count(value)


def _years(rows: list[Row]) -> str:
    days = total(row["person_days"] for row in rows)
    return wording.WITHHELD if days is None else wording.years(days)


def seen(view: View) -> list[str]:
    """Three to five sentences on what was seen, each number with its limits."""
    sentences = [*_combination_sentences(view)]
    if not view.outcomes_assessable:
        sentences.append(outcomes.NO_OUTCOME_TABLE)
        return sentences
    for outcome, label in list(view.outcomes.items())[:2]:
        sentences.append(_outcome_sentence(view, outcome, label))
    for contrast in outcomes.odds_ratio_contrasts(view)[:1]:
        found = outcomes.spearhead(outcomes.level_estimates(view, contrast, ">=2"))
        if found:
            low = wording.level_name(contrast.ladder, contrast.comparator_level)
            sentences.append(
                f"{view.outcomes[contrast.outcome]}: odds ratio with {wording.level_name(contrast.ladder, '>=2')} against {low} "
                f"({wording.LADDERS[contrast.ladder]}; {wording.method_name(found['method'])}) "
                f"{wording.in_words(found, 'ratio')}; {_cases(found)} at both levels."
            )
    return sentences


def _cases(found: Row) -> str:
    return "cases withheld" if found["event_count"] is None else f"{count(found['event_count'])} cases"


def _combination_sentences(view: View) -> list[str]:
    median = combined_persons(view)
    if median is None:
        return ["Nobody was seen on two study drugs at the same time under the primary exposure rule."]
    if median["status"] == "suppressed":
        return ["The number of persons with a combination is too small to be given."]
    persons = _said(median["person_count"])
    first = (
        f"{persons} persons had a combination that could be followed; median duration by Kaplan-Meier {wording.in_words(median, 'months')}."
    )
    stops, adverse, unknown = endings.all_stops(view), endings.stops_for(view, reason="adverse_event"), endings.stops_for(view, reason="unknown")
    if stops is None or adverse is None:
        return [first]
    if _all_unknown(stops, unknown):
        second = (
            f"{_said(stops['event_count'])} of {persons} first combinations were stopped and no reason is recorded for any of them: "
            "how many were stopped for an adverse event is not known."
        )
    elif wording.is_zero(adverse):
        second = f"First combinations stopped for an adverse event: {wording.zero_sentence(adverse, 'percent')}.{_unknown_part(stops, unknown)}"
    elif adverse["event_count"] is None:
        second = f"First combinations stopped for an adverse event: {wording.in_words(adverse, 'percent')}."
    else:
        second = (
            f"{count(adverse['event_count'])} of {persons} first combinations were stopped for an adverse event: "
            f"{wording.in_words(adverse, 'percent')}.{_unknown_part(stops, unknown)}"
        )
    return [first, second]


def _all_unknown(stops: Row, unknown: Row | None) -> bool:
    return bool(unknown and stops["event_count"] and unknown["event_count"] == stops["event_count"])


def _unknown_part(stops: Row, unknown: Row | None) -> str:
    if not unknown or not unknown["event_count"] or stops["event_count"] is None:
        return ""
    return f" For {count(unknown['event_count'])} of {count(stops['event_count'])} stops the reason is not recorded."


def _outcome_sentence(view: View, outcome: str, label: str) -> str:
    parts = []
    for level in (">=2", "1"):
        found = view.estimate(
            analysis="incidence", outcome_id=outcome, population=outcomes.POPULATION, stratum="ladder=study_drugs", level=level
        )
        name = wording.level_name("study_drugs", level)
        if found is None:
            parts.append(f"nobody spent time with {name} at risk")
        elif found["status"] == "ok":
            events = "" if wording.is_zero(found) else f"{count(found['event_count'])} first events in {wording.years(found['person_days'])} person-years, "
            parts.append(f"with {name} {events}{wording.in_words(found, 'rate')}")
        else:
            parts.append(f"with {name} {wording.in_words(found, 'rate')}")
    return f"{label}: {'; '.join(parts)}. Crude rates."


def gate(view: View) -> Gate:
    """The state of the data in one line: share set aside, rules that rows broke by what a failure does, rules without input."""
    account = view.rows("quality.row_account")
    received, aside = (total(row[name] for row in account) for name in ("rows_in", "rows_quarantined"))
    share = "a withheld share" if received is None or aside is None else f"{100 * aside / received if received else 0:.2f}{THIN}%"
    failed = view.rows("quality.rule_result", status="fail")
    number = {name: len({row["rule_id"] for row in failed if row["severity"] == name}) for name in ("block", "quarantine", "warn")}
    absent = len({row["rule_id"] for row in view.rows("quality.rule_result", status="not_assessable")})
    gated = view.rows("estimate.result", status="gate_failed")
    of = f"{count(received)} received rows" if received is not None else "the received rows"
    sentence = (
        f"{share} of {of} set aside; rules that rows broke: {number['block']} blocking, {number['quarantine']} setting rows aside, "
        f"{number['warn']} warning; {absent} rules not assessable."
    )
    if gated:
        sentence += f" {count(len(gated))} estimates are set aside by a failed check."
    if number["block"] or gated:
        return Gate("red", "Checks failed", sentence)
    if number["quarantine"] or number["warn"]:
        return Gate("amber", "Read with the findings of the checks", sentence)
    return Gate("green", "No check found anything", sentence)


def limitations(view: View) -> list[str]:
    """Standing limitations whose condition holds, then those of the study file."""
    spec, source = view.spec, view.source
    found = ["The drugs were not given by chance: illness, its severity and other treatment differ between the groups and are not "
             "measured here. A difference or ratio in this report is an association and may be due to them."]  # fmt: skip
    if _has_zero(view):
        found.append(
            "Where no event was seen the upper limit is the finding. A zero among few persons or little time is compatible with a frequency that matters."
        )
    median = combined_persons(view)
    if median and median["person_count"] is not None and as_int(median["person_count"]) < FEW_PERSONS:
        found.append(
            f"Fewer than {FEW_PERSONS} persons had a combination ({count(median['person_count'])}): only frequent events could be seen, and limits are wide."
        )
    if spec.contrast and any(item.estimator == "pooled_period_odds_ratio" for item in spec.contrast):
        found.append(
            "Odds ratios come from pooled periods, not from matched sets; they are stratified by age band, sex and calendar year only. A person "
            "contributes many periods."
        )
    shown = [
        row
        for contrast in outcomes.odds_ratio_contrasts(view)
        for level in outcomes.LEVELS
        if (row := outcomes.benchmark(view, contrast, level))
    ]
    if any(row["directness"] != "direct" for row in shown):
        found.append("The literature values shown are indirect: other diseases, drugs and definitions. Agreement with them proves nothing about these drugs.")
    if any("seen in" not in str(row["review_status"]) for row in shown):
        found.append("Some literature values shown were not seen in their source.")
    stops, unknown = endings.all_stops(view), endings.stops_for(view, reason="unknown")
    if stops and unknown and stops["event_count"] and unknown["event_count"]:
        share = as_int(unknown["event_count"]) / as_int(stops["event_count"])
        if share >= MANY_UNKNOWN or not source["has_discontinuation"]:
            found.append(
                f"The reason is not recorded for {100 * share:.0f}{THIN}% of stops ({count(unknown['event_count'])} of {count(stops['event_count'])}): "
                "stops for an adverse event may be among them, and shares by reason are lower bounds."
            )
    if source["era_level"]:
        found.append("Drug records are eras as delivered by the source; the gap rule of this study does not apply to them.")
    if not source["has_observation_period"]:
        found.append("The source has no observation periods: a person is taken as observed from the first record to death or the data cut, which may overstate time at risk.")
    if not source["has_death"]:
        found.append("The source has no deaths: follow-up may run past a death that is not recorded.")
    if any(item.date_rule != "start" for item in spec.outcome) or (source["source_format"] == "omop" and source["has_condition"] and not source["has_adverse_event"]):
        found.append(
            "Diagnoses of hospital records carry the date of admission or discharge: the order of drug and diagnosis inside one stay is not known, "
            "so that an outcome may have begun before the drug."
        )
    if source["has_condition"] and not source["has_adverse_event"]:
        found.append("Outcomes come from diagnosis codes alone, without review of the cases.")
    found.append("Prescriptions stand for intake; what was dispensed or ordered may not have been taken.")
    return found + list(spec.report.limitations)


def _has_zero(view: View) -> bool:
    return any(
        wording.is_zero(row) and row["estimand"] in ("incidence_rate_per_100py", "proportion", "odds_ratio") and row["regimen_id"] in ("", "all")
        for row in view.estimates()
    )


def has_unordered_dates(view: View) -> bool:
    """Whether an outcome is dated by a diagnosis of OMOP records, whose day inside a stay says nothing of the order."""
    return view.source["source_format"] == "omop" and any(item.date_rule in ("start", "visit_end") for item in view.spec.outcome)


def methods(view: View) -> list[tuple[str, str]]:
    """Definitions as the study file sets them."""
    spec = view.spec
    rule = spec.exposure_rule[0]
    confidence = f"{spec.analysis.confidence_level * 100:g}{THIN}%"
    span = " to ".join(str(day) if day else "open" for day in (spec.study.start_date, spec.study.end_date))
    gaps = "each drug's own gap" if rule.gap_days is None else f"{rule.gap_days} days for every study drug"
    tails = "each drug's own tail" if rule.tail_days is None else f"{rule.tail_days} days for every study drug"
    listed = [
        ("Question", spec.study.question or "not stated in the study file"),
        ("Calendar", f"Time zero and follow-up: {span}. Data cut: {view.data_cut}."),
        ("Cohort", f"Entry is the first observed day with a study drug after {spec.population.look_back_days} observed days, at age "
                   f"{spec.population.minimum_age_years} to {spec.population.maximum_age_years} years. Observed time: "
                   + ("observation periods of the source." if view.source["has_observation_period"] else "first record to death or data cut.")),
        ("Episode", f"Records of one drug are joined while no more than the gap is uncovered between them ({gaps}); an episode ends on its "
                    "last covered day, and the gap is never added to its length."),
        ("Risk tail", f"Risk is carried past the stop by the tail ({tails}), and never for less than the gap. Durations and persistence "
                      "use covered days; rates, odds ratios and hazards use covered days and tail."),
        ("Combination", f"All days on which two or more study drugs are covered. A pair together for fewer than {spec.combination.min_overlap_days} "
                        "days is labelled a switch overlap; it counts in rates and in the first population of persistence, not in the second."),
        ("Exposure rules", "; ".join(f"{label}{' (primary)' if name == view.rule else ''}" for name, label in view.rules.items()) + "."),
        ("Lag", "An outcome is set against the exposure the outcome's lag earlier; the lags are in the table of outcomes."),
        ("Persistence", "Kaplan-Meier with log-log limits, as treated: the end is a stop of either drug or death; a stop is known only when the gap "
                        "after it was observed. Those who reached the minimum overlap enter the risk set on that day."),
        ("Discontinuation", f"The reason is that of a stop record within {spec.analysis.stop_reason_window_days} days of the stop. Shares with exact "
                            "binomial (Clopper-Pearson), rates with exact Poisson (Garwood) limits."),
        ("Incidence", "First outcomes over person-years at risk in the state of each day, exact Poisson limits."),
        ("Odds ratios", f"Follow-up cut into periods of {spec.analysis.period_days} days; exposure is the lagged level on the first day; a case is the "
                        "first outcome and ends follow-up. Crude (Woolf) and Mantel-Haenszel over age band, sex and calendar year; exact conditional "
                        f"where a cell is below {spec.analysis.small_cell}."),
        ("Hazard ratios", "Cox regression with Efron's ties and standard errors clustered by person; exposure split in time, days on no study drug "
                          "with a coefficient of their own."),
        ("Limits", f"Two-sided, {confidence}, not adjusted for the number of questions asked."),
    ]  # fmt: skip
    return listed
