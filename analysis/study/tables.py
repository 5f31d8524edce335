"""The study file joined to the reference tables, as the rows of `spec.*`.

Owns which setting wins (study file, then reference) and the roles of drugs; outcomes are in `outcomes.py`.
Reads no file: reference tables come in as frames of text. Certainty decides what may map a record: codes that the
reference marks as unconfirmed never do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from analysis.study.code_map import code_forms
from analysis.study.conditions import charlson_rows, indication_rows
from analysis.study.induction import check_induction, induction_rows, planned_covers, planned_days
from analysis.study.outcomes import check_controls, outcome_tables
from analysis.study.pkpd_tables import pkpd_tables
from analysis.study.reactions import reaction_window_rows
from analysis.study.read import StudyError, nearest
from analysis.study.rules import DrugPolicy, policy_rows, rule_rows
from analysis.study.spec import RESERVED_IDS, Drug, StudySpec

REFERENCE_CODES = {  # code system -> (column of codes, column that says how certain they are)
    "RxNorm": ("rxnorm_rxcui", "rxcui_certainty"),
    "OMOP": ("omop_concept_id", "omop_certainty"),
    "ATC": ("atc_code_2026", "atc_certainty"),
    "HCPCS": ("hcpcs_codes", "hcpcs_certainty"),
}
ROLES = ("study", "background", "concomitant")


@dataclass(frozen=True, slots=True)
class _ResolvedDrug:
    row: dict[str, object]
    policy: DrugPolicy
    induction: tuple[int, ...]
    codes: tuple[tuple[str, str], ...]
    names: tuple[tuple[str, bool], ...]


def study_tables(spec: StudySpec, reference: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Rows of every table of schema `spec`, by table name.

    reference: `drug`, `outcome` and `condition`, all columns text. Raises StudyError for a drug or outcome that neither the study
    file nor the reference defines, a drug in two roles, a name or code that means two drugs, a study or background
    drug without gap or tail, and an induction without an interval or a look-back.
    """
    known = _resolve_drugs(spec, reference["drug"])
    drugs = [drug for drug in known if drug.row["role"]]
    tables = {
        "study": _study_row(spec),
        "age_band": _age_bands(spec),
        "drug": pl.DataFrame([drug.row for drug in drugs], schema=_DRUG_SCHEMA),
        "induction": induction_rows({str(drug.row["drug_id"]): drug.induction for drug in drugs}),
        "drug_code": _unique_meaning(
            [
                (drug_id, system, form)
                for drug_id, system, code in _codes(spec, known)
                for form in code_forms(system, code)
            ],
            ("drug_id", "code_system", "code"),
        ),
        "drug_name": _unique_meaning(
            [(drug.row["drug_id"], *name) for drug in known for name in drug.names], ("drug_id", "name", "is_pattern")
        ),
        "exposure_rule": rule_rows(spec),
        "placeholder_date": pl.DataFrame(
            {"placeholder_date": spec.source.placeholder_dates}, schema={"placeholder_date": pl.Date}
        ),
        "quality": pl.DataFrame({"freshness_days": [spec.quality.freshness_days]}),
        "drug_policy": policy_rows(spec, [drug.policy for drug in drugs]),
        "lag_grid": _lag_grid(spec),
        "reaction_window": reaction_window_rows(spec.reactions),
        "contrast": pl.DataFrame(
            [
                {
                    "contrast_id": c.id, "estimator": c.estimator, "outcome_id": c.outcome, "ladder": c.ladder,
                    "comparator_level": c.comparator_level,
                }
                for c in spec.contrast
            ],
            schema=dict.fromkeys(("contrast_id", "estimator", "outcome_id", "ladder", "comparator_level"), pl.String),
        ),
    }  # fmt: skip
    outcomes = outcome_tables(spec, reference["outcome"])
    check_controls(spec, outcomes["outcome"])
    return (
        tables
        | {
            "indication_code": indication_rows(reference["condition"]),
            "charlson_code": charlson_rows(reference["condition"]),
        }
        | outcomes
        | pkpd_tables(spec.pkpd, reference["outcome"])
    )


_DRUG_SCHEMA = {
    "drug_id": pl.String, "drug_name": pl.String, "role": pl.String, "drug_class": pl.String, "agent_type": pl.String,
    "is_biologic": pl.Boolean, "is_injectable": pl.Boolean, "counts_toruner": pl.Boolean, "counts_broad": pl.Boolean,
    "interval_days": pl.Int64, "units_per_day": pl.Float64, "washout_days": pl.Int64,
}  # fmt: skip


