"""The simulated worlds by name: values only, so that another profile is one more value.

Numbers: Coexposure's clinical content, section 7.2 to 7.4. Shares of drugs within an indication, courses of background
drugs, the share of pauses and what happens after a pair are plausible choices, not estimates: no result depends on
them being right, only on their being known.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace

from analysis.simulate.care_plan import CarePlan
from analysis.simulate.design import (
    Background,
    FixedPair,
    Indication,
    InfectionPlan,
    NegativeControl,
    PairPlan,
    Profile,
    ProxyPlan,
    SimulationError,
)
from analysis.simulate.omalizumab_design import OmalizumabPlan, SymptomPlan
from analysis.simulate.reaction_plan import ReactionPlan

_PAIR = PairPlan(
    hazard_per_month=(
        ("adverse event", 0.0040),
        ("lack of efficacy", 0.0300),
        ("remission", 0.0220),
        ("cost or access", 0.0120),
        ("patient choice", 0.0100),
        ("pregnancy", 0.0016),
        ("death", 0.0010),
        ("lost", 0.0060),
    )
)

_ASTHMA = (("omalizumab", 0.50), ("mepolizumab", 0.25), ("dupilumab", 0.25))
_CSU = (("omalizumab", 0.80), ("dupilumab", 0.20))
_CROHN = (("infliximab", 0.40), ("adalimumab", 0.25), ("ustekinumab", 0.20), ("vedolizumab", 0.15))
_COLITIS = (("infliximab", 0.45), ("vedolizumab", 0.35), ("adalimumab", 0.20))
_ARTHRITIS = (("adalimumab", 0.40), ("etanercept", 0.30), ("tocilizumab", 0.30))
_PSORIASIS = (
    ("adalimumab", 0.25), ("secukinumab", 0.30), ("ustekinumab", 0.20), ("ixekizumab", 0.15), ("etanercept", 0.10),
)  # fmt: skip
_SPONDYLITIS = (("adalimumab", 0.40), ("etanercept", 0.30), ("secukinumab", 0.30))

# Outcomes of the reference that no drug causes. Injuries happen to whom they will; the others are found when somebody looks,
# so that severe disease finds more of them: the systematic error that calibration must show.
_INJURIES = (
    "nc_ankle_sprain", "nc_concussion", "nc_corneal_foreign_body", "nc_ear_foreign_body", "nc_finger_wound",
    "nc_inguinal_hernia", "nc_knee_contusion", "nc_tooth_fracture", "nc_umbilical_hernia", "nc_wrist_sprain",
)  # fmt: skip
_FOUND_BY_LOOKING = (
    "nc_astigmatism", "nc_cerumen", "nc_colour_vision", "nc_deviated_septum", "nc_hallux_valgus", "nc_ingrown_nail",
    "nc_lipoma", "nc_myopia", "nc_presbyopia", "nc_pterygium",
)  # fmt: skip
_NEGATIVE_CONTROLS = (
    *(NegativeControl(outcome_id=name) for name in _INJURIES),
    *(NegativeControl(outcome_id=name, severity_log_effect=0.3) for name in _FOUND_BY_LOOKING),
)

DEMO = Profile(
    name="demo",
    persons=5_000,
    pair=_PAIR,
    # No severity effect on infection here: the estimators that would remove confounding by severity come with the
    # matched design, and until then the demonstration's unadjusted estimates should meet the planted truth.
    # The opportunistic base rate is raised so that 5,000 persons give events on every level of the ladder.
    infection=InfectionPlan(severity_log_effect=0.0, opportunistic_base_factor=4.0),
    indications=(
        Indication(name="allergic asthma", icd10="J45.0", purpose="type2", share=0.35, drugs=_ASTHMA),
        Indication(name="chronic spontaneous urticaria", icd10="L50.1", purpose="type2", share=0.15, drugs=_CSU),
        Indication(name="Crohn disease", icd10="K50.9", purpose="immune", share=0.15, drugs=_CROHN),
        Indication(name="ulcerative colitis", icd10="K51.9", purpose="immune", share=0.10, drugs=_COLITIS),
        Indication(name="rheumatoid arthritis", icd10="M06.9", purpose="immune", share=0.10, drugs=_ARTHRITIS),
        Indication(name="psoriasis", icd10="L40.0", purpose="immune", share=0.12, drugs=_PSORIASIS),
        Indication(name="ankylosing spondylitis", icd10="M45", purpose="immune", share=0.03, drugs=_SPONDYLITIS),
    ),
    backgrounds=(
        Background(
            drug_id="prednisone",
            shares=(
                ("allergic asthma", 0.50), ("chronic spontaneous urticaria", 0.20), ("Crohn disease", 0.55),
                ("ulcerative colitis", 0.55), ("rheumatoid arthritis", 0.45), ("psoriasis", 0.10),
                ("ankylosing spondylitis", 0.10),
            ),
            mean_dispensings=3.0,
            mean_off_days=250.0,
        ),
        Background(
            drug_id="azathioprine",
            shares=(("Crohn disease", 0.50), ("ulcerative colitis", 0.45)),
            mean_dispensings=18.0,
            mean_off_days=300.0,
        ),
        Background(
            drug_id="mercaptopurine",
            shares=(("Crohn disease", 0.08), ("ulcerative colitis", 0.08)),
            mean_dispensings=12.0,
            mean_off_days=400.0,
        ),
        Background(
            drug_id="methotrexate",
            shares=(("rheumatoid arthritis", 0.60), ("psoriasis", 0.30), ("Crohn disease", 0.05)),
            mean_dispensings=18.0,
            mean_off_days=300.0,
        ),
        Background(
            drug_id="cyclosporine",
            shares=(("chronic spontaneous urticaria", 0.10),),
            mean_dispensings=4.0,
            mean_off_days=500.0,
        ),
        Background(
            drug_id="tofacitinib",
            shares=(("rheumatoid arthritis", 0.08), ("ulcerative colitis", 0.06)),
            mean_dispensings=8.0,
            mean_off_days=500.0,
        ),
    ),
    first_entry=dt.date(2016, 1, 1),
    last_entry=dt.date(2025, 6, 30),
    data_cut=dt.date(2025, 12, 31),
    negative_controls=_NEGATIVE_CONTROLS,
    omalizumab=OmalizumabPlan(symptoms=SymptomPlan()),
    # First approvals for the indication used here (FDA): asthma for dupilumab, psoriasis for ixekizumab.
    on_market=(("dupilumab", dt.date(2018, 10, 19)), ("ixekizumab", dt.date(2016, 3, 22))),
    dose_mg=(
        ("adalimumab", 40.0), ("dupilumab", 300.0), ("etanercept", 50.0), ("infliximab", 400.0), ("ixekizumab", 80.0),
        ("mepolizumab", 100.0), ("omalizumab", 300.0), ("secukinumab", 300.0), ("tocilizumab", 560.0),
        ("ustekinumab", 90.0), ("vedolizumab", 300.0),
    ),
)  # fmt: skip


def _without_adverse_events(pair: PairPlan, *, median_months: float) -> PairPlan:
    """The same pair plan without adverse-event stops, its other observed endings scaled to a median duration.

    `median_months`: months; loss to follow-up keeps its hazard, for it is censoring and moves no median.
    """
    hazard = dict(pair.hazard_per_month)
    scale = math.log(2.0) / median_months / (pair.observed - hazard["adverse event"])
    scaled = {name: value if name == "lost" else value * scale for name, value in hazard.items()}
    return replace(pair, hazard_per_month=tuple((scaled | {"adverse event": 0.0}).items()))


TINY_KOC = replace(
    DEMO,
    omalizumab=None,
    name="tiny_koc",
    persons=31,
    negative_controls=(),
    pair=_without_adverse_events(_PAIR, median_months=8.0),
    indications=(
        Indication(name="chronic spontaneous urticaria", icd10="L50.1", purpose="type2", share=1.0, drugs=_CSU),
        Indication(name="psoriasis", icd10="L40.0", purpose="immune", share=0.0, drugs=_PSORIASIS),
    ),
    backgrounds=(
        Background(
            drug_id="prednisone",
            shares=(("chronic spontaneous urticaria", 0.20),),
            mean_dispensings=2.0,
            mean_off_days=300.0,
        ),
    ),
    fixed_pairs=(
        FixedPair(first="omalizumab", second="adalimumab", count=3),
        FixedPair(first="omalizumab", second="ustekinumab", count=4),
        FixedPair(first="omalizumab", second="secukinumab", count=17),
        FixedPair(first="omalizumab", second="ixekizumab", count=7),
    ),
    two_indications_share=1.0,
    first_entry=dt.date(2017, 1, 1),
    last_entry=dt.date(2021, 12, 31),
)

# The planted ladder at its own rates, with severity as the confounder that a study must take off and its measured traces.
VALIDATION = replace(
    DEMO,
    omalizumab=None,
    name="validation",
    persons=200_000,
    infection=InfectionPlan(),
    background_log_effect_of_severity=0.8,
    proxies=ProxyPlan(),
)

# Nothing acts on anything: whatever an analysis finds here beyond its error rate is an artefact of the analysis.
NULL = replace(
    DEMO,
    omalizumab=None,
    name="null",
    infection=replace(
        DEMO.infection,
        serious_ratio=(1.0, 1.0, 1.0),
        opportunistic_ratio=(1.0, 1.0, 1.0),
        older_ratio=1.0,
        recurrence_ratio=1.0,
    ),
    negative_controls=tuple(replace(control, severity_log_effect=0.0) for control in _NEGATIVE_CONTROLS),
)

# The demonstration's world, to whose tables bad records are added (`dirty.py`).
DIRTY = replace(DEMO, name="dirty", omalizumab=OmalizumabPlan())

# Times of day and anaphylaxis twenty times as often as is published, so that its latency can be estimated.
BOOSTED = replace(DEMO, name="boosted", persons=20_000, omalizumab=OmalizumabPlan(), reactions=ReactionPlan())

# The demonstration's world and what a clinic does around its doses. Scores are those of its reviews alone.
CLINIC = replace(DEMO, name="clinic", omalizumab=OmalizumabPlan(), care=CarePlan())

PROFILES = {profile.name: profile for profile in (DEMO, TINY_KOC, VALIDATION, NULL, DIRTY, BOOSTED, CLINIC)}


def profile_named(name: str) -> Profile:
    """The profile of that name. Raises SimulationError naming those there are."""
    if name not in PROFILES:
        raise SimulationError(f"unknown profile {name!r}; there are {', '.join(sorted(PROFILES))}")
    return PROFILES[name]
