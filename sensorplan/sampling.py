"""What a step of training draws: how many windows, and the masks that they are seen under."""

import numpy as np
from numpy.typing import NDArray

SMALLEST_SHARE = 0.02  # of the regions in a random mask
FULL_SHARE = 0.15  # of the random masks that keep everything
MANY = 4096  # regions, above which a network is large: steps and judges take samples of it


def fitting_windows(most: int, regions: int, least: int = 8) -> int:
    """Windows at a time: fewer above 1,024 regions, whose many targets average as well.

    >>> fitting_windows(32, 207), fitting_windows(32, 2048), fitting_windows(32, 1_000_000)
    (32, 16, 8)
    """
    return max(least, min(most, most * 1024 // regions))


def random_masks(rng: np.random.Generator, batch: int, regions: int) -> NDArray[np.float32]:
    """``[batch, region]`` random masks of log-uniform budgets; a share of them keeps everything."""
    least = max(1.0, SMALLEST_SHARE * regions)
    budget = np.exp(rng.uniform(np.log(least), np.log(regions), batch)).round().astype(int)
    budget[rng.random(batch) < FULL_SHARE] = regions
    drawn = rng.random((batch, regions))
    last = [np.partition(row, size)[size] for row, size in zip(drawn, budget - 1, strict=True)]
    return (drawn <= np.array(last)[:, None]).astype(np.float32)


def random_survivors(
    rng: np.random.Generator, windows: int, regions: int, failing: float
) -> NDArray[np.bool_]:
    """``[window, region]`` True where a region works, when a share of them fails at random."""
    return np.asarray(rng.random((windows, regions)) >= failing)
