"""Regions: what one entry of the mask switches, and the series of each region.

Nodalization makes every node a region; patchify makes a rectangular patch of grid cells one. A
patch at the rim or with always-missing cells has fewer members than slots; an empty slot is missing
at all times. So every later stage sees one array ``[time, region, channel]``, patched or not.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensorplan.errors import DataError
from sensorplan.sensors import Floats, Geometry, Ints, SensorData, cell_name


@dataclass(frozen=True)
class Topology:
    """Where regions are, and how they hang together.

    Attributes:
        positions: ``[region, 2]`` latitude and longitude, or y and x; None without positions.
        geographic: True when positions are degrees.
        cells: ``[region, 2]`` row and column in the grid of regions; None for stations.
        adjacency: ``[region, region]`` weights of the data's own graph, from row to column; None
            where it has none.
    """

    positions: Floats | None = None
    geographic: bool = False
    cells: Ints | None = None
    adjacency: Floats | None = None


@dataclass(frozen=True)
class Regions:
    """The regions of a network.

    Attributes:
        names: ``[region]`` a sensor's name, or a patch's centre as ``lat_lon`` with four decimals.
        members: ``[region, slot]`` node in each slot, -1 where the slot is empty.
        topology: Where they are.
    """

    names: tuple[str, ...]
    members: Ints
    topology: Topology

    def __len__(self) -> int:
        return len(self.names)

    @property
    def positions(self) -> Floats | None:
        """``[region, 2]`` see `Topology`."""
        return self.topology.positions

    @property
    def patched(self) -> bool:
        """True when a region can hold more than one node."""
        return bool(self.members.shape[1] > 1)

    def gather(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Series of the regions.

        Args:
            values: ``[time, node, channel]``, NaN where missing.

        Returns:
            ``[time, region, slot * channel]``; an empty slot is NaN.
        """
        times = len(values)
        if not self.patched:
            return values[:, self.members[:, 0]]
        gathered = values[:, self.members]  # [time, region, slot, channel]
        gathered[:, self.members < 0] = np.nan
        return gathered.reshape(times, len(self), -1)

    def scatter(self, values: NDArray[np.float32], nodes: int) -> NDArray[np.float32]:
        """Undo `gather`: ``[..., region, slot * channel]`` to ``[..., node, channel]``."""
        slots = self.members.shape[1]
        channels = values.shape[-1] // slots
        split = values.reshape(*values.shape[:-1], slots, channels)  # [..., region, slot, channel]
        filled = self.members >= 0
        scattered = np.empty((*values.shape[:-2], nodes, channels), values.dtype)
        scattered[..., self.members[filled], :] = split[..., filled, :]
        return scattered


def nodalize(data: SensorData) -> Regions:
    """Make every node a region."""
    members, geometry = np.arange(len(data.sensors))[:, None], data.geometry
    if geometry is None:
        return Regions(data.sensors, members, Topology(adjacency=data.adjacency))
    topology = Topology(
        geometry.positions,
        geographic=geometry.crs is not None,
        cells=_cells(geometry),
        adjacency=data.adjacency,
    )
    return Regions(data.sensors, members, topology)


def patchify(data: SensorData, patch: tuple[int, int]) -> Regions:
    """Make every patch of ``(rows, columns)`` grid cells a region, counted from the first cell.

    A patch without any cell (all land, say) is no region.

    Raises:
        DataError: The data is no grid, or the patch is larger than the grid.
    """
    geometry = data.geometry
    if geometry is None or geometry.shape is None:
        raise DataError(f"{data.source.path}: --patch needs a grid; this is a sensor network")
    assert geometry.rows is not None
    assert geometry.columns is not None
    if patch[0] > geometry.shape[0] or patch[1] > geometry.shape[1]:
        raise DataError(
            f"--patch {patch[0]}x{patch[1]} is larger than the grid of {data.source.path}; "
            f"expected at most {geometry.shape[0]}x{geometry.shape[1]} cells"
        )
    across = -(-geometry.shape[1] // patch[1])
    patch_of = geometry.rows // patch[0] * across + geometry.columns // patch[1]
    slot_of = geometry.rows % patch[0] * patch[1] + geometry.columns % patch[1]
    patches, region_of = np.unique(patch_of, return_inverse=True)
    members = np.full((len(patches), patch[0] * patch[1]), -1)
    members[region_of, slot_of] = np.arange(len(data.sensors))
    positions = _centres(geometry, region_of, len(patches))
    topology = Topology(
        positions,
        geographic=geometry.crs is not None,
        cells=np.column_stack([patches // across, patches % across]),
    )
    return Regions(tuple(cell_name(*centre) for centre in positions), members, topology)


def on_sphere(positions: Floats) -> Floats:
    """``[place, 3]`` points on the unit sphere.

    Args:
        positions: ``[place, 2]`` latitude and longitude in degrees.
    """
    latitude, longitude = np.radians(positions.astype(float)).T
    return np.column_stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ]
    )


def _cells(geometry: Geometry) -> Ints | None:
    """``[node, 2]`` row and column; None for points."""
    if geometry.rows is None or geometry.columns is None:
        return None
    return np.column_stack([geometry.rows, geometry.columns])


def _centres(geometry: Geometry, region_of: Ints, regions: int) -> Floats:
    """``[region, 2]`` middle of the box around the members of each region.

    In degrees it is the narrower of two boxes: a patch across the dateline is measured by
    longitudes in [0, 360).
    """
    middle, extent = _boxes(geometry.positions, region_of, regions)
    if geometry.crs is not None:
        turned, turned_extent = _boxes(geometry.positions % 360, region_of, regions)
        across = turned_extent[:, 1] < extent[:, 1] - 1e-6
        middle[across, 1] = (turned[across, 1] + 180) % 360 - 180
    return middle


def _boxes(positions: Floats, region_of: Ints, regions: int) -> tuple[Floats, Floats]:
    """``[region, 2]`` middle and extent of the box around the members of each region."""
    low = np.full((regions, 2), np.inf)
    high = np.full((regions, 2), -np.inf)
    np.minimum.at(low, region_of, positions)
    np.maximum.at(high, region_of, positions)
    return (low + high) / 2, high - low


def parse_patch(text: str) -> tuple[int, int]:
    """``4x4`` to ``(4, 4)``; the recipe has checked the form."""
    rows, columns = text.split("x")
    return int(rows), int(columns)
