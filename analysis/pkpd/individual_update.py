"""What measured drug and IgE say about one person's own parameters: the mode of their distribution given the measurements.

Owns the measurements, the fit and its standard errors. Courses under the found parameters: `courses.courses(updated=...)`.

Each person's logarithms are normal about the typical ones with the published covariance, and so are logarithms of measurements about the
person's course with the published residual variances. The mode is found by damped Gauss-Newton of all persons at once, derivatives by
central differences; standard errors are those of the normal curve at the mode. Parameters that the measurements say nothing of
stay typical.
Misleads where a value stands for an assay's limit (free IgE above 150 ng/mL was not quantified in the studies): leave those out. Total
IgE is free and bound; a total measured as if free gives nonsense.
Source: Sheiner and Beal 1982, J Pharm Sci 71:1344.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from analysis.pkpd.concentrations import concentrations
from analysis.pkpd.course import Doses, integrate
from analysis.pkpd.histories import Histories, histories
from analysis.pkpd.parameters import Anchor, ParameterSet, individuals
from analysis.pkpd.quantities import Booleans, Floats, Integers, PkpdError
from analysis.pkpd.variability import covariance

MEASURES = {"omalizumab_ug_per_ml": "omalizumab", "free_ige_ng_per_ml": "free_ige", "total_ige_ng_per_ml": "total_ige"}
MOST_ROUNDS = 60
_STEP = 0.02  # of a logarithm, for derivatives
_CLOSE = 1e-5  # of minus twice the log density: what another whole step would still gain at the end
_COLUMNS_AT_ONCE = 3_000


@dataclass(frozen=True, slots=True)
class _Data:
    """Measurements of a piece: logarithm, person, day, which of `MEASURES`, and one over the residual variance."""

    log: Floats
    person: Integers
    day: Integers
    kind: Integers
    weight: Floats


def individual_update(
    persons: pl.DataFrame,
    doses: pl.DataFrame,
    measurements: pl.DataFrame,
    published: ParameterSet,
    *,
    anchor: Anchor,
    replaced: Mapping[str, float] | None = None,
) -> pl.DataFrame:
    """The most probable deviations of persons with measurements from the typical person of their weight and IgE.

    persons, doses: as in `histories.assessed`. measurements: `person_id`, `day` (before a dose of the day), `measure` (one of
    `omalizumab_ug_per_ml`, `free_ige_ng_per_ml`, `total_ige_ng_per_ml`), `value`. replaced: as in `variability.draws`.
    Columns: `person_id`, `parameter`, `deviation` (of the logarithm), `standard_error`, `measurement_count`, `status` (`ok`,
    `not_estimable`), `reason`, `model`, `anchor`; numbers are NULL where no mode was found.
    Raises PkpdError for measurements of unknown persons, outside 1 to `until_day`, of other kinds or not above 0, and as `courses`.
    """
    names, matrix = covariance(published, replaced=replaced)
    held = _checked(measurements, persons)
    chosen = persons.join(held, on="person_id", how="semi")
    given_doses = doses.join(chosen, on="person_id", how="semi")
    at_once = max(1, _COLUMNS_AT_ONCE // (2 * len(names) + 1))
    precision: Floats = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    frames = []
    for given in histories(chosen, given_doses, persons_at_once=at_once):
        numbers = pl.DataFrame({"person_id": given.person_id}).with_row_index("number")
        rows = held.join(numbers, on="person_id").sort("number", "day", "kind", "value")
        variances = np.array([published.residual_variances[name] for name in MEASURES.values()])
        kind = rows["kind"].to_numpy().astype(np.intp)
        data = _Data(
            log=np.log(rows["value"].to_numpy()),
            person=rows["number"].to_numpy().astype(np.intp),
            day=rows["day"].to_numpy().astype(np.intp),
            kind=kind,
            weight=1.0 / variances[kind],
        )
        frames.append(_piece(given, data, published, anchor, names, precision))
    schema = {
        "person_id": persons.schema["person_id"], "parameter": pl.String, "deviation": pl.Float64, "standard_error": pl.Float64,
        "measurement_count": pl.Int64, "status": pl.String, "reason": pl.String,
    }  # fmt: skip
    found = pl.concat([pl.DataFrame(schema=schema), *(frame.cast(schema) for frame in frames)])  # type: ignore[arg-type]
    return found.with_columns(model=pl.lit(published.model), anchor=pl.lit(anchor))


def wide(found: pl.DataFrame) -> pl.DataFrame:
    """Deviations as `courses.courses(updated=...)` takes them: `person_id` and one column a parameter; only persons with a mode."""
    return found.filter(pl.col("status") == "ok").pivot("parameter", index="person_id", values="deviation")


def _checked(measurements: pl.DataFrame, persons: pl.DataFrame) -> pl.DataFrame:
    odd = measurements.filter(~pl.col("measure").is_in(list(MEASURES)).fill_null(value=False)).height
    if odd:
        raise PkpdError(f"{odd} measurements of something else than {', '.join(MEASURES)}")
    value = pl.col("value").cast(pl.Float64)
    wrong = measurements.filter(~(value.is_finite() & (value > 0.0)).fill_null(value=False)).height
    if wrong:
        raise PkpdError(f"{wrong} measurements not above 0")
    held = measurements.join(persons.select("person_id", "until_day"), on="person_id", how="left")
    outside = held.filter(~pl.col("day").is_between(1, pl.col("until_day")).fill_null(value=False)).height
    if outside:
        raise PkpdError(f"{outside} measurements of unknown persons or outside day 1 to until_day")
    kinds = {measure: number for number, measure in enumerate(MEASURES)}
    kind = pl.col("measure").replace_strict(kinds, return_dtype=pl.Int64)
    return held.select("person_id", "day", value=value, kind=kind)


def _piece(
    given: Histories, data: _Data, published: ParameterSet, anchor: Anchor, names: list[str], precision: Floats
) -> pl.DataFrame:
    persons, size = len(given.person_id), len(names)
    mode, damping = np.zeros((persons, size)), np.full(persons, 1e-3)
    is_done: Booleans = np.zeros(persons, dtype=np.bool_)
    log, jacobian = _predicted(given, data, published, anchor, names, mode)
    loss = _loss(data, log, mode, precision)
    for _ in range(MOST_ROUNDS):
        curvature, slope = _normal_equations(data, log, jacobian, mode, precision)
        gain = np.einsum("pi,pi->p", slope, np.linalg.solve(curvature, slope[:, :, None])[:, :, 0])
        is_done = gain < _CLOSE
        if is_done.all():
            break
        ridge = damping[:, None, None] * np.einsum("pij,ij->pij", curvature, np.eye(size))
        step = np.linalg.solve(curvature + ridge, slope[:, :, None])[:, :, 0]
        step[is_done] = 0.0
        tried = mode + np.clip(step, -1.0, 1.0)
        new_log, new_jacobian = _predicted(given, data, published, anchor, names, tried)
        new_loss = _loss(data, new_log, tried, precision)
        is_better = (new_loss <= loss) & ~is_done
        mode = np.where(is_better[:, None], tried, mode)
        loss = np.where(is_better, new_loss, loss)
        taken = is_better[data.person]
        log, jacobian = np.where(taken, new_log, log), np.where(taken[:, None], new_jacobian, jacobian)
        damping = np.where(is_better, damping / 10.0, damping * 10.0)
    curvature, _ = _normal_equations(data, log, jacobian, mode, precision)
    errors = np.sqrt(np.diagonal(np.linalg.inv(curvature), axis1=1, axis2=2))
    return _frame(given, data, names, (mode, errors), is_done)


def _predicted(
    given: Histories, data: _Data, published: ParameterSet, anchor: Anchor, names: list[str], mode: Floats
) -> tuple[Floats, Floats]:
    """Logarithm of each measurement as the course has it, and its derivatives by each deviation (columns)."""
    size = len(names)
    shifts = np.vstack((np.zeros((1, size)), _STEP * np.eye(size), -_STEP * np.eye(size)))
    each = (mode[:, None, :] + shifts).reshape(-1, size)
    columns = shifts.shape[0]
    people = individuals(
        published,
        weight_kg=np.repeat(given.weight_kg, columns),
        baseline_ige_ng_per_ml=np.repeat(given.baseline_ige_ng_per_ml, columns),
        anchor=anchor,
        deviations=dict(zip(names, each.T, strict=True)),
    )
    doses = Doses(
        day=np.repeat(given.dose_day, columns),
        person=(given.dose_person[:, None] * columns + np.arange(columns)).ravel(),
        amount=np.repeat(given.dose_mg * 1e3 / published.drug_molar_mass_kda, columns),
    )
    course = integrate(people, doses, days=int(data.day.max()))
    column = data.person[:, None] * columns + np.arange(columns)
    row = (data.day * course.steps_per_day)[:, None]
    found = concentrations(course.drug[row, column], course.ige[row, column], people.of(column))
    levels = np.stack((found.omalizumab, found.free_ige, found.total_ige))[data.kind, np.arange(data.kind.size)]
    logs = np.log(levels)
    return logs[:, 0], (logs[:, 1 : size + 1] - logs[:, size + 1 :]) / (2.0 * _STEP)


def _loss(data: _Data, log: Floats, mode: Floats, precision: Floats) -> Floats:
    """Minus twice the logarithm of the density, of each person."""
    misfit = np.bincount(data.person, data.weight * (data.log - log) ** 2, minlength=mode.shape[0])
    unlikely: Floats = np.einsum("pi,ij,pj->p", mode, precision, mode)
    return misfit + unlikely


def _normal_equations(
    data: _Data, log: Floats, jacobian: Floats, mode: Floats, precision: Floats
) -> tuple[Floats, Floats]:
    persons, size = mode.shape
    curvature = np.broadcast_to(precision, (persons, size, size)).copy()
    slope = -mode @ precision
    weighted = data.weight[:, None] * jacobian
    np.add.at(curvature, data.person, weighted[:, :, None] * jacobian[:, None, :])
    np.add.at(slope, data.person, weighted * (data.log - log)[:, None])
    return curvature, slope


def _frame(
    given: Histories, data: _Data, names: list[str], found: tuple[Floats, Floats], is_done: Booleans
) -> pl.DataFrame:
    persons, size = is_done.size, len(names)
    is_ok = np.repeat(is_done, size)
    person = np.repeat(np.arange(persons), size)
    counts = np.bincount(data.person, minlength=persons)
    numbers = {name: values.ravel() for name, values in zip(("deviation", "standard_error"), found, strict=True)}
    frame = pl.DataFrame(
        {
            "person_id": given.person_id.gather(person),
            "parameter": names * persons,
            **numbers,
            "measurement_count": counts[person],
            "status": np.where(is_ok, "ok", "not_estimable"),
            "reason": np.where(is_ok, "", f"no mode within {MOST_ROUNDS} steps"),
        }
    )
    return frame.with_columns(pl.when(pl.col("status") == "ok").then(pl.col(*numbers)))
