"""Small data sets that a test asks for by what matters to it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from sensorplan.forecasters import Network
from sensorplan.rankers import History, make_history
from sensorplan.recipe import TrainingSettings, WindowSettings
from sensorplan.regions import Regions, nodalize, patchify
from sensorplan.sensors import Channel, Geometry, SensorData, Source, TimeAxis
from sensorplan.training import Trainer
from sensorplan.windows import Windows, make_windows


def make_time_axis(
    times: int, *, hours: float = 1.0, calendar: str | None = "standard"
) -> TimeAxis:
    """A regular axis from 2020-01-06 (a Monday) 00:00 on, or a numeric one."""
    if calendar is None:
        labels = tuple(str(i) for i in range(times))
        return TimeAxis(labels, 1.0, "1", "", None)
    start = np.datetime64("2020-01-06T00:00:00", "s")
    stamps = start + (np.arange(times) * hours * 3600).astype("timedelta64[s]")
    days = (stamps - stamps.astype("datetime64[D]")) / np.timedelta64(1, "D")
    week = (np.arange(times) * hours / 24 // 1) % 7
    year = (np.arange(times) * hours / 24 / 365.25) % 1
    return TimeAxis(
        tuple(str(s) for s in stamps),
        hours * 3600,
        f"{hours:g} h",
        "s",
        calendar,
        days.astype(np.float32),
        week.astype(np.float32),
        year.astype(np.float32),
    )


def make_sensor_data(
    *,
    times: int = 240,
    nodes: int = 12,
    drivers: int = 3,
    lag: int = 2,
    noise: float = 0.1,
    gaps: float = 0.0,
    grid: tuple[int, int] | None = None,
    channels: int = 1,
    positions: bool = True,
    hours: float = 1.0,
    calendar: str | None = "standard",
    seed: int = 0,
) -> SensorData:
    """A network in which the first `drivers` nodes foretell all others by `lag` steps.

    The drivers are independent red noise; every other node is a fixed mix of them, `lag` steps
    late, plus noise. With `grid` the nodes are the cells of a latitude/longitude grid of that
    shape.
    """
    rng = np.random.default_rng(seed)
    if grid is not None:
        nodes = grid[0] * grid[1]
    drivers = min(drivers, nodes)
    series = np.zeros((times + lag, drivers, channels))
    for t in range(1, times + lag):
        series[t] = 0.9 * series[t - 1] + rng.normal(size=(drivers, channels))
    weights = rng.dirichlet(np.ones(drivers), size=nodes)
    values = np.einsum("tdc,nd->tnc", series[:times], weights)
    values[:, :drivers] = series[lag:]
    values = 10 + values + noise * rng.normal(size=values.shape)
    values[rng.random(values.shape) < gaps] = np.nan
    geometry, names = _make_geometry(nodes, grid, rng)
    return SensorData(
        values=values.astype(np.float32),
        sensors=names,
        channels=tuple(Channel(f"v{i}", "K", f"variable {i}") for i in range(channels)),
        time=make_time_axis(times, hours=hours, calendar=calendar),
        geometry=geometry if positions else None,
        source=Source("made.nc", "0" * 64),
    )


def _make_geometry(
    nodes: int, grid: tuple[int, int] | None, rng: Any
) -> tuple[Geometry, tuple[str, ...]]:
    if grid is None:
        positions = np.column_stack([50 + 2 * rng.random(nodes), 8 + 3 * rng.random(nodes)])
        return Geometry("points", "EPSG:4326", positions), tuple(f"S{i:03d}" for i in range(nodes))
    rows, columns = (a.ravel() for a in np.indices(grid))
    latitude, longitude = 50 + 0.25 * rows, 8 + 0.25 * columns
    d = 0.125
    corners = np.stack(
        [
            np.column_stack([longitude + a * d, latitude + b * d])
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ],
        axis=1,
    )
    geometry = Geometry(
        "cells", "EPSG:4326", np.column_stack([latitude, longitude]), grid, rows, columns, corners
    )
    return geometry, tuple(f"{a:.4f}_{b:.4f}" for a, b in zip(latitude, longitude, strict=True))


def cut_windows(
    data: SensorData, *, patch: tuple[int, int] | None = None, **settings: Any
) -> Windows:
    """Windows on the CPU, of lookback 4 and horizon 2 unless told."""
    regions: Regions = patchify(data, patch) if patch else nodalize(data)
    window = WindowSettings(**{"lookback": 4, "horizon": 2, **settings})
    return make_windows(data, regions, window, torch.device("cpu"))


def network_of(windows: Windows, seed: int = 0) -> Network:
    """What a backbone may know of the network."""
    training = windows.split.bounds[0]
    return Network(
        lookback=windows.split.lookback,
        horizon=windows.split.horizon,
        anomalies=windows.series.anomalies[:training].numpy(),
        valid=windows.series.valid[:training].numpy(),
        calendar_features=windows.calendar.shape[1],
        topology=windows.topology,
        seed=seed,
    )


def make_trainer(
    data: SensorData,
    *,
    seed: int = 0,
    batch_size: int = 16,
    backbone: str = "mixer",
    **window: Any,
) -> Trainer:
    """An untrained trainer."""
    settings = TrainingSettings(batch_size=batch_size, backbone=backbone)
    return Trainer(cut_windows(data, **window), settings, seed)


def make_history_of(
    nodes: int = 12, *, change: Callable[[Any], None] | None = None, seed: int = 0, **options: Any
) -> History:
    """The history of a planted network; `change` edits its values ``[time, node, channel]``."""
    data = make_sensor_data(times=400, nodes=nodes, seed=seed, calendar=None, **options)
    values = data.values.copy()
    if change:
        change(values)
    return make_history(cut_windows(replace(data, values=values)), seed=seed)
