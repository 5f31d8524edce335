"""Tables on who is compared with whom: estimates from time zero, balance, negative controls and the gates they make."""

from __future__ import annotations

from analysis.analyses import matched, time_zero_groups
from analysis.analyses.time_zero import METHODS, POPULATIONS
from analysis.analyses.time_zero_survival import HAZARD_METHODS
from analysis.report import wording
from analysis.report.matched import strength
from analysis.report.table import Column, Table
from analysis.report.view import Row, View

WAYS = {
    "crude": "Crude", "overlap": "Overlap weights", "matched": "Matched by score",
}  # fmt: skip
FOLLOWED = {
    "as_treated": "as treated: until a drug stops or another is added",
    "carried_forward": "carried forward: whatever becomes of the drugs",
}
GATES = {
    "equipoise": "Least share in equipoise",
    "standardised_difference": "Largest standardised difference",
    "expected_systematic_error": "Expected systematic error, log scale",
    "negative_controls_off_null": "Negative controls with limits that exclude 1",
    "minimal_detectable_ratio": "Largest minimal detectable ratio",
}
DESIGNS = {time_zero_groups.ANALYSIS: "From time zero", matched.ANALYSIS: "Matched sets"}
VERDICTS = {"pass": "passed", "fail": "failed", "not_assessable": "not assessable"}
NO_COMPARISON = "The study file asks for no comparison from time zero."


def asked(view: View) -> list[str]:
    """Outcomes compared from time zero, in the order of the study file."""
    wanted = [c.outcome for c in view.spec.contrast if c.estimator == time_zero_groups.ANALYSIS]
    return list(dict.fromkeys(wanted))


def parts(item: object) -> dict[str, str]:
    """The `name=value` pairs of a diagnostic."""
    return dict(pair.split("=", 1) for pair in str(item).split(";") if pair)


def diagnostics(view: View, **equal: object) -> list[Row]:
    """Diagnostics under the primary rule with the parts of their item as columns."""
    rows = [row | parts(row["item"]) for row in view.rows("estimate.diagnostic", **equal)]
    return [row for row in rows if row["exposure_rule"] == view.rule]


def time_zero(view: View) -> list[Row]:
    """Odds ratios of those who add a drug against those who do not: one row a way, by outcome and kind of follow-up."""
    rows: list[Row] = []
    for outcome in asked(view):
        for population in POPULATIONS:
            held = view.estimates(analysis=time_zero_groups.ANALYSIS, population=population, outcome_id=outcome)
            found = {str(row["method"]): row for row in held if row["estimand"] == "odds_ratio"}
            hazards = {str(row["method"]): row for row in held if row["estimand"] == "hazard_ratio"}
            rates = {row["level"]: row for row in held if row["estimand"] == "incidence_rate_per_100py"}
            e_value = next((row for row in held if row["estimand"] == "e_value"), None)
            said = [
                f"{name} {wording.in_words(rates[level], 'rate')}"
                for level, name in (("combination", "rate with the drug added"), ("one_drug", "with one drug"))
                if level in rates
            ]
            group = "; ".join([f"{view.outcomes[outcome]}, {FOLLOWED[population]}", *said])
            rows += [
                {
                    "group": group,
                    "name": wording.method_name(method),
                    "persons": found[method]["person_count"],
                    "events": found[method]["event_count"],
                    "ratio": found[method],
                    "hazard": hazards.get(way_of(method)),
                    "e_value": strength(e_value) if e_value and method == METHODS["overlap"] else None,
                    "is_withheld": found[method]["status"] == "suppressed",
                }
                for method in sorted(found, key=_place)
            ]
    return rows


def way_of(method: str) -> str:
    """The method of the hazard ratio that was made in the same way as an odds ratio; empty where there is none."""
    return next((HAZARD_METHODS[way] for way, odds in METHODS.items() if odds == method), "")


def _place(method: str) -> tuple[int, str]:
    """Crude first, then overlap weights and matching, each followed by its calibrated ratio."""
    base = method.removesuffix("_calibrated")
    known = list(METHODS.values())
    return known.index(base) if base in known else 0, method


def balance(view: View) -> list[Row]:
    """Standardised differences of each covariate, by the way in which the groups were made comparable."""
    found: dict[str, Row] = {}
    for row in diagnostics(view, analysis=time_zero_groups.ANALYSIS, diagnostic="standardised_difference"):
        name = str(row["covariate"])
        entry = found.setdefault(name, {"name": covariate_name(view, name)})
        entry[str(row["method"])] = row["value"]
    return sorted(found.values(), key=lambda row: -abs(float(row.get("crude") or 0.0)))  # type: ignore[arg-type]


def covariate_name(view: View, covariate: str) -> str:
    """A covariate in words."""
    if covariate.startswith("first drug "):
        return f"first drug: {view.regimen(covariate.removeprefix('first drug '))}"
    if covariate.startswith("indication "):
        return f"indication: {wording.plain(covariate.removeprefix('indication '))}"
    return {
        "age_years": "age", "is_female": "female", "drug_days": "days on the first drug", "broad_count": "classes, broad ladder",
        "charlson_score": "Charlson's score", "has_prior_event": "an earlier outcome", "hospital_days": "days in hospital",
        "steroid_days": "days on systemic corticosteroids",
    }.get(covariate, wording.plain(covariate))  # fmt: skip


