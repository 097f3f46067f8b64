"""The area that each sensor stands for.

A grid cell stands for itself, a station for its Voronoi cell: the ground nearer to it than to any
other station (Okabe, Boots, Sugihara and Chiu 2000, Spatial Tessellations, Wiley, chapter 2). At
the rim of a network such a cell has no end, so it is cut at the network's convex hull, moved
outwards by half the way to the station's nearest neighbour: on an even network that makes the cells
at the rim as large as those inside.
"""

import numpy as np
from scipy.spatial import ConvexHull, QhullError, cKDTree

from sensorplan.regions import on_sphere
from sensorplan.sensors import Floats, Geometry

RAYS = 180  # directions in which the border of a Voronoi cell is looked for
NEIGHBOURS = 32  # looked at first
DECIMALS = 9  # of a place on the unit sphere: 6 mm on the earth
THROUGH_CENTRE = 1e-9  # distance from it below which a plane does


def node_areas(geometry: Geometry | None) -> Floats | None:
    """The area that each node stands for, in any unit.

    Nodes at the same place share theirs.

    Args:
        geometry: Where the nodes are.

    Returns:
        ``[node]``, 0 for a node without a position; None without any position.
    """
    if geometry is None:
        return None
    if geometry.corners is not None:
        return _cell_areas(geometry.corners, geographic=geometry.crs is not None)
    known = np.asarray(np.isfinite(geometry.positions).all(axis=1))
    if not known.any():
        return None
    places, geographic = geometry.positions[known].astype(float), geometry.crs is not None
    if geographic:
        places = np.round(on_sphere(places), DECIMALS)
    distinct, which, sharing = np.unique(places, axis=0, return_inverse=True, return_counts=True)
    areas = np.zeros(len(known))
    areas[known] = (_voronoi_areas(distinct, geographic) / sharing)[which.reshape(-1)]
    return areas


def _cell_areas(corners: Floats, geographic: bool) -> Floats:
    """``[cell]`` areas of polygons ``[cell, corner, 2]``, of degrees in square radians.

    Longitude and the sine of latitude keep areas (Lambert's cylindrical projection).
    """
    x, y = np.moveaxis(corners.astype(float), 2, 0)
    if geographic:
        x, y = np.radians(x), np.sin(np.radians(np.clip(y, -90, 90)))
    following = np.roll(np.arange(x.shape[1]), -1)
    areas: Floats = np.abs((x * y[:, following] - x[:, following] * y).sum(1)) / 2
    return areas


def _voronoi_areas(places: Floats, geographic: bool) -> Floats:
    """``[place]`` area of the Voronoi cell of each place, cut at the moved hull.

    Args:
        places: ``[place, coordinate]``, all different; in the plane, or on the unit sphere.
        geographic: Whether it is the sphere.
    """
    if len(places) == 1:
        return np.ones(1)
    tree = cKDTree(places)
    nearest = tree.query(places, [2])[0][:, 0]
    hull = _hull(places, geographic)
    areas = np.empty(len(places))
    for number, (place, margin) in enumerate(zip(places, nearest / 2, strict=True)):
        looked, farthest, border = min(NEIGHBOURS, len(places)), -1.0, np.full(RAYS, np.inf)
        while farthest < 2 * border.max() and looked <= len(places):
            distance, near = tree.query(place, looked)
            ways = places[near[near != number]] - place
            border = _borders(place, ways, hull, margin, geographic)
            farthest = distance[-1] if looked < len(places) else np.inf
            looked = min(4 * looked, len(places))
        disc = 2 * (1 - np.cos(border)) if geographic else border**2
        areas[number] = np.pi * disc.mean()
    return areas


def _borders(
    place: Floats, ways: Floats, hull: Floats | None, margin: float, geographic: bool
) -> Floats:
    """``[ray]`` how far a cell reaches in every direction: a distance, or an angle on the sphere.

    In the plane it ends half-way to another place at d² / (2 u·d), with u the direction and d the
    way to that place. On the unit sphere d is the chord, and this is the tangent of the angle. The
    hull is as far as (h + margin) / (u·n), with n its normal and h the distance to it.

    Args:
        place: ``[coordinate]``.
        ways: ``[neighbour, coordinate]`` to other places.
        hull: See `_hull`.
        margin: By how much the hull is moved.
        geographic: Whether it is the sphere.
    """
    angle = 2 * np.pi * np.arange(RAYS) / RAYS
    rays = np.column_stack([np.cos(angle), np.sin(angle)])
    if geographic:
        rays = rays @ _tangents(place)
    inverse = (rays @ ways.T / ((ways**2).sum(1) / 2)).max(1)
    if hull is None:
        inverse = np.maximum(inverse, 1 / (2 * margin))
    elif len(hull):
        outwards, height = hull[:, :-1], np.maximum(-(hull[:, :-1] @ place + hull[:, -1]), 0)
        inverse = np.maximum(inverse, (rays @ outwards.T / (height + margin)).max(1))
    border: Floats = np.arctan2(1, inverse) if geographic else 1 / inverse
    return border


def _hull(places: Floats, geographic: bool) -> Floats | None:
    """The convex hull of the places.

    Returns:
        ``[side, coordinate + 1]`` outward normal and offset of each line, or plane through the
        centre of the sphere; no side where the places lie all over the sphere. None where they lie
        on one line, or are two: their cells are cut at the nearest neighbour.
    """
    try:
        if not geographic:
            return np.asarray(ConvexHull(places).equations)
        sides = ConvexHull(np.vstack([places, np.zeros(3)])).equations
    except QhullError:
        return None
    return np.asarray(sides[np.abs(sides[:, -1]) < THROUGH_CENTRE])


def _tangents(place: Floats) -> Floats:
    """``[2, 3]`` east and north at a place on the unit sphere."""
    x, y, z = place
    longitude = np.arctan2(y, x)
    east = np.array([-np.sin(longitude), np.cos(longitude), 0])
    north = np.array([-z * np.cos(longitude), -z * np.sin(longitude), np.hypot(x, y)])
    return np.stack([east, north])
