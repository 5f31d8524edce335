"""The simulated worlds of the validation: each a profile, the persons of one replicate, and the outcomes that are asked about.

Owns their numbers and why they differ from the profile that they come from. What is estimated in them is in `replicates.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from analysis.simulate import PROFILES, Profile
from analysis.simulate.design import Indication, InfectionPlan, Interaction

OPPORTUNISTIC = "opportunistic_infection"


@dataclass(frozen=True, slots=True)
class World:
    """A profile, the persons of one replicate, and the outcomes whose matched sets are drawn."""

    profile: Profile
    persons: int
    outcomes: tuple[str, ...] = (OPPORTUNISTIC,)


# More infections than in the profile, so that fewer persons give as many cases, in the same proportions. One day between infections
# instead of 31: with many infections the days on which none can begin would take from the planted ratio itself.
LADDER_WORLD = World(
    replace(
        PROFILES["validation"],
        infection=replace(
            PROFILES["validation"].infection,
            serious_per_1000py=40.0,
            opportunistic_base_factor=8.0,
            separation_days=1,
        ),
        negative_controls=(),
        minor_events_per_py=0.0,
    ),
    persons=12_000,
)
NULL_WORLD = World(
    replace(PROFILES["null"], minor_events_per_py=0.0),
    persons=5_000,
    outcomes=(
        "serious_infection",
        OPPORTUNISTIC,
        *(control.outcome_id for control in PROFILES["null"].negative_controls),
    ),
)
_PAIR = ("infliximab", "omalizumab")
INTERACTION_WORLD = World(
    replace(
        PROFILES["null"],
        name="interaction",
        indications=(
            Indication(name="allergic asthma", icd10="J45.0", purpose="type2", share=0.5, drugs=((_PAIR[1], 1.0),)),
            Indication(name="Crohn disease", icd10="K50.9", purpose="immune", share=0.5, drugs=((_PAIR[0], 1.0),)),
        ),
        backgrounds=(),
        infection=InfectionPlan(
            serious_per_1000py=40.0,
            serious_ratio=(1.0, 1.0, 1.0),
            opportunistic_base_factor=20.0,
            opportunistic_ratio=(1.0, 1.0, 1.0),
            separation_days=1,
            severity_log_effect=0.0,
            interaction=Interaction(
                first=_PAIR[0], second=_PAIR[1], first_ratio=2.0, second_ratio=1.5, ratio_of_ratios=2.5
            ),
        ),
        negative_controls=(),
        minor_events_per_py=0.0,
    ),
    persons=6_000,
)
DEMO_WORLD = World(
    replace(PROFILES["demo"], negative_controls=(), minor_events_per_py=0.0), persons=PROFILES["demo"].persons
)
NAMED_WORLD = World(PROFILES["validation"], persons=PROFILES["validation"].persons)
WORLDS = {
    "ladder": LADDER_WORLD,
    "null": NULL_WORLD,
    "interaction": INTERACTION_WORLD,
    "demo": DEMO_WORLD,
    "validation": NAMED_WORLD,
}
