"""The outcomes of a study as rows: their rules, and the codes and terms of their components.

Owns the components of a composite, whose union it is, and the lag of infections. Drugs and settings are in `tables.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from analysis.study.read import StudyError, nearest
from analysis.study.spec import Outcome, StudySpec

INFECTION_LAG_DAYS = 7  # exposure in the week before an infection; definitions of exposure at a moment
NEGATIVE_CONTROL = "negative_control"
DEATH = "death"  # dated by the table of deaths, as the competing event is: codes and terms of it are not read
REACTIONS = (
    "anaphylaxis",
    "hypersensitivity_any",
    "infusion_injection_reaction",
)  # looked for in the hours after a dose
COMPOSITES = {
    "serious_infection": "serious_infection_component",
    "opportunistic_infection": "opportunistic_winthrop2015",
}
REFERENCE_VOCABULARIES = {"ICD10": "icd10_who", "ICD10CM": "icd10cm", "ICD9CM": "icd9cm"}


def outcome_tables(spec: StudySpec, reference: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Rows of `spec.outcome` and of `spec.outcome_component`, `_code`, `_term` and `_severity`, by table name.

    reference: table `outcome`, all columns text. Raises StudyError for an outcome that neither the study file nor the
    reference defines, and for one of the reference that is to be every adverse event.
    """
    known = {row["outcome_id"]: row for row in reference.iter_rows(named=True)}
    outcomes, members, codes, terms = [], [], [], []
    for outcome in spec.outcome:
        base = outcome.based_on or outcome.id
        row = known.get(base, {})
        has_own = bool(outcome.codes or outcome.terms or outcome.any_term)
        if not row and (outcome.based_on or not has_own):
            raise StudyError(
                f"unknown outcome {base!r}{nearest(base, sorted(known))}: the reference lacks it and no codes or terms are given"
            )
        if row and outcome.any_term:
            raise StudyError(f"outcome {base!r} is one of the reference: an outcome of any_term needs an id of its own")
        if base == DEATH and has_own:
            raise StudyError(f"outcome {outcome.id!r} is dated by the table of deaths: leave codes and terms out")
        composite = base in COMPOSITES
        strict = base == "serious_infection"  # inpatient primary diagnosis, or a serious adverse event (ICH E2A)
        lag = INFECTION_LAG_DAYS if row.get("category") == "infection" else int(row.get("latency_lag_days") or 0)
        outcomes.append(
            {
                "outcome_id": outcome.id,
                "label": outcome.label or row.get("label") or outcome.id.replace("_", " "),
                "date_rule": outcome.date_rule,
                "setting": outcome.setting or ("inpatient" if strict else "any"),
                "position": outcome.position or ("primary" if strict else "any"),
                "serious_only": strict if outcome.serious_only is None else outcome.serious_only,
                "any_term": outcome.any_term,
                "any_severity": not outcome.severity,
                "is_death": base == DEATH,
                "episode_gap_days": _setting(outcome.episode_gap_days, int(row.get("episode_gap_days") or 30)),
                "lag_days": _setting(outcome.lag_days, lag),
                "is_negative_control": _is_negative_control(outcome, row),
                "is_reaction": base in REACTIONS,
            }
        )
        components = (
            [item for item in known.values() if item[COMPOSITES[base]] == "1"]
            if composite
            else [row]
            if row and base != DEATH
            else []
        )
        for component in components:
            name = str(component["outcome_id"])
            if composite:
                members.append((outcome.id, name, component["label"] or name.replace("_", " ")))
            codes += [(outcome.id, name, *code) for code in component_codes(component)]
            terms += [
                (outcome.id, name, term) for term in _split(component["meddra_pt_names"]) if not term.startswith("any ")
            ]
        if composite and has_own:
            members.append((outcome.id, outcome.id, "codes and terms of the study"))
        codes += [(outcome.id, outcome.id, *code) for code in _own_codes(outcome)]
        terms += [(outcome.id, outcome.id, term.strip().lower()) for term in outcome.terms]
    words = {(outcome.id, word.strip().lower()) for outcome in spec.outcome for word in outcome.severity}
    return {
        "outcome": pl.DataFrame(outcomes),
        "outcome_severity": pl.DataFrame(
            sorted(words), schema=dict.fromkeys(("outcome_id", "severity"), pl.String), orient="row"
        ),
        "outcome_component": pl.DataFrame(
            sorted(members), schema=dict.fromkeys(("outcome_id", "component_id", "label"), pl.String), orient="row"
        ),
        "outcome_code": pl.DataFrame(
            sorted(set(codes)), schema=["outcome_id", "component_id", "vocabulary", "code_prefix", "is_exclusion"], orient="row"
        ).cast({"is_exclusion": pl.Boolean}) if codes else pl.DataFrame(
            schema={"outcome_id": pl.String, "component_id": pl.String, "vocabulary": pl.String, "code_prefix": pl.String,
                    "is_exclusion": pl.Boolean}),
        "outcome_term": pl.DataFrame(
            sorted(set(terms)), schema=dict.fromkeys(("outcome_id", "component_id", "term"), pl.String), orient="row"
        ),
    }  # fmt: skip


def _is_negative_control(outcome: Outcome, reference: Mapping[str, str | None]) -> bool:
    own = outcome.negative_control
    return reference.get("category") == NEGATIVE_CONTROL if own is None else own


def check_controls(spec: StudySpec, outcomes: pl.DataFrame) -> None:
    """Raises StudyError where a comparison is of a negative control, or nothing else is an outcome.

    outcomes: rows of `spec.outcome`.
    """
    controls = set(outcomes.filter("is_negative_control")["outcome_id"])
    for contrast in spec.contrast:
        if contrast.outcome in controls:
            raise StudyError(
                f"contrast {contrast.id!r} compares {contrast.outcome!r}, which is a negative control: controls are compared by "
                "themselves, in every design. Name another outcome, or set negative_control = false."
            )
    if len(controls) == outcomes.height:
        raise StudyError("every [[outcome]] is a negative control: name at least one outcome that is studied")


def _split(text: str | None) -> list[str]:
    return [part.strip().lower() for part in (text or "").split(";") if part.strip()]


def component_codes(component: Mapping[str, str | None]) -> Iterator[tuple[str, str, bool]]:
    """Codes of an outcome of the reference: vocabulary, prefix as it is compared, and whether it is an exclusion."""
    for vocabulary, column in REFERENCE_VOCABULARIES.items():
        for suffix, exclusion in (("include", False), ("exclude", True)):
            for code in _split(component.get(f"{column}_{suffix}")):
                yield vocabulary, normalised_code(code), exclusion


def _own_codes(outcome: Outcome) -> Iterator[tuple[str, str, bool]]:
    for codes, exclusion in ((outcome.codes, False), (outcome.exclude_codes, True)):
        for vocabulary, prefixes in codes.items():
            for code in prefixes:
                yield vocabulary, normalised_code(code), exclusion


def _setting(own: int | None, reference: int) -> int:
    return reference if own is None else own


def normalised_code(code: str) -> str:
    """A diagnosis code as it is compared: trimmed, upper case, without dots."""
    return code.strip().upper().replace(".", "")
