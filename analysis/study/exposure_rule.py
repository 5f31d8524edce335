"""The study file's exposure rules and their grid: what may be set, its unit and its default.

Owns the keys of `[[exposure_rule]]` and `[exposure_grid]`. What they mean for each drug is in `rules.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from analysis.study.section import AfterStopDays, Days, Factor, Identifier, Section

Overlap = Literal["merge", "stockpile", "stockpile_capped"]
DoseChange = Literal["carry", "discard", "convert"]


class Policy(Section):
    """Settings of one drug under one exposure rule."""

    gap_days: Days | None = None
    tail_days: Days | None = None
    washout_days: Days | None = None


class ExposureRule(Section):
    """One set of exposure settings; the first of the file is the primary one."""

    id: Identifier
    label: str = ""
    gap_days: Days | None = Field(None, description="Joins records of every study drug; absent: each drug's own.")
    gap_factor: Factor | None = Field(None, description="Gap as a multiple of the drug's interval.")
    tail_days: Days | None = Field(None, description="Risk carried past the stop; absent: each drug's own.")
    tail_half_lives: Factor | None = Field(None, description="Tail as a multiple of the drug's half-life.")
    background_gap_days: Days = 30
    overlap: Overlap = Field("merge", description="What an early refill does: nothing, or it is used later.")
    stockpile_cap_days: Days | None = Field(None, description="Most days carried over; absent: see the page.")
    dose_change: DoseChange = Field("carry", description="What is left when the dose changes: kept, lost, converted.")
    bridge_hospital_stays: bool = Field(False, description="A drug used at admission is used to the end of the stay.")
    min_episode_days: Annotated[int, Field(ge=1, le=36_500)] = Field(1, description="A shorter use does not count.")
    max_episode_days: Annotated[int, Field(ge=1, le=36_500)] | None = Field(None, description="A use is cut there.")
    min_overlap_days: Days | None = Field(None, description="Absent: combination.min_overlap_days.")
    washout_days: Days | None = Field(None, description="Makes a new use of a study drug; absent: each drug's own.")
    after_stop_days: AfterStopDays | None = Field(None, description="Absent: analysis.after_stop_days.")
    restart_after_days: Days = Field(0, description="The stopped drug again sooner than this is a resumption.")
    switch_within_days: AfterStopDays | None = Field(None, description="Another drug begun later is no switch.")
    drug: dict[Identifier, Policy] = Field(default_factory=dict, description="Settings of single drugs.")
    drug_class: dict[str, Policy] = Field(default_factory=dict, description="Settings of classes of drugs.")

    @model_validator(mode="after")
    def _one_way(self) -> ExposureRule:
        for days, factor in (("gap_days", "gap_factor"), ("tail_days", "tail_half_lives")):
            if getattr(self, days) is not None and getattr(self, factor) is not None:
                raise ValueError(f"exposure_rule {self.id!r} gives both {days} and {factor}: keep one")
        if self.stockpile_cap_days is not None and self.overlap != "stockpile_capped":
            raise ValueError(f"exposure_rule {self.id!r}: stockpile_cap_days needs overlap = 'stockpile_capped'")
        if self.dose_change != "carry" and self.overlap == "merge":
            raise ValueError(f"exposure_rule {self.id!r}: dose_change needs an overlap that carries supply")
        if self.max_episode_days is not None and self.max_episode_days < self.min_episode_days:
            raise ValueError(f"exposure_rule {self.id!r}: max_episode_days is below min_episode_days")
        return self


class ExposureGrid(Section):
    """Further rules in one block: every combination of the values given, beside the primary rule's other settings."""

    gap_days: tuple[Days, ...] = ()
    gap_factor: tuple[Factor, ...] = ()
    tail_days: tuple[Days, ...] = ()
    tail_half_lives: tuple[Factor, ...] = ()
    min_overlap_days: tuple[Days, ...] = ()
    overlap: tuple[Overlap, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> ExposureGrid:
        for days, factor in (("gap_days", "gap_factor"), ("tail_days", "tail_half_lives")):
            if getattr(self, days) and getattr(self, factor):
                raise ValueError(f"exposure_grid gives both {days} and {factor}: keep one")
        return self
