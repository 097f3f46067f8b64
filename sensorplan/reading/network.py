"""The sensors of a file, whether stations or cells, in the order of the nodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sensorplan.reading.conventions import recognise
from sensorplan.reading.layout import Layout
from sensorplan.sensors import Geometry, Ints


@dataclass(frozen=True)
class Network:
    """The sensors.

    Attributes:
        order: ``[node]`` position of each sensor in the file (of a cell: flat, row by row).
        names: ``[node]`` unique names.
        geometry: Where they are; None where the file has no positions.
        attributes: Further columns, each ``[node]``.
        adjacency: ``[node, node]`` the file's own graph.
        counted: Sizes of the sensor dimensions where names are only places in the file; else None.
    """

    order: Ints
    names: tuple[str, ...]
    geometry: Geometry | None
    attributes: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    adjacency: NDArray[np.float32] | None = None
    counted: tuple[int, ...] | None = None


def attribute_columns(
    layout: Layout, order: Ints, ids: str | None
) -> dict[str, tuple[object, ...]]:
    """Variables over the sensors alone, without ids and positions; height is ``altitude``."""
    columns: dict[str, tuple[object, ...]] = {}
    for name, variable in layout.dataset.variables.items():
        if set(variable.dims) != set(layout.nodes) or len(variable.dims) != len(layout.nodes):
            continue
        recognition = recognise(name, variable.attrs)
        kind = recognition.kind if recognition else None
        if name in (ids, *layout.nodes) or kind in ("latitude", "longitude", "y", "x"):
            continue
        values = layout.dataset[name].transpose(*layout.nodes).values.ravel()[order]
        label = "altitude" if kind == "altitude" else str(name)
        columns.setdefault(label, as_column(values))
    return columns


def as_column(values: NDArray[np.generic]) -> tuple[object, ...]:
    """Numbers as they are, everything else as stripped text."""
    return tuple(values.tolist()) if values.dtype.kind in "fiub" else as_text(values)


def as_text(values: NDArray[np.generic]) -> tuple[str, ...]:
    """Ids or labels as stripped text; whole numbers without a decimal point."""
    return tuple(_text(value) for value in values.tolist())


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip(" \t\n\0")


def placed(layout: Layout) -> dict[str, xr.DataArray]:
    """Latitude, longitude, y, x and altitude over the sensors alone, by what they are."""
    found: dict[str, xr.DataArray] = {}
    for name, variable in layout.dataset.variables.items():
        recognition = recognise(name, variable.attrs)
        same = len(variable.dims) == len(layout.nodes) and set(variable.dims) == set(layout.nodes)
        if recognition and same and variable.dtype.kind in "fiu":
            found.setdefault(recognition.kind, layout.dataset[name].transpose(*layout.nodes))
    return found
