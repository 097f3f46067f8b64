"""Reading: files, or data in memory, to one `SensorData`, with what was recognised and why."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from sensorplan.errors import DataError
from sensorplan.memory import Memory
from sensorplan.reading.dimensions import time_coordinate
from sensorplan.reading.edges import read_edges
from sensorplan.reading.grids import grid_network
from sensorplan.reading.layout import Layout, recognise_layout
from sensorplan.reading.memory import content_checksum, file_of, normalised, openable
from sensorplan.reading.network import Network
from sensorplan.reading.notes import Notes, listed
from sensorplan.reading.opening import checksum, find_files, opened
from sensorplan.reading.rows import Values
from sensorplan.reading.stamps import read_stamps
from sensorplan.reading.stations import station_network
from sensorplan.reading.tables import read_stations
from sensorplan.reading.time_axis import regularise
from sensorplan.reading.values import channels, load_values, shape_of, spool_values
from sensorplan.recipe import IN_MEMORY, DataSettings
from sensorplan.sensors import Bools, SensorData, Source, blocks
from sensorplan.spool import Spool

__all__ = ["read", "unchanged_file"]


def read(
    settings: DataSettings, dataset: xr.Dataset | None = None, memory: Memory | None = None
) -> SensorData:
    """Read a history.

    Args:
        settings: Which files, which variables, and how.
        dataset: What the files hold, in memory already; it stays as it is. Without a file,
            the path is `IN_MEMORY`.
        memory: What the run may take; a history that does not fit goes to disk. None: all of it.

    Returns:
        The history on a regular time axis, without sensors that are missing at all times.

    Raises:
        DataError: The data cannot be read or not be planned on.
    """
    notes = Notes(listed(settings.path, 2))
    if dataset is not None:
        data = _history(normalised(dataset, notes), settings, None, notes)
        if settings.path == (IN_MEMORY,):
            return replace(data, source=Source(IN_MEMORY, content_checksum(data)))
    files = find_files(settings.path)
    if dataset is None:
        with opened(files, notes, memory.chunk_bytes if memory else None) as content:
            data = _history(content, settings, memory, notes)
    beside = [Path(file) for file in (settings.stations, settings.adjacency) if file]
    source = Source(",".join(settings.path), checksum([*files, *beside]))
    return replace(data, source=source)


def unchanged_file(settings: DataSettings, dataset: xr.Dataset) -> str | None:
    """The file that a dataset was opened from, where reading that gives the same history."""
    file = file_of(dataset)
    if file is None:
        return None
    try:
        held = read(settings.model_copy(update={"path": (IN_MEMORY,)}), dataset)
        with openable(file) as copy:
            found = read(settings.model_copy(update={"path": (str(copy),)}))
    except (DataError, OSError):  # what is wrong with the data is said when it is used
        return None
    return str(file) if content_checksum(found) == held.source.sha256 else None


def _history(
    content: xr.Dataset, settings: DataSettings, memory: Memory | None, notes: Notes
) -> SensorData:
    """What a dataset holds; its checksum is still to come."""
    layout = recognise_layout(content, settings, notes)
    steps = layout.dataset.sizes[layout.time]
    stamps = read_stamps(time_coordinate(layout.dataset, layout.time), steps, notes)
    values, observed = _values(layout, settings, memory, notes)
    network = _network(layout, observed, settings, notes)
    measured, order = channels(layout), network.order
    ordered = values.at_nodes(order) if isinstance(values, Spool) else values[:, order]
    values, time = regularise(ordered, stamps, settings.resample, notes)
    _warn_of_constant(values, network.names, notes)
    return SensorData(
        values=values,
        sensors=network.names,
        channels=measured,
        time=time,
        geometry=network.geometry,
        source=Source(notes.path, ""),
        adjacency=network.adjacency,
        attributes=network.attributes,
        counted=network.counted,
        findings=tuple(notes.findings),
        warnings=tuple(notes.warnings),
    )


def _values(
    layout: Layout, settings: DataSettings, memory: Memory | None, notes: Notes
) -> tuple[Values, Bools]:
    """``[time, node, channel]`` in the file's order, and ``[node]`` True where there is any."""
    if memory is not None and not memory.holds(int(np.prod(shape_of(layout), dtype=np.int64))):
        return spool_values(layout, settings.missing, memory, notes)
    values = load_values(layout, settings.missing, notes)
    return values, np.asarray(np.isfinite(values).any(axis=(0, 2)))


def _network(layout: Layout, observed: Bools, settings: DataSettings, notes: Notes) -> Network:
    if not observed.any():
        raise notes.error(f"every value of {', '.join(layout.variables)} is missing")
    if layout.gridded and settings.adjacency:
        raise notes.error(
            f"a grid, whose cells need no edge list ({settings.adjacency}); expected stations"
        )
    if layout.gridded:
        return grid_network(layout, observed, notes)
    table = read_stations(settings.stations) if settings.stations else None
    edges = read_edges(settings.adjacency) if settings.adjacency else None
    return station_network(layout, observed, table, edges, notes)


def _warn_of_constant(values: Values, names: tuple[str, ...], notes: Notes) -> None:
    low, high = np.full((2, *values.shape[1:]), np.nan, np.float32)
    for block in blocks(values):
        low, high = np.fmin(low, np.fmin.reduce(block)), np.fmax(high, np.fmax.reduce(block))
    constant = [names[i] for i in np.flatnonzero((low == high).any(axis=1))]
    if constant:
        notes.warn(f"constant at all times: {listed(constant)}")
