"""Which variables hold the measurements, and which dimensions are time, sensors and others."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from sensorplan.reading.conventions import STATION_NAMES, recognise
from sensorplan.reading.notes import Notes, listed
from sensorplan.recipe import DataSettings


@dataclass(frozen=True)
class Layout:
    """The part of a dataset that is planned on.

    Attributes:
        variables: Names of the chosen variables, one channel each.
        time: Name of the time dimension.
        nodes: The sensor dimension, or the row and the column dimension of a grid.
        dataset: The dataset at the chosen position on every further dimension.
    """

    variables: tuple[str, ...]
    time: str
    nodes: tuple[str, ...]
    dataset: xr.Dataset

    @property
    def gridded(self) -> bool:
        """True when the nodes are the cells of a grid."""
        return len(self.nodes) == 2


def recognise_layout(dataset: xr.Dataset, settings: DataSettings, notes: Notes) -> Layout:
    """Find time, variables and sensors, and apply ``select``.

    Raises:
        DataError: There is no time, no such variable, no sensor dimension, or a further dimension
            without a choice.
    """
    time = _time_dimension(dataset, notes)
    if settings.variable:
        names = _chosen(dataset, settings.variable, time, notes)
        first, why = names[0], "chosen"
    else:
        names = _eligible(dataset, time)
        if not names:
            raise notes.error(
                f"no variable has the time dimension {time} and a sensor or grid dimension; "
                f"found {_shapes(dataset)}"
            )
        first, why = names[0], "the first with time and sensors"
    nodes = _node_dimensions(dataset, dataset[first], time, settings.select, notes)
    if not settings.variable:
        others = [n for n in names[1:] if set(nodes) <= set(dataset[n].dims)]
        if others:
            notes.warn(
                f"holds also {listed(others)}; planned on {first} alone; "
                "name several with --variable"
            )
        names = names[:1]
    for name in names:
        if not set(nodes) <= set(dataset[name].dims):
            raise notes.error(
                f"{name} has the dimensions {listed(dataset[name].dims)}; "
                f"expected {', '.join(nodes)} as for {first}"
            )
    notes.found("variable", ", ".join(names), why)
    further = {d: None for n in names for d in map(str, dataset[n].dims) if d not in (time, *nodes)}
    indices = _select(dataset, list(further), settings.select, notes)
    return Layout(names, time, nodes, dataset.isel(indices))


def _time_dimension(dataset: xr.Dataset, notes: Notes) -> str:
    """The dimension of the time coordinate; gives its name after the dimension where it differs."""
    for name in map(str, dataset.variables):
        variable = dataset[name]
        if variable.ndim > 1 or not _is_time(name, variable):
            continue
        if variable.ndim == 0:
            raise notes.error(f"{name} is a single time step; expected a history of many")
        return str(variable.dims[0])
    for dimension in map(str, dataset.dims):
        if _is_time(dimension, None):
            return dimension
    raise notes.error(
        f"no time dimension; found {_shapes(dataset)}; expected one with dates, "
        "standard_name or axis of time, or the name time"
    )


def time_coordinate(dataset: xr.Dataset, dimension: str) -> xr.DataArray | None:
    """The variable that holds the time of each step; None where steps are only counted."""
    names = [
        str(n)
        for n, v in dataset.variables.items()
        if v.dims == (dimension,) and (_is_time(str(n), dataset[n]) or n == dimension)
    ]
    dated = [n for n in names if _has_dates(dataset[n])]
    return dataset[(dated or names)[0]] if names else None


def _is_time(name: str, variable: xr.DataArray | None) -> bool:
    if variable is not None and _has_dates(variable) and variable.ndim == 1:
        return variable.dims[0] == name or recognised_as(name, variable) == "time"
    return recognised_as(name, variable) == "time"


def _has_dates(variable: xr.DataArray) -> bool:
    if variable.dtype.kind == "M":
        return True
    return (
        variable.dtype == object
        and variable.size > 0
        and hasattr(variable.values.flat[0], "calendar")
    )


def recognised_as(name: str, variable: xr.DataArray | None) -> str | None:
    """What a variable or bare dimension is, without the reason."""
    recognition = recognise(name, {} if variable is None else variable.attrs)
    return recognition.kind if recognition else None


def _chosen(dataset: xr.Dataset, wanted: Sequence[str], time: str, notes: Notes) -> tuple[str, ...]:
    for name in wanted:
        if name not in dataset.variables:
            known = [str(n) for n in dataset.data_vars]
            raise notes.error(
                f"no variable {name}{suggestion(name, known)}; it holds {listed(known)}"
            )
        if time not in dataset[name].dims:
            raise notes.error(
                f"{name} has the dimensions ({listed(dataset[name].dims)}); "
                f"expected {time} among them"
            )
        if dataset[name].dtype.kind not in "fiub":
            raise notes.error(f"{name} is {dataset[name].dtype}, no number")
    return tuple(dict.fromkeys(wanted))


def suggestion(name: str, known: Iterable[str]) -> str:
    """`` (did you mean ...?)`` where a known name is near."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _eligible(dataset: xr.Dataset, time: str) -> tuple[str, ...]:
    """Data variables over time and at least one more dimension, without flags and bounds."""
    companions = {
        word
        for v in dataset.variables.values()
        for key in ("ancillary_variables", "bounds")
        for word in str(v.attrs.get(key, "")).split()
    }
    return tuple(
        str(name)
        for name, v in dataset.data_vars.items()
        if time in v.dims
        and any(d != time for d in v.dims)
        and v.dtype.kind in "fiub"
        and name not in companions
        and "flag_values" not in v.attrs
        and "flag_masks" not in v.attrs
        and recognised_as(str(name), v) not in ("latitude", "longitude", "time")
    )


