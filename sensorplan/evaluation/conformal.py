"""Intervals around a forecast, from its errors on validation windows (split conformal prediction).

Half the width of an interval is a product: the usual size of the sensor's errors at this lead,
shrunk towards that of all sensors; a quantile of the errors so scaled, of all sensors at this lead;
and how much wider than usual intervals must be now (`widening`, which follows what the kept sensors
see). The quantile is taken with the correction for a finite sample, and as much wider as it must be
to hold on parts of validation that it was not taken from, for errors of one stretch of time are not
those of the next.

Sources: Vovk et al. 2005, doi 10.1007/b106715; Lei et al. 2018, doi 10.1080/01621459.2017.1307116
(section 5.2 for scaled errors); parts left out by turns: Vovk 2015, doi 10.1007/s10472-013-9368-4.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sensorplan.evaluation.forecasts import Forecast, absolute_errors
from sensorplan.evaluation.recent import mean_squares, recent_scale, share_apart
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.windows import Windows

LEVELS = (0.5, 0.8, 0.9, 0.95)
SHRINKAGE = 50.0  # of a sensor's usual error, in windows whose futures share no step
MOST_PARTS = 4  # of validation, each left out once
MOST_VALUES = 10_000_000  # errors held at a time
LEAST = 1e-6  # usual size of an error, in standardised anomalies


@dataclass(frozen=True)
class Intervals:
    """What intervals are made of; all in standardised anomalies.

    Attributes:
        usual: ``[region, horizon * channel]`` usual size of an error.
        quantiles: ``[level, horizon * channel]`` half width in usual sizes, at `LEVELS`.
    """

    usual: Tensor
    quantiles: Tensor

    def half_width(self, level: int, widening: Tensor) -> Tensor:
        """``[window, region, horizon * channel]`` at the level of that number.

        Args:
            level: Place in `LEVELS`.
            widening: ``[level, window]``, see `widening`. Where a lower level needs more, this one
                takes as much.
        """
        upto = slice(level + 1)
        reach = (widening[upto, :, None] * self.quantiles[upto, None]).amax(0)
        return reach[:, None] * self.usual


def calibrate(windows: Windows, forecast: Forecast, kept: Bools) -> Intervals:
    """Intervals from the errors on the validation windows.

    Args:
        windows: The series.
        forecast: The forecaster.
        kept: ``[region]`` the sensors that will be observed.
    """
    split = windows.split
    values = len(split.validation) * windows.regions * split.horizon * windows.channels
    most = min(MOST_VALUES, windows.series.most_values or MOST_VALUES)
    every = max(1, min(-(-values // most), len(split.validation) // 2))
    starts = split.validation[::every]
    parts = [
        (error.cpu().numpy(), valid.cpu().numpy())
        for error, valid in absolute_errors(windows, starts, forecast)
    ]
    errors, valid = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    usual = usual_errors(errors, valid, starts, split.horizon)
    errors /= usual
    recent = mean_squares(errors[:, kept], valid[:, kept])
    errors /= recent_scale(recent, starts, starts, split.horizon)[:, None, None]
    quantiles = held_quantiles(errors, valid, starts, split.lookback, split.horizon)
    return Intervals(torch.from_numpy(usual), torch.from_numpy(quantiles))


def usual_errors(errors: Floats, valid: Bools, starts: Ints, horizon: int) -> Floats:
    """Root mean squared errors, those of few windows shrunk towards those of all regions.

    Args:
        errors: ``[window, region, feature]`` absolute errors.
        valid: The same shape, True where the target was observed.
        starts: ``[window]`` first step of each window, ascending in equal steps.
        horizon: Steps of future in a window.

    Returns:
        ``[region, feature]`` float32, never 0.
    """
    squares, count = (errors**2 * valid).sum(0), valid.sum(0)
    pooled = squares.sum(0) / np.maximum(count.sum(0), 1)
    apart = count * share_apart(starts, horizon)
    mean = np.divide(squares, count, out=np.zeros_like(squares), where=count > 0)
    shrunk = (apart * mean + SHRINKAGE * pooled) / (apart + SHRINKAGE)
    usual: Floats = np.maximum(np.sqrt(shrunk), LEAST).astype(np.float32)
    return usual


def held_quantiles(
    errors: Floats, valid: Bools, starts: Ints, lookback: int, horizon: int
) -> Floats:
    """Quantiles of scaled errors at `LEVELS`, widened to hold on parts they are not taken from.

    Args:
        errors: ``[window, region, feature]`` absolute scaled errors, of two windows at least, some
            of them observed.
        valid: The same shape.
        starts: ``[window]`` first step of each window, ascending.
        lookback: Steps of history in a window.
        horizon: Steps of future in a window.

    Returns:
        ``[level, feature]`` float32.
    """
    whole = _quantiles(errors, valid)
    parts = [
        (part, _quantiles(errors[others], valid[others]))
        for part, others in _left_out(starts, lookback, horizon)
    ]
    for place, level in enumerate(LEVELS):
        ratios = np.concatenate(
            [
                (errors[part] / others[place])[valid[part] & np.isfinite(others[place])]
                for part, others in parts
            ]
        )
        if len(ratios):
            whole[place] *= max(1.0, float(np.quantile(ratios, level)))
    widest = np.nanmax(whole, axis=1, keepdims=True)  # for a lead at which nothing was observed
    held: Floats = np.maximum.accumulate(np.where(np.isfinite(whole), whole, widest))
    return held.astype(np.float32)


def _quantiles(errors: Floats, valid: Bools) -> Floats:
    """``[level, feature]`` the ceil((n + 1) level)-th smallest of n errors; NaN without any."""
    quantiles = np.full((len(LEVELS), errors.shape[2]), np.nan)
    for feature, seen in enumerate(np.moveaxis(valid, 2, 0)):  # [window, region]
        found = errors[:, :, feature][seen]
        if len(found):
            place = np.ceil((len(found) + 1) * np.array(LEVELS)).astype(int)
            place = np.minimum(place, len(found)) - 1
            quantiles[:, feature] = np.maximum(np.partition(found, place)[place], LEAST)
    return quantiles


def _left_out(starts: Ints, lookback: int, horizon: int) -> Iterator[tuple[Ints, Ints]]:
    """Windows of each part of validation, and the others whose future shares no step with theirs.

    All others where hardly any would be left.
    """
    windows = np.arange(len(starts))
    parts = (starts[-1] - starts[0] + 1) // (lookback + horizon)
    for part in np.array_split(windows, int(np.clip(parts, 2, MOST_PARTS))):
        others = np.delete(windows, part)
        first, last = starts[part[0]], starts[part[-1]]
        apart = others[(starts[others] <= first - horizon) | (starts[others] >= last + horizon)]
        yield part, apart if len(apart) >= len(windows) / 4 else others
