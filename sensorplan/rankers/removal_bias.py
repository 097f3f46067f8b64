"""Removal bias: drop first what its neighbours interpolate best.

Source: the removal bias of the Ambient Air Monitoring Network Assessment Guidance, US EPA 2007
(EPA-454/D-07-001), taken away one by one; interpolated by inverse squared distance (Shepard 1968).
"""

import numpy as np

from sensorplan.rankers.history import History, observed_first
from sensorplan.rankers.nearest import NearestLeft
from sensorplan.sensors import Floats, Ints

NEIGHBOURS = 5  # nearest kept regions that a region is interpolated from
SAME_PLACE = 1e-18  # squared distance added, so that none is 0


@observed_first
def rank_by_removal_bias(history: History) -> tuple[Ints, Floats]:
    """Order regions by removing, again and again, the one with the least error of interpolation.

    Each is interpolated from the anomalies of the nearest regions left, in the unit of the errors.
    Importance is the RMSE of a region when it was removed, or of an earlier one if that was larger.
    Regions without a position come last.

    Raises:
        DataError: There are no positions.
    """
    places = history.coordinates("removal-bias")
    nearest = NearestLeft(places)
    network = _Interpolation(history)
    known = nearest.left.copy()
    neighbours = np.full((history.regions, NEIGHBOURS), -1)
    errors = np.full(history.regions, np.inf)
    stale = np.flatnonzero(known)
    removed, errors_then = [], []
    for _ in range(int(known.sum())):
        neighbours[stale], squares = nearest.of(stale, NEIGHBOURS)
        for region, square in zip(stale, squares, strict=True):
            errors[region] = network.error(int(region), neighbours[region], square)
        gone = history.regions - 1 - int(np.argmin(errors[::-1]))  # of equals the highest index
        removed.append(gone)
        errors_then.append(errors[gone])
        nearest.remove(gone)
        errors[gone], neighbours[gone] = np.inf, -1
        stale = np.flatnonzero(neighbours == gone) // NEIGHBOURS
    gains = np.maximum.accumulate(errors_then)[::-1]
    rest = np.flatnonzero(~known)
    return np.concatenate([removed[::-1], rest]), np.concatenate([gains, np.zeros(len(rest))])


class _Interpolation:
    """The anomalies of a network, and the error with which others stand in for one."""

    def __init__(self, history: History) -> None:
        own_unit = (history.anomalies * history.scale).transpose(1, 0, 2)
        self._values = own_unit.reshape(history.regions, -1).astype(float)  # [region, sample]
        self._valid = history.valid.transpose(1, 0, 2).reshape(history.regions, -1)

    def error(self, region: int, neighbours: Ints, squares: Floats) -> float:
        """RMSE of interpolation.

        Where no neighbour was observed, the calendar stands in: an anomaly of 0.

        Args:
            region: The one that is interpolated.
            neighbours: ``[neighbour]`` that it is interpolated from (-1: fewer).
            squares: ``[neighbour]`` of their distances.
        """
        near, squares = neighbours[neighbours >= 0], squares[neighbours >= 0] + SAME_PLACE
        seen = self._valid[region]
        weight = self._valid[near][:, seen] * (squares[:1] / squares)[:, None]
        total = weight.sum(0)
        sums = (weight * self._values[near][:, seen]).sum(0)
        estimate = np.divide(sums, total, out=np.zeros_like(sums), where=total > 0)
        squared: Floats = (self._values[region, seen] - estimate) ** 2
        return float(np.sqrt(squared.mean()))
