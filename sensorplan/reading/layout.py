"""Which variables hold the measurements, and which dimensions are time, sensors and others."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from sensorplan.reading.dimensions import (
    known_nodes,
    node_dimensions,
    recognised_as,
    shapes,
    time_dimension,
)
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
    time = time_dimension(dataset, notes)
    dataset = _with_still_positions(dataset, time, notes)
    if settings.variable:
        names, why = _chosen(dataset, settings.variable, time, notes), "as asked"
    else:
        names, why = _eligible(dataset, time, settings, notes), "the first with time and sensors"
    first = names[0]
    dims = _open_dimensions(dataset, first, time, settings)
    nodes = node_dimensions(dataset, dataset[first], dims, notes)
    if not settings.variable:
        others = [n for n in names[1:] if set(nodes) <= set(dataset[n].dims)]
        if others:
            notes.warn(
                f"holds also {listed(others)}; planned on {first} alone; "
                "name several with --variable"
            )
        names = (first,)
    _check_dimensions(dataset, names, (time, *nodes), notes)
    notes.found("variable", ", ".join(names), why)
    further = {d: None for n in names for d in map(str, dataset[n].dims) if d not in (time, *nodes)}
    indices = _select(dataset, list(further), settings.select, notes)
    return Layout(names, time, nodes, dataset.isel(indices))


def _with_still_positions(dataset: xr.Dataset, time: str, notes: Notes) -> xr.Dataset:
    """Latitudes and longitudes that the file repeats at each time, at the first."""
    for name, variable in dataset.variables.items():
        moving = time in variable.dims and variable.ndim > 1
        if moving and recognised_as(str(name), dataset[name]) in ("latitude", "longitude"):
            still = variable.isel({time: 0})
            notes.found("positions", name, "given at each time; the first is taken")
            if not bool((variable == still).all()):
                notes.warn(f"{name} changes with time; sensors that move are placed at their first")
            dataset = dataset.assign_coords({name: still})
    return dataset


def _check_dimensions(
    dataset: xr.Dataset, names: Sequence[str], expected: Sequence[str], notes: Notes
) -> None:
    for name in names:
        if not set(expected) <= set(dataset[name].dims):
            raise notes.error(
                f"{name} has the dimensions ({listed(dataset[name].dims)}); "
                f"expected {', '.join(expected)} as for {names[0]}"
            )
    for dim in expected:
        if dataset.sizes[dim] == 0:
            raise notes.error(f"empty; no values along {dim}")


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


def _eligible(
    dataset: xr.Dataset, time: str, settings: DataSettings, notes: Notes
) -> tuple[str, ...]:
    """Measured variables over time and sensors; those with known sensor dimensions, if any have."""
    companions = {
        word
        for v in dataset.variables.values()
        for key in ("ancillary_variables", "bounds")
        for word in str(v.attrs.get(key, "")).split()
    }
    names = [
        str(name)
        for name, v in dataset.data_vars.items()
        if time in v.dims
        and v.ndim > 1
        and v.dtype.kind in "fiub"
        and name not in companions
        and not {"flag_values", "flag_masks"} & set(v.attrs)
        and not str(name).endswith(("_bnds", "_bounds"))
        and recognised_as(str(name), v) not in ("latitude", "longitude", "time")
    ]
    if not names:
        raise notes.error(
            f"no variable has the time dimension {time} and a sensor or grid dimension; "
            f"found {shapes(dataset)}"
        )
    known = [n for n in names if known_nodes(dataset, _open_dimensions(dataset, n, time, settings))]
    return tuple(known or names)


def _open_dimensions(
    dataset: xr.Dataset, name: str, time: str, settings: DataSettings
) -> list[str]:
    """The dimensions of a variable besides time and those with a position chosen."""
    return [str(d) for d in dataset[name].dims if d != time and d not in settings.select]


def _select(
    dataset: xr.Dataset, further: list[str], select: dict[str, str], notes: Notes
) -> dict[str, int]:
    """Index on each further dimension: chosen, or the only one."""
    for name in select:
        if name not in further and not _is_all_there(dataset, name, select[name], notes):
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


def _is_all_there(dataset: xr.Dataset, name: str, wanted: str, notes: Notes) -> bool:
    """True when the file holds one position of what was a dimension, and it is the wanted one."""
    if name not in dataset.variables or dataset[name].ndim:
        return False
    alone = _values_along(dataset.expand_dims(name), name)
    notes.found("selected", f"{name} = {alone[0]}", "as asked; the file holds no other")
    return _position(name, wanted, alone, notes) == 0


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
