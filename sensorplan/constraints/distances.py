"""Which positions lie within a distance of each other: exact on the ellipsoid, found by a tree."""

import numpy as np
from pyproj import Geod
from scipy.spatial import KDTree

from sensorplan.regions import on_sphere
from sensorplan.sensors import Floats, Ints

SMALLEST_RADIUS = 6_335_000.0  # m, of curvature of the earth; a larger angle loses no pair
AHEAD = 1e-8  # of a distance, so that rounding loses no pair


def near(points: Floats, others: Floats, distance: float, geographic: bool) -> Ints:
    """Pairs of a point and another that lie nearer to each other than a distance, or as near.

    Args:
        points: ``[point, 2]`` latitude and longitude in degrees, or planar y and x.
        others: ``[other, 2]``.
        distance: Metres where `geographic`, else in the unit of the positions.
        geographic: True when positions are degrees.

    Returns:
        ``[pair, 2]`` index of the point and of the other.
    """
    if geographic:
        angle = min(distance / SMALLEST_RADIUS, np.pi)
        chord = 2 * np.sin(angle / 2) * (1 + AHEAD)
        pairs = _pairs(on_sphere(points), on_sphere(others), chord)
    else:
        pairs = _pairs(points, others, distance * (1 + AHEAD))
    return pairs[lengths(points[pairs[:, 0]], others[pairs[:, 1]], geographic) <= distance]


def lengths(points: Floats, others: Floats, geographic: bool) -> Floats:
    """``[pair]`` distance of each point to the other beside it: geodesic in metres, or planar."""
    if not geographic:
        return np.asarray(np.hypot(*(points - others).T))
    _, _, metres = Geod(ellps="WGS84").inv(points[:, 1], points[:, 0], others[:, 1], others[:, 0])
    return np.asarray(metres)


def _pairs(points: Floats, others: Floats, radius: float) -> Ints:
    found = KDTree(points).sparse_distance_matrix(KDTree(others), radius, output_type="ndarray")
    pairs = np.column_stack([found["i"], found["j"]])
    return pairs[np.lexsort(pairs.T[::-1])]
