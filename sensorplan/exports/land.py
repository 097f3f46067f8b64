"""The outline of land that maps are drawn on: Natural Earth at 1:110m (public domain)."""

from functools import cache
from importlib.resources import files

import shapely

from sensorplan.exports.sphere import Shapes

LEAST_EXTENT = 2.0  # degrees; below, the outline is too coarse to be of use


@cache
def land_parts() -> Shapes:
    """``[part]`` polygons in longitude and latitude, cut at the antimeridian."""
    text = files("sensorplan.exports").joinpath("land.json").read_text(encoding="utf-8")
    parts: Shapes = shapely.get_parts(shapely.from_geojson(text))
    return parts
