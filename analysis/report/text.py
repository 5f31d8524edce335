"""The sentences of a safety board's first page, filled from estimates: who was seen, what was seen, and data quality.

Draws no conclusion: it says what was seen with its limits, and never that something is harmless or a cause. Methods and
limitations are in `standing.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from analysis.report import endings, names, outcomes, ratios, wording
from analysis.report.view import Row, View, total
from analysis.report.wording import THIN, count


@dataclass(frozen=True, slots=True)
class Gate:
    """Data quality in one line: the worst that happened, in a word and in a sentence."""

    grade: str
    word: str
    sentence: str


def combined_persons(view: View) -> Row | None:
    """The Kaplan-Meier median of first combinations, with the persons behind it."""
    return view.estimate(
        analysis="persistence",
        estimand="median_duration_months",
        regimen_id="all",
        population="first_episode",
        method="kaplan_meier_log_log",
    )


def headline(view: View) -> dict[str, str]:
    """Persons and person-years of the title block."""
    rows = view.rows("summary.exposure_time", exposure_rule=view.rule, population="observed")
    together = [row for row in rows if "+" in str(row["regimen_id"])]
    treated = [row for row in rows if row["regimen_id"] != "none"]
    steps = {row["step_number"]: row["person_count"] for row in view.attrition()}
    return {
        "persons": _said(steps.get(3)),
        "treated_persons": _said(steps.get(5)),
        "cohort": _said(steps.get(6)),
        "combined": _said(steps.get(8)),
        "years": _years(rows),
        "treated_years": _years(treated),
        "combined_years": _years(together),
    }


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
    for contrast in ratios.odds_ratio_contrasts(view)[:1]:
        found = ratios.spearhead(ratios.level_estimates(view, contrast, ">=2"))
        if found:
            low = wording.level_name(contrast.ladder, contrast.comparator_level)
            sentences.append(
                f"{view.outcomes[contrast.outcome]}: odds ratio with {wording.level_name(contrast.ladder, '>=2')} "
                f"against {low} ({wording.LADDERS[contrast.ladder]}; {wording.method_name(found['method'])}) "
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
    lasted = wording.in_words(median, "months")
    first = f"{persons} persons had a combination that could be followed; median duration by Kaplan-Meier {lasted}."
    stops, adverse, unknown = (
        endings.all_stops(view),
        endings.stops_for(view, reason="adverse_event"),
        endings.stops_for(view, reason="unknown"),
    )
    if stops is None or adverse is None:
        return [first]
    if _all_unknown(stops, unknown):
        second = (
            f"{_said(stops['event_count'])} of {persons} first combinations were stopped and no reason is recorded for "
            "any of them: how many were stopped for an adverse event is not known."
        )
    elif wording.is_zero(adverse):
        nothing = wording.zero_sentence(adverse, "percent")
        second = f"First combinations stopped for an adverse event: {nothing}.{_unknown_part(stops, unknown)}"
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
            analysis="incidence",
            outcome_id=outcome,
            population=outcomes.POPULATION,
            stratum="ladder=study_drugs",
            level=level,
        )
        name = wording.level_name("study_drugs", level)
        if found is None:
            parts.append(f"nobody spent time with {name} at risk")
        elif found["status"] == "ok":
            events = (
                ""
                if wording.is_zero(found)
                else f"{count(found['event_count'])} first events in {wording.years(found['person_days'])} "
                "person-years, "
            )
            parts.append(f"with {name} {events}{wording.in_words(found, 'rate')}")
        else:
            parts.append(f"with {name} {wording.in_words(found, 'rate')}")
    return f"{label}: {'; '.join(parts)}. Crude rates."


def gate(view: View) -> Gate:
    """The data in one line: share set aside, rules that rows broke by what a failure does, rules without input."""
    account = view.rows("quality.row_account")
    received, aside = (total(row[name] for row in account) for name in ("rows_in", "rows_quarantined"))
    failed = view.rows("quality.rule_result", status="fail")
    number = {
        name: len({row["rule_id"] for row in failed if row["severity"] == name})
        for name in ("block", "quarantine", "warn")
    }
    absent = len({row["rule_id"] for row in view.rows("quality.rule_result", status="not_assessable")})
    gated = [row for row in view.estimates(status="gate_failed") if row["method"] not in names.UNADJUSTED]
    share = "The share of rows set aside is withheld"
    if received is not None and aside is not None:
        share = f"{100 * aside / received if received else 0:.2f}{THIN}% of {count(received)} received rows set aside"
    sentence = (
        f"{share}; rules that rows broke: {number['block']} blocking, {number['quarantine']} setting rows aside, "
        f"{number['warn']} warning; {absent} rules not assessable."
    )
    if gated:
        sentence += (
            f" {count(len(gated))} comparative {'estimate is' if len(gated) == 1 else 'estimates are'} set aside by a failed "
            "check of comparability (primary rule, crude ones not counted)."
        )
    if number["block"] or gated:
        return Gate("red", "Checks failed", sentence)
    if number["quarantine"] or number["warn"]:
        return Gate("amber", "Read with the findings of the checks", sentence)
    return Gate("green", "No check found anything", sentence)
