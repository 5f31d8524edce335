"""Recovery of planted numbers: the simulated demonstration with several seeds, through ingest, SQL and estimators.

    python -m benchmarks.recovery [--seeds N] [--write PAGE]

Writes the part of the page that stands between its markers; the tests hold a bar on the same numbers (17 of 20).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks.pages import commit, replace_part
from tests.pipeline.test_recovery import answers, estimates_of, simulated


def page(seeds: int) -> str:
    """The table in Markdown."""
    found: defaultdict[tuple[str, str, str], list[tuple[float, float, bool]]] = defaultdict(list)
    for seed in range(1, seeds + 1):
        simulation = simulated("demo", seed)
        with tempfile.TemporaryDirectory() as folder:
            result = estimates_of(simulation, Path(folder))
        for planted in simulation.truth["planted"]:
            for way, row in answers(result, planted).items():
                held = row["lower"] <= planted["value"] <= row["upper"]
                name = f"{planted['name']}, {way}" if way else planted["name"]
                found[name, planted["stratum"], planted["level"]].append((planted["value"], row["value"], held))
    lines = [
        "## Planted numbers and what comes back",
        "",
        f"Profile `demo`, 5,000 persons, seeds 1 to {seeds}, primary rule, commit `{commit()}`; truth and estimate are means over "
        "seeds (some truths are weighted by realised days), geometric for matched odds ratios. The others are Mantel-Haenszel from pooled "
        "periods: exposure is fixed on the first day of a period, which dilutes a true ratio.",
        "",
        "| planted | level | truth | mean estimate | in the 95 % interval |",
        "|---|---|--:|--:|--:|",
    ]
    for (name, stratum, level), rows in sorted(found.items()):
        mean = statistics.geometric_mean if name.endswith(", matched") else statistics.mean
        truth, value = mean([row[0] for row in rows]), mean([row[1] for row in rows])
        lines.append(
            f"| {name} | {stratum} {level} | {truth:.3g} | {value:.3g} | {sum(row[2] for row in rows)} of {len(rows)} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    """Measures and prints, or writes the page's part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    text = page(options.seeds)
    if options.write:
        replace_part(options.write, "recovery", text)
    print(text)


if __name__ == "__main__":
    main()
