"""How sure a ranker is of each region: how often it is kept over resampled histories."""

from dataclasses import replace

import numpy as np

from sensorplan.rankers.history import History, Ranker, resample
from sensorplan.sensors import Floats

STREAM = 1  # of random numbers, beside the history's own of the same seed


def ranker_frequency(
    ranker: Ranker, history: History, budget: int, block: int, resamples: int
) -> Floats:
    """How often a ranker keeps each region over resampled histories.

    Every resample has a seed of its own, so that what is left to chance is seen as such.

    Args:
        ranker: Ranks each of them.
        history: What it ranked for the plan.
        budget: Regions to keep.
        block: Steps in a block (`resample`).
        resamples: Number of histories.

    Returns:
        ``[region]`` share of the resamples; every one keeps `budget` regions.
    """
    rng = np.random.default_rng([history.seed, STREAM])
    frequency = np.zeros(history.regions)
    for number in range(1, resamples + 1):
        drawn = replace(resample(history, block, rng), seed=history.seed + number)
        frequency += ranker(drawn).keep(budget)
    return frequency / resamples
