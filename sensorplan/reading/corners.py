"""Corners of grid cells on the sphere."""

import numpy as np

from sensorplan.reading.projection import wrapped
from sensorplan.sensors import Bools, Floats


def curvilinear_corners(centres: Floats) -> Floats:
    """``[row, column, 4, 2]`` corners midway between neighbouring centres, on the sphere."""
    latitude, longitude = np.deg2rad(np.moveaxis(centres, -1, 0))
    vectors = np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ]
    )
    padded = np.pad(vectors, ((0, 0), (1, 1), (1, 1)), mode="reflect", reflect_type="odd")
    x, y, z = (padded[:, :-1] + padded[:, 1:])[..., :-1] + (padded[:, :-1] + padded[:, 1:])[..., 1:]
    lattice = np.rad2deg(np.stack([np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))], axis=-1))
    ring = (lattice[:-1, :-1], lattice[:-1, 1:], lattice[1:, 1:], lattice[1:, :-1])
    return _completed(near(np.stack(ring, axis=-2), centres), centres)


def _completed(corners: Floats, centres: Floats) -> Floats:
    """Corners next to a cell without position: mirrored in the cell, or as far off as usual."""
    middles = centres[..., None, ::-1]
    mirrored = 2 * middles - np.roll(corners, 2, axis=-2)
    corners = np.where(np.isnan(corners), mirrored, corners)
    east, north = (_usual_step(np.diff(centres[..., ::-1], axis=axis)) for axis in (1, 0))
    usual = np.stack([-north - east, east - north, north + east, north - east]) / 2
    return np.where(np.isnan(corners), middles + usual, corners)


def _usual_step(steps: Floats) -> Floats:
    """Median (x, y) of ``[row, column, 2]`` steps; nothing where no step is known."""
    known = steps[np.isfinite(steps).all(axis=-1)]
    return np.median(known, axis=0) if len(known) else np.zeros(2)


def near(corners: Floats, centres: Floats) -> Floats:
    """Corners with the longitudes that lie next to their centre."""
    east = centres[..., None, 1]
    return np.stack([east + wrapped(corners[..., 0] - east), corners[..., 1]], axis=-1)


def counter_clockwise(corners: Floats) -> Floats:
    """``[node, 4, 2]`` with clockwise rings reversed."""
    x, y = np.moveaxis(corners - corners[:, :1], -1, 0)
    doubled_area = (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)
    clockwise: Bools = doubled_area < 0
    return np.where(clockwise[:, None, None], corners[:, ::-1], corners)
