"""The windows of a history: split, scaled by training alone, in memory or on disk."""

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sensorplan.recipe import WindowSettings
from sensorplan.regions import Regions
from sensorplan.sensors import Floats, Ints, SensorData
from sensorplan.spool import Spool
from sensorplan.windows.climatology import (
    Climatology,
    calendar_features,
    choose_harmonics,
    fit_climatology,
)
from sensorplan.windows.scaling import Scaling, check_observed, scale_on_disk, scaling_of
from sensorplan.windows.series import Held, Series, Spooled
from sensorplan.windows.split import Split, split_windows
from sensorplan.windows.streams import Windows


def make_windows(
    data: SensorData, regions: Regions, settings: WindowSettings, device: torch.device
) -> Windows:
    """Split, scale and move to the device; a history on disk stays there.

    Args:
        data: The history.
        regions: What one mask entry switches.
        settings: Lookback, horizon, stride and the shares of validation and test.
        device: Where the series live.

    Raises:
        DataError: Too few windows, a stretch in which nothing was observed, or no sensor that
            changes in training.
        RecipeError: A few windows are more than may be held.
    """
    split = split_windows(data.time, settings, data.source.path)
    harmonics = choose_harmonics(data.time, split.bounds[0])
    calendar = calendar_features(data.time, harmonics)
    if isinstance(data.values, Spool):
        scaling = scale_on_disk(data, data.values, regions, split, calendar)
        series: Series = Spooled(
            data.values,
            regions,
            scaling.observed,
            calendar,
            scaling.level,
            scaling.cycles,
            scaling.scale,
            device,
        )
    else:
        series, scaling = _in_memory(data, data.values, regions, split, calendar, device)
    error_scale = scaling.scale * scaling.unit
    relative = (error_scale / error_scale.max()).astype(np.float64)  # no overflow in odd units
    weight = (relative**2 / np.mean(relative**2)).astype(np.float32)

    def tensor(array: Floats) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    return Windows(
        split,
        series,
        scaling.observed,
        tensor(calendar),
        tensor(scaling.level * scaling.unit),
        tensor((scaling.cycles * scaling.unit).reshape(len(scaling.cycles), error_scale.size)),
        tensor(error_scale),
        tensor(scaling.unit),
        harmonics,
        tensor(weight),
        regions.topology,
    )


def _in_memory(
    data: SensorData,
    held: NDArray[np.float32],
    regions: Regions,
    split: Split,
    calendar: Floats,
    device: torch.device,
) -> tuple[Held, Scaling]:
    values = regions.gather(held)  # [time, region, slot * variable]
    valid = np.isfinite(values)
    training = split.bounds[0]
    observed = np.asarray(valid[:training].any(axis=(0, 2)))
    valid[:, ~observed] = False
    edges = (0, *split.bounds, len(valid))
    judged = [bool(valid[first + split.lookback : end].any()) for first, end in pairwise(edges)]
    low, high = (find.reduce(values[:training]) for find in (np.fmin, np.fmax))
    check_observed(data, split, judged, bool((high > low).any()))

    def climatology(own: Ints) -> Climatology:
        flat = values[:training, :, own].reshape(training, -1)
        return fit_climatology(flat, np.isfinite(flat), calendar[:training])

    shape = values.shape[1], values.shape[2]
    scaling = scaling_of(climatology, observed, shape, calendar.shape[1], len(data.channels))
    for step in range(len(values)):  # a step at a time: no second array of this size
        values[step] -= scaling.level + np.tensordot(calendar[step], scaling.cycles, 1)
        values[step] /= scaling.scale
    values[~valid] = 0
    tensors = (torch.from_numpy(np.ascontiguousarray(a)).to(device) for a in (values, valid))
    return Held(*tensors), scaling
