"""How often what was observed lies in its interval."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from sensorplan.evaluation.conformal import LEVELS, Intervals
from sensorplan.evaluation.forecasts import Forecast, absolute_errors
from sensorplan.evaluation.tracking import widening
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.windows import Windows


@dataclass(frozen=True)
class Coverage:
    """How many observed targets lie in their interval.

    Attributes:
        inside: ``[level, lead]`` how many do, at `LEVELS`.
        count: ``[lead]`` of how many.
    """

    inside: Ints
    count: Ints

    @property
    def by_lead(self) -> Floats:
        """``[level, lead]`` shares; NaN without any target."""
        return _share(self.inside, self.count)

    @property
    def total(self) -> Floats:
        """``[level]`` shares over all leads."""
        return _share(self.inside.sum(1), self.count.sum())


def _share(inside: Ints, count: Ints) -> Floats:
    share: Floats = np.divide(inside, count, out=np.full(inside.shape, np.nan), where=count > 0)
    return share


def interval_coverage(
    windows: Windows,
    starts: Ints,
    forecast: Forecast,
    kept: Bools,
    intervals: Intervals,
    since: int,
) -> Coverage:
    """Coverage of intervals on windows.

    Args:
        windows: The series.
        starts: ``[window]`` first steps.
        forecast: The forecaster.
        kept: ``[region]``.
        intervals: The intervals.
        since: First step whose errors may widen them.
    """
    horizon, channels, device = windows.split.horizon, windows.channels, windows.device
    intervals = Intervals(intervals.usual.to(device), intervals.quantiles.to(device))
    wider = widening(windows, starts, forecast, kept, intervals, since).to(device)
    inside = np.zeros((len(LEVELS), horizon), np.int64)
    count = np.zeros(horizon, np.int64)

    def by_lead(chosen: Tensor) -> Ints:
        summed: Ints = chosen.sum((0, 1)).view(horizon, channels).sum(1).cpu().numpy()
        return summed

    done = 0
    for error, valid in absolute_errors(windows, starts, forecast):
        own = wider[:, done : done + len(error)]
        done += len(error)
        count += by_lead(valid)
        for level in range(len(LEVELS)):
            inside[level] += by_lead((error <= intervals.half_width(level, own)) & valid)
    return Coverage(inside, count)
