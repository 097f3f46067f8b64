"""Sensors along one dimension: their ids, positions and the file's own graph."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from sensorplan.reading.conventions import STATION_NAMES
from sensorplan.reading.csv_file import Table
from sensorplan.reading.edges import adjacency_of
from sensorplan.reading.layout import Layout
from sensorplan.reading.network import Network, as_column, as_text, attribute_columns, placed
from sensorplan.reading.notes import Notes, counted, listed
from sensorplan.reading.projection import (
    WGS84,
    crs_name,
    file_crs,
    in_degrees,
    warn_of_swap,
    wrapped,
)
from sensorplan.sensors import Bools, Floats, Geometry, Ints


def station_network(
    layout: Layout,
    observed: Bools,
    table: pd.DataFrame | None,
    edges: Table | None,
    notes: Notes,
) -> Network:
    """The sensors that were ever observed.

    Args:
        layout: Where the sensors are in the file.
        observed: ``[sensor]`` True where a sensor has any value.
        table: Station table by id, with ``latitude``, ``longitude`` and further columns.
        edges: Edge list, in place of the file's own graph.
        notes: Where findings and warnings go.

    Raises:
        DataError: Two sensors have one id, one has none, or an edge leads to no sensor.
    """
    variable, why = _id_variable(layout)
    ids = _ids(layout, variable, why, notes)
    order = np.flatnonzero(observed)
    if not observed.all():
        absent = [ids[i] for i in np.flatnonzero(~observed)]
        notes.warn(f"{counted(len(absent), 'sensor')} without any value left out: {listed(absent)}")
    names = tuple(ids[i] for i in order)
    attributes = attribute_columns(layout, order, variable)
    if table is None:
        positions = _positions(layout, ids, notes)
    else:
        positions = _table_positions(table, ids, notes)
        further = table.reindex(list(names)).drop(columns=["latitude", "longitude"])
        attributes |= {str(c): as_column(further[c].to_numpy()) for c in further}
    geometry = None
    if positions is not None:
        points, crs = positions
        geometry = Geometry("points", crs, points[order])
    adjacency = adjacency_of(edges, ids, notes) if edges else _adjacency(layout, ids, notes)
    if adjacency is not None:
        adjacency = adjacency[np.ix_(order, order)]
    counted_from_0 = None if variable else (len(ids),)
    return Network(order, names, geometry, attributes, adjacency, counted_from_0)


def _id_variable(layout: Layout) -> tuple[str | None, str]:
    (dim,) = layout.nodes
    along = {str(n): v for n, v in layout.dataset.variables.items() if v.dims == (dim,)}
    for name, variable in along.items():
        if variable.attrs.get("cf_role") == "timeseries_id":
            return name, "cf_role timeseries_id"
    named = [name for name in along if name.lower() in STATION_NAMES and name != dim]
    if dim in along and not (named and _is_count(along[dim])):
        return dim, "the coordinate of the dimension"
    if named:
        return named[0], "its name"
    for name, variable in along.items():
        if variable.dtype.kind in "OSUT":
            return name, "the first text along the sensors"
    return None, "the file names no sensors; counted"


def _is_count(variable: xr.Variable) -> bool:
    """True for 0, 1, 2... and 1, 2, 3...."""
    if variable.dtype.kind not in "iu":
        return False
    return variable.values[0] in (0, 1) and bool((np.diff(variable.values) == 1).all())


def _ids(layout: Layout, variable: str | None, why: str, notes: Notes) -> tuple[str, ...]:
    (dim,) = layout.nodes
    if variable is None:
        ids = tuple(str(i) for i in range(layout.dataset.sizes[dim]))
        notes.found("ids", listed(ids, 3), why)
        return ids
    ids = as_text(layout.dataset[variable].values)
    first: dict[str, int] = {}
    for position, sensor in enumerate(ids):
        if not sensor:
            raise notes.error(
                f"{variable} is empty at position {position} (from 0); expected an id"
            )
        if sensor in first:
            raise notes.error(
                f"two sensors have the id {sensor} in {variable}, at positions {first[sensor]} and "
                f"{position} (counted from 0); expected unique ids"
            )
        first[sensor] = position
    notes.found("ids", f"{variable} ({listed(ids, 3)})", why)
    return ids


def _positions(
    layout: Layout, ids: Sequence[str], notes: Notes
) -> tuple[Floats, str | None] | None:
    """``[sensor, 2]`` positions and their CRS; None where there are none."""
    found = placed(layout)
    if "latitude" in found and "longitude" in found:
        latitude, longitude = found["latitude"], found["longitude"]
        notes.found("positions", f"{latitude.name}, {longitude.name}", "latitude and longitude")
        return _on_earth(latitude, longitude, ids, notes), WGS84
    if "y" in found and "x" in found:
        y, x = found["y"], found["x"]
        crs = file_crs(layout, notes)
        why = f"turned into degrees from {crs_name(crs)}" if crs else "planar; no CRS"
        notes.found("positions", f"{y.name}, {x.name}", why)
        points = np.column_stack([y.values, x.values]).astype(float)
        if crs is None:
            return points, None
        return in_degrees(crs, points[:, ::-1], str(y.attrs.get("units", "")))[:, ::-1], WGS84
    notes.found("positions", "none", "no latitude and longitude, nor y and x, along the sensors")
    return None


def _table_positions(
    table: pd.DataFrame, ids: Sequence[str], notes: Notes
) -> tuple[Floats, str | None]:
    unknown = [str(station) for station in table.index if station not in set(ids)]
    if len(unknown) == len(table):
        raise notes.error(
            f"no station of the station table ({listed(unknown)}) is one of the sensors "
            f"({listed(list(ids))}); expected the same ids in both"
        )
    if unknown:
        notes.warn(
            f"{counted(len(unknown), 'station')} of the station table without data: "
            f"{listed(unknown)}"
        )
    positions = table.reindex(list(ids))[["latitude", "longitude"]].to_numpy(float)
    known = int(np.isfinite(positions).all(axis=1).sum())
    notes.found("positions", f"{known} of {len(ids)} sensors", "the station table")
    latitude, longitude = (
        xr.DataArray(positions[:, i], name=n) for i, n in enumerate(("latitude", "longitude"))
    )
    return _on_earth(latitude, longitude, ids, notes), WGS84


def _on_earth(
    latitude: xr.DataArray, longitude: xr.DataArray, ids: Sequence[str], notes: Notes
) -> Floats:
    """``[sensor, 2]`` degrees; NaN where they are none (a sentinel, say)."""
    points = np.column_stack([latitude.values, longitude.values]).astype(float)
    if not warn_of_swap(latitude, longitude, notes):
        beyond = (np.abs(points) > (90, 540)).any(axis=1)
        if beyond.any():
            names = listed([name for name, wrong in zip(ids, beyond, strict=True) if wrong])
            notes.warn(f"no latitude and longitude on Earth, so taken without position: {names}")
        points[beyond] = np.nan
    return np.column_stack([points[:, 0], wrapped(points[:, 1])])


def _adjacency(layout: Layout, ids: Sequence[str], notes: Notes) -> NDArray[np.float32] | None:
    """``[sensor, sensor]`` the first square, one called adjacency before others."""
    dataset = layout.dataset
    squares = [
        str(name)
        for name, variable in dataset.data_vars.items()
        if variable.shape == (len(ids), len(ids))
        and layout.time not in variable.dims
        and variable.dtype.kind in "fiub"
        and "dist" not in str(name).lower()
        and (layout.nodes[0] in variable.dims or "adj" in str(name).lower())
    ]
    squares.sort(key=lambda name: "adj" not in name.lower())
    if not squares:
        return None
    name = squares[0]
    notes.found("adjacency", name, "a square over the sensors")
    if squares[1:]:
        notes.warn(f"holds also {listed(squares[1:])}; {name} is taken as adjacency")
    rows, columns = (_order_along(dataset, str(dim), ids) for dim in dataset[name].dims)
    weights: NDArray[np.float32] = dataset[name].values.astype(np.float32)[np.ix_(rows, columns)]
    if not np.isfinite(weights).all():
        notes.warn(f"{name} has missing weights; taken as 0")
    return np.where(np.isfinite(weights), weights, np.float32(0))


def _order_along(dataset: xr.Dataset, dim: str, ids: Sequence[str]) -> Ints:
    """Position of each sensor along a dimension, which may have its own order."""
    if dim in dataset.variables:
        positions = {name: i for i, name in enumerate(as_text(dataset[dim].values))}
        if set(positions) == set(ids):
            return np.array([positions[name] for name in ids])
    return np.arange(len(ids))
