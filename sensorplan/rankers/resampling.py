"""How sure a ranker is of each region: how often it is kept over resampled histories."""

from dataclasses import replace

import numpy as np

from sensorplan.constraints import Rules
from sensorplan.rankers.history import History, Ranker, resample
from sensorplan.sensors import Floats

STREAM = 1  # of random numbers, beside the history's own of the same seed


def ranker_frequency(
    ranker: Ranker, history: History, rules: Rules, block: int, resamples: int
) -> Floats:
    """How often a ranker keeps each region over resampled histories.

    Every resample has a seed of its own, so that what is left to chance is seen as such.

    Args:
        ranker: Ranks each of them.
        history: What it ranked for the plan.
        rules: How many to keep, and what else every mask obeys.
        block: Steps in a block (`resample`).
        resamples: Number of histories.

    Returns:
        ``[region]`` share of the resamples.
    """
    rng = np.random.default_rng([history.seed, STREAM])
    frequency = np.zeros(history.regions)
    for number in range(1, resamples + 1):
        drawn = _resample_something(history, block, rng)
        ranking = ranker(replace(drawn, seed=history.seed + number))
        frequency += rules.cut(ranking.order)
    return frequency / resamples


def _resample_something(history: History, block: int, rng: np.random.Generator) -> History:
    """A resampled history in which a region is observed, one with a position if there are any."""
    wanted = history.observed
    if history.positions is not None:
        located = wanted & np.isfinite(history.positions).all(axis=1)
        wanted = located if located.any() else wanted
    drawn = resample(history, block, rng)
    while not drawn.observed[wanted].any():
        drawn = resample(history, block, rng)
    return drawn
