"""The shape of each region on the map: points for sensors, polygons for grid cells and patches."""

import numpy as np
import shapely

from sensorplan.exports.sphere import DECIMALS, Shapes, cells_on_sphere
from sensorplan.regions import Regions
from sensorplan.sensors import Floats, Geometry, Ints


def decimals(geometry: Geometry) -> int:
    """Decimals to keep of a coordinate: 1 cm on the earth, else a billionth of the extent."""
    if geometry.crs is not None:
        return DECIMALS
    everything = geometry.positions if geometry.corners is None else geometry.corners.reshape(-1, 2)
    known = everything[np.isfinite(everything).all(axis=1)]
    extent = np.ptp(known, axis=0).max() if len(known) else 0
    return 9 - int(np.ceil(np.log10(extent or 1)))


def region_shapes(regions: Regions, geometry: Geometry | None) -> Shapes:
    """The shape of each region, as RFC 7946 wants it.

    Args:
        regions: The regions.
        geometry: Where the nodes are; None where the data says nothing.

    Returns:
        ``[region]`` shapely points, polygons or multi-polygons as (longitude, latitude) or (x, y),
        in degrees or the file's unit; exterior rings are counter-clockwise, a polygon across the
        antimeridian is split there, and one over a pole reaches the edge of the map. None for a
        region without a position.
    """
    if geometry is None:
        return np.full(len(regions), None)
    if geometry.corners is None:
        return _points(regions, geometry)
    corners = np.round(geometry.corners, decimals(geometry))
    cells = shapely.polygons(corners) if geometry.crs is None else cells_on_sphere(corners)
    return _oriented(_unions(cells, regions.members))


def _points(regions: Regions, geometry: Geometry) -> Shapes:
    positions: Floats = geometry.positions[regions.members[:, 0]]
    located = np.isfinite(positions).all(axis=1)
    shapes = np.full(len(regions), None)
    rounded = np.round(positions[located, ::-1], decimals(geometry)) + 0.0  # no -0.0
    shapes[located] = shapely.points(rounded)
    return shapes


def _unions(cells: Shapes, members: Ints) -> Shapes:
    """``[region]`` the union of each region's cells, without corners along straight sides."""
    if members.shape[1] == 1:
        return cells[members[:, 0]]
    slots = cells[members]  # [region, slot]
    slots[members < 0] = None
    unions: Shapes = shapely.simplify(shapely.union_all(slots, axis=1), 0)
    return unions


def _oriented(shapes: Shapes) -> Shapes:
    """Counter-clockwise exteriors and clockwise holes: the normal form is the other way round."""
    oriented: Shapes = shapely.reverse(shapely.normalize(shapes))
    return oriented