def controls(view: View) -> list[Row]:
    """Odds ratios of the negative controls: overlap-weighted from time zero, and from matched sets at two or more classes."""
    rows: list[Row] = []
    from_zero = view.estimates(analysis=time_zero_groups.ANALYSIS, estimand="odds_ratio")
    sets = diagnostics(view, analysis=matched.ANALYSIS, diagnostic="negative_control")
    for outcome, label in view.negative_controls.items():
        entry: Row = {"name": label.removeprefix("NEGATIVE CONTROL: ")}
        for population in POPULATIONS:
            entry[population] = next(
                (
                    row
                    for row in from_zero
                    if row["outcome_id"] == outcome
                    and row["population"] == population
                    and row["method"] == METHODS["overlap"]
                ),
                None,
            )
        for row in sets:
            if row["outcome_id"] == outcome and row["comparator_id"] == "0" and row["level"] == ">=2":
                value = "" if row["value"] is None else wording.number(float(row["value"]), "ratio")  # type: ignore[arg-type]
                verdict = {"fail": "excludes 1", "pass": "", "not_assessable": "not estimable"}[str(row["status"])]
                entry[f"sets_{row['ladder']}"] = " ".join(part for part in (value, verdict) if part)
        rows.append(entry)
    return rows


def gates(view: View) -> list[Row]:
    """The worst value of each gate by design, method and, for matched sets, ladder and level."""
    worst: dict[tuple[str, str, str], Row] = {}
    for row in diagnostics(view):
        if row["diagnostic"] not in GATES:
            continue
        key = (str(row["analysis"]), str(row["diagnostic"]), _of(row))
        size = None if row["value"] is None else abs(float(row["value"]))  # type: ignore[arg-type]
        held = worst.get(key)
        if held is None or _rank(row, size) > _rank(held, held["size"]):
            worst[key] = row | {"size": size}
    return [
        {
            "group": DESIGNS[analysis],
            "name": GATES[name],
            "of": of,
            "value": row["size"],
            "threshold": row["threshold"],
            "status": VERDICTS[str(row["status"])],
        }
        for (analysis, name, of), row in worst.items()
    ]


def _rank(row: Row, size: object) -> tuple[int, float]:
    order = {"pass": 1, "not_assessable": 0, "fail": 2}[str(row["status"])]
    number = 0.0 if size is None else float(size)  # type: ignore[arg-type]
    return order, -number if row["diagnostic"] == "equipoise" else number


def _of(row: Row) -> str:
    """What a gate is about, without what the worst is taken over."""
    if row["analysis"] == matched.ANALYSIS:
        ladder = wording.LADDERS[str(row["ladder"])].removeprefix("immunosuppressive classes, ")
        if row["diagnostic"] == "minimal_detectable_ratio":
            return ladder
        level = wording.level_name(str(row["ladder"]), str(row["level"]))
        return f"{ladder}, {level} against {wording.level_name(str(row['ladder']), str(row['comparator_id']))}"
    named = WAYS.get(str(row.get("method", "")), "")
    follow = str(row.get("population", "")).replace("_", " ")
    return ", ".join(part for part in (named, follow) if part)


TABLES = (
    Table(
        "time_zero_comparison",
        "comparability",
        "A second study drug added, against going on with the first alone",
        (
            Column("name", "Method"),
            Column("persons", "Persons", "count"),
            Column("events", "First events", "count"),
            Column("ratio", "Odds ratio (limits)", "ratio"),
            Column("hazard", "Hazard ratio (limits)", "ratio", is_optional=True),
            Column("e_value", "E-value (of the limit)", "literature", is_optional=True),
        ),
        time_zero,
        "Time zero is the first day on which both drugs are covered. Comparators are on the same first drug alone on that "
        "day, for about as long and for the same condition. Rates: first events per 100 person-years. Odds ratios by pooled "
        "logistic regression over periods; limits are robust to persons who serve several times. Calibrated: with the error "
        "that negative controls show taken off. What decides on a second drug and is not recorded, severity above all, can "
        "still confound every column.",
        NO_COMPARISON,
    ),
    Table(
        "gates",
        "comparability",
        "Gates: what an estimate must pass",
        (
            Column("name", "Check"),
            Column("of", "Of"),
            Column("value", "Worst value", "difference"),
            Column("threshold", "Threshold", "difference"),
            Column("status", "Verdict"),
        ),
        gates,
        "Under the primary exposure rule; where a check was made several times, the worst. An estimate that fails is shown as "
        "set aside by a check, with the reason. Passing says that a known way of going wrong was not seen, not that the "
        "estimate is right.",
        "No diagnostic was computed.",
    ),
    Table(
        "balance",
        "comparability",
        "Balance before time zero",
        (
            Column("name", "Covariate"),
            Column("crude", "Crude", "difference"),
            Column("overlap", "Overlap weights", "difference"),
            Column("matched", "Matched by score", "difference"),
        ),
        balance,
        "Standardised differences, drug added less one drug. With overlap weights covariates of the score are balanced by "
        "construction: that says nothing of what is not among them.",
        "Nobody who adds a drug has a comparator.",
        is_long=True,
    ),
    Table(
        "negative_controls",
        "comparability",
        "Negative controls: outcomes on which no drug of the study acts",
        (
            Column("name", "Outcome"),
            Column("as_treated", "From time zero, as treated", "ratio"),
            Column("carried_forward", "From time zero, carried forward", "ratio"),
            Column("sets_toruner", "Matched sets, Toruner, two or more", "literature", is_optional=True),
            Column("sets_broad", "Matched sets, broad, two or more", "literature", is_optional=True),
        ),
        controls,
        "An honest comparison finds a ratio of 1 but for chance: of twenty, one excludes 1 by chance alone. From time zero: "
        "overlap weights. Matched sets: adjusted where a covariate is known.",
        "The study file names no negative control.",
        is_long=True,
    ),
)
