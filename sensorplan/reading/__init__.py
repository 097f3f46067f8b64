"""Reading: files, or data in memory, to one `SensorData`, with what was recognised and why."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from sensorplan.errors import DataError
from sensorplan.reading.dimensions import time_coordinate
from sensorplan.reading.edges import read_edges
from sensorplan.reading.grids import grid_network
from sensorplan.reading.layout import Layout, recognise_layout
from sensorplan.reading.memory import content_checksum, file_of, normalised, openable
from sensorplan.reading.network import Network
from sensorplan.reading.notes import Notes, listed
from sensorplan.reading.opening import checksum, find_files, opened
from sensorplan.reading.stamps import read_stamps
from sensorplan.reading.stations import station_network
from sensorplan.reading.tables import read_stations
from sensorplan.reading.time_axis import Values, regularise
from sensorplan.reading.values import channels, load_values
from sensorplan.recipe import IN_MEMORY, DataSettings
from sensorplan.sensors import SensorData, Source

__all__ = ["read", "unchanged_file"]


def read(settings: DataSettings, dataset: xr.Dataset | None = None) -> SensorData:
    """Read a history.

    Args:
        settings: Which files, which variables, and how.
        dataset: What the files hold, in memory already; it stays as it is. Without a file,
            the path is `IN_MEMORY`.

    Returns:
        The history on a regular time axis, without sensors that are missing at all times.

    Raises:
        DataError: The data cannot be read or not be planned on.
    """
    notes = Notes(listed(settings.path, 2))
    if dataset is not None:
        data = _history(normalised(dataset, notes), settings, notes)
        if settings.path == (IN_MEMORY,):
            return replace(data, source=Source(IN_MEMORY, content_checksum(data)))
    files = find_files(settings.path)
    if dataset is None:
        with opened(files, notes) as content:
            data = _history(content, settings, notes)
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


def _history(content: xr.Dataset, settings: DataSettings, notes: Notes) -> SensorData:
    """What a dataset holds; its checksum is still to come."""
    layout = recognise_layout(content, settings, notes)
    steps = layout.dataset.sizes[layout.time]
    stamps = read_stamps(time_coordinate(layout.dataset, layout.time), steps, notes)
    values = load_values(layout, settings.missing, notes)
    network = _network(layout, values, settings, notes)
    measured = channels(layout)
    values, time = regularise(values[:, network.order], stamps, settings.resample, notes)
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


def _network(layout: Layout, values: Values, settings: DataSettings, notes: Notes) -> Network:
    observed = np.asarray(np.isfinite(values).any(axis=(0, 2)))
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
    low, high = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
    constant = [names[i] for i in np.flatnonzero((low == high).any(axis=1))]
    if constant:
        notes.warn(f"constant at all times: {listed(constant)}")
