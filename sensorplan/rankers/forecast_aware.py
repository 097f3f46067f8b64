"""Forecast-aware: the regions whose present leaves the least of the future of all unexplained.

Source: forward selection for linear regression with several targets, by Schur complements; Das and
Kempe 2011, Submodular meets spectral (arXiv 1102.3975), say how near to the optimum it comes.
"""

import numpy as np

from sensorplan.rankers.history import History, observed_first
from sensorplan.rankers.moments import (
    ALL_PAIRS,
    NUGGET,
    PAIR_SHRINKAGE,
    Modes,
    lagged_covariance,
    leads_within,
    network_modes,
)
from sensorplan.rankers.selection import select_forward
from sensorplan.sensors import Floats, Ints


@observed_first
def rank_by_forecast(history: History) -> tuple[Ints, Floats]:
    """Order regions by forward selection on the future of all regions, at a few leads.

    Importance is the variance of the future that a region explains beyond those above it, as a
    share of the largest.
    """
    modes = network_modes(history)
    ridge = np.linalg.inv(modes.gram + NUGGET * np.eye(len(modes.gram)))
    wanted = np.zeros_like(modes.gram)
    for lead in leads_within(history):
        future = _future_on_loadings(history, modes, lead) @ ridge  # [region, mode]
        wanted += future.T @ future
    return select_forward(modes, wanted)


def _future_on_loadings(history: History, modes: Modes, lead: int) -> Floats:
    """``[region, mode]`` covariance of the future with all regions now, times their loadings."""
    if history.regions <= ALL_PAIRS:
        return np.asarray(lagged_covariance(history, lead) @ modes.loadings)
    products, pairs = np.zeros(modes.loadings.shape), np.zeros((history.regions, 1))
    for part in history.parts(lead):
        now, seen = part.pooled(end=len(part.anomalies) - lead)
        later, seen_later = part.pooled(first=lead)
        share = np.maximum(seen.mean(1, keepdims=True), 1 / history.regions)
        scores = now @ modes.loadings.astype(now.dtype) / share  # [time * channel, mode]
        products += later.T @ scores
        pairs += seen_later.sum(0)[:, None]
    return np.asarray(products / (pairs + PAIR_SHRINKAGE))
