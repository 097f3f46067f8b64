"""`deployment.geojson` (RFC 7946)."""

import json
import math
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from sensorplan.exports.tables import COORDINATES, is_planar

PLANAR = "x and y in the unit of the data, not longitude and latitude (WGS 84)"


def geojson(frame: gpd.GeoDataFrame) -> bytes:
    """The table of a plan's regions as GeoJSON, one feature a line, best first.

    The coordinates are WGS 84. Planar ones are written as they are, and the member
    ``planar_coordinates`` says so.
    """
    head = '{"type": "FeatureCollection",\n'
    if is_planar(frame):
        head += f'"planar_coordinates": {json.dumps(PLANAR)},\n'
    names = [name for name in frame.columns if name not in {*COORDINATES, "geometry"}]
    rows = zip(frame["geometry"], *(frame[name] for name in names), strict=True)
    features = ",\n".join(
        _feature(shape, dict(zip(names, values, strict=True))) for shape, *values in rows
    )
    return f'{head}"features": [\n{features}\n]}}\n'.encode()


def _feature(shape: Any, properties: dict[str, Any]) -> str:
    feature = {
        "type": "Feature",
        "geometry": None if shape is None else shapely.geometry.mapping(shape),
        "properties": {name: _plain(value) for name, value in properties.items()},
    }
    return json.dumps(feature, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> str | int | float | None:
    """A value that JSON knows; None for a missing one."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float) else str(value)
