"""How a variable or dimension tells what it is: CF attributes first, then its name."""

from collections.abc import Hashable, Mapping
from typing import Any, Literal, NamedTuple

Kind = Literal["time", "latitude", "longitude", "y", "x", "altitude", "level"]


class Recognition(NamedTuple):
    """What a variable is, and what told so."""

    kind: Kind
    why: str


_STANDARD_NAMES: dict[str, Kind] = {
    "time": "time",
    "latitude": "latitude",
    "longitude": "longitude",
    "projection_y_coordinate": "y",
    "grid_latitude": "y",
    "projection_x_coordinate": "x",
    "grid_longitude": "x",
    "altitude": "altitude",
    "height_above_mean_sea_level": "altitude",
    "surface_altitude": "altitude",
    "air_pressure": "level",
    "height": "level",
    "depth": "level",
    "realization": "level",
}
_UNITS: dict[str, Kind] = {
    **{
        f"degree{s}{_}{n}": "latitude" for s in ("", "s") for _ in ("_", "") for n in ("north", "N")
    },
    **{
        f"degree{s}{_}{e}": "longitude" for s in ("", "s") for _ in ("_", "") for e in ("east", "E")
    },
}
_NAMES: dict[str, Kind] = {
    **dict.fromkeys(("time", "valid_time", "date", "datetime", "timestamp", "times"), "time"),
    **dict.fromkeys(("lat", "latitude", "nav_lat", "xlat", "latitudes", "lats"), "latitude"),
    **dict.fromkeys(
        ("lon", "longitude", "nav_lon", "xlong", "long", "lng", "longitudes", "lons"), "longitude"
    ),
    **dict.fromkeys(
        ("y", "rlat", "northing", "south_north", "nj", "row", "rows", "yc"), "y"
    ),
    **dict.fromkeys(
        ("x", "rlon", "easting", "west_east", "ni", "col", "column", "columns", "xc"), "x"
    ),
    **dict.fromkeys(("alt", "altitude", "elevation", "elev", "height_asl"), "altitude"),
    **dict.fromkeys(
        ("level", "lev", "plev", "pressure", "pressure_level", "isobaricinhpa", "height", "depth",
         "z", "member", "ensemble", "number", "realization", "band", "expver", "step"),
        "level",
    ),
}  # fmt: skip
_AXES: dict[str, Kind] = {"T": "time", "Y": "y", "X": "x", "Z": "level"}

STATION_NAMES = frozenset(
    [
        "sensor",
        "sensors",
        "station",
        "stations",
        "site",
        "sites",
        "node",
        "nodes",
        "id",
        "location",
        "locations",
        "detector",
        "loc",
        "station_id",
        "sensor_id",
        "site_id",
        "node_id",
        "stationid",
        "sensorid",
        "siteid",
        "point",
        "points",
        "obs_point",
        "platform",
        "gauge",
        "stn",
    ]
)


def recognise(name: Hashable, attributes: Mapping[Any, Any]) -> Recognition | None:
    """What a variable is by ``standard_name``, ``units``, name or ``axis``; else None."""
    standard_name = str(attributes.get("standard_name", ""))
    if standard_name in _STANDARD_NAMES:
        return Recognition(_STANDARD_NAMES[standard_name], f"standard_name {standard_name}")
    units = str(attributes.get("units", ""))
    if units in _UNITS:
        return Recognition(_UNITS[units], f"units {units}")
    if str(name).lower() in _NAMES:
        return Recognition(_NAMES[str(name).lower()], "its name")
    axis = str(attributes.get("axis", "")).upper()
    if axis in _AXES:
        return Recognition(_AXES[axis], f"axis {axis}")
    return None


def by_name(name: Hashable) -> Kind | None:
    """What the name alone says."""
    return _NAMES.get(str(name).lower())
