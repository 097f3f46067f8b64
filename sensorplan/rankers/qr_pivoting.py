"""QR pivoting on POD modes: the regions from which the leading modes are best conditioned.

Source: Manohar, Brunton, Kutz and Brunton 2018, Data-driven sparse sensor placement for
reconstruction, IEEE Control Systems 38(3), 63-86 (arXiv 1701.07569), section "Sparse sensor
placement". How many modes: those with more variance than a region has on average (Kaiser 1960).
"""

import numpy as np
from scipy.linalg import qr

from sensorplan.rankers.history import History, observed_first
from sensorplan.rankers.moments import network_modes
from sensorplan.sensors import Floats, Ints

DECIMALS = 9  # of a mode: so that regions with the same series tie


@observed_first
def rank_by_qr(history: History) -> tuple[Ints, Floats]:
    """Order regions by the pivots of a QR of the modes.

    There are as many pivots as modes; the regions left over are ranked by the same QR again, round
    after round. Importance is the size of the pivot as a share of the first.
    """
    modes = network_modes(history)
    strength, turn = np.linalg.eigh(modes.gram)
    average = ((modes.loadings**2).sum(1) + modes.noise).mean()
    leading = np.arange(len(strength))[::-1][: max(1, int((strength > average).sum()))]
    shapes = (modes.loadings @ turn[:, leading]) / np.sqrt(np.maximum(strength[leading], 1e-12))
    shapes = shapes.round(DECIMALS) + 0.0  # no negative zero
    alike = np.unique(shapes, axis=0, return_inverse=True)[1].ravel()
    left = np.arange(history.regions)
    order, gains = [], []
    while len(left):
        upper, pivots = qr(shapes[left].T, mode="r", pivoting=True)
        taken = _lowest_first(pivots, alike[left])[: len(leading)]
        order.append(left[taken])
        gains.append(np.abs(np.diag(upper))[: len(taken)])
        left = np.delete(left, taken)
    return np.concatenate(order), np.concatenate(gains)


def _lowest_first(pivots: Ints, alike: Ints) -> Ints:
    """Pivots in which regions that are alike come by index; LAPACK moves columns about.

    Args:
        pivots: ``[rank]`` regions.
        alike: ``[region]`` the same number for regions of the same modes.
    """
    sorted_pivots = np.empty_like(pivots)
    sorted_pivots[np.argsort(alike[pivots], kind="stable")] = np.argsort(alike, kind="stable")
    return sorted_pivots
