"""Forward selection by conditional covariances, in the space of a network's modes."""

import numpy as np

from sensorplan.rankers.moments import Modes
from sensorplan.sensors import Floats, Ints

ROUNDING = 1e-9  # of a gain: what is nearer is a tie
COMPACT = 0.9  # share of rows still left at which those taken are let go


def select_forward(modes: Modes, wanted: Floats) -> tuple[Ints, Floats]:
    """Order regions so that each one leaves the least variance of the targets unexplained.

    The targets are linear in the modes. Taking region j, given those taken before, explains
    Σ_target cov(target, j)² / (var(j) + noise(j)) of their variance. With P the covariance of the
    modes given the regions taken, both parts are kept up to date by a Schur complement of rank
    one, in O(region · mode) a step. Ties take the lower index.

    Args:
        modes: Loadings f_j and noise of the regions.
        wanted: ``[mode, mode]`` M, loadings of all targets multiplied.

    Returns:
        ``[region]`` order, and the variance that each rank explained.
    """
    f, noise = modes.loadings, modes.noise
    posterior = np.eye(f.shape[1])  # P
    variance = (f**2).sum(1)  # f P f
    shared = ((f @ wanted) * f).sum(1)  # f P M P f
    order, gains = np.empty(len(f), int), np.empty(len(f))
    regions = np.arange(len(f))  # those that the rows stand for: all left, and some taken
    left = np.zeros(len(f))  # -inf once taken
    for rank in range(len(order)):
        gain = np.maximum(shared, 0) / (np.maximum(variance, 0) + noise) + left
        best = int(np.argmax(gain >= (1 - ROUNDING) * gain.max()))
        order[rank], gains[rank] = regions[best], gain[best]
        left[best] = -np.inf
        weight = posterior @ f[best] / np.sqrt(max(variance[best], 0) + noise[best])
        aimed = wanted @ weight
        change, towards = (f @ np.column_stack([weight, posterior @ aimed])).T
        variance -= change**2
        shared += change * (change * (weight @ aimed) - 2 * towards)
        posterior -= np.outer(weight, weight)
        if len(order) - rank - 1 < COMPACT * len(regions):
            rows = np.isfinite(left)
            f, noise, regions = f[rows], noise[rows], regions[rows]
            variance, shared, left = variance[rows], shared[rows], left[rows]
    return order, gains
