"""Methods as the study file sets them, and the standing limitations with the condition that brings each in.

Owns those texts. What was seen is in `text.py`.
"""

from __future__ import annotations

from analysis.analyses.ladder import LEVELS
from analysis.matching.control_sample import DESIGNS
from analysis.report import endings, ratios, wording
from analysis.report.text import combined_persons
from analysis.report.view import View, as_int
from analysis.report.wording import THIN, count

FEW_PERSONS = 50


MANY_UNKNOWN = 0.2


def limitations(view: View) -> list[str]:
    """Standing limitations whose condition holds, then those of the study file."""
    spec, source = view.spec, view.source
    found = [
        "The drugs were not given by chance: illness, its severity and other treatment differ between the groups and "
        "are not measured here. A difference or ratio in this report is an association and may be due to them."
    ]
    if _has_zero(view):
        found.append(
            "Where no event was seen the upper limit is the finding. A zero among few persons or little time is "
            "compatible with a frequency that matters."
        )
    median = combined_persons(view)
    if median and median["person_count"] is not None and as_int(median["person_count"]) < FEW_PERSONS:
        found.append(
            f"Fewer than {FEW_PERSONS} persons had a combination ({count(median['person_count'])}): only frequent "
            "events could be seen, and limits are wide."
        )
    if spec.contrast and any(item.estimator == "pooled_period_odds_ratio" for item in spec.contrast):
        found.append(
            "Odds ratios from pooled periods are stratified by age band, sex and calendar year only. A person contributes many periods."
        )
    shown = [
        row
        for contrast in ratios.odds_ratio_contrasts(view)
        for level in LEVELS
        if (row := ratios.benchmark(view, contrast, level))
    ]
    if any(row["directness"] != "direct" for row in shown):
        found.append(
            "The literature values shown are indirect: other diseases, drugs and definitions. Agreement with them "
            "proves nothing about these drugs."
        )
    if any("seen in" not in str(row["review_status"]) for row in shown):
        found.append("Some literature values shown were not seen in their source.")
    stops, unknown = endings.all_stops(view), endings.stops_for(view, reason="unknown")
    if stops and unknown and stops["event_count"] and unknown["event_count"]:
        share = as_int(unknown["event_count"]) / as_int(stops["event_count"])
        if share >= MANY_UNKNOWN or not source["has_discontinuation"]:
            found.append(
                f"The reason is not recorded for {100 * share:.0f}{THIN}% of stops ({count(unknown['event_count'])} of "
                f"{count(stops['event_count'])}): stops for an adverse event may be among them, and shares by reason "
                "are lower bounds."
            )
    if source["era_level"]:
        found.append(
            "Drug records are eras as delivered by the source; the gap rule of this study does not apply to them."
        )
    if not source["has_observation_period"]:
        found.append(
            "The source has no observation periods: a person is taken as observed from the first record to death or "
            "the data cut, which may overstate time at risk."
        )
    if not source["has_death"]:
        found.append("The source has no deaths: follow-up may run past a death that is not recorded.")
    if any(item.date_rule != "start" for item in spec.outcome) or (
        source["source_format"] == "omop" and source["has_condition"] and not source["has_adverse_event"]
    ):
        found.append(
            "Diagnoses of hospital records carry the date of admission or discharge: the order of drug and diagnosis "
            "inside one stay is not known, so that an outcome may have begun before the drug."
        )
    if source["has_condition"] and not source["has_adverse_event"]:
        found.append("Outcomes come from diagnosis codes alone, without review of the cases.")
    found.append("Prescriptions stand for intake; what was dispensed or ordered may not have been taken.")
    return found + list(spec.report.limitations)


def _has_zero(view: View) -> bool:
    return any(
        wording.is_zero(row)
        and row["estimand"] in ("incidence_rate_per_100py", "proportion", "odds_ratio")
        and row["regimen_id"] in ("", "all")
        for row in view.estimates()
    )


def has_unordered_dates(view: View) -> bool:
    """Whether an outcome is dated by a diagnosis of OMOP records, whose day inside a stay says nothing of the order."""
    return view.source["source_format"] == "omop" and any(
        item.date_rule in ("start", "visit_end") for item in view.spec.outcome
    )


EARLY_REFILLS = {
    "merge": "What overlaps when a record comes early is lost.",
    "stockpile": "When a record of a study drug comes early, what is left is used first.",
    "stockpile_capped": "When a record of a study drug comes early, what is left is used first, up to a cap.",
}


DOSE_CHANGES = {
    "carry": "",
    "discard": " What is left when the dose changes is lost.",
    "convert": " What is left when the dose changes lasts as long as the same amount does at the new dose.",
}


def _setting(days: int | None, factor: float | None, *, own: str, unit: str) -> str:
    """A gap or tail of every study drug, in words."""
    if days is not None:
        return f"{days} days for every study drug"
    return own if factor is None else f"{factor:g} {unit}"