def _study_row(spec: StudySpec) -> pl.DataFrame:
    study, population, analysis = spec.study, spec.population, spec.analysis
    return pl.DataFrame(
        [
            {
                "study_id": study.id, "title": study.title, "version": study.version, "study_digest": spec.digest(),
                "start_date": study.start_date, "end_date": study.end_date, "data_cut_date": study.data_cut,
                "look_back_days": population.look_back_days, "minimum_age_years": population.minimum_age_years,
                "maximum_age_years": population.maximum_age_years,
                "max_drugs": spec.combination.max_drugs,
                "period_days": analysis.period_days, "stop_reason_window_days": analysis.stop_reason_window_days,
                "match_indication": spec.case_control.match_indication,
                "steroid_window_days": spec.case_control.steroid_window_days,
                "compare_within_indication": spec.comparison.match_indication, "horizon_days": spec.comparison.horizon_days,
                "confidence_level": analysis.confidence_level,
            }
        ],
        schema_overrides={"start_date": pl.Date, "end_date": pl.Date, "data_cut_date": pl.Date},
    )  # fmt: skip


def _age_bands(spec: StudySpec) -> pl.DataFrame:
    starts = [*spec.population.age_band_starts, 200]
    return pl.DataFrame(
        [
            {
                "age_band": f"{low:02d}-{high - 1:02d}" if high < 200 else f"{low:02d}+",
                "from_age": low,
                "below_age": high,
            }
            for low, high in pairwise(starts)
        ]
    )


def _resolve_drugs(spec: StudySpec, reference: pl.DataFrame) -> list[_ResolvedDrug]:
    """Every drug of the reference and the study; a role only for those that the study names."""
    known = {row["drug_id"]: row for row in reference.iter_rows(named=True)}
    own = {drug.id: drug for drug in spec.drug}
    roles: dict[str, str] = {}
    for role in ROLES:  # a drug named by itself wins over one named by its type
        for entry in getattr(spec.drugs, role):
            if not entry.startswith("agent_type:"):
                if entry not in known and entry not in own:
                    raise StudyError(f"drugs.{role}: unknown drug {entry!r}{nearest(entry, sorted(known | own))}")
                if roles.get(entry, role) != role:
                    raise StudyError(f"drug {entry!r} is given two roles, {roles[entry]} and {role}")
                roles[entry] = role
    for role in ROLES:
        for entry in getattr(spec.drugs, role):
            if entry.startswith("agent_type:"):
                wanted = entry.removeprefix("agent_type:")
                members = [drug for drug, row in known.items() if row["agent_type"] == wanted]
                if not members:
                    types = sorted({str(row["agent_type"]) for row in known.values()})
                    raise StudyError(f"drugs.{role}: no drug of type {wanted!r}{nearest(wanted, types)}")
                for drug in members:
                    roles.setdefault(drug, role)
    unused = sorted(set(own) - set(roles))
    if unused:
        raise StudyError(f"[[drug]] {unused[0]!r} has no role: name it in drugs.study, background or concomitant")
    meanings = Counter(code for row in known.values() for code in _reference_codes(row))
    shared = {code for code, drugs in meanings.items() if drugs > 1}
    return [
        _resolve_drug(drug, roles.get(drug), own.get(drug), known.get(drug, {}), shared)
        for drug in sorted(set(known) | set(roles))
    ]


