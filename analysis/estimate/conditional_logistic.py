"""Conditional logistic regression of matched sets, by maximum likelihood or with Firth's penalty.

Owns the checks of a frame of sets and what is counted of them. The likelihood is in `matched_sets`; odds ratios are read
from the fit in `adjusted`; tiny data belong in `exact_logistic`. How sets are drawn does not belong here.
Source: Breslow and Day 1980, Statistical Methods in Cancer Research I, 7; Heinze and Puhr 2010, Stat Med 29:770.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from analysis.estimate.design import codes_of, design_of, event_column, infinite_reasons
from analysis.estimate.matched_sets import matched_sets
from analysis.estimate.regression import Counts, RegressionFit, fit_likelihood
from analysis.estimate.result import EstimationError


def conditional_logistic(
    frame: pl.DataFrame,
    *,
    covariates: Sequence[str],
    confidence: float,
    matched_set: str = "set_id",
    event: str = "event",
    cluster: str | None = None,
) -> RegressionFit:
    """Log odds ratios within matched sets by the exact conditional likelihood, for any number of cases in a set.

    frame: one row a member of a set: `set_id`, `event` (1 for a case, 0 for a control) and the covariates (Float64).
    Equal to R's survival::clogit(event ~ x + strata(set_id), method = "exact"), converged to 1e-12 standard errors.
    Sets without a case, without a control, or in which no covariate varies hold no information: they are left out of
    the estimate but counted. `cluster`: a column that is the same within each set, for a variance robust to sets that
    share persons or places. Separation as in `logistic`.
    In sets drawn at the event times of a cohort the odds ratio is the hazard ratio, however common the event. Misleads
    when the matching itself depends on the exposure, and for matched factors, which have no coefficient.
    A set of n members and m cases costs n times the smaller of m and n - m.
    Raises EstimationError for missing columns, nulls, an event other than 0 or 1, numbers not finite, or a cluster that
    changes within a set.
    Source: Breslow and Day 1980; Gail, Lubin and Rubinstein 1981, Biometrika 68:703 (recursion).
    """
    return _fit("conditional_logistic", frame, covariates, (matched_set, event, cluster), confidence)


def firth_conditional_logistic(
    frame: pl.DataFrame,
    *,
    covariates: Sequence[str],
    confidence: float,
    matched_set: str = "set_id",
    event: str = "event",
) -> RegressionFit:
    """Log odds ratios within matched sets by Firth's penalised conditional likelihood, finite under separation too.

    Columns as in `conditional_logistic`; limits and P by profile of the penalised likelihood. For few sets and rare
    exposure. Without an informative set the data say nothing, and neither does this.
    Raises EstimationError as `conditional_logistic`.
    Source: Heinze and Puhr 2010, Stat Med 29:770; Heinze and Schemper 2001, Biometrics 57:114.
    """
    return _fit("firth_conditional_logistic", frame, covariates, (matched_set, event, None), confidence)


def _fit(
    model: str,
    frame: pl.DataFrame,
    covariates: Sequence[str],
    columns: tuple[str, str, str | None],
    confidence: float,
) -> RegressionFit:
    matched_set, event, cluster = columns
    design = design_of(frame, covariates, [column for column in columns if column is not None])
    events, sets = event_column(frame, event), codes_of(frame, matched_set)
    set_count = int(sets.max(initial=-1)) + 1
    likelihood = matched_sets(design.z, sets, events == 1.0, set_count=set_count)
    clusters = None
    if cluster is not None:
        members = codes_of(frame, cluster)
        clusters = np.zeros(set_count, dtype=np.intp)
        clusters[sets] = members
        if (clusters[sets] != members).any():
            raise EstimationError(f"{cluster} changes within a matched set")
    nothing = ""
    if not events.any():
        nothing = "no events"
    elif events.all():
        nothing = "every row is an event"
    elif not likelihood.informative_set_count:
        nothing = "no matched set holds a case and a control that differ in a covariate"
    return fit_likelihood(
        likelihood,
        model=model,
        design=design,
        counts=Counts(
            row_count=frame.height,
            event_count=int(events.sum()),
            person_count=None if cluster is None else frame[cluster].n_unique(),
            set_count=set_count,
            informative_set_count=likelihood.informative_set_count,
        ),
        clusters=clusters,
        infinite_reasons=infinite_reasons(design, events, likelihood.is_informative),
        confidence=confidence,
        nothing=nothing,
    )
