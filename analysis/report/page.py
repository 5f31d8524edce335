"""The page: sections in their order, filled with tables, figures and sentences, through the templates.

Owns which section holds what. Escaping is the templates'; the only text passed as markup is the drawings made here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from markupsafe import Markup

from analysis.analyses import rate_ratio, time_zero_groups
from analysis.report import (
    adverse_events,
    care,
    comparability,
    components,
    matched,
    omalizumab,
    outcomes,
    ratios,
    reactions,
    standing,
    text,
    wording,
)
from analysis.report.figures import Figure
from analysis.report.table import WORDS, ShownTable
from analysis.report.templating import filled
from analysis.report.view import View

DATING_NOTE = (
    "Diagnoses of this source carry the date of admission or of discharge. The order of drug and diagnosis inside one "
    "stay is not known: an outcome counted on a drug may have begun before it."
)


@dataclass(frozen=True, slots=True)
class ShownFigure:
    """A figure as the page holds it."""

    title: str
    description: str
    drawing: Markup


@dataclass(frozen=True, slots=True)
class Section:
    """One section: figures and tables by id, and what to say before them or instead of them."""

    id: str
    title: str
    parts: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    empty: str = ""
    listed: tuple[str, ...] = ()
    defined: tuple[tuple[str, str], ...] = ()
    items: tuple[tuple[str, ShownFigure | ShownTable], ...] = field(default=())


def render_page(
    view: View, tables: Mapping[str, ShownTable], figures: Mapping[str, tuple[Figure, str, str]], *, fingerprint: str
) -> str:
    """index.html: one file that needs no other."""
    drawn = {name: ShownFigure(figure.title, said, Markup(svg)) for name, (figure, svg, said) in figures.items()}  # noqa: S704 (own drawing, escaped there)
    return filled(
        "index.html",
        words=WORDS,
        spec=view.spec,
        title=view.spec.report.title or view.spec.study.title,
        head=text.headline(view),
        data_cut=view.data_cut,
        data_cut_source=wording.plain(view.rows("quality.data_cut")[0]["data_cut_source"]),
        source=view.source,
        rule=view.rules[view.rule],
        seen=text.seen(view),
        gate=text.gate(view),
        sections=[_filled(section, tables, drawn) for section in _sections(view, drawn)],
        study_digest=view.spec.digest(),
        fingerprint=fingerprint,
        table_files=[(table.table.title, f"tables/{name}.csv") for name, table in tables.items()],
    )


def _filled(section: Section, tables: Mapping[str, ShownTable], drawn: Mapping[str, ShownFigure]) -> Section:
    items: list[tuple[str, ShownFigure | ShownTable]] = []
    for part in section.parts:
        kind, _, name = part.partition(":")
        if kind == "figure" and name in drawn:
            items.append((part, drawn[name]))
        elif kind == "table":
            items.append((part, tables[name]))
    return Section(
        section.id,
        section.title,
        section.parts,
        section.remarks,
        section.empty,
        section.listed,
        section.defined,
        tuple(items),
    )


def _sections(view: View, figures: Mapping[str, ShownFigure]) -> list[Section]:
    """The sections in their order; one that has nothing to show says why."""
    literature = view.spec.report.benchmarks
    return [
        Section("attrition", "Attrition", ("figure:attrition", "table:attrition")),
        Section("baseline", "Baseline", ("table:baseline",)),
        Section(
            "exposure",
            "Exposure",
            (
                "table:exposure",
                "figure:exposure",
                "table:duration",
                "figure:persistence",
                "table:persistence",
                "table:component_persistence",
                "table:duration_by_pair",
            ),
            remarks=_curve_remark(view, figures),
        ),
        Section(
            "discontinuation", "Discontinuation", ("table:discontinuation", "figure:endings", "table:ending_incidence")
        ),
        _outcome_section(view, literature=literature),
        *_comparability_section(view),
        _omalizumab_section(view),
        *_event_sections(view, literature=literature),
        _care_section(view),
        Section(
            "sensitivity",
            "Sensitivity",
            ("figure:specification_hazard", "figure:specification_odds", "table:sensitivity"),
            remarks=("The study has a single exposure rule: there is nothing to compare.",)
            if len(view.rules) == 1
            else (),
        ),
        Section(
            "quality",
            "Data quality",
            (
                "table:row_account",
                "table:failed_rules",
                "table:unmapped",
                "table:unmapped_drugs",
                "table:not_assessable_rules",
            ),
        ),
        Section("unanswered", "Questions without an answer", ("table:unanswered",)),
        Section("methods", "Methods", ("table:outcome_settings", "table:drugs"), defined=tuple(standing.methods(view))),
        Section("limitations", "Limitations", listed=tuple(standing.limitations(view))),
        Section("provenance", "Provenance", ("table:inputs", "table:versions", "table:sql_digests")),
    ]


def _omalizumab_section(view: View) -> Section:
    """What the doses say of free IgE, where there are any."""
    if not omalizumab.is_applicable(view):
        return Section("omalizumab", "Omalizumab and free IgE", empty=omalizumab.NOT_APPLICABLE)
    parts = (
        "table:omalizumab_standing",
        "table:omalizumab_doses",
        "table:omalizumab_free_ige",
        "figure:free_ige_by_class",
        "figure:around_withdrawal",
        "table:omalizumab_scored",
        "table:omalizumab_delay",
        "figure:symptom_loop",
        "table:omalizumab_changes",
        "table:omalizumab_return",
        "table:omalizumab_events",
        "table:omalizumab_by_dose",
    )
    return Section("omalizumab", "Omalizumab and free IgE", parts)


def _event_sections(view: View, *, literature: bool) -> list[Section]:
    """Reactions after doses, adverse events by term, and the literature beside ours where the study wants it."""
    after = (
        "table:reaction_by_drug",
        "table:reaction_by_dose",
        "figure:reaction_latency",
        "table:reaction_latency",
        "table:reaction_policy",
        "table:reaction_by_regimen",
        "table:reaction_by_window",
        "table:reaction_power",
    )
    by_term = (
        "table:adverse_event_overview",
        "table:adverse_event_terms",
        "table:adverse_event_pairs",
        "table:adverse_event_onset",
        "table:adverse_event_screen",
    )
    groups = ("table:infection_groups",)
    return [
        Section("reactions", "Reactions after doses", after)
        if reactions.is_applicable(view)
        else Section("reactions", "Reactions after doses", empty=reactions.NOT_ASKED),
        Section("adverse_events", "Adverse events by term", (*by_term, *groups))
        if adverse_events.is_applicable(view)
        else Section("adverse_events", "Adverse events by term", groups, remarks=(adverse_events.NO_TABLE,)),
        *([Section("literature", "Literature beside ours", ("table:literature",))] if literature else []),
    ]


def _care_section(view: View) -> Section:
    """Care items and warned combinations, where the study has drugs that they are about."""
    if not care.is_applicable(view):
        return Section("care", "Care as it was given", ("table:warned_combinations",), remarks=(care.NOT_APPLICABLE,))
    parts = ("table:care_items", "table:care_policies", "table:warned_combinations", "table:antibodies")
    return Section("care", "Care as it was given", parts)


def _curve_remark(view: View, figures: Mapping[str, ShownFigure]) -> tuple[str, ...]:
    """What the public profile does to curves."""
    if view.spec.disclosure.profile == "internal" or not view.has_combinations:
        return ()
    if "persistence" in figures:
        return (
            "Public profile: the curve of persistence is shown only at times between which endings are none or not "
            "few.",
        )
    return ("Public profile: too few persons end between any two times for a curve of persistence.",)


def _comparability_section(view: View) -> list[Section]:
    """Who is compared with whom, where the study compares groups that can differ."""
    has_gates = view.frames["estimate.diagnostic"].height > 0
    parts = [
        *(
            ["table:time_zero_comparison", "table:time_zero_probability", "table:time_zero_recurrent"]
            if comparability.asked(view) and view.outcomes_assessable
            else []
        ),
        *(["table:gates"] if has_gates else []),
        *(["figure:love", "table:balance"] if comparability.asked(view) and has_gates else []),
        *(["table:negative_controls"] if view.negative_controls and has_gates else []),
    ]
    remarks = [_added(view)] if comparability.asked(view) else []
    if has_gates and not view.negative_controls:
        remarks.append("The study file names no negative control: systematic error was not looked for.")
    return [Section("comparability", "Comparability", tuple(parts), remarks=tuple(remarks))] if parts else []


def _added(view: View) -> str:
    """How many added a drug and how many of them have a comparator."""
    counts = {
        row["level"]: row["person_count"]
        for row in view.estimates(analysis=time_zero_groups.ANALYSIS, estimand="count", population="time_zero")
    }
    added, compared = counts.get("added a drug"), counts.get("added a drug and have a comparator")
    if added is None or compared is None:
        return "How many persons added a second study drug is withheld."
    return (
        f"{wording.count(added)} persons added a second study drug to one that they were on alone; "
        f"{wording.count(compared)} of them have a comparator: what is compared is about these."
    )


def _outcome_section(view: View, *, literature: bool) -> Section:
    title = "Outcomes: " + ", ".join(
        label[:1].lower() + label[1:] if number else label for number, label in enumerate(view.outcomes.values())
    )
    if not view.outcomes_assessable:
        return Section("outcomes", "Outcomes", empty=outcomes.NO_OUTCOME_TABLE)
    remarks = []
    if standing.has_unordered_dates(view):
        remarks.append(DATING_NOTE)
    if not literature and ratios.odds_ratio_contrasts(view):
        remarks.append("The study file asks for no literature values, so none stand beside the odds ratios.")
    dating = ("table:outcome_dating",) if outcomes.has_several_datings(view) else ()
    rates = ("table:ladder", "table:rate_ratio") if rate_ratio.asked_ladders(view.spec.contrast) else ()
    comparisons = ("figure:ladder", "table:odds_ratio_ladder") if ratios.odds_ratio_contrasts(view) else ()
    sets = (
        ("table:matched_odds_ratio", "table:class_odds_ratio", "table:joint_odds_ratio")
        if matched.matched_contrasts(view)
        else ()
    )
    has_cox = any(item.estimator == "time_varying_cox" for item in view.spec.contrast)
    if not view.spec.contrast:
        remarks.append("The study file asks for no comparison, so there are rates but no ratios.")
    return Section(
        "outcomes",
        title if len(title) < 90 else "Outcomes",
        (
            "figure:incidence",
            "table:incidence_by_level",
            *dating,
            *rates,
            *comparisons,
            *sets,
            *(("table:component_ladder", "table:component_zero") if components.has_components(view) else ()),
            *(
                ("table:hazard_ratio", "figure:subgroups", "table:subgroup_hazard", "table:joint_hazard")
                if has_cox
                else ()
            ),
            "table:incidence_by_regimen",
        ),
        remarks=tuple(remarks),
    )
