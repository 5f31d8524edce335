"""Bad records among clean ones, each with the rules that it breaks and what must become of it.

Owns the records that are planted and the ledger that says where. Clean records stay as they are: whatever is bad is a row of its own,
after them. The rules themselves are in `expectations/`, which this module does not know: the ledger is held against them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

QUARANTINE, WARN, DUPLICATE = "quarantine", "warn", "duplicate"
LEDGER = {"table_name": pl.String, "row_number": pl.Int64, "rule_id": pl.String, "fate": pl.String}
PER_PERSONS = 2_500  # one bad record of each kind for so many persons
_HOST_DAYS = 1_200  # observed days of a person who gets bad records
Row = dict[str, str | None]
Plant = tuple[str, tuple[str, ...], str, tuple[Row, ...]]  # table, rules, fate, rows


@dataclass(frozen=True, slots=True)
class Host:
    """A person of the simulated world to whom bad records are given: identifier, a day well inside observed time, death."""

    person_id: str
    day: dt.date
    death: dt.date | None = None

    def after(self, days: int) -> str:
        """The day so many days later, as text."""
        return str(self.day + dt.timedelta(days=days))


@dataclass
class _Ledger:
    """Tables as text that grow by rows, and what was planted."""

    tables: dict[str, pl.DataFrame]
    added: dict[str, list[Row]] = field(default_factory=dict)
    told: list[tuple[str, int, str, str]] = field(default_factory=list)

    def plant(self, table: str, rules: tuple[str, ...], fate: str, rows: tuple[Row, ...]) -> None:
        clean = self.tables[table].height if table in self.tables else 0
        for row in rows:
            self.added.setdefault(table, []).append(row)
            number = clean + len(self.added[table])
            self.told += [(table, number, rule, fate) for rule in rules]

    def done(self) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
        tables = dict(self.tables)
        for table, rows in self.added.items():
            names = list(
                dict.fromkeys(
                    [*(tables[table].columns if table in tables else ()), *(key for row in rows for key in row)]
                )
            )
            new = pl.DataFrame(
                [{name: row.get(name) for name in names} for row in rows], schema=dict.fromkeys(names, pl.String)
            )
            tables[table] = pl.concat([tables[table], new], how="diagonal") if table in tables else new
        return tables, pl.DataFrame(self.told, schema=LEDGER, orient="row").sort(list(LEDGER))


def with_bad_records(tables: Mapping[str, pl.DataFrame], *, seed: int) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """The tables, all text, with bad records after the clean ones, and the ledger of them.

    tables: of the native format, with `person`, `observation_period`, `death`, `prescription`, `adverse_event` and `condition`. Ledger:
    `table_name`, `row_number` (from 1, as in the file that is written), `rule_id`, `fate` (`quarantine`, `warn` or `duplicate`, which
    is DQ006); a record that breaks several rules has several rows. The number of bad records of each kind grows with the persons.
    """
    ledger = _Ledger({name: frame.cast(pl.String) for name, frame in tables.items()})
    hosts, dead = _hosts(tables, np.random.default_rng(seed))
    for number in range(max(1, tables["person"].height // PER_PERSONS)):
        host, gone = hosts[number % len(hosts)], dead[number % len(dead)]
        for kind in _KINDS:
            for table, rules, fate, rows in kind(host, gone, str(number)):
                ledger.plant(table, rules, fate, rows)
    clean = ledger.tables["prescription"].row(0, named=True)
    ledger.plant("prescription", ("DQ006",), DUPLICATE, (dict(clean), dict(clean)))
    return ledger.done()


def _hosts(tables: Mapping[str, pl.DataFrame], rng: np.random.Generator) -> tuple[list[Host], list[Host]]:
    """Persons long observed, in drawn order: who did not die, and who died a year and more before the end of data."""
    periods = tables["observation_period"].join(tables["death"], on="person_id", how="left")
    last = tables["observation_period"]["end_date"].max()
    long = periods.filter(pl.col("end_date") - pl.col("start_date") >= pl.duration(days=_HOST_DAYS))
    day = pl.col("start_date") + pl.duration(days=500)
    alive = long.filter(pl.col("death_date").is_null() & (pl.col("end_date") == last))
    gone = periods.filter(pl.col("death_date") < pl.lit(last) - pl.duration(days=400))

    def drawn(frame: pl.DataFrame) -> list[Host]:
        rows = frame.select("person_id", day.alias("day"), "death_date").sort("person_id").rows()
        return [Host(*rows[place]) for place in rng.permutation(len(rows))]

    return drawn(alive), drawn(gone)


def _drug(host: Host, number: str, kind: str, **more: str | None) -> Row:
    """A clean record of a drug, changed in what is named."""
    row: Row = {
        "prescription_id": f"BAD-{kind}-{number}", "person_id": host.person_id, "record_type": "dispensing",
        "drug_source_value": "prednisone", "drug_code": "8640", "code_system": "RxNorm", "start_date": host.after(0),
        "days_supply": "30", "route": "PO",
    }  # fmt: skip
    return row | more


def _event(host: Host, number: str, kind: str, **more: str | None) -> Row:
    row: Row = {
        "adverse_event_id": f"BAD-{kind}-{number}", "person_id": host.person_id, "term": f"Headache {kind}", "onset_date": host.after(10),
        "serious": "N", "hospitalisation": "N", "action_taken": "dose not changed",
    }  # fmt: skip
    return row | more


def _diagnosis(host: Host, number: str, kind: str, **more: str | None) -> Row:
    row: Row = {
        "condition_id": f"BAD-{kind}-{number}", "person_id": host.person_id, "code": "R51", "code_system": "ICD10",
        "start_date": host.after(20), "position": "secondary", "setting": "outpatient",
    }  # fmt: skip
    return row | more


def _persons(host: Host, gone: Host, number: str) -> Iterator[Plant]:
    def person(kind: str, **more: str | None) -> Row:
        born = str(
            dt.date(1970, 1, 1) + dt.timedelta(days=int(number))
        )  # or those without an identifier would be duplicates
        return {"person_id": f"BAD-{kind}-{number}", "sex": "F", "birth_date": born} | more

    yield "person", ("DQ005", "DQ007"), QUARANTINE, (person("none", person_id=None),)
    yield "person", ("DQ005",), QUARANTINE, (person("sexes"), person("sexes", sex="M"))
    yield "person", ("DQ018",), QUARANTINE, (person("unborn", birth_date=None),)
    yield "person", ("DQ002", "DQ018"), QUARANTINE, (person("unread", birth_date="unknown"),)
    yield "person", ("DQ017",), WARN, (person("sex", sex="X"),)
    if int(number) % 2 == 0:  # the rule stops the run above 1 in 1,000
        yield "person", ("DQ005", "DQ019"), QUARANTINE, (person("births"), person("births", birth_date="1985-05-05"))
    yield "observation_period", ("DQ021",), QUARANTINE, (
        {"person_id": host.person_id, "start_date": host.after(5), "end_date": host.after(4)},
    )  # fmt: skip
    later = {days: str((gone.death or gone.day) + dt.timedelta(days=days)) for days in (10, 31)}
    yield "death", ("DQ023",), QUARANTINE, ({"person_id": gone.person_id, "death_date": later[31]},)
    yield "death", ("DQ023",), WARN, ({"person_id": gone.person_id, "death_date": later[10]},)
    yield "discontinuation", ("DQ008",), QUARANTINE, (
        {"person_id": f"NOBODY-{number}", "drug_source_value": "omalizumab", "stop_date": host.after(0), "reason": "other"},
    )  # fmt: skip
    yield "discontinuation", ("DQ027",), QUARANTINE, (
        {"person_id": host.person_id, "drug_source_value": "omalizumab", "stop_date": None, "reason": "other"},
    )  # fmt: skip


def _prescriptions(host: Host, gone: Host, number: str) -> Iterator[Plant]:
    died = gone.death or gone.day
    wrong: Mapping[tuple[str, ...], Row] = {
        ("DQ007",): {"person_id": None},
        ("DQ008",): {"person_id": f"NOBODY-{number}"},
        ("DQ002",): {"days_supply": "thirty"},
        ("DQ009",): {"start_date": "2190-01-01"},
        ("DQ010",): {"start_date": "1900-01-01"},
        ("DQ011",): {"person_id": gone.person_id, "start_date": str(died + dt.timedelta(days=31))},
        ("DQ024",): {"drug_source_value": None, "drug_code": None, "code_system": None},
        ("DQ025",): {"drug_source_value": "dupilumab", "drug_code": "302379"},
        ("DQ026",): {"route": "topical"},
        ("DQ027",): {"start_date": None},
        ("DQ028",): {"end_date": host.after(-1)},
        ("DQ030",): {"days_supply": "-5"},
        ("DQ032",): {"quantity": "0"},
        ("DQ038",): {"status": "cancelled"},
        ("DQ041",): {"drug_source_value": "tezepelumab", "drug_code": None, "code_system": None, "start_date": "2008-06-01"},
        ("DQ028", "DQ032"): {"end_date": host.after(-1), "quantity": "-30"},
    }  # fmt: skip
    for rules, change in wrong.items():
        yield "prescription", rules, QUARANTINE, (_drug(host, number, "".join(rules), **change),)
    yield (
        "prescription",
        ("DQ005",),
        QUARANTINE,
        (_drug(host, number, "twice"), _drug(host, number, "twice", days_supply="60")),
    )
    yield "prescription", ("DQ010",), WARN, (_drug(host, number, "open", end_date="9999-12-31"),)
    bill = str(died + dt.timedelta(days=30))
    yield "prescription", ("DQ011",), WARN, (_drug(gone, number, "bill", start_date=bill),)


def _events(host: Host, gone: Host, number: str) -> Iterator[Plant]:
    at = host.after(10)
    given = _drug(
        host, number, "given", record_type="administration", drug_source_value="epinephrine", drug_code=None, code_system=None,
        start_date=at, start_datetime=f"{at} 10:30:00", days_supply="1", route="IM",
    )  # fmt: skip
    yield "prescription", (), "", (given,)
    wrong: Mapping[tuple[str, ...], Row] = {
        ("DQ008",): {"person_id": f"NOBODY-{number}"},
        ("DQ009",): {"onset_date": "2190-01-01"},
        ("DQ043",): {"term": None},
        ("DQ046",): {"onset_date": None},
        ("DQ047",): {"end_date": host.after(9)},
        ("DQ050",): {"life_threatening": "Y"},
        ("DQ052",): {"severity": "5", "outcome": "recovered"},
        ("DQ057",): {"term": "Anaphylactic reaction", "onset_datetime": f"{at} 10:29:00"},
    }
    for rules, change in wrong.items():
        yield "adverse_event", rules, QUARANTINE, (_event(host, number, "".join(rules), **change),)
    yield "adverse_event", ("DQ049",), WARN, (_event(host, number, "unsaid", serious=None),)
    yield "adverse_event", ("DQ054",), WARN, (_event(host, number, "cause", causality="perhaps"),)


def _diagnoses(host: Host, gone: Host, number: str) -> Iterator[Plant]:
    wrong: Mapping[tuple[str, ...], Row] = {
        ("DQ028",): {"end_date": host.after(19)},
        ("DQ059",): {"code": "headache"},
        ("DQ060",): {"code": "8.45", "code_system": "ICD9CM", "start_date": "2014-06-01"},
        ("DQ008",): {"person_id": f"NOBODY-{number}"},
    }
    for rules, change in wrong.items():
        yield "condition", rules, QUARANTINE, (_diagnosis(host, number, "".join(rules), **change),)
    yield "condition", ("DQ059",), QUARANTINE, (_diagnosis(host, number, "READ", code_system="READ"),)
    yield (
        "condition",
        ("DQ061",),
        WARN,
        (_diagnosis(host, number, "era", code="784.0", code_system="ICD9CM", start_date="2016-06-01"),),
    )


def _visits_and_tests(host: Host, gone: Host, number: str) -> Iterator[Plant]:
    def visit(kind: str, stop: str | None, visit_type: str = "outpatient") -> Row:
        return {
            "visit_id": f"V-{kind}-{number}", "person_id": host.person_id, "visit_type": visit_type,
            "start_datetime": f"{host.after(30)} 08:15:00", "end_datetime": stop,
        }  # fmt: skip

    def test(kind: str, name: str, value: str | None, unit: str | None, text: str | None = None) -> Row:
        return {
            "measurement_id": f"M-{kind}-{number}", "person_id": host.person_id, "test": name, "datetime": f"{host.after(30)} 08:20:00",
            "value": value, "unit": unit, "value_text": text,
        }  # fmt: skip

    def score(instrument: str, value: str) -> Row:
        return {"person_id": host.person_id, "instrument": instrument, "date": host.after(31), "value": value}

    yield "visit", (), "", (visit("good", f"{host.after(30)} 09:00:00"),)
    yield (
        "visit",
        ("DQ064",),
        QUARANTINE,
        (visit("back", f"{host.after(30)} 08:14:00"), visit("long", f"{host.after(396)} 08:15:00")),
    )
    yield "visit", ("DQ065",), WARN, (visit("type", None, "walk-in"),)
    yield "measurement", (), "", (test("good", "IgE", "120", "kU/L"), test("kg", "weight", "70", "kg"))
    yield (
        "measurement",
        ("DQ066",),
        QUARANTINE,
        (test("unit", "IgE", "120", None), test("unit2", "IgE", "120", "mg/dL")),
    )
    yield (
        "measurement",
        ("DQ067",),
        QUARANTINE,
        (test("heavy", "weight", "700", "lb"), test("ige", "IgE", "50001", "IU/mL")),
    )
    yield "measurement", ("DQ070",), WARN, (test("tb", "IGRA", None, None, "unclear"),)
    yield "symptom_score", (), "", (score("ACT", "25"), score("ACT", "5"))
    yield "symptom_score", ("DQ071",), QUARANTINE, (score("ACT", "4"), score("UAS7", "43"))
    done = {"procedure_id": f"PR-{number}", "person_id": host.person_id, "code": "X1", "code_system": "local"}
    yield "procedure", (), "", ({**done, "date": host.after(31)},)
    yield "procedure", ("DQ027",), QUARANTINE, ({**done, "procedure_id": f"PR-none-{number}", "date": None},)


_KINDS: tuple[Callable[[Host, Host, str], Iterator[Plant]], ...] = (
    _persons, _prescriptions, _events, _diagnoses, _visits_and_tests,
)  # fmt: skip
