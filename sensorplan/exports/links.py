"""The lines of a map from each dropped region to the kept one that explains it best."""

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import Geod

from sensorplan.exports.sphere import DECIMALS, Shapes, into_world
from sensorplan.exports.tables import is_planar
from sensorplan.sensors import Floats

COLUMNS = ("sensor", "substitute", "substitute_r2", "substitute_km", "substitute_distance")
STEP = 100_000  # m, at most, between the points of a line

_EARTH = Geod(ellps="WGS84")


def link_lines(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """A line from each dropped region to its substitute.

    Args:
        frame: The table of a plan's regions (`tables.deployment`).

    Returns:
        One row a line, in the order of the ranking: ``sensor``, ``substitute``, ``substitute_r2``,
        ``substitute_km`` (planar: ``substitute_distance``), and ``geometry``, a geodesic on the
        earth, cut at the antimeridian, else straight. No line where the substitute is not kept, or
        one of both has no position, or both have the same.
    """
    columns = [name for name in COLUMNS if name in frame]
    if "substitute" not in frame:  # a plan from before there were any
        return gpd.GeoDataFrame({"sensor": []}, geometry=[], crs=frame.crs)
    first, second = ("y", "x") if is_planar(frame) else ("latitude", "longitude")
    places = frame.set_index("sensor")[[second, first]]
    rows = frame[_dropped(frame) & frame["substitute"].isin(_kept(frame))]
    ends = np.stack(
        [places.loc[rows[name]].to_numpy(float) for name in ("sensor", "substitute")], axis=1
    )
    apart = np.isfinite(ends).all(axis=(1, 2)) & (ends[:, 0] != ends[:, 1]).any(axis=1)
    lines = shapely.linestrings(ends[apart]) if is_planar(frame) else _geodesics(ends[apart])
    return gpd.GeoDataFrame(
        rows.loc[apart, columns].reset_index(drop=True), geometry=lines, crs=frame.crs
    )


def link_warnings(frame: gpd.GeoDataFrame) -> list[str]:
    """That a cut elsewhere than the plan's drops substitutes, as a sentence for the user."""
    if "substitute" not in frame:
        return []
    named = _dropped(frame) & frame["substitute"].notna()
    lost = int((named & ~frame["substitute"].isin(_kept(frame))).sum())
    if not lost:
        return []
    return [
        f"{lost} of {named.sum()} dropped sensors have no line to their substitute: it was named "
        "for the plan as fitted, and is dropped at this sparsity"
    ]


def _kept(frame: gpd.GeoDataFrame) -> Sequence[str]:
    kept: Sequence[str] = frame.loc[~_dropped(frame), "sensor"].tolist()
    return kept


def _dropped(frame: gpd.GeoDataFrame) -> "pd.Series[bool]":
    dropped: pd.Series[bool] = frame["decision"] == "drop"
    return dropped


def _geodesics(ends: Floats) -> Shapes:
    """``[line]`` from ``[line, 2, 2]`` longitude and latitude of both ends."""
    lines: Shapes = np.empty(len(ends), dtype=object)
    for line, (start, end) in enumerate(ends):
        lines[line] = shapely.LineString(_geodesic(start, end))
    return into_world(lines)


def _geodesic(start: Floats, end: Floats) -> Floats:
    """``[point, 2]`` with both ends; longitudes run on beyond 180."""
    (west, south), (east, north) = start, end
    _, _, metres = _EARTH.inv(west, south, east, north)
    count = int(metres // STEP)
    between = _EARTH.npts(west, south, east, north, count) if count else []
    points = np.array([start, *between, end])
    points[:, 0] = np.unwrap(points[:, 0], period=360)
    return np.round(points, DECIMALS)
