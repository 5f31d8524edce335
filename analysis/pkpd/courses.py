"""Modelled courses of any number of persons, in pieces of bounded memory, and their days as frames.

Owns the pieces and the days. Movement belongs in `course`; time below a threshold in `thresholds`.

A dose's day stands before that dose, so symptoms of the same day belong to the day before. Every frame names `model` and
`anchor`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from analysis.pkpd.concentrations import Concentrations, concentrations, free_ige_ng_per_ml
from analysis.pkpd.course import STEPS_PER_DAY, Course, Doses, integrate, steps_needed
from analysis.pkpd.histories import Histories, histories
from analysis.pkpd.parameters import Anchor, Individuals, ParameterSet, individuals
from analysis.pkpd.quantities import Floats, Integers, PkpdError

# A piece holds some eight arrays of steps by courses at once.
BYTES_AT_ONCE = 200_000_000
MOST_AT_ONCE = 4_000  # courses; more do not fit the processor's cache and take longer each
_LEVELS = ("omalizumab_ug_per_ml", "free_ige_ng_per_ml", "total_ige_ng_per_ml")


@dataclass(frozen=True)
class Piece:
    """Some persons with their courses. Person i has the `draws` columns from i draws on; 1 where none are drawn."""

    given: Histories
    people: Individuals
    course: Course
    draws: int
    model: str
    anchor: Anchor

    @cached_property
    def free_ige(self) -> Floats:
        """Free IgE in ng/mL at each step (rows) of each course (columns)."""
        return free_ige_ng_per_ml(self.course.drug, self.course.ige, self.people)

    def named(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with what was assumed."""
        return frame.with_columns(model=pl.lit(self.model), anchor=pl.lit(self.anchor))


