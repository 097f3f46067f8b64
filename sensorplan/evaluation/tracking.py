"""How much wider than usual intervals must be, by what the kept sensors saw of earlier forecasts.

Two things are followed. The size of the latest errors answers at once. What it leaves is corrected
step by step: a level that too many errors lay outside of is widened, one that too few did is
narrowed, so that over time each holds its share whatever the weather does.

Sources: Gibbs and Candès 2021, arXiv 2106.00170; the correction of the width itself in place of the
level: Angelopoulos et al. 2023, arXiv 2307.16895 (quantile tracking).
"""

import numpy as np
import torch
from torch import Tensor

from sensorplan.evaluation.conformal import LEVELS, Intervals
from sensorplan.evaluation.forecasts import Forecast, absolute_errors
from sensorplan.evaluation.recent import mean_squares, recent_scale, share_apart
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.windows import Windows

LOOK_BACK = 32  # horizons of earlier forecasts that are compared with what came
GAIN = 0.5  # log width, for a window whose errors all lay outside


def widening(
    windows: Windows, at: Ints, forecast: Forecast, kept: Bools, intervals: Intervals, since: int
) -> Tensor:
    """Factor on the usual intervals at each level.

    Args:
        windows: The series.
        at: ``[window]`` first steps of the windows that are asked about.
        forecast: The forecaster.
        kept: ``[region]``.
        intervals: What errors are usual.
        since: First step that may be looked at.

    Returns:
        ``[level, window]``; 1 where nothing is known of earlier errors.
    """
    horizon = windows.split.horizon
    first = max(since, int(at.min()) - LOOK_BACK * horizon)
    starts = np.arange(first, int(at.max()) - horizon + 1)
    if not len(starts):
        return torch.ones(len(LEVELS), len(at))
    usual, quantiles = (
        intervals.usual.to(windows.device),
        intervals.quantiles.cpu().numpy(),
    )
    gain = GAIN * share_apart(starts, horizon)
    squares = np.empty(0)
    corrections = [np.zeros(len(LEVELS))]  # log widths, after each of the starts
    for error, valid in absolute_errors(windows, starts, forecast):
        errors, seen = (error / usual)[:, kept].cpu().numpy(), valid[:, kept].cpu().numpy()
        squares = np.append(squares, mean_squares(errors, seen))
        done = starts[: len(squares)]
        scales = recent_scale(squares, done, done[-len(errors) :], horizon)
        for scale, own, observed in zip(scales, errors, seen, strict=True):
            known = corrections[max(0, len(corrections) - horizon)]  # its future has passed
            reach = np.maximum.accumulate(scale * np.exp(known)[:, None] * quantiles)
            missed = share_outside(own, observed, reach) - (1 - np.array(LEVELS))
            corrections.append(corrections[-1] + gain * np.nan_to_num(missed))
    known = np.clip(at - horizon - first + 1, 0, len(starts))
    wider = recent_scale(squares, starts, at, horizon) * np.exp(np.array(corrections)[known]).T
    return torch.from_numpy(wider.astype(np.float32))


def share_outside(errors: Floats, observed: Bools, reach: Floats) -> Floats:
    """``[level]`` share of errors beyond half an interval; NaN where nothing was observed.

    Args:
        errors: ``[region, feature]`` absolute errors.
        observed: The same shape.
        reach: ``[level, feature]`` half widths.
    """
    outside = ((errors > reach[:, None]) & observed).sum((1, 2))
    count = observed.sum()
    share: Floats = outside / count if count else np.full(len(reach), np.nan)
    return share