def methods(view: View) -> list[tuple[str, str]]:
    """Definitions as the study file sets them."""
    spec = view.spec
    rule = spec.exposure_rule[0]
    confidence = f"{spec.analysis.confidence_level * 100:g}{THIN}%"
    days = (spec.study.start_date, spec.study.end_date)
    span = " to ".join(str(day) if day else "open" for day in days) if any(days) else "not limited by the study file"
    gaps = _setting(rule.gap_days, rule.gap_factor, own="each drug's own gap", unit="intervals of the drug")
    tails = _setting(rule.tail_days, rule.tail_half_lives, own="each drug's own tail", unit="half-lives of the drug")
    overlap = spec.combination.min_overlap_days if rule.min_overlap_days is None else rule.min_overlap_days
    listed = [
        ("Question", spec.study.question or "not stated in the study file"),
        ("Calendar", f"Time zero and follow-up: {span}. Data cut: {view.data_cut}."),
        (
            "Cohort",
            f"Entry is the first observed day with a study drug after {spec.population.look_back_days} observed days, "
            f"at age {spec.population.minimum_age_years} to {spec.population.maximum_age_years} years. Observed time: "
            + (
                "observation periods of the source."
                if view.source["has_observation_period"]
                else "first record to death or data cut."
            ),
        ),
        (
            "Episode",
            f"Records of one drug are joined while no more than the gap is uncovered between them ({gaps}); an episode "
            f"ends on its last covered day, and the gap is never added to its length. {EARLY_REFILLS[rule.overlap]} Of "
            "records of one drug and day the best source is used: administration, dispensing, order."
            + DOSE_CHANGES[rule.dose_change]
            + (
                " A drug used on the eve of a stay in hospital is used to its last day."
                if rule.bridge_hospital_stays
                else ""
            )
            + (f" A use shorter than {rule.min_episode_days} days does not count." if rule.min_episode_days > 1 else "")
            + (f" A use is cut after {rule.max_episode_days} days." if rule.max_episode_days is not None else ""),
        ),
        (
            "Risk tail",
            f"Risk is carried past the stop by the tail ({tails}), and never for less than the gap. Durations and "
            "persistence use covered days; rates, odds ratios and hazards use covered days and tail.",
        ),
        (
            "Combination",
            "All days on which two or more study drugs are covered. A pair together for fewer than "
            f"{overlap} days is labelled a switch overlap; it counts in rates and in the "
            "first population of persistence, not in the second.",
        ),
        (
            "Exposure rules",
            "; ".join(f"{name}: {label}" for name, label in view.rules.items()) + ". The first is the primary one.",
        ),
        (
            "Lag",
            "An outcome is set against the exposure the outcome's lag earlier; the lags are in the table of outcomes.",
        ),
        (
            "Persistence",
            "Kaplan-Meier with log-log limits, as treated: the end is a stop of either drug or death; a stop is known "
            "only when the gap after it was observed. Those who reached the minimum overlap enter the risk set on "
            "that day.",
        ),
        (
            "Discontinuation",
            f"The reason is that of a stop record within {spec.analysis.stop_reason_window_days} days of the stop. "
            "Shares with exact binomial (Clopper-Pearson), rates with exact Poisson (Garwood) limits.",
        ),
        ("Incidence", "First outcomes over person-years at risk in the state of each day, exact Poisson limits."),
    ]
    odds = (
        "Odds ratios",
        f"Follow-up cut into periods of {spec.analysis.period_days} days; exposure is the lagged level on the "
        "first day; a case is the first outcome and ends follow-up. Crude (Woolf) and Mantel-Haenszel over age "
        f"band, sex and calendar year; exact conditional where a cell is below {spec.analysis.small_cell}.",
    )
    hazards = (
        "Hazard ratios",
        "Cox regression with Efron's ties and standard errors clustered by person; exposure split in time, days "
        "on no study drug with a coefficient of their own.",
    )
    settings = spec.case_control
    indication = ""
    if settings.match_indication:
        known = view.source["has_condition"]
        indication = " and indication at entry" if known else " (indication is not known: the source has no diagnoses)"
    sets = (
        "Matched sets",
        f"Up to {settings.controls_per_case} controls a case, drawn from those at risk on the case's event date: sex"
        f"{indication} equal, birth dates within {settings.age_caliper_years} years "
        f"(where that leaves places open, {settings.wider_age_caliper_years}), cohort entries within {settings.entry_caliper_days} days; "
        f"seed {settings.seed}. Exposure is the lagged state on that date. Conditional logistic regression with profile limits; "
        f"Firth's penalty beside it where a level has fewer than {spec.analysis.small_cell} cases or controls.",
    )
    estimators = {contrast.estimator for contrast in spec.contrast}
    if "pooled_period_odds_ratio" in estimators:
        listed.append(odds)
    if estimators & set(DESIGNS):
        listed.append(sets)
    if "time_varying_cox" in estimators:
        listed.append(hazards)
    return [
        *listed,
        ("Code vocabularies", _vocabularies(view)),
        ("Limits", f"Two-sided, {confidence}, not adjusted for the number of questions asked."),
    ]


def _vocabularies(view: View) -> str:
    """How drug records and diagnoses are told."""
    source = view.spec.source
    known = sorted({name for outcome in view.spec.outcome for name in outcome.codes})
    drugs = {
        "auto": "by ingredient where the source has ancestors, else by code list, else by drug era",
        "code_list": "by code list and name patterns",
        "drug_era": "by drug era as delivered",
    }[source.drug_mapping]
    if source.format == "native":
        drugs = "by name and code"
    shape = {
        "by_concept": "told by the source's concepts",
        "by_shape": "told by the shape of the code where none is declared; an ambiguous code stays unmapped",
    }.get(source.condition_vocabulary, f"taken as {source.condition_vocabulary}")
    declared = "as declared with each code" if source.format == "native" else shape
    lists = f"; the study's own lists are in {', '.join(known)}" if known else ""
    return f"Drugs: {drugs}. Diagnoses: vocabulary {declared}; codes compared without dots, by prefix{lists}."