def courses(
    persons: pl.DataFrame,
    doses: pl.DataFrame,
    published: ParameterSet,
    *,
    anchor: Anchor,
    deviations: Mapping[str, Floats] | None = None,
    updated: pl.DataFrame | None = None,
    steps_per_day: int = STEPS_PER_DAY,
) -> Iterator[Piece]:
    """Courses from each person's first dose to `until_day`; frames as in `histories.assessed`, all persons assessable.

    deviations: as from `variability.draws`, arrays of one length; each person then has as many courses, the draws being the
    same for all. updated: `person_id` and a column a parameter, each person's own deviations, as of `individual_update.wide`;
    persons without a row stay typical. Not both. Where somebody clears faster than `steps_per_day` follow, steps are doubled for
    everybody. Results are the same however persons are cut into pieces.
    Raises PkpdError where both are given, and as `histories.histories`, `parameters.individuals` and `course.integrate`.
    """
    if deviations is not None and updated is not None:
        raise PkpdError("a person has draws or deviations of their own, not both")
    draws = _length(deviations)
    longest = (
        persons.select(pl.col("until_day").cast(pl.Int64).max()).item() if "until_day" in persons.columns else None
    )
    days = max(0, longest or 0)

    def cut(steps: int) -> list[Histories]:
        fitting = BYTES_AT_ONCE // (8 * 8 * (days * steps + 1))
        return list(histories(persons, doses, persons_at_once=max(1, min(MOST_AT_ONCE, fitting) // draws)))

    def typical(given: Histories) -> Individuals:
        drawn = {name: np.tile(values, len(given.person_id)) for name, values in (deviations or {}).items()}
        if updated is not None:
            own = pl.DataFrame({"person_id": given.person_id}).join(
                updated, on="person_id", how="left", maintain_order="left"
            )
            drawn = {name: own[name].fill_null(0.0).to_numpy() for name in own.columns if name != "person_id"}
        return individuals(
            published,
            weight_kg=np.repeat(given.weight_kg, draws),
            baseline_ige_ng_per_ml=np.repeat(given.baseline_ige_ng_per_ml, draws),
            anchor=anchor,
            deviations=drawn,
        )

    cuts = cut(steps_per_day)
    # One number of steps for everybody, so that who is in a piece with whom changes nothing.
    steps = max((steps_needed(typical(given), at_least=steps_per_day) for given in cuts), default=steps_per_day)
    for given in cuts if steps == steps_per_day else cut(steps):
        people = typical(given)
        column = (given.dose_person[:, None] * draws + np.arange(draws)).ravel()
        nmol = np.repeat(given.dose_mg * 1e3 / published.drug_molar_mass_kda, draws)
        course = integrate(
            people,
            Doses(day=np.repeat(given.dose_day, draws), person=column, amount=nmol),
            days=int(given.until_day.max()),
            steps_per_day=steps,
        )
        yield Piece(given, people, course, draws, published.model, anchor)


def collected(pieces: Iterable[Piece], *made: Callable[[Piece], pl.DataFrame]) -> list[pl.DataFrame]:
    """What each function makes of each piece, one frame a function, in the order of the pieces.

    Only what the functions return is kept. Raises PkpdError without any piece.
    """
    frames = [[make(piece) for make in made] for piece in pieces]
    if not frames:
        raise PkpdError("there are no persons")
    return [pl.concat(parts) for parts in zip(*frames, strict=True)]


def daily(piece: Piece, *, every_days: int = 1) -> pl.DataFrame:
    """Modelled concentrations on day 0, `every_days`, ... of each person, one course each.

    Columns: `person_id`, `day`, `omalizumab_ug_per_ml`, `free_ige_ng_per_ml`, `total_ige_ng_per_ml`,
    `free_ige_share_of_baseline`, `model`, `anchor`. Misleads as a measurement: it is what the typical person of this weight and
    IgE would have.
    Raises PkpdError where the piece holds draws or `every_days` is not above 0.
    """
    _require_single(piece)
    days, person, day = _grid(piece, every_days)
    held = days * piece.course.steps_per_day
    found = concentrations(piece.course.drug[held], piece.course.ige[held], piece.people)
    picked = Concentrations(*(values[day, person] for values in (found.omalizumab, found.free_ige, found.total_ige)))
    return _frame(piece, person, days[day], picked)


def on_days(piece: Piece, asked: pl.DataFrame) -> pl.DataFrame:
    """As `daily`, on the days of `asked` (`person_id`, `day`); persons of other pieces are passed over.

    Raises PkpdError for a day before 0 or after a person's `until_day`, and as `daily`.
    """
    _require_single(piece)
    here = pl.DataFrame({"person_id": piece.given.person_id, "until_day": piece.given.until_day}).with_row_index(
        "number"
    )
    rows = (
        asked.select("person_id", pl.col("day").cast(pl.Int64))
        .unique()
        .join(here, on="person_id")
        .sort("number", "day")
    )
    outside = rows.filter((pl.col("day") < 0) | (pl.col("day") > pl.col("until_day"))).height
    if outside:
        raise PkpdError(f"{outside} days asked for lie before the first dose or after until_day")
    person, day = rows["number"].to_numpy().astype(np.intp), rows["day"].to_numpy().astype(np.intp)
    step = day * piece.course.steps_per_day
    drug, ige = piece.course.drug[step, person], piece.course.ige[step, person]
    return _frame(piece, person, day, concentrations(drug, ige, piece.people.of(person)))


def daily_limits(piece: Piece, *, level: float, every_days: int = 1) -> pl.DataFrame:
    """Between which values the middle `level` of persons of one weight, IgE and history lie, from the piece's draws.

    Columns: `person_id`, `day`, and `_lower`, `_median`, `_upper` of omalizumab, free and total IgE. What a model cannot
    know of a person, not the error of the model's own parameters.
    Raises PkpdError for a level not between 0 and 1, without draws, and as `daily`.
    """
    if not 0.0 < level < 1.0 or piece.draws < 2:
        raise PkpdError("limits need a level between 0 and 1, and draws")
    days, person, day = _grid(piece, every_days)
    held = days * piece.course.steps_per_day
    found = concentrations(piece.course.drug[held], piece.course.ige[held], piece.people)
    columns: dict[str, object] = {"person_id": piece.given.person_id.gather(person), "day": days[day]}
    quantiles = {"lower": 0.5 - level / 2, "median": 0.5, "upper": 0.5 + level / 2}
    for name, values in zip(_LEVELS, (found.omalizumab, found.free_ige, found.total_ige), strict=True):
        drawn = values.reshape(values.shape[0], -1, piece.draws)
        limits = np.quantile(drawn, list(quantiles.values()), axis=2)
        columns |= {f"{name}_{side}": limit[day, person] for side, limit in zip(quantiles, limits, strict=True)}
    return piece.named(pl.DataFrame(columns))


def _grid(piece: Piece, every_days: int) -> tuple[Integers, Integers, Integers]:
    """Days, and for each row of a frame its person and the place of its day among them."""
    if every_days < 1:
        raise PkpdError(f"days must be at least 1 apart, not {every_days}")
    days = np.arange(0, int(piece.given.until_day.max()) + 1, every_days)
    person, day = np.nonzero(days[None, :] <= piece.given.until_day[:, None])
    return days, person, day


def _frame(piece: Piece, person: Integers, day: Integers, found: Concentrations) -> pl.DataFrame:
    levels = (found.omalizumab, found.free_ige, found.total_ige)
    frame = pl.DataFrame(
        {
            "person_id": piece.given.person_id.gather(person),
            "day": day,
            **dict(zip(_LEVELS, levels, strict=True)),
            "free_ige_share_of_baseline": found.free_ige / piece.people.baseline_ng_per_ml[person],
        }
    )
    return piece.named(frame)


def _require_single(piece: Piece) -> None:
    if piece.draws != 1:
        raise PkpdError("a piece of draws has limits, not days")


def _length(deviations: Mapping[str, Floats] | None) -> int:
    lengths = {values.size for values in (deviations or {}).values()}
    if len(lengths) > 1 or 0 in lengths:
        raise PkpdError(f"draws of different or no length: {sorted(lengths)}")
    return lengths.pop() if lengths else 1
