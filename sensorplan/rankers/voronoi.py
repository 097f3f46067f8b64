"""Voronoi: drop first the sensor whose cell the sensors around it serve nearly as well.

Source: cells after Okabe, Boots, Sugihara and Chiu 2000, Spatial Tessellations (Wiley), chapter 2,
here over the regions themselves; the squared error of a cell that one point stands for, Du, Faber
and Gunzburger 1999, Centroidal Voronoi tessellations, SIAM Review 41(4), 637-676; merging by the
least growth of that error, Ward 1963, Journal of the American Statistical Association 58, 236-244.
"""

import numpy as np

from sensorplan.rankers.history import History, observed_first
from sensorplan.rankers.nearest import NearestLeft
from sensorplan.sensors import Floats, Ints

BLOCK = 256  # pairs of series compared at once


@observed_first
def rank_by_voronoi(history: History) -> tuple[Ints, Floats]:
    """Order regions by merging, again and again, the Voronoi cell that adds least.

    The cell of a kept region is all regions nearest to it, so that each region counts alike however
    the network is spread. A kept region stands for its cell with its own series. Dropped, its
    regions fall to the next nearest kept ones: the cell adds what their squared error grows by, in
    the unit of the errors. Where the one standing in is missing, or none is left, the calendar
    stands in: an anomaly of 0.

    Importance is that growth when the region was dropped, or of an earlier one if that was larger.
    Of equals the highest index is dropped. Regions without a position come last.

    Raises:
        DataError: There are no positions.
    """
    places = history.coordinates("voronoi")
    nearest = NearestLeft(places)
    known = np.flatnonzero(nearest.left)
    tessellation = _Tessellation(history, nearest)
    removed, costs = [], []
    for _ in known:
        gone = history.regions - 1 - int(np.argmin(tessellation.cost[::-1]))
        removed.append(gone)
        costs.append(tessellation.cost[gone])
        tessellation.merge(gone)
    gains = np.maximum.accumulate(costs)[::-1]
    rest = np.setdiff1d(np.arange(history.regions), known)
    return np.concatenate([removed[::-1], rest]), np.concatenate([gains, np.zeros(len(rest))])


class _Tessellation:
    """The cells of the regions left, and what each adds.

    Attributes:
        cost: ``[region]`` growth of the squared error if the region were dropped; infinite where
            it has been, or has no position.
    """

    def __init__(self, history: History, nearest: NearestLeft) -> None:
        self._nearest = nearest
        own_unit = (history.anomalies * history.scale).transpose(1, 0, 2)
        self._values = own_unit.reshape(history.regions, -1).astype(np.float32)  # [region, sample]
        self._valid = history.valid.transpose(1, 0, 2).reshape(history.regions, -1)
        self._cells = [[region] for region in range(history.regions)]
        self._first = np.arange(history.regions)  # the kept one that each region belongs to
        self._second = np.full(history.regions, -1)
        self._growth = np.zeros(history.regions)  # of its error with the second in place of first
        self.cost = np.full(history.regions, np.inf)
        self._settle(np.flatnonzero(nearest.left))

    def merge(self, gone: int) -> None:
        """Drop a region: its cell falls to the regions around it."""
        self._nearest.remove(gone)
        self.cost[gone] = np.inf
        if self._nearest.left.any():
            self._settle(np.flatnonzero((self._first == gone) | (self._second == gone)))

    def _settle(self, regions: Ints) -> None:
        """Find the two nearest kept ones of some regions anew."""
        kept = self._nearest.left[regions]
        stay, move = regions[kept], regions[~kept]
        self._second[stay] = self._nearest.of(stay, 1)[0][:, 0]
        before = self._first[move]
        self._first[move], self._second[move] = self._nearest.of(move, 2)[0].T
        for region, old, new in zip(move, before, self._first[move], strict=True):
            if old != new:
                self._cells[old].remove(region)
                self._cells[new].append(region)
        self._growth[regions] = self._error(regions, self._second[regions]) - self._error(
            regions, self._first[regions]
        )
        for owner in np.unique(self._first[regions]):
            self.cost[owner] = self._growth[sorted(self._cells[owner])].sum()

    def _error(self, regions: Ints, others: Ints) -> Floats:
        """``[pair]`` mean squared error with which others (-1: the calendar) stand in."""
        errors = np.zeros(len(regions))
        for start in range(0, len(regions), BLOCK):
            some, other = regions[start : start + BLOCK], others[start : start + BLOCK, None]
            valid = self._valid[some]
            estimate = np.where(other >= 0, self._values[other[:, 0]], 0)
            squares = np.where(valid, (self._values[some] - estimate) ** 2, 0)
            errors[start : start + BLOCK] = squares.sum(1, dtype=float) / valid.sum(1)
        return errors
