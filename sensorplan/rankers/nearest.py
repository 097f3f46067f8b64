"""The nearest of the regions that are left, while one after the other is taken away."""

import numpy as np
from scipy.spatial import cKDTree

from sensorplan.sensors import Bools, Floats, Ints

EDGE = 1 - 1e-9  # of the farthest distance asked for: what is nearer has no tie beyond it


class NearestLeft:
    """Neighbours by a k-d tree, built anew whenever half of its regions are gone.

    Attributes:
        left: ``[region]`` False for those taken away and for those without a position.
    """

    def __init__(self, places: Floats) -> None:
        """Start with every region left that has a position.

        Args:
            places: ``[region, coordinate]``, NaN where unknown.
        """
        self.left: Bools = np.asarray(np.isfinite(places).all(axis=1))
        self._places = places
        self._count = int(self.left.sum())
        self._build()

    def _build(self) -> None:
        self._members = np.flatnonzero(self.left)
        self._tree = cKDTree(self._places[self._members])

    def remove(self, region: int) -> None:
        """Take a region away."""
        self.left[region] = False
        self._count -= 1
        if 0 < 2 * self._count < len(self._members):
            self._build()

    def of(self, regions: Ints, count: int) -> tuple[Ints, Floats]:
        """The nearest ones left of some regions, each region itself left out.

        Args:
            regions: ``[asked]`` regions that have a position.
            count: Of neighbours.

        Returns:
            ``[asked, count]`` neighbours by distance, of equals the lowest index first, and the
            squares of their distances; -1 and infinity where fewer are left.
        """
        found = np.full((len(regions), count), -1)
        squares = np.full((len(regions), count), np.inf)
        asked, wide = np.arange(len(regions)), 2 * (count + 1)
        while len(asked):
            wide = min(wide, len(self._members))
            rows = regions[asked]
            ranks = np.arange(1, wide + 1)
            distance, member = self._tree.query(self._places[rows], ranks)  # [asked, wide]
            near = self._members[member]
            usable = self.left[near] & (near != rows[:, None])
            enough = (usable & (distance < EDGE * distance[:, -1:])).sum(1) >= count
            if wide == len(self._members):
                enough[:] = True
            own = ((self._places[near] - self._places[rows][:, None]) ** 2).sum(-1)
            own = np.where(usable, own, np.inf)[enough]
            best = np.lexsort((near[enough], own), axis=1)[:, :count]
            own, near = (np.take_along_axis(a, best, 1) for a in (own, near[enough]))
            kept = own.shape[1]
            found[asked[enough], :kept] = np.where(np.isfinite(own), near, -1)
            squares[asked[enough], :kept] = own
            asked, wide = asked[~enough], 2 * wide
        return found, squares
