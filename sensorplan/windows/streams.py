"""The series as tensors, and the batches that are cut from them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sensorplan.errors import DataError
from sensorplan.recipe import WindowSettings
from sensorplan.regions import Regions, Topology
from sensorplan.sensors import Bools, Floats, Ints, SensorData
from sensorplan.windows.climatology import calendar_features, choose_harmonics, fit_climatology
from sensorplan.windows.split import Split, split_windows

STRETCHES = ("training", "validation", "test")


@dataclass(frozen=True)
class Batch:
    """Windows after stream morph: time and channel stacked into one feature axis.

    Attributes:
        history: ``[batch, region, lookback * channel]`` standardised anomalies, 0 where missing.
        seen: ``[batch, region, lookback * channel]`` 1 where observed, else 0.
        calendar: ``[batch, feature]`` calendar features in the middle of the horizon.
        future: ``[batch, region, horizon * channel]`` standardised anomalies, 0 where missing.
        valid: ``[batch, region, horizon * channel]`` True where the future was observed.
        weight: ``[batch, region, horizon * channel]`` weight of each target in the loss; None: all
            alike.
    """

    history: Tensor
    seen: Tensor
    calendar: Tensor
    future: Tensor
    valid: Tensor
    weight: Tensor | None = None

    def __len__(self) -> int:
        return len(self.history)


@dataclass(frozen=True)
class Windows:
    """The series of all regions, and how they are cut.

    Attributes:
        split: First step of every window.
        anomalies: ``[time, region, channel]`` (value - climatology) / scale, 0 where missing.
        valid: ``[time, region, channel]`` True where observed; False throughout in a region that
            was never observed in training: it can be neither forecast nor judged.
        observed: ``[region]`` True where training holds any value.
        calendar: ``[time, feature]``.
        climatology: ``[time, region, channel]`` in the unit of the errors (`error_scale`).
        error_scale: ``[region, channel]`` unit of an error / one standardised anomaly: the data's
            own unit with one variable, the standard deviation of each variable with several.
        unit: ``[channel]`` error unit / the variable's own unit: 1 with one variable.
        harmonics: Of each cycle in `calendar`, see `choose_harmonics`.
        loss_weight: ``[region, channel]`` weight of a squared standardised error, mean near 1.
        topology: Where the regions are.
        region_weight: ``[region]`` weights that `loss_weight` holds; None: all alike.
        value_weight: ``[time, region, channel]`` further weight of each value; None: all alike.
    """

    split: Split
    anomalies: Tensor
    valid: Tensor
    observed: Bools
    calendar: Tensor
    level: Tensor
    cycles: Tensor
    error_scale: Tensor
    unit: Tensor
    harmonics: Mapping[str, int]
    loss_weight: Tensor
    topology: Topology
    region_weight: Tensor | None = None
    value_weight: Tensor | None = None

    @property
    def regions(self) -> int:
        """Number of regions."""
        return self.anomalies.shape[1]

    @property
    def channels(self) -> int:
        """Channels of a region: variables x slots."""
        return self.anomalies.shape[2]

    def batch(self, starts: Ints) -> Batch:
        """Cut the windows that begin at the given steps."""
        lookback, horizon = self.split.lookback, self.split.horizon
        first = torch.as_tensor(starts, device=self.anomalies.device)[:, None]
        past = first + torch.arange(lookback, device=first.device)  # [batch, lookback]
        ahead = first + lookback + torch.arange(horizon, device=first.device)  # [batch, horizon]
        return Batch(
            _stream_morph(self.anomalies[past]),
            _stream_morph(self.valid[past]).float(),
            self.calendar[first[:, 0] + lookback + horizon // 2],
            _stream_morph(self.anomalies[ahead]),
            _stream_morph(self.valid[ahead]),
            None if self.value_weight is None else _stream_morph(self.value_weight[ahead]),
        )

    def scaling(self) -> dict[str, Tensor]:
        """What turns anomalies into values and back, by name, for `later_windows`."""
        return {
            "observed": torch.from_numpy(self.observed),
            "level": self.level,
            "cycles": self.cycles,
            "error_scale": self.error_scale,
            "unit": self.unit,
        }

    def climatology(self, steps: Tensor) -> Tensor:
        """``[..., region, channel]`` calendar forecast at the steps ``[...]``, in error units."""
        cycles = self.calendar[steps] @ self.cycles  # [..., region * channel]
        return self.level + cycles.view(*cycles.shape[:-1], *self.level.shape)


def _stream_morph(windows: Tensor) -> Tensor:
    """``[batch, time, region, channel]`` to ``[batch, region, time * channel]``."""
    return windows.transpose(1, 2).flatten(2)


def _varies(values: Floats) -> Bools:
    """``[region, channel]`` True where ``[time, region, channel]`` holds two values or more."""
    varies: Bools = np.fmax.reduce(values) > np.fmin.reduce(values)
    return varies


def make_windows(
    data: SensorData, regions: Regions, settings: WindowSettings, device: torch.device
) -> Windows:
    """Split, scale and move to the device.

    Args:
        data: The history.
        regions: What one mask entry switches.
        settings: Lookback, horizon, stride and the shares of validation and test.
        device: Where the series live.

    Raises:
        DataError: Too few windows, a stretch in which nothing was observed, or no sensor that
            changes in training.
    """
    split = split_windows(data.time, settings, data.source.path)
    values = regions.gather(data.values)  # [time, region, slot * variable]
    valid = np.isfinite(values)
    training = split.bounds[0]
    observed = np.asarray(valid[:training].any(axis=(0, 2)))
    valid[:, ~observed] = False
    edges = (0, *split.bounds, len(valid))
    for name, first, end in zip(STRETCHES, edges, edges[1:], strict=False):
        if not valid[first + split.lookback : end].any():
            raise DataError(
                f"{data.source.path}: no value to forecast is observed in the {name} stretch "
                f"({data.time.labels[first]} to {data.time.labels[end - 1]})"
            )
    if not _varies(values[:training]).any():
        raise DataError(
            f"{data.source.path}: every sensor is constant in the training stretch; "
            "expected at least one that changes"
        )
    harmonics = choose_harmonics(data.time, training)
    calendar = calendar_features(data.time, harmonics)
    variables = len(data.channels)
    level, cycles, scale = (
        np.empty((n, *values.shape[1:]), np.float32) for n in (1, calendar.shape[1], 1)
    )
    unit = np.ones(values.shape[2], np.float32)
    for variable in range(variables):
        own = np.arange(variable, values.shape[2], variables)  # its channel in every slot
        flat = values[:training, :, own].reshape(training, -1)
        fitted = fit_climatology(flat, np.isfinite(flat), calendar[:training])
        level[:, :, own] = fitted.level.reshape(1, -1, len(own))
        cycles[:, :, own] = fitted.cycles.reshape(-1, values.shape[1], len(own))
        scale[:, :, own] = fitted.scale.reshape(1, -1, len(own))
        if variables > 1:
            unit[own] = 1 / np.sqrt(np.mean(fitted.scale**2))
    for step in range(len(values)):  # a step at a time: no second array of this size
        values[step] -= level[0] + np.tensordot(calendar[step], cycles, 1)
        values[step] /= scale[0]
    values[~valid] = 0
    error_scale = scale[0] * unit
    relative = (error_scale / error_scale.max()).astype(np.float64)  # no overflow in odd units
    weight = (relative**2 / np.mean(relative**2)).astype(np.float32)

    def tensor(array: Floats) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    return Windows(
        split,
        tensor(values),
        tensor(valid),
        observed,
        tensor(calendar),
        tensor(level[0] * unit),
        tensor((cycles * unit).reshape(len(cycles), level.size)),
        tensor(error_scale),
        tensor(unit),
        harmonics,
        tensor(weight),
        regions.topology,
    )
