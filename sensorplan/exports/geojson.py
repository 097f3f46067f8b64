"""`deployment.geojson` (RFC 7946)."""

import json
import math
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from sensorplan.exports.sphere import narrowest_box
from sensorplan.exports.tables import COORDINATES, is_planar

PLANAR = "x and y in the unit of the data, not longitude and latitude (WGS 84)"


def geojson(frame: gpd.GeoDataFrame) -> bytes:
    """The table of a plan's regions as GeoJSON, one feature a line, best first.

    The coordinates are WGS 84, and ``bbox`` is around them all; a feature that the antimeridian
    cuts has one of its own. Planar coordinates are written as they are, and the member
    ``planar_coordinates`` says so.
    """
    head = '{"type": "FeatureCollection",\n'
    located = frame["geometry"].dropna().to_numpy()
    if is_planar(frame):
        head += f'"planar_coordinates": {json.dumps(PLANAR)},\n'
    elif len(located):
        head += f'"bbox": {json.dumps(narrowest_box(located))},\n'
    names = [name for name in frame.columns if name not in {*COORDINATES, "geometry"}]
    rows = zip(frame["geometry"], *(frame[name] for name in names), strict=True)
    features = ",\n".join(
        _feature(shape, dict(zip(names, values, strict=True)), is_planar(frame))
        for shape, *values in rows
    )
    return f'{head}"features": [\n{features}\n]}}\n'.encode()


def _feature(shape: Any, properties: dict[str, Any], planar: bool) -> str:
    feature = {
        "type": "Feature",
        **({} if planar else _own_box(shape)),
        "geometry": None if shape is None else shapely.geometry.mapping(shape),
        "properties": {name: plain(value) for name, value in properties.items()},
    }
    return json.dumps(feature, ensure_ascii=False, allow_nan=False)


def _own_box(shape: Any) -> dict[str, list[float]]:
    """The ``bbox`` of a shape in two halves: the one that a reader makes goes round the world."""
    if shape is None or shape.geom_type != "MultiPolygon":
        return {}
    west, south, east, north = narrowest_box(shape)
    return {"bbox": [west, south, east, north]} if west > east else {}


def plain(value: Any) -> str | int | float | None:
    """A value that JSON knows; None for a missing one."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float) else str(value)
