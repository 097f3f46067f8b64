"""Which dimension of a dataset is time, and which hold the sensors."""

from collections.abc import Sequence

import xarray as xr

from sensorplan.reading.conventions import STATION_NAMES, recognise
from sensorplan.reading.notes import Notes, listed

_Nodes = tuple[tuple[str, ...], str]


def time_dimension(dataset: xr.Dataset, notes: Notes) -> str:
    """The dimension along which time runs.

    Raises:
        DataError: There is none, or time is a single value.
    """
    for name, variable in dataset.variables.items():
        if {"instance_dimension", "sample_dimension"} & set(variable.attrs):
            raise notes.error(f"a ragged array ({name}); expected an array over time and sensors")
    times = [n for n in map(str, dataset.variables) if _is_time(n, dataset[n])]
    for name in times:
        if dataset[name].ndim == 1:
            return str(dataset[name].dims[0])
    for dimension in map(str, dataset.dims):
        if recognised_as(dimension, None) == "time":
            return dimension
    for name in times:
        if dataset[name].ndim == 0:
            raise notes.error(f"{name} is a single time step; expected a history of many")
    raise notes.error(
        f"no time dimension; found {shapes(dataset)}; expected one with dates, "
        "standard_name or axis of time, or the name time"
    )


def time_coordinate(dataset: xr.Dataset, dimension: str) -> xr.DataArray | None:
    """The variable that holds the time of each step; None where steps are only counted."""
    along = [str(n) for n, v in dataset.variables.items() if v.dims == (dimension,)]
    ranks = (
        [n for n in along if _has_dates(dataset[n]) and recognised_as(n, dataset[n]) == "time"],
        [n for n in along if n == dimension],
        [n for n in along if _has_dates(dataset[n])],
        [n for n in along if recognised_as(n, dataset[n]) == "time"],
    )
    return next((dataset[rank[0]] for rank in ranks if rank), None)


def _is_time(name: str, variable: xr.DataArray) -> bool:
    if recognised_as(name, variable) == "time":
        return True
    return variable.dims == (name,) and _has_dates(variable)


def _has_dates(variable: xr.DataArray) -> bool:
    if variable.dtype != object or variable.size == 0:
        return variable.dtype.kind == "M"
    return hasattr(variable.isel(dict.fromkeys(variable.dims, 0)).item(), "calendar")


def recognised_as(name: str, variable: xr.DataArray | None) -> str | None:
    """What a variable or bare dimension is, without the reason."""
    recognition = recognise(name, {} if variable is None else variable.attrs)
    return recognition.kind if recognition else None


def known_nodes(dataset: xr.Dataset, dims: Sequence[str]) -> _Nodes | None:
    """The sensor or grid dimensions that coordinates or names tell, and what told so."""
    return (
        _curvilinear_dimensions(dataset, dims)
        or _axis_dimensions(dataset, dims)
        or _station_dimension(dataset, dims)
    )


def node_dimensions(
    dataset: xr.Dataset, variable: xr.DataArray, dims: Sequence[str], notes: Notes
) -> tuple[str, ...]:
    """The sensor dimension, or the row and column dimension of a grid, among some dimensions.

    Raises:
        DataError: None of them can be told from others.
    """
    nodes, why = known_nodes(dataset, dims) or _remaining_dimensions(dataset, variable, dims, notes)
    sizes = " x ".join(str(variable.sizes[d]) for d in nodes)
    notes.found("grid" if len(nodes) == 2 else "sensors", f"{', '.join(nodes)} ({sizes})", why)
    return nodes


def _curvilinear_dimensions(dataset: xr.Dataset, dims: Sequence[str]) -> _Nodes | None:
    for name, variable in dataset.variables.items():
        if len(variable.dims) == 2 and set(variable.dims) <= set(dims):
            recognition = recognise(name, variable.attrs)
            if recognition and recognition.kind == "latitude":
                row, column = map(str, variable.dims)
                if recognised_as(row, None) == "x" or recognised_as(column, None) == "y":
                    row, column = column, row
                return (row, column), f"2-D latitude {name}"
    return None


def _axis_dimensions(dataset: xr.Dataset, dims: Sequence[str]) -> _Nodes | None:
    found: dict[str, tuple[str, str]] = {}
    for dim in dims:
        recognition = recognise(dim, dataset[dim].attrs if dim in dataset.variables else {})
        if recognition and recognition.kind in ("latitude", "y"):
            found.setdefault("row", (dim, recognition.why))
        elif recognition and recognition.kind in ("longitude", "x"):
            found.setdefault("column", (dim, recognition.why))
    if len(found) < 2:
        return None
    (row, why_row), (column, why_column) = found["row"], found["column"]
    return (row, column), f"{row} by {why_row}, {column} by {why_column}"


def _station_dimension(dataset: xr.Dataset, dims: Sequence[str]) -> _Nodes | None:
    for name, variable in dataset.variables.items():
        if variable.attrs.get("cf_role") == "timeseries_id" and variable.dims[0:1] in [
            (d,) for d in dims
        ]:
            return (str(variable.dims[0]),), f"cf_role of {name}"
    for name, variable in dataset.variables.items():
        recognition = recognise(name, variable.attrs)
        if recognition and recognition.kind == "latitude" and len(variable.dims) == 1:
            dim = str(variable.dims[0])
            if dim in dims and dim != name:
                return (dim,), f"latitude {name} along it"
    for dim in dims:
        if dim.lower() in STATION_NAMES:
            return (dim,), "its name"
    for dim in dims:
        if dim in dataset.variables and dataset[dim].dtype.kind in "OSUT":
            return (dim,), "text ids"
    return None


def _remaining_dimensions(
    dataset: xr.Dataset, variable: xr.DataArray, dims: Sequence[str], notes: Notes
) -> _Nodes:
    free = [
        d
        for d in dims
        if variable.sizes[d] > 1
        and recognised_as(d, dataset[d] if d in dataset.variables else None) != "level"
    ]
    if len(free) == 1:
        return (free[0],), "the only dimension left besides time"
    if len(free) == 2:
        notes.warn(
            f"nothing says what {free[0]} and {free[1]} are; "
            "taken as the rows and columns of a grid"
        )
        return (free[0], free[1]), "the two dimensions left besides time"
    raise notes.error(
        f"{variable.name} has the dimensions ({listed(variable.dims)}) and none is known as "
        "sensors; expected a station dimension, or latitude and longitude, or y and x"
    )


def shapes(dataset: xr.Dataset) -> str:
    """The variables with their dimensions, for a message."""
    texts = [f"{n}({', '.join(map(str, v.dims))})" for n, v in dataset.data_vars.items()]
    return listed(texts) or "no variables"
