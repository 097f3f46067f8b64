"""Intervals around a forecast, from its errors on validation windows (split conformal prediction).

Half the width of an interval is a product: the usual size of the sensor's errors at this lead,
shrunk towards that of all sensors; how much larger than usual the errors of the kept sensors were
lately; and a quantile of the errors so scaled, of all sensors at this lead. The quantile is taken
with the correction for a finite sample, and as much wider as it must be to hold on parts of
validation that it was not taken from, for errors of one stretch of time are not those of the next.

Sources: Vovk et al. 2005, doi 10.1007/b106715; Lei et al. 2018, doi 10.1080/01621459.2017.1307116
(section 5.2 for scaled errors); parts left out by turns: Vovk 2015, doi 10.1007/s10472-013-9368-4;
that intervals follow recent errors: Gibbs and Candès 2021, arXiv 2106.00170.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.signal import lfilter
from torch import Tensor

from sensorplan.evaluation.forecasts import Forecast, absolute_errors
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.windows import Windows

LEVELS = (0.5, 0.8, 0.9, 0.95)
SHRINKAGE = 50.0  # of a sensor's usual error, in windows whose futures share no step
MEMORY = 2.0  # horizons after which a recent error counts 1/e
FORGOTTEN = 16  # memories after which an error no longer counts
PRIOR = 1.0  # windows of usual errors that recent ones must outweigh
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
            widening: ``[window]``, see `widening`.
        """
        return widening[:, None, None] * (self.quantiles[level] * self.usual)


def calibrate(windows: Windows, forecast: Forecast, kept: Bools) -> Intervals:
    """Intervals from the errors on the validation windows.

    Args:
        windows: The series.
        forecast: The forecaster.
        kept: ``[region]`` the sensors that will be observed.
    """
    split = windows.split
    values = len(split.validation) * windows.regions * split.horizon * windows.channels
    every = max(1, min(-(-values // MOST_VALUES), len(split.validation) // 2))
    starts = split.validation[::every]
    parts = [
        (error.cpu().numpy(), valid.cpu().numpy())
        for error, valid in absolute_errors(windows, starts, forecast)
    ]
    errors, valid = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    usual = usual_errors(errors, valid, starts, split.horizon)
    errors /= usual
    recent = _mean_squares(errors[:, kept], valid[:, kept])
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
    apart = count * _share_apart(starts, horizon)
    mean = np.divide(squares, count, out=np.zeros_like(squares), where=count > 0)
    shrunk = (apart * mean + SHRINKAGE * pooled) / (apart + SHRINKAGE)
    usual: Floats = np.maximum(np.sqrt(shrunk), LEAST).astype(np.float32)
    return usual


def recent_scale(squares: Floats, starts: Ints, at: Ints, horizon: int) -> Floats:
    """Root mean square of recent scaled errors at some windows, near 1 where few are known.

    Args:
        squares: ``[window]`` mean squared scaled error of the kept sensors; NaN where none was
            observed.
        starts: ``[window]`` first step of each of these windows, ascending in equal steps.
        at: ``[origin]`` first step of the windows that are asked about. A window counts for them
            when its whole future lies in the past of their forecast.
        horizon: Steps of future in a window.

    Returns:
        ``[origin]``.
    """
    known = np.isfinite(squares)
    steps = max(at.max(initial=0), starts.max(initial=0) + horizon) + 1
    weights, sums = np.zeros(steps), np.zeros(steps)
    weights[starts[known] + horizon] = _share_apart(starts, horizon)
    sums[starts[known] + horizon] = _share_apart(starts, horizon) * squares[known]
    faded = [1.0, -np.exp(-1 / (MEMORY * horizon))]
    weight, total = (lfilter([1.0], faded, series)[at] for series in (weights, sums))
    scale: Floats = np.sqrt((PRIOR + total) / (PRIOR + weight)).astype(np.float32)
    return scale


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


def widening(
    windows: Windows, at: Ints, forecast: Forecast, kept: Bools, intervals: Intervals, since: int
) -> Tensor:
    """How much wider than usual intervals are, by the last errors of the kept sensors before each.

    Args:
        windows: The series.
        at: ``[window]`` first steps of the windows that are asked about.
        forecast: The forecaster.
        kept: ``[region]``.
        intervals: What errors are usual.
        since: First step that may be looked at.

    Returns:
        ``[window]``; 1 where nothing is known of earlier errors.
    """
    horizon = windows.split.horizon
    first = max(since, int(at.min()) - round(FORGOTTEN * MEMORY * horizon))
    starts = np.arange(first, int(at.max()) - horizon + 1)
    if not len(starts):
        return torch.ones(len(at))
    usual = intervals.usual.to(windows.anomalies.device)
    squares = [
        _mean_squares((error / usual)[:, kept].cpu().numpy(), valid[:, kept].cpu().numpy())
        for error, valid in absolute_errors(windows, starts, forecast)
    ]
    return torch.from_numpy(recent_scale(np.concatenate(squares), starts, at, horizon))


def _mean_squares(errors: Floats, valid: Bools) -> Floats:
    """``[window]`` mean of ``[window, region, feature]`` squares; NaN where nothing is valid."""
    count = valid.sum((1, 2))
    squares = (errors**2 * valid).sum((1, 2), dtype=float)
    mean: Floats = np.divide(squares, count, out=np.full(len(count), np.nan), where=count > 0)
    return mean


def _share_apart(starts: Ints, horizon: int) -> float:
    """Windows whose futures share no step, as a share of all."""
    stride = int(starts[1] - starts[0]) if len(starts) > 1 else horizon
    return min(1.0, stride / horizon)


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