def _node_dimensions(
    dataset: xr.Dataset,
    variable: xr.DataArray,
    time: str,
    select: dict[str, str],
    notes: Notes,
) -> tuple[str, ...]:
    """The sensor dimension, or the row and column dimension of a grid."""
    dims = [str(d) for d in variable.dims if d != time and d not in select]
    for find in (_curvilinear_dimensions, _axis_dimensions, _station_dimension):
        if recognised := find(dataset, dims):
            nodes, why = recognised
            break
    else:
        nodes, why = _remaining_dimensions(dataset, variable, dims, notes)
    sizes = " x ".join(str(variable.sizes[d]) for d in nodes)
    notes.found("grid" if len(nodes) == 2 else "sensors", f"{', '.join(nodes)} ({sizes})", why)
    return nodes


type_nodes = tuple[tuple[str, ...], str]


def _curvilinear_dimensions(dataset: xr.Dataset, dims: list[str]) -> type_nodes | None:
    for name, variable in dataset.variables.items():
        if len(variable.dims) == 2 and set(variable.dims) <= set(dims):
            recognition = recognise(name, variable.attrs)
            if recognition and recognition.kind == "latitude":
                row, column = map(str, variable.dims)
                if recognised_as(row, None) == "x" or recognised_as(column, None) == "y":
                    row, column = column, row
                return (row, column), f"2-D latitude {name}"
    return None


def _axis_dimensions(dataset: xr.Dataset, dims: list[str]) -> type_nodes | None:
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


def _station_dimension(dataset: xr.Dataset, dims: list[str]) -> type_nodes | None:
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
    dataset: xr.Dataset, variable: xr.DataArray, dims: list[str], notes: Notes
) -> type_nodes:
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


def _select(
    dataset: xr.Dataset, further: list[str], select: dict[str, str], notes: Notes
) -> dict[str, int]:
    """Index on each further dimension: chosen, or the only one."""
    for name in select:
        if name not in further:
            allowed = f"expected one of {listed(further)}" if further else "there is none to select"
            raise notes.error(f"select {name}: no such further dimension; {allowed}")
    indices = {}
    for dim in further:
        values = _values_along(dataset, dim)
        if dim in select:
            indices[dim] = _position(dim, select[dim], values, notes)
            notes.found("selected", f"{dim} = {values[indices[dim]]}", "as asked")
        elif len(values) == 1:
            indices[dim] = 0
            notes.found("squeezed", f"{dim} = {values[0]}", "the dimension has one value")
        else:
            raise notes.error(
                f"a further dimension {dim} with {len(values)} values ({listed(values)}); "
                f"choose one with --select {dim}={values[0]}"
            )
    return indices


def _values_along(dataset: xr.Dataset, dim: str) -> list[str]:
    if dim not in dataset.variables:
        return [str(i) for i in range(dataset.sizes[dim])]
    values = dataset[dim].values
    if values.dtype.kind == "f":
        return [f"{v:g}" for v in values]
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values]


def _position(dim: str, wanted: str, values: list[str], notes: Notes) -> int:
    if wanted in values:
        return values.index(wanted)
    try:
        near = np.isclose([float(v) for v in values], float(wanted), rtol=1e-6, atol=0)
    except ValueError:
        near = np.zeros(len(values), bool)
    if not near.any():
        raise notes.error(f"select {dim}={wanted}: no such value; expected one of {listed(values)}")
    return int(near.argmax())


def _shapes(dataset: xr.Dataset) -> str:
    shapes = [f"{n}({', '.join(map(str, v.dims))})" for n, v in dataset.data_vars.items()]
    return listed(shapes) or "no variables"
