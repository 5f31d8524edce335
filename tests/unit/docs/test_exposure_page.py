"""docs/exposure.md shows the intervals that the SELECTs give."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from pathlib import Path

from docs.exposure_timeline import OBSERVED, RULES, intervals

PAGE = (Path(__file__).parents[3] / "docs" / "exposure.md").read_text(encoding="utf-8")
BOTH = "adalimumab+omalizumab"


def test_the_table_of_the_page_is_what_the_selects_give() -> None:
    rows = re.findall(
        r"^\| (\w+) \| (\d{4}-\d\d-\d\d) \| (\d{4}-\d\d-\d\d) \| (\S+) \| (\S+) \|$", PAGE, flags=re.MULTILINE
    )
    assert rows == [tuple(map(str, row)) for row in intervals()]


def test_under_every_rule_the_intervals_are_all_of_observed_time() -> None:
    days: defaultdict[str, int] = defaultdict(int)
    for rule, start, stop, *_ in intervals():
        days[rule] += (stop - start).days
    assert dict(days) == dict.fromkeys(RULES, (OBSERVED[1] - OBSERVED[0]).days)


def test_the_days_together_that_the_page_names_are_right() -> None:
    covered: defaultdict[str, int] = defaultdict(int)
    at_risk: defaultdict[str, int] = defaultdict(int)
    for rule, start, stop, regimen, risk_regimen in intervals():
        length = (stop - start) // dt.timedelta(days=1)
        covered[rule] += length * (regimen == BOTH)
        at_risk[rule] += length * (risk_regimen == BOTH)
    named = dict(re.findall(r"^\| `(\w+)` \|.*?: (\d+) days \|", PAGE, flags=re.MULTILINE))
    assert {rule: int(days) for rule, days in named.items()} == dict(covered)
    grown = re.search(r"days at risk of both grow from (\d+) to (\d+)", PAGE)
    assert grown is not None
    assert tuple(map(int, grown.groups())) == (at_risk["gap_28"], at_risk["tail_70"])
