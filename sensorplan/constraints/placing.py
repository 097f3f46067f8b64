"""Which region a site is: by its id, or on a grid by its position."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import KDTree

from sensorplan.constraints.distances import lengths
from sensorplan.errors import DataError, RecipeError
from sensorplan.reading.notes import listed
from sensorplan.reading.sites import Sites
from sensorplan.regions import Regions, on_sphere
from sensorplan.sensors import Geometry, Ints, SensorData


@dataclass(frozen=True)
class Places:
    """The regions of a history by name and by place.

    Attributes:
        data: The history.
        regions: Its regions.
    """

    data: SensorData
    regions: Regions

    @property
    def geographic(self) -> bool:
        """True when positions are degrees."""
        return self.regions.topology.geographic

    def named(self, name: str, option: str) -> int:
        """The region of that name; a cell's name stands for its patch too.

        Raises:
            RecipeError: There is none.
        """
        if name not in self._by_name:
            what = "patch or cell" if self.regions.patched else "sensor"
            raise RecipeError(
                f"{option} {name}: no such {what} in {self.data.source.path}, or one without any "
                f"value; expected one of {listed(self.regions.names)}"
            )
        return self._by_name[name]

    def of(self, sites: Sites) -> Ints:
        """``[site]`` region of each site; -1 where the history has none and nothing asks for it.

        Raises:
            DataError: A site that is required or a candidate has no history.
        """
        found = np.array([self._by_name.get(name, -1) for name in sites.ids], int)
        placed = np.isfinite(sites.positions).all(axis=1)
        geometry = self.data.geometry
        gridded = geometry is not None and geometry.corners is not None
        if not gridded and not any(sites.ids):
            raise DataError(
                f"{sites.file}: has no ids; expected the column id (positions alone say which "
                "sensor is meant on grids only)"
            )
        by_place = np.flatnonzero((found < 0) & placed)
        if geometry is not None and geometry.corners is not None and len(by_place):
            found[by_place] = self._cell_of(geometry, sites, by_place)
        for site in np.flatnonzero(found < 0):
            if sites.status[site] in ("required", "candidate"):
                raise DataError(self._no_history(sites, int(site)))
        return found

    @cached_property
    def _by_name(self) -> dict[str, int]:
        names: dict[str, int] = {}
        for slot in self.regions.members.T:
            names |= {
                self.data.sensors[node]: region for region, node in enumerate(slot) if node >= 0
            }
        return names | {name: region for region, name in enumerate(self.regions.names)}

    def _cell_of(self, geometry: Geometry, sites: Sites, chosen: Ints) -> Ints:
        """``[chosen]`` region of the cell that each site lies in; -1 where it lies in none."""
        assert geometry.corners is not None
        points = sites.positions[chosen]
        turn = on_sphere if self.geographic else lambda positions: positions
        nodes = KDTree(turn(geometry.positions)).query(turn(points))[1]
        rim = geometry.corners[nodes][:, :, ::-1]  # [site, corner, (y, x)]
        centres = geometry.positions[nodes]
        reach = np.max(
            [lengths(centres, rim[:, corner], self.geographic) for corner in range(4)], axis=0
        )
        inside = lengths(centres, points, self.geographic) <= reach
        region_of = np.empty(len(self.data.sensors), int)
        filled = self.regions.members >= 0
        region_of[self.regions.members[filled]] = np.nonzero(filled)[0]
        return np.where(inside, region_of[nodes], -1)

    def _no_history(self, sites: Sites, site: int) -> str:
        geometry = self.data.geometry
        where = f"{sites.file} {sites.lines[site]}"
        what = f"{sites.ids[site] or 'the site'}, {sites.status[site]},"
        if geometry is not None and geometry.corners is not None:
            return f"{where}: {what} lies in no cell of {self.data.source.path} that has values"
        return (
            f"{where}: {what} has no history in {self.data.source.path}; expected one of "
            f"{listed(self.regions.names)} (a site without history can be planned on a grid "
            "around it, say of a reanalysis)"
        )
