"""Mutual information: the regions that tell most about those that are not kept.

Source: Krause, Singh and Guestrin 2008, Near-optimal sensor placements in Gaussian processes,
Journal of Machine Learning Research 9, 235-284, algorithm 1.
"""

import numpy as np

from sensorplan.errors import DataError
from sensorplan.rankers.history import History, observed_first
from sensorplan.rankers.moments import NUGGET, covariance
from sensorplan.sensors import Floats, Ints

MOST = 3000  # regions: both matrices of all pairs are held in memory
DECIMALS = 9  # of a gain: two regions that are left alone tie


@observed_first
def rank_by_mutual_information(history: History) -> tuple[Ints, Floats]:
    """Order regions so that the mutual information with those not taken grows most.

    Importance is that growth as a share of the largest; it reaches 0 where more regions no longer
    tell of the rest, mostly at about half of them.

    Raises:
        DataError: There are too many regions for a matrix of all pairs.
    """
    regions = history.regions
    if regions > MOST:
        raise DataError(
            f"--method mutual-information takes up to {MOST:,} sensors (or patches); "
            f"the data has {regions:,}"
        )
    noisy = covariance(history) + NUGGET * np.eye(regions)
    taken = _Elimination(noisy)  # variance of each region given those taken
    spared = _Elimination(np.linalg.inv(noisy))  # 1 / its variance given all others not taken
    order, gains = [], []
    left = np.zeros(regions)  # -inf once taken
    for _ in range(regions):
        gain = np.log(taken.diagonal * spared.diagonal) / 2
        best = int(np.argmax(gain.round(DECIMALS) + left))
        order.append(best)
        gains.append(gain[best])
        left[best] = -np.inf
        taken.eliminate(best)
        spared.eliminate(best)
    return np.array(order), np.array(gains)


class _Elimination:
    """Diagonal of the Schur complement of a matrix, as rows are eliminated one by one.

    In a covariance that conditions on the rows, in a precision it leaves them out.
    """

    def __init__(self, matrix: Floats) -> None:
        self._matrix = matrix
        self._factor = np.empty_like(matrix)  # [eliminated, region], a pivoted Cholesky
        self._count = 0
        self.diagonal = np.diag(matrix).copy()

    def eliminate(self, row: int) -> None:
        before = self._factor[: self._count]
        column = self._matrix[row] - before[:, row] @ before
        self._factor[self._count] = column / np.sqrt(self.diagonal[row])
        self.diagonal = self.diagonal - self._factor[self._count] ** 2
        self.diagonal[row] = 1.0  # done with; keeps the logarithm finite
        self._count += 1
