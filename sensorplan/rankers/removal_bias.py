"""Removal bias: drop first what its neighbours interpolate best.

Source: the removal bias of the Ambient Air Monitoring Network Assessment Guidance, US EPA 2007
(EPA-454/D-07-001), taken away one by one; interpolated by inverse squared distance (Shepard 1968).
"""

import numpy as np

from sensorplan.rankers.history import History, observed_first
from sensorplan.sensors import Bools, Floats, Ints

NEIGHBOURS = 5  # nearest kept regions that a region is interpolated from


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
    known = np.asarray(np.isfinite(places).all(axis=1))
    network = _Interpolation(history, places)
    left = known.copy()
    neighbours = np.full((history.regions, NEIGHBOURS), -1)
    errors = np.full(history.regions, np.inf)
    stale = np.flatnonzero(known)
    removed, errors_then = [], []
    for _ in range(int(known.sum())):
        for region in stale:
            neighbours[region], errors[region] = network.error(int(region), left)
        gone = history.regions - 1 - int(np.argmin(errors[::-1]))  # of equals the highest index
        removed.append(gone)
        errors_then.append(errors[gone])
        left[gone], errors[gone] = False, np.inf
        stale = np.flatnonzero(left & (neighbours == gone).any(1))
    gains = np.maximum.accumulate(errors_then)[::-1]
    rest = np.flatnonzero(~known)
    return np.concatenate([removed[::-1], rest]), np.concatenate([gains, np.zeros(len(rest))])


class _Interpolation:
    """The anomalies of a network, and the error with which others stand in for one."""

    def __init__(self, history: History, places: Floats) -> None:
        self._places = places
        own_unit = (history.anomalies * history.scale).transpose(1, 0, 2)
        self._values = own_unit.reshape(history.regions, -1).astype(float)  # [region, sample]
        self._valid = history.valid.transpose(1, 0, 2).reshape(history.regions, -1)

    def error(self, region: int, left: Bools) -> tuple[Ints, float]:
        """``[neighbour]`` nearest regions left (-1: fewer), and the RMSE of interpolation.

        Where no neighbour was observed, the calendar stands in: an anomaly of 0.
        """
        others = np.flatnonzero(left)
        others = others[others != region]
        squares = ((self._places[others] - self._places[region]) ** 2).sum(1) + 1e-18
        near = np.argsort(squares, kind="stable")[:NEIGHBOURS]
        found = np.full(NEIGHBOURS, -1)
        found[: len(near)] = others[near]
        seen = self._valid[region]
        weight = self._valid[others[near]][:, seen] * (squares[near[:1]] / squares[near])[:, None]
        total = weight.sum(0)
        sums = (weight * self._values[others[near]][:, seen]).sum(0)
        estimate = np.divide(sums, total, out=np.zeros_like(sums), where=total > 0)
        squared: Floats = (self._values[region, seen] - estimate) ** 2
        return found, float(np.sqrt(squared.mean()))
