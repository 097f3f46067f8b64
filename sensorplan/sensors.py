"""`SensorData`: the history of a sensor network, as every later stage sees it.

Axis order everywhere: ``[batch, time, node, channel]``; after stream morph ``[batch, node,
feature]``. A *sensor* is what the user sees (a station, a grid cell); a *node* is its index on the
array axis. A missing value is NaN; ``valid`` is True where a value was observed and is never called
a mask.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sensorplan.spool import Spool

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Channel:
    """One measured quantity.

    Attributes:
        name: The variable's name in the file.
        units: Its unit as the file states it, ``""`` where it states none.
        long_name: A readable name, ``name`` where the file has none.
    """

    name: str
    units: str
    long_name: str


@dataclass(frozen=True)
class TimeAxis:
    """A regular time axis.

    Attributes:
        labels: ``[time]`` each step as text: ISO 8601, or the number of a numeric axis.
        step: Length of one step in ``unit`` (the mean length where months or years differ).
        step_label: The step for people, say ``5 min`` or ``1 month``.
        unit: ``s`` where the calendar is known, else the file's own unit (may be ``""``).
        calendar: CF name of the calendar (``standard``, ``360_day``); None for numeric time.
        time_of_day: ``[time]`` share of the day passed, in [0, 1); None without a calendar.
        day_of_week: ``[time]`` 0 (Monday) to 6; None where the calendar has no weeks.
        time_of_year: ``[time]`` share of the year passed, in [0, 1); None without a calendar.
    """

    labels: tuple[str, ...]
    step: float
    step_label: str
    unit: str
    calendar: str | None
    time_of_day: Floats | None = None
    day_of_week: Floats | None = None
    time_of_year: Floats | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def until(self, end: int) -> "TimeAxis":
        """The first `end` steps."""

        def cut(phases: Floats | None) -> Floats | None:
            return None if phases is None else phases[:end]

        return replace(
            self,
            labels=self.labels[:end],
            time_of_day=cut(self.time_of_day),
            day_of_week=cut(self.day_of_week),
            time_of_year=cut(self.time_of_year),
        )


@dataclass(frozen=True)
class Geometry:
    """Where the nodes are.

    Attributes:
        kind: ``points`` for stations, ``cells`` for the cells of a grid.
        crs: ``EPSG:4326`` for latitude and longitude; None for planar y and x without a known CRS.
        positions: ``[node, 2]`` latitude and longitude in degrees (longitude in [-180, 180)), or
            y and x in the file's unit; NaN where a station has no position.
        shape: ``(rows, columns)`` of the grid; None for points.
        rows: ``[node]`` row of each node in the grid; None for points.
        columns: ``[node]`` column of each node in the grid; None for points.
        corners: ``[node, 4, 2]`` corners of each cell as (longitude, latitude) or (x, y), ring
            order, counter-clockwise; a cell across the dateline keeps unwrapped longitudes. None
            for points.
    """

    kind: Literal["points", "cells"]
    crs: str | None
    positions: Floats
    shape: tuple[int, int] | None = None
    rows: Ints | None = None
    columns: Ints | None = None
    corners: Floats | None = None


@dataclass(frozen=True)
class Source:
    """Where the data came from.

    Attributes:
        path: The path as the user gave it (a glob or a list joined with a comma for several files).
        sha256: Hex digest over the content of all files read, in order.
    """

    path: str
    sha256: str


@dataclass(frozen=True)
class Finding:
    """One thing that reading recognised: what, as which value, and why."""

    what: str
    value: str
    why: str


@dataclass(frozen=True)
class SensorData:
    """The history of a network.

    Attributes:
        values: ``[time, node, channel]`` float32 in each channel's own unit; NaN where missing. On
            disk where they do not fit into the memory that a run may take.
        sensors: ``[node]`` unique names.
        channels: ``[channel]`` what is measured.
        time: The time axis.
        geometry: Positions and cells; None where the file has none.
        adjacency: ``[node, node]`` float32 weights of the file's own graph or of an edge list,
            from row to column; None where there is none.
        attributes: Further columns per sensor, say ``altitude`` or ``station_name``, each
            ``[node]``.
        source: Path and checksum.
        counted: Sizes of the file's sensor dimensions where a name is only a place in there, for it
            has no ids (a grid: no coordinates); else None.
        findings: What was recognised in the file, and why.
        warnings: Plain sentences for the user.
    """

    values: NDArray[np.float32] | Spool
    sensors: tuple[str, ...]
    channels: tuple[Channel, ...]
    time: TimeAxis
    geometry: Geometry | None
    source: Source
    adjacency: NDArray[np.float32] | None = None
    attributes: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    counted: tuple[int, ...] | None = None
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        times, nodes, channels = self.values.shape
        assert (times, nodes, channels) == (len(self.time), len(self.sensors), len(self.channels))
        assert len(set(self.sensors)) == nodes
        assert all(len(column) == nodes for column in self.attributes.values())

    @property
    def valid(self) -> Bools:
        """``[time, node, channel]`` True where a value was observed, of a history in memory."""
        return np.isfinite(self.held)

    @property
    def held(self) -> NDArray[np.float32]:
        """The values, which are in memory."""
        assert not isinstance(self.values, Spool)
        return self.values

    @property
    def share_observed(self) -> float:
        """Share of the values that were observed."""
        observed = sum(int(np.isfinite(block).sum()) for block in blocks(self.values))
        return observed / float(np.prod(self.values.shape, dtype=float))

    def at(self, steps: Ints) -> NDArray[np.float32]:
        """``[step, node, channel]`` the values at some steps."""
        return self.values.read(steps) if isinstance(self.values, Spool) else self.values[steps]

    def sample(self, end: int) -> NDArray[np.float32]:
        """Values of the first `end` steps: all of them, or on disk as many as may be held."""
        if not isinstance(self.values, Spool):
            return self.values[:end]
        return self.values.read(self.values.sample_steps(end))

    def until(self, end: int) -> "SensorData":
        """The history up to its first `end` steps."""
        values = self.values
        cut = values.until(end) if isinstance(values, Spool) else values[:end]
        return replace(self, values=cut, time=self.time.until(end))


def blocks(values: NDArray[np.float32] | Spool) -> Iterator[NDArray[np.float32]]:
    """The values ``[time, node, channel]`` in memory: whole, or from disk some steps at a time."""
    if not isinstance(values, Spool):
        yield values
        return
    for steps in values.parts():
        yield values.read(steps)


def cell_name(y: float, x: float, decimals: int = 4) -> str:
    """Name of a grid cell or patch: ``lat_lon`` with four decimals.

    >>> cell_name(51.25, -0.5)
    '51.2500_-0.5000'
    >>> cell_name(-0.00001, 180)
    '0.0000_180.0000'
    """
    y, x = (round(float(v), decimals) + 0.0 for v in (y, x))  # + 0.0: no negative zero
    return f"{y:.{decimals}f}_{x:.{decimals}f}"
