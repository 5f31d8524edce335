"""The input tables of the native format: columns, kinds, what is required, what identifies a record.

Owns the declarations only; reading and typing are elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "integer", "number", "date", "datetime"]


@dataclass(frozen=True, slots=True)
class Field:
    """One input column.

    `is_end` marks an inclusive end, whose far-future placeholder means open; `operator` names the column of a sign (<, >) that may
    stand before the number.
    """

    name: str
    kind: Kind = "text"
    is_end: bool = False
    operator: str = ""


@dataclass(frozen=True, slots=True)
class InputTable:
    """One input table.

    `required`: groups of columns of which at least one must be there. `key`: what identifies a record, empty when
    nothing does. `event_date`: the column that says when it happened.
    """

    name: str
    fields: tuple[Field, ...]
    required: tuple[tuple[str, ...], ...]
    key: tuple[str, ...]
    event_date: str
    is_required: bool = False


def _fields(text: str) -> tuple[Field, ...]:
    """`name`, `name:kind`, `name:date!` for an inclusive end, or `name:number<operator` for a number with a sign before it."""
    found = []
    for word in text.split():
        name, _, kind = word.partition(":")
        kind, _, operator = kind.partition("<")
        found.append(Field(name, kind.rstrip("!") or "text", kind.endswith("!"), operator))  # type: ignore[arg-type]
    return tuple(found)


def _required(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(word.split("|")) for word in text.split())


INPUT_TABLES: dict[str, InputTable] = {
    table.name: table
    for table in (
        InputTable(
            "person",
            _fields("person_id sex birth_date:date year_of_birth:integer"),
            _required("person_id sex birth_date|year_of_birth"),
            key=("person_id",),
            event_date="",
            is_required=True,
        ),
        InputTable(
            "observation_period",
            _fields("person_id start_date:date end_date:date!"),
            _required("person_id start_date end_date"),
            key=(),
            event_date="start_date",
        ),
        InputTable(
            "death",
            _fields("person_id death_date:date"),
            _required("person_id death_date"),
            key=(),
            event_date="death_date",
        ),
        InputTable(
            "prescription",
            _fields(
                "prescription_id person_id record_type drug_source_value drug_code code_system start_date:date "
                "start_datetime:datetime end_date:date! days_supply:number quantity:number dose:number dose_unit route "
                "status site_of_care observed_minutes:number stop_reason"
            ),
            _required("prescription_id person_id record_type drug_source_value start_date|start_datetime"),
            key=("prescription_id",),
            event_date="start_date",
            is_required=True,
        ),
        InputTable(
            "adverse_event",
            _fields(
                "adverse_event_id person_id term system_organ_class code code_system onset_date:date onset_datetime:datetime "
                "end_date:date! serious death life_threatening hospitalisation disability severity outcome action_taken causality "
                "suspect_drug dictionary_version"
            ),
            _required("adverse_event_id person_id term onset_date|onset_datetime"),
            key=("adverse_event_id",),
            event_date="onset_date",
            is_required=True,
        ),
        InputTable(
            "discontinuation",
            _fields("person_id drug_source_value stop_date:date reason"),
            _required("person_id drug_source_value stop_date"),
            key=(),
            event_date="stop_date",
        ),
        InputTable(
            "condition",
            _fields("condition_id person_id code code_system start_date:date end_date:date! position setting"),
            _required("condition_id person_id code code_system start_date"),
            key=("condition_id",),
            event_date="start_date",
        ),
        InputTable(
            "visit",
            _fields("visit_id person_id visit_type start_datetime:datetime end_datetime:datetime specialty"),
            _required("visit_id person_id visit_type start_datetime"),
            key=("visit_id",),
            event_date="start_datetime",
        ),
        InputTable(
            "measurement",
            _fields("measurement_id person_id test datetime:datetime value:number<operator operator unit value_text"),
            _required("measurement_id person_id test datetime"),
            key=("measurement_id",),
            event_date="datetime",
        ),
        InputTable(
            "symptom_score",
            _fields("person_id instrument date:date value:number"),
            _required("person_id instrument date value"),
            key=(),
            event_date="date",
        ),
        InputTable(
            "procedure",
            _fields("procedure_id person_id code code_system date:date"),
            _required("procedure_id person_id code code_system date"),
            key=("procedure_id",),
            event_date="date",
        ),
    )
}
