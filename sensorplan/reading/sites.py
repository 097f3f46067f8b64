"""What is beside the history: site tables, areas and points, from CSV or any vector file."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from pyproj import Transformer

from sensorplan.errors import DataError
from sensorplan.reading.conventions import STATION_NAMES, by_name
from sensorplan.reading.csv_file import Table, open_table, parse_numbers
from sensorplan.reading.notes import Notes, listed
from sensorplan.sensors import Floats

TABLES = (".csv", ".txt", ".tsv", ".gz")
SAYS = ("status", "cost", "group")
STATUSES = ("required", "excluded", "candidate")
WGS84 = "EPSG:4326"


@dataclass(frozen=True)
class Sites:
    """A table of sites.

    Attributes:
        file: Where it is.
        lines: ``[site]`` where each stands, say ``line 3``.
        ids: ``[site]`` empty where the table has none.
        positions: ``[site, 2]`` latitude and longitude, or y and x; NaN where the table has none.
        status: ``[site]`` of `STATUSES`, or empty.
        cost: ``[site]`` NaN where the table has none.
        group: ``[site]`` empty for none.
        says: Which of the columns `SAYS` the table has.
        unused: Columns that mean nothing here.
    """

    file: str
    lines: tuple[str, ...]
    ids: tuple[str, ...]
    positions: Floats
    status: tuple[str, ...]
    cost: Floats
    group: tuple[str, ...]
    says: tuple[str, ...]
    unused: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)


def read_sites(file: str, geographic: bool) -> Sites:
    """A table of sites: CSV or a vector file such as a GeoPackage.

    Columns are ``id``, a position (``lat,lon``, planar ``y,x``, or the geometry), ``status``,
    ``cost`` and ``group``; each may be missing, but not id and position both.

    Args:
        file: Where it is.
        geographic: Whether positions are wanted as latitude and longitude.

    Raises:
        DataError: The file is no such table.
    """
    table = _table(file, geographic)
    columns = {column.lower(): column for column in reversed(table.columns)}
    ids = _ids(table)
    positions = _positions(table, geographic)
    if table.frame.empty:
        raise DataError(f"{file}: holds no site; expected one a row")
    if ids is None and not np.isfinite(positions).any():
        raise DataError(
            f"{file}: has the columns {listed(table.columns)}; expected id, or lat and lon, and "
            "status, cost or group"
        )
    names = ids if ids is not None else [""] * len(table.frame)
    lines = tuple(f"line {line}" for line in table.frame.index)
    status = _texts(table, columns.get("status"))
    for line, word in zip(lines, status, strict=True):
        if word not in ("", *STATUSES):
            raise DataError(
                f"{file} {line}: status {word!r}; expected one of {', '.join(STATUSES)}, or nothing"
            )
    given = pd.Series(names)[pd.Series(names) != ""]
    if given.duplicated().any():
        place = int(given.index[given.duplicated()][0])
        raise DataError(f"{file} {lines[place]}: the site {names[place]} stands twice")
    return Sites(
        file=file,
        lines=lines,
        ids=tuple(names),
        positions=positions,
        status=tuple(status),
        cost=_costs(table, columns.get("cost"), lines),
        group=tuple(_texts(table, columns.get("group"))),
        says=tuple(name for name in SAYS if name in columns),
        unused=tuple(
            column
            for column in table.columns
            if column.lower() not in (*SAYS, *STATION_NAMES) and by_name(column) is None
        ),
    )


def read_points(file: str, geographic: bool) -> Floats:
    """``[point, 2]`` latitude and longitude, or y and x: of a CSV table, or a vector file.

    Raises:
        DataError: The file has no positions.
    """
    positions = _positions(_table(file, geographic), geographic)
    if not len(positions) or not np.isfinite(positions).all():
        wanted = "lat and lon" if geographic else "y and x"
        raise DataError(f"{file}: a point without position; expected {wanted} in every row")
    return positions


def within_areas(file: str, positions: Floats, geographic: bool) -> Floats:
    """``[position]`` True where it lies in a polygon of a file, its rim included.

    Args:
        file: A vector file in any CRS.
        positions: ``[position, 2]`` latitude and longitude, or y and x; NaN lies nowhere.
        geographic: True when positions are degrees.

    Raises:
        DataError: The file cannot be read, has no polygon, or no CRS where one is needed.
    """
    frame = _vector(file, geographic).explode(ignore_index=True)
    polygons = frame.geometry[frame.geom_type.isin(["Polygon", "MultiPolygon"])]
    if polygons.empty:
        raise DataError(f"{file}: holds no polygon; expected the areas to exclude")
    area = shapely.union_all(shapely.make_valid(polygons.to_numpy()))
    known = np.isfinite(positions).all(axis=1)
    x, y = positions[known, 1].astype(float), positions[known, 0].astype(float)
    turns = [0.0]
    if geographic and frame.crs.is_geographic:
        turns = [-360.0, 0.0, 360.0]  # an area may lie beyond the antimeridian
    if geographic:  # the sensors go into the CRS of the area, whose sides are straight there
        x, y = Transformer.from_crs(WGS84, frame.crs, always_xy=True).transform(x, y)
    inside = np.zeros(len(positions), bool)
    inside[known] = np.any([shapely.intersects_xy(area, x + turn, y) for turn in turns], axis=0)
    return inside


def _table(file: str, geographic: bool) -> Table:
    """The table, with the position of a geometry in its own columns."""
    if not Path(file).is_file():
        raise DataError(f"{file}: no such file; expected a table of sites, CSV or GeoPackage")
    if Path(file).suffix.lower() in TABLES:
        text = {*STATION_NAMES, "status", "group"}
        return open_table(Path(file), Notes(file), ids=text, history=False)
    frame = _vector(file, geographic, some=False)
    if geographic and len(frame):
        frame = frame.to_crs(WGS84)
    points = frame.geometry.representative_point()
    axes = ("longitude", "latitude") if geographic else ("x", "y")
    table = pd.DataFrame(frame.drop(columns=frame.geometry.name))
    table = table.drop(columns=[c for c in table if by_name(c) in axes])
    table[list(axes)] = np.column_stack([points.x, points.y])
    table.index = pd.RangeIndex(1, len(table) + 1)
    return Table(Path(file), table)


def _vector(file: str, geographic: bool, some: bool = True) -> Any:
    """A vector file as it is, with a CRS where one is needed; with `some`, only its geometries."""
    if not Path(file).is_file():
        raise DataError(f"{file}: no such file; expected a vector file such as a GeoPackage")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # GDAL's, of an old CRS, say
            frame = gpd.read_file(file, engine="pyogrio")
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise DataError(f"{file}: no vector file ({str(error).splitlines()[0]})") from error
    if not isinstance(frame, gpd.GeoDataFrame):
        raise DataError(f"{file}: holds no geometry; expected points or polygons")
    there = frame.geometry.notna() & ~frame.geometry.is_empty
    if some and not there.any():
        raise DataError(f"{file}: holds no geometry; expected points or polygons")
    if geographic and frame.crs is None and there.any():
        raise DataError(f"{file}: has no CRS; expected one, to compare it with the sensors")
    return frame[there] if some else frame


def _ids(table: Table) -> list[str] | None:
    name = next((c for c in table.columns if c.lower() in STATION_NAMES), None)
    return None if name is None else _texts(table, name)


def _texts(table: Table, column: str | None) -> list[str]:
    if column is None:
        return [""] * len(table.frame)
    values = table.frame[column]
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")  # whole numbers, of which some are missing
    return ["" if pd.isna(value) else str(value).strip() for value in values]


def _positions(table: Table, geographic: bool) -> Floats:
    """``[row, 2]`` NaN where there are none."""
    kinds = {by_name(column): column for column in reversed(table.columns)}
    first, second = (
        (kinds.get("latitude"), kinds.get("longitude"))
        if geographic
        else (kinds.get("y"), kinds.get("x"))
    )
    if first is None or second is None:
        return np.full((len(table.frame), 2), np.nan)
    positions = np.column_stack([parse_numbers(table, first), parse_numbers(table, second)])
    if geographic and (np.abs(positions) > (90, 360)).any():
        row = int((np.abs(positions) > (90, 360)).any(axis=1).argmax())
        raise DataError(
            f"{table.file} line {table.frame.index[row]}: {positions[row, 0]:g}, "
            f"{positions[row, 1]:g} is no latitude and longitude in degrees"
        )
    return positions


def _costs(table: Table, column: str | None, lines: tuple[str, ...]) -> Floats:
    if column is None:
        return np.full(len(table.frame), np.nan)
    costs = parse_numbers(table, column).to_numpy()
    if (costs < 0).any() or np.isinf(costs).any():
        place = int(((costs < 0) | np.isinf(costs)).argmax())
        raise DataError(
            f"{table.file} {lines[place]}, column cost: {costs[place]:g}; expected a number of 0 "
            "or more"
        )
    return costs
