"""Latitude, longitude and the CRS of a file."""

import numpy as np
import xarray as xr
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from sensorplan.reading.conventions import by_name
from sensorplan.reading.layout import Layout
from sensorplan.reading.notes import Notes
from sensorplan.sensors import Floats

WGS84 = "EPSG:4326"
_METRES = dict.fromkeys(("km", "kilometre", "kilometer", "kilometres", "kilometers"), 1000.0)


def wrapped(longitudes: Floats) -> Floats:
    """Longitudes in [-180, 180)."""
    inside = (longitudes >= -180) & (longitudes < 180)
    return np.where(inside, longitudes, (longitudes + 180) % 360 - 180)


def file_crs(layout: Layout, notes: Notes) -> CRS | None:
    """The CRS of the grid mapping, or of the file's ``crs`` attribute."""
    variable = layout.dataset[layout.variables[0]]
    mapping = variable.encoding.get("grid_mapping", variable.attrs.get("grid_mapping"))
    name = str(mapping).split(":")[0]
    try:
        if name in layout.dataset.variables:
            return CRS.from_cf(dict(layout.dataset[name].attrs))
        for key in ("crs", "crs_wkt", "spatial_ref", "proj4"):
            if key in layout.dataset.attrs:
                return CRS.from_user_input(layout.dataset.attrs[key])
    except (CRSError, KeyError, TypeError, ValueError) as error:
        notes.warn(f"its CRS cannot be read ({error}); positions stay planar")
    return None


def in_degrees(crs: CRS, points: Floats, units: str) -> Floats:
    """Planar (x, y) as (longitude, latitude) with NaN outside the projection."""
    scale = _METRES.get(units, 1.0)
    if units.startswith("rad"):
        scale = float(crs.to_cf().get("perspective_point_height", 1.0))
    transformer = Transformer.from_crs(crs, WGS84, always_xy=True)
    longitude, latitude = transformer.transform(points[..., 0] * scale, points[..., 1] * scale)
    degrees = np.stack([wrapped(np.asarray(longitude)), np.asarray(latitude)], axis=-1)
    return np.where(np.isfinite(degrees), degrees, np.nan)


def crs_name(crs: CRS) -> str:
    """Name of a CRS, or of its kind."""
    if crs.name not in ("undefined", "unknown"):
        return str(crs.name)
    return str(crs.to_cf().get("grid_mapping_name", "the grid mapping"))


def warn_of_swap(latitude: xr.DataArray, longitude: xr.DataArray, notes: Notes) -> bool:
    """Warn when latitude and longitude seem to have changed places, and tell whether."""
    for variable, other in ((latitude, "longitude"), (longitude, "latitude")):
        if by_name(str(variable.name)) == other:
            notes.warn(
                f"{variable.name} is called {other} and described as the other; "
                "latitude and longitude may be swapped"
            )
            return True
    reach, across = (
        float(np.nanmax(np.abs(positions.values), initial=0)) for positions in (latitude, longitude)
    )
    if reach <= 90 or across > 90:
        return False
    advice = (
        "and longitude does not; latitude and longitude may be swapped"
        if reach <= 360
        else "expected degrees; a projected position is called y and x"
    )
    notes.warn(f"the latitude ({latitude.name}) reaches {reach:g}, beyond 90 degrees, {advice}")
    return reach <= 360
