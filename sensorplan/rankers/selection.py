"""Forward selection by conditional covariances, in the space of a network's modes."""

from dataclasses import dataclass

import numpy as np

from sensorplan.rankers.moments import Modes
from sensorplan.sensors import Floats, Ints

ROUNDING = 1e-9  # of a gain: what is nearer is a tie
COMPACT = 0.9  # share of rows still left at which those taken are let go
BLOCK = 2000  # regions that one choice looks at, at most


def select_forward(modes: Modes, wanted: Floats) -> tuple[Ints, Floats]:
    """Order regions so that each one leaves the least variance of the targets unexplained.

    The targets are linear in the modes. Taking region j, given those taken before, explains
    Σ_target cov(target, j)² / (var(j) + noise(j)) of their variance. With P the covariance of the
    modes given the regions taken, both parts are kept up to date by a Schur complement of rank
    one, in O(region · mode) a step. Ties take the lower index.

    In a large network choices go in turns over blocks of regions, each spread over all of them, so
    that the cost grows with the number of regions alone; every choice knows all those before, in
    whatever block (as in the stochastic greedy of Mirzasoleiman et al. 2015, arXiv 1409.7938, but
    that no region is left out).

    Args:
        modes: Loadings f_j and noise of the regions.
        wanted: ``[mode, mode]`` M, loadings of all targets multiplied.

    Returns:
        ``[region]`` order, and the variance that each rank explained.
    """
    count = -(-len(modes.loadings) // BLOCK)
    blocks = [_Block(np.arange(len(modes.loadings))[k::count], modes, wanted) for k in range(count)]
    posterior = np.eye(modes.loadings.shape[1])  # P
    chosen: list[tuple[int, float]] = []
    taken: list[_Taken] = []
    while len(chosen) < len(modes.loadings):
        block = blocks[len(chosen) % count]
        block.follow(taken, posterior)
        region, gain, loadings, variance = block.take()
        chosen.append((region, gain))
        weight = posterior @ loadings / np.sqrt(variance)
        aimed = wanted @ weight
        taken.append(_Taken(weight, posterior @ aimed, float(weight @ aimed)))
        posterior -= np.outer(weight, weight)
        del taken[:-count]
    order, gains = zip(*chosen, strict=True)
    return np.array(order), np.array(gains)


@dataclass(frozen=True)
class _Taken:
    """What a choice changes: P - w w', for the weights w ``[mode]``.

    Attributes:
        weight: w.
        passed: P M w, by the P before.
        explained: w M w, the variance of the targets that it explains.
    """

    weight: Floats
    passed: Floats
    explained: float


class _Block:
    """Regions that are looked at together, with what is known of each of them."""

    def __init__(self, regions: Ints, modes: Modes, wanted: Floats) -> None:
        self._regions = regions  # those that the rows stand for: all left, and some taken
        self._f, self._noise = modes.loadings[regions], modes.noise[regions]
        self._wanted = wanted
        self._variance = (self._f**2).sum(1)  # f P f
        self._shared = ((self._f @ wanted) * self._f).sum(1)  # f P M P f
        self._left = np.zeros(len(regions))  # -inf once taken
        self._count = len(regions)

    def follow(self, taken: list[_Taken], posterior: Floats) -> None:
        """Keep up to date with the choices since the last look, and with P after them.

        Many choices cost more than to begin anew from P.
        """
        if not taken:
            return
        if 2 * len(taken) > len(posterior):
            passed = self._f @ posterior
            self._variance = (passed * self._f).sum(1)
            self._shared = ((passed @ self._wanted) * passed).sum(1)
        else:
            self._change_by(taken)
        if self._count < COMPACT * len(self._regions):
            rows = np.isfinite(self._left)
            self._regions, self._f = self._regions[rows], self._f[rows]
            self._noise, self._left = self._noise[rows], self._left[rows]
            self._variance, self._shared = self._variance[rows], self._shared[rows]

    def _change_by(self, taken: list[_Taken]) -> None:
        changes = self._f @ np.column_stack([one.weight for one in taken])
        towards = self._f @ np.column_stack([one.passed for one in taken])
        for one, change, passed in zip(taken, changes.T, towards.T, strict=True):
            self._variance -= change**2
            self._shared += change * (change * one.explained - 2 * passed)

    def take(self) -> tuple[int, float, Floats, float]:
        """The best one: the region, its gain, its loadings, and its variance with its noise."""
        variance = np.maximum(self._variance, 0) + self._noise
        gain = np.maximum(self._shared, 0) / variance + self._left
        best = int(np.argmax(gain >= (1 - ROUNDING) * gain.max()))
        self._left[best] = -np.inf
        self._count -= 1
        return int(self._regions[best]), float(gain[best]), self._f[best], float(variance[best])
