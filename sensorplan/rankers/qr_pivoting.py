"""QR pivoting on POD modes: the regions from which the leading modes are best conditioned.

Source: Manohar, Brunton, Kutz and Brunton 2018, Data-driven sparse sensor placement for
reconstruction, IEEE Control Systems 38(3), 63-86 (arXiv 1701.07569), section "Sparse sensor
placement". How many modes: those with more variance than a region has on average (Kaiser 1960).
"""

from collections import deque

import numpy as np
from scipy.linalg import qr

from sensorplan.rankers.history import History, observed_first
from sensorplan.rankers.moments import Modes, network_modes
from sensorplan.sensors import Floats, Ints

DECIMALS = 9  # of a mode: so that regions with the same series tie
BLOCK = 4096  # regions that one QR after the first looks at, at most


@observed_first
def rank_by_qr(history: History) -> tuple[Ints, Floats]:
    """Order regions by the pivots of a QR of the leading modes.

    There are as many pivots as modes. The regions left over are ranked by the same QR again, round
    after round; in a large network in turns, each of them on one of several blocks of regions, so
    that the cost grows with the number of regions alone.

    Importance is the size of the pivot / the number of the round (of the turn), as a share of the
    first: pivots of the j-th round measure the same modes for the j-th time.
    """
    shapes = leading_shapes(network_modes(history))
    order, sizes = qr_pivots(shapes)
    turns, gains = [order], [sizes]
    blocks = _split(np.setdiff1d(np.arange(history.regions), order))
    while blocks:
        block = blocks.popleft()
        pivots, sizes = qr_pivots(shapes[block])
        turns.append(block[pivots])
        gains.append(sizes / len(turns))
        if len(left := np.delete(block, pivots)):
            blocks.append(left)
    return _lowest_first(np.concatenate(turns), shapes), np.concatenate(gains)


def leading_shapes(modes: Modes) -> Floats:
    """``[region, mode]`` orthonormal POD modes with more variance than a region has on average."""
    strength, turn = np.linalg.eigh(modes.gram)
    average = ((modes.loadings**2).sum(1) + modes.noise).mean()
    leading = np.arange(len(strength))[::-1][: max(1, int((strength > average).sum()))]
    shapes = (modes.loadings @ turn[:, leading]) / np.sqrt(np.maximum(strength[leading], 1e-12))
    return np.asarray(shapes.round(DECIMALS) + 0.0)  # no negative zero


def qr_pivots(shapes: Floats) -> tuple[Ints, Floats]:
    """Pivots of one QR.

    Args:
        shapes: ``[region, mode]``.

    Returns:
        ``[pivot]`` regions, as many as modes (or regions, if fewer), and the size of each.
    """
    upper, pivots = qr(shapes.T, mode="r", pivoting=True)
    sizes = np.abs(np.diag(upper))
    return pivots[: len(sizes)], sizes


def _split(regions: Ints) -> deque[Ints]:
    """Blocks that are each spread over all regions."""
    count = -(-len(regions) // BLOCK)
    return deque(regions[start::count] for start in range(count))


def _lowest_first(order: Ints, shapes: Floats) -> Ints:
    """Order in which regions of the same modes come by index; LAPACK moves columns about."""
    alike = np.unique(shapes, axis=0, return_inverse=True)[1].ravel()
    sorted_order = np.empty_like(order)
    sorted_order[np.argsort(alike[order], kind="stable")] = np.argsort(alike, kind="stable")
    return sorted_order
