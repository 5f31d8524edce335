"""Settings of the data-quality rules: thresholds that grade a rule, and how old records may be.

Owns the section `[quality]` of the study file. The rules are in `expectations/`; which rows they set aside does not hang on thresholds.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from analysis.study.section import Days, Section

Share = Annotated[float, Field(ge=0, le=1)]


class Threshold(Section):
    """Shares of failed rows at which a rule is graded otherwise than by default."""

    rule: Annotated[str, Field(pattern=r"^DQ[0-9]{3}$")]
    table: str | None = Field(None, description="Input table; every table of the rule where it is left out.")
    field: str | None = Field(None, description="Field as in quality.rule_result; every field where it is left out.")
    fail_above: Share | None = Field(None, description="Share of failed rows up to which the rule passes.")
    block_above: Share | None = Field(None, description="Share of failed rows above which the run stops.")
    never_block: bool = Field(False, description="The rule does not stop the run, whatever its default.")


class Quality(Section):
    """How the data-quality rules are graded."""

    freshness_days: Days = Field(
        365, description="A table whose newest record is older at the last day of data is not fresh."
    )
    threshold: tuple[Threshold, ...] = ()
