"""Cells of a grid: their order, positions, corners and names, whatever the file's own order is.

Rows run from south to north, columns from west to east, nodes row by row.
"""

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from sensorplan.reading.conventions import recognise
from sensorplan.reading.corners import counter_clockwise, curvilinear_corners, near
from sensorplan.reading.layout import Layout
from sensorplan.reading.network import Network, attribute_columns, placed
from sensorplan.reading.notes import Notes, counted
from sensorplan.reading.projection import (
    WGS84,
    crs_name,
    file_crs,
    in_degrees,
    warn_of_swap,
    wrapped,
)
from sensorplan.sensors import Bools, Floats, Geometry, Ints, cell_name


@dataclass(frozen=True)
class Axis:
    """One sorted axis of a grid.

    Attributes:
        order: ``[cell]`` index in the file.
        centres: ``[cell]`` ascending (longitudes from west to east, in [-180, 180)).
        edges: ``[cell, 2]`` lower and upper edge.
    """

    order: Ints
    centres: Floats
    edges: Floats

    def flipped(self) -> "Axis":
        """The same axis from its other end."""
        return Axis(self.order[::-1], self.centres[::-1], self.edges[::-1])


@dataclass(frozen=True)
class Cells:
    """The cells of a grid in the order of the nodes.

    Attributes:
        order: ``[node]`` flat index of each cell in the file's rows and columns.
        geometry: Where the cells are.
    """

    order: Ints
    geometry: Geometry


def grid_network(layout: Layout, observed: Bools, notes: Notes) -> Network:
    """The cells that were ever observed and have a position.

    Args:
        layout: Where the cells are in the file.
        observed: ``[cell]`` True where a cell has any value, in the file's order.
        notes: Where findings and warnings go.

    Raises:
        DataError: Two cells have one position, or a row or column has none.
    """
    cells = grid_cells(layout, notes)
    geometry = cells.geometry
    assert geometry.rows is not None
    assert geometry.columns is not None
    assert geometry.corners is not None
    kept = observed[cells.order]
    if not kept.all():
        dropped = counted(int((~kept).sum()), "cell")
        notes.found("dropped", dropped, "missing at all times (land, say)")
    nowhere = kept & ~np.isfinite(geometry.positions).all(axis=1)
    if nowhere.any():
        notes.warn(f"{counted(int(nowhere.sum()), 'cell')} without a position left out")
    kept &= ~nowhere
    geometry = replace(
        geometry,
        positions=geometry.positions[kept],
        rows=geometry.rows[kept],
        columns=geometry.columns[kept],
        corners=geometry.corners[kept],
    )
    order = cells.order[kept]
    names = cell_names(geometry, notes)
    nameless = geometry.crs is None and any(n not in layout.dataset.variables for n in layout.nodes)
    return Network(
        order,
        names,
        geometry,
        attribute_columns(layout, order, None),
        counted=cells.geometry.shape if nameless else None,
    )


def grid_cells(layout: Layout, notes: Notes) -> Cells:
    """Sort and place the cells of a grid.

    Raises:
        DataError: A coordinate of a row or column is missing.
    """
    row, column = layout.nodes
    y = _ascending(_centres(layout, row, notes))
    if _kind(layout.dataset, row) == "latitude" and _kind(layout.dataset, column) == "longitude":
        x = _longitudes(_centres(layout, column, notes), notes)
        y = replace(y, edges=np.clip(y.edges, -90, 90))
        notes.found("positions", f"{row}, {column}", "1-D latitude and longitude")
        warn_of_swap(layout.dataset[row], layout.dataset[column], notes)
        return _cells(layout, y, x, WGS84, _mesh(y.centres, x.centres), _corners(y, x))
    x = _ascending(_centres(layout, column, notes))
    auxiliary = _auxiliary(layout, notes)
    if auxiliary is not None:
        notes.found("positions", "2-D latitude and longitude", "they share the grid's dimensions")
        y, x = _oriented(layout, y, x, auxiliary)
        centres = auxiliary[np.ix_(y.order, x.order)]
        return _cells(layout, y, x, WGS84, centres, curvilinear_corners(centres))
    return _planar_cells(layout, y, x, notes)


def _planar_cells(layout: Layout, y: Axis, x: Axis, notes: Notes) -> Cells:
    """Cells by y and x, in degrees where the file has a CRS."""
    row, column = layout.nodes
    centres, corners = _mesh(y.centres, x.centres), _corners(y, x)
    counted_from_0 = [dim for dim in layout.nodes if dim not in layout.dataset.variables]
    crs = None if counted_from_0 else file_crs(layout, notes)
    if crs is None:
        why = "planar; no latitude, longitude or CRS"
        if counted_from_0:
            why = f"counted from 0; {' and '.join(counted_from_0)} without a coordinate"
        notes.found("positions", f"{row}, {column}", why)
        return _cells(layout, y, x, None, centres, corners)
    notes.found("positions", f"{row}, {column}", f"turned into degrees from {crs_name(crs)}")
    units = str(layout.dataset[row].attrs.get("units", ""))
    centres = in_degrees(crs, centres[..., ::-1], units)[..., ::-1]
    corners = near(in_degrees(crs, corners, units), centres)
    return _cells(layout, y, x, WGS84, centres, corners)


