"""Backward elimination: again and again without the region whose present the future needs least.

Source: backward elimination for least squares, which Couvreur and Bresler 2000 (SIAM Journal on
Matrix Analysis and Applications 21(3), 797-808) show to find a sparse truth when noise is small,
where forward selection can go astray; the cost of a removal as in the Optimal Brain Surgeon
(Hassibi and Stork 1993).
"""

import numpy as np

from sensorplan.errors import DataError
from sensorplan.rankers.history import History, observed_first
from sensorplan.rankers.moments import NUGGET, covariance, lagged_covariance, leads_within
from sensorplan.sensors import Floats, Ints

MOST = 3000  # regions: a matrix of all pairs is inverted
TARGETS = 64  # leading directions of the future, in place of all regions at all leads
ROUNDING = 1e-9  # of a cost: what is nearer is a tie
SPARSE = 0.8  # share of the rows in use below which the rest is let go


@observed_first
def rank_by_backward_elimination(history: History) -> tuple[Ints, Floats]:
    """Order regions by removing the one without which the future is explained nearly as well.

    The future is that of all regions at a few leads, as in `forecast_aware`; the regression is
    linear, on the present of the regions left. Importance is the variance of the future that was
    lost when a region was removed, or an earlier one if that was more, as a share of the largest.

    Raises:
        DataError: There are too many regions for a matrix of all pairs.
    """
    regions = history.regions
    if regions > MOST:
        raise DataError(
            f"--method backward takes up to {MOST:,} sensors (or patches); the data has {regions:,}"
        )
    # With P the inverse of the covariance of the regions left and W = P Cov(present, future), the
    # removal of region j costs |W_j|^2 / P_jj, and leaves a Schur complement of rank one.
    inverse = np.linalg.inv(covariance(history) + NUGGET * np.eye(regions))
    weights = inverse @ _shared_with_future(history)  # [region, target]
    names = np.arange(regions)  # of the rows
    left = np.ones(regions, bool)
    removed, costs = [], []
    for _ in range(regions):
        cost = np.where(left, (weights**2).sum(1) / np.maximum(np.diag(inverse), 1e-12), np.inf)
        gone = int(np.flatnonzero(cost <= cost.min() * (1 + ROUNDING))[-1])
        removed.append(names[gone])
        costs.append(cost[gone])
        left[gone] = False
        column = inverse[:, gone] / inverse[gone, gone]
        weights -= np.outer(column, weights[gone])
        inverse -= np.outer(column, inverse[gone])
        if left.sum() < SPARSE * len(left):
            inverse, weights, names = inverse[np.ix_(left, left)], weights[left], names[left]
            left = np.ones(len(names), bool)
    return np.array(removed[::-1]), np.maximum.accumulate(costs)[::-1]


def _shared_with_future(history: History) -> Floats:
    """``[region, target]`` covariance of the present with the leading directions of the future."""
    gram = np.zeros((history.regions, history.regions))
    for lead in leads_within(history):
        future = lagged_covariance(history, lead)  # [later region, region]
        gram += future.T @ future
    strength, directions = np.linalg.eigh(gram)
    leading = slice(None, -TARGETS - 1, -1)
    shared: Floats = (directions * np.sqrt(np.maximum(strength, 0)))[:, leading]
    return shared
