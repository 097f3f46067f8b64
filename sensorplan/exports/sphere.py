"""Shapes on the sphere as a map in longitude and latitude holds them.

RFC 7946, section 3.1.9: what lies across the antimeridian is cut there. A cell over a pole becomes
the polygon between its rim and the edge of the map. Sides are straight in longitude and latitude.
"""

import numpy as np
import shapely
from numpy.typing import NDArray

from sensorplan.sensors import Bools, Floats

Shapes = NDArray[np.object_]

DECIMALS = 7  # of a degree: 1 cm
ROUNDING = 1e-6  # degrees
OCEAN = 90.0  # degrees

_WORLD = shapely.box(-180, -90, 180, 90)


def cells_on_sphere(corners: Floats) -> Shapes:
    """The cells of a grid.

    Args:
        corners: ``[cell, corner, 2]`` longitude and latitude, rings; longitudes may leave
            [-180, 180].

    Returns:
        ``[cell]`` polygons and, where the antimeridian cuts them, multi-polygons.
    """
    cells: Shapes = shapely.polygons(corners)
    for cell in np.flatnonzero(_at_pole(corners)):
        cells[cell] = shapely.Polygon(_up_to_the_pole(corners[cell]))
    return into_world(cells)


def into_world(shapes: Shapes) -> Shapes:
    """``[shape]`` the same places with longitudes in [-180, 180], cut at the antimeridian."""
    west, south, east, north = shapely.bounds(shapes).T
    outside = (west < -180) | (south < -90) | (east > 180) | (north > 90)
    inside = shapes.copy()
    inside[outside] = _cut(shapes[outside])
    return inside


def narrowest_box(shapes: Shapes) -> list[float]:
    """The ``bbox`` of RFC 7946, section 5: west, south, east and north.

    West is larger than east where the narrowest box lies across the antimeridian (section 5.2). A
    box around a pole has all longitudes (section 5.3).

    Args:
        shapes: ``[shape]`` at least one, none of them across the antimeridian.
    """
    bounds = shapely.bounds(shapely.get_parts(shapes))
    bounds = bounds[np.argsort(bounds[:, 0])]
    south, north = bounds[:, 1].min(), bounds[:, 3].max()
    west, reached = bounds[:, 0], np.maximum.accumulate(bounds[:, 2])
    if (np.abs(bounds[:, 1::2]) == 90).all(axis=1).any():  # a point at the pole
        return [-180.0, float(south), 180.0, float(north)]
    gaps = west[1:] - reached[:-1]
    over_antimeridian = west[0] + 360 - reached[-1]
    first, last = 0, -1
    if len(gaps) and gaps.max() > over_antimeridian + ROUNDING:
        last = int(gaps.argmax())
        first = last + 1
    return [float(degrees) for degrees in (west[first], south, reached[last], north)]


def rejoined(parts: Shapes) -> Shapes:
    """The shapes of a network across the dateline side by side, with longitudes beyond 180.

    That is one whose widest gap lies elsewhere, if it is as wide as an ocean.
    """
    west, _, east, _ = shapely.bounds(parts).T
    ordered = np.sort(west)
    reached = np.maximum.accumulate(east[np.argsort(west)])
    gaps = ordered[1:] - reached[:-1]
    over_dateline = ordered[0] + 360 - reached[-1]
    if not len(gaps) or gaps.max() <= max(OCEAN, over_dateline):
        return parts
    joined = parts.copy()
    torn = west <= ordered[gaps.argmax()]
    joined[torn] = shapely.transform(parts[torn], lambda xy: xy + np.array([360, 0]))
    return joined


def squeeze(south: float, north: float) -> float:
    """Length of a degree of longitude / of latitude, amid the map (near a pole, at 80 degrees)."""
    middle = min(abs(south + north) / 2, 80)
    return float(np.cos(np.radians(middle)))


def _cut(shapes: Shapes) -> Shapes:
    pieces = np.stack(
        [
            shapely.intersection(shapely.transform(shapes, lambda xy, turn=turn: xy + turn), _WORLD)
            for turn in ([-360, 0], [0, 0], [360, 0])
        ],
        axis=1,
    )
    touches = shapely.get_dimensions(pieces) < shapely.get_dimensions(shapes)[:, None]
    pieces[touches] = None  # what ends at the antimeridian
    whole: Shapes = shapely.union_all(pieces, axis=1)
    return np.asarray(shapely.transform(whole, lambda xy: np.round(xy, DECIMALS) + 0.0))


def _turns(corners: Floats) -> Floats:
    """``[cell, corner]`` degrees east from each corner to the next, in [-180, 180)."""
    east = np.diff(corners[..., 0], axis=1, append=corners[:, :1, 0])
    return (east + 180) % 360 - 180


def _at_pole(corners: Floats) -> Bools:
    """``[cell]`` True where a pole is inside, at one corner, or on one edge."""
    turns = _turns(corners)
    half = np.abs(turns) > 180 - ROUNDING
    rest = np.abs(np.where(half, 0, turns).sum(axis=1))
    inside = ~half.any(axis=1) & (rest > 360 - ROUNDING)
    on_edge = (half.sum(axis=1) == 1) & (rest > 180 - ROUNDING)
    at_corner = (np.abs(corners[..., 1]) == 90).sum(axis=1) == 1
    return np.asarray(inside | on_edge | at_corner)


def _up_to_the_pole(ring: Floats) -> Floats:
    """``[corner, 2]`` the rim of a cell from one side of the pole to the other, and the edge."""
    pole = np.copysign(90, ring[:, 1].sum())
    at_corner = np.flatnonzero(ring[:, 1] == pole)
    on_edge = np.flatnonzero(np.abs(_turns(ring[None])[0]) > 180 - ROUNDING)
    if len(at_corner):
        rim = np.roll(ring, -at_corner[0] - 1, axis=0)[:-1]
    elif len(on_edge):
        rim = np.roll(ring, -on_edge[0] - 1, axis=0)
    else:
        rim = np.vstack([ring, ring[:1]])
    longitudes = np.unwrap(rim[:, 0], period=360)
    longitudes -= 360 * np.floor((longitudes.min() + 180) / 360)
    rim = np.column_stack([longitudes, rim[:, 1]])
    return np.vstack([rim, [[longitudes[-1], pole], [longitudes[0], pole]]])