def cell_names(geometry: Geometry, notes: Notes) -> tuple[str, ...]:
    """``[node]`` names with as many decimals, four at least, as tell all cells apart.

    Raises:
        DataError: Two cells have one position.
    """
    for decimals in range(4, 9):
        names = tuple(cell_name(y, x, decimals) for y, x in geometry.positions)
        if len(set(names)) == len(names):
            return names
    first: dict[str, int] = {}
    for node, name in enumerate(names):
        if first.setdefault(name, node) != node:
            break
    raise notes.error(
        f"grid cells {first[name]} and {node} (counted from 0, row by row) both lie at {name}; "
        "expected one cell a position"
    )


def _kind(dataset: xr.Dataset, dim: str) -> str | None:
    recognition = recognise(dim, dataset[dim].attrs if dim in dataset.variables else {})
    return recognition.kind if recognition and dim in dataset.variables else None


def _centres(layout: Layout, dim: str, notes: Notes) -> Floats:
    if dim not in layout.dataset.variables:
        return np.arange(layout.dataset.sizes[dim], dtype=float)
    centres = np.asarray(layout.dataset[dim].values, float)
    if not np.isfinite(centres).all():
        raise notes.error(f"{dim} is missing at position {int(np.isnan(centres).argmax())}")
    return centres


def _ascending(centres: Floats) -> Axis:
    order = np.argsort(centres, kind="stable")
    centres = centres[order]
    return Axis(order, centres, _edges(centres))


def _longitudes(longitudes: Floats, notes: Notes) -> Axis:
    """Columns from west to east: from the dateline, or from the gap a regional grid leaves."""
    centres = wrapped(longitudes)
    order = np.argsort(centres, kind="stable")
    repeated = np.flatnonzero(np.diff(centres[order]) < 1e-6) + 1
    if len(repeated):
        notes.warn(
            f"longitude {longitudes[order[repeated[0]]]:g} repeats one; the column is dropped"
        )
        order = np.delete(order, repeated)
    gaps = np.diff(centres[order], append=centres[order[0]] + 360)
    if gaps.max() > 1.5 * np.median(gaps):
        order = np.roll(order, -int(gaps.argmax()) - 1)
    centres = centres[order]
    edges = _edges(np.unwrap(centres, period=360))
    turns = np.unwrap(centres, period=360) - centres
    return Axis(order, centres, edges - turns[:, None])


def _edges(centres: Floats) -> Floats:
    """``[cell, 2]`` midpoints between neighbours; the outer ones extrapolated."""
    if len(centres) == 1:
        return np.column_stack([centres - 0.5, centres + 0.5])
    padded = np.pad(centres, 1, mode="reflect", reflect_type="odd")
    middles = (padded[:-1] + padded[1:]) / 2
    return np.column_stack([middles[:-1], middles[1:]])


def _mesh(y: Floats, x: Floats) -> Floats:
    """``[row, column, 2]`` y and x of each cell."""
    return np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)


def _corners(y: Axis, x: Axis) -> Floats:
    """``[row, column, 4, 2]`` x and y of the corners, counter-clockwise."""
    ring = ((0, 0), (0, 1), (1, 1), (1, 0))
    corners = [_mesh(y.edges[:, upper], x.edges[:, right])[..., ::-1] for upper, right in ring]
    return np.stack(corners, axis=-2)


def _auxiliary(layout: Layout, notes: Notes) -> Floats | None:
    """``[row, column, 2]`` 2-D latitude and longitude in the file's order, where it has both."""
    found = placed(layout)
    if "latitude" not in found or "longitude" not in found:
        return None
    warn_of_swap(found["latitude"], found["longitude"], notes)
    latitude, longitude = (found[k].values.astype(float) for k in ("latitude", "longitude"))
    return np.stack([latitude, wrapped(longitude)], axis=-1)


def _oriented(layout: Layout, y: Axis, x: Axis, positions: Floats) -> tuple[Axis, Axis]:
    """Rows to the north and columns to the east where the file has no y and x to go by."""
    row, column = layout.nodes
    if row not in layout.dataset.variables and np.nanmean(np.diff(positions[..., 0], axis=0)) < 0:
        y = y.flipped()
    eastward = wrapped(np.diff(positions[..., 1], axis=1))
    if column not in layout.dataset.variables and np.nanmean(eastward) < 0:
        x = x.flipped()
    return y, x


def _cells(
    layout: Layout, y: Axis, x: Axis, crs: str | None, centres: Floats, corners: Floats
) -> Cells:
    shape = len(y.order), len(x.order)
    rows, columns = (index.ravel() for index in np.indices(shape))
    order = (y.order[:, None] * layout.dataset.sizes[layout.nodes[1]] + x.order).ravel()
    geometry = Geometry(
        "cells",
        crs,
        centres.reshape(-1, 2),
        shape,
        rows,
        columns,
        counter_clockwise(corners.reshape(-1, 4, 2)),
    )
    return Cells(order, geometry)
