"""Reading: netCDF, Zarr and CSV files to one `SensorData`, with what was recognised and why."""

from pathlib import Path

import numpy as np

from sensorplan.reading.dimensions import time_coordinate
from sensorplan.reading.edges import read_edges
from sensorplan.reading.grids import grid_network
from sensorplan.reading.layout import Layout, recognise_layout
from sensorplan.reading.network import Network
from sensorplan.reading.notes import Notes, listed
from sensorplan.reading.opening import checksum, find_files, opened
from sensorplan.reading.stamps import read_stamps
from sensorplan.reading.stations import station_network
from sensorplan.reading.tables import read_stations
from sensorplan.reading.time_axis import Values, regularise
from sensorplan.reading.values import channels, load_values
from sensorplan.recipe import DataSettings
from sensorplan.sensors import SensorData, Source

__all__ = ["read"]


def read(settings: DataSettings) -> SensorData:
    """Read a history.

    Args:
        settings: Which files, which variables, and how.

    Returns:
        The history on a regular time axis, without sensors that are missing at all times.

    Raises:
        DataError: The data cannot be read or not be planned on.
    """
    notes = Notes(listed(settings.path, 2))
    files = find_files(settings.path)
    with opened(files, notes) as dataset:
        layout = recognise_layout(dataset, settings, notes)
        steps = layout.dataset.sizes[layout.time]
        stamps = read_stamps(time_coordinate(layout.dataset, layout.time), steps, notes)
        values = load_values(layout, settings.missing, notes)
        network = _network(layout, values, settings, notes)
        measured = channels(layout)
    values, time = regularise(values[:, network.order], stamps, settings.resample, notes)
    _warn_of_constant(values, network.names, notes)
    beside = [Path(file) for file in (settings.stations, settings.adjacency) if file]
    return SensorData(
        values=values,
        sensors=network.names,
        channels=measured,
        time=time,
        geometry=network.geometry,
        source=Source(",".join(settings.path), checksum([*files, *beside])),
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
