"""Regions in random order: the baseline that every ranker must beat."""

import numpy as np

from sensorplan.rankers.history import History, observed_first
from sensorplan.sensors import Floats, Ints


@observed_first
def rank_at_random(history: History) -> tuple[Ints, Floats]:
    """Order regions by the seed alone; importance falls evenly and says nothing."""
    regions = history.regions
    order = np.random.default_rng(history.seed).permutation(regions)
    return order, np.arange(regions, 0, -1) / regions