def _resolve_drug(
    drug_id: str, role: str | None, own: Drug | None, reference: Mapping[str, str | None], shared: set[tuple[str, str]]
) -> _ResolvedDrug:
    """Settings of one drug; `shared` are reference codes that mean several drugs and so tell nothing."""
    settings = own or Drug(id=drug_id)

    def number(setting: int | None, column: str) -> int | None:
        text = reference.get(column)
        return setting if setting is not None else int(text) if text else None

    def flag(*, setting: bool | None, column: str) -> bool:
        return setting if setting is not None else reference.get(column) == "1"

    routes = (reference.get("routes") or "").split("|")
    injectable = settings.is_injectable
    is_injectable = injectable if injectable is not None else bool(routes[0]) and "PO" not in routes
    drug_class = settings.drug_class or reference.get("drug_class") or drug_id
    if "+" in drug_class or drug_class in RESERVED_IDS:
        raise StudyError(f"drug {drug_id!r}: class {drug_class!r} holds a '+' or is reserved")
    half_life = settings.half_life_days or float(reference.get("half_life_days") or 0) or None
    name = settings.name or reference.get("generic_name") or drug_id.replace("_", " ")
    gap, tail = number(settings.gap_days, "gap_days"), number(settings.tail_days, "tail_days")
    interval = number(settings.interval_days, "interval_days")
    washout = number(settings.washout_days, "new_user_washout_days")
    given = settings.induction_days
    induction = planned_days(reference.get("induction_days")) if given is None else given
    check_induction(drug_id, induction, interval_days=interval, look_back_days=washout)
    if role in ("study", "background") and (gap is None or tail is None):
        raise StudyError(f"drug {drug_id!r} has no gap_days or tail_days in the reference: give both in its [[drug]]")
    brands = [brand.split(" and other ")[0] for brand in (reference.get("brands") or "").split(";")]
    names = {text.strip().lower() for text in (name, *brands, *settings.names) if text.strip()}
    patterns = {text.strip().lower() for text in settings.name_patterns}
    own_codes = [(system, code.strip().upper()) for system, codes in settings.codes.items() for code in codes]
    return _ResolvedDrug(
        row={
            "drug_id": drug_id, "drug_name": name, "role": role,
            "drug_class": drug_class,
            "agent_type": settings.agent_type or reference.get("agent_type") or "other",
            "is_biologic": flag(setting=settings.is_biologic, column="is_biologic"),
            "is_injectable": is_injectable,
            "counts_toruner": flag(setting=settings.counts_toruner, column="counts_toruner"),
            "counts_broad": flag(setting=settings.counts_broad, column="counts_broad"),
            "interval_days": interval, "units_per_day": settings.units_per_day, "washout_days": washout,
        },
        policy=DrugPolicy(
            drug_id=drug_id, role=role or "", drug_class=drug_class, gap_days=gap, tail_days=tail,
            interval_days=interval, half_life_days=half_life, washout_days=washout, is_injectable=is_injectable,
        ),
        induction=planned_covers(induction, interval_days=interval),
        codes=tuple(sorted({*(set(_reference_codes(reference)) - shared), *own_codes})),
        names=(*((text, False) for text in sorted(names)), *((text, True) for text in sorted(patterns))),
    )  # fmt: skip


def _reference_codes(reference: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    """Codes that the reference holds as certain or likely; an unconfirmed one never maps a record."""
    for system, (column, certainty) in REFERENCE_CODES.items():
        if (reference.get(certainty) or "").startswith(("certain", "likely")):
            former = reference.get("atc_code_pre2024") or "" if system == "ATC" else ""
            for code in f"{reference.get(column) or ''};{former}".replace(" ", "").split(";"):
                if code and "(" not in code:
                    yield system, code.upper()


def _codes(spec: StudySpec, known: Sequence[_ResolvedDrug]) -> Iterator[tuple[str, str, str]]:
    """Every code with its drug and system: those of the reference and of `[[drug]]`, then those of the code map."""
    drugs = {str(drug.row["drug_id"]): drug for drug in known}
    for drug_id, drug in drugs.items():
        for system, code in drug.codes:
            yield drug_id, system, code
    for row in spec.source.code_map:
        if row.drug_id not in drugs:
            raise StudyError(
                f"source.code_map: drug_id {row.drug_id!r} is neither in the reference nor a drug of the study"
                f"{nearest(row.drug_id, sorted(drugs))}"
            )
        yield row.drug_id, row.code_system, row.code.strip().upper()


def _unique_meaning(rows: list[tuple[object, ...]], columns: tuple[str, str, str]) -> pl.DataFrame:
    schema = {name: pl.Boolean if name.startswith("is_") else pl.String for name in columns}
    frame = pl.DataFrame(rows, schema=schema, orient="row").unique().sort(columns)
    twice = frame.filter(frame.select(columns[1:]).is_duplicated())
    if twice.height:
        first = twice.sort(columns[1:]).row(0, named=True)
        raise StudyError(
            f"{first[columns[1]]!r} {first[columns[2]]!r} would mean two drugs, one of them {first['drug_id']!r}"
        )
    return frame


def _lag_grid(spec: StudySpec) -> pl.DataFrame:
    """Lags that the study asks for besides an outcome's own, for the outcomes of hazard ratios."""
    outcomes = sorted({c.outcome for c in spec.contrast if c.estimator == "time_varying_cox"})
    rows = [(outcome, days) for outcome in outcomes for days in sorted(set(spec.analysis.lag_grid_days))]
    return pl.DataFrame(rows, schema={"outcome_id": pl.String, "lag_days": pl.Int64}, orient="row")
