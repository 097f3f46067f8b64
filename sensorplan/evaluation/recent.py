"""How large errors were lately, beside what is usual."""

import numpy as np
from scipy.signal import lfilter

from sensorplan.sensors import Bools, Floats, Ints

MEMORY = 2.0  # horizons after which a recent error counts 1/e
PRIOR = 1.0  # windows of usual errors that recent ones must outweigh


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
    weights[starts[known] + horizon] = share_apart(starts, horizon)
    sums[starts[known] + horizon] = share_apart(starts, horizon) * squares[known]
    faded = [1.0, -np.exp(-1 / (MEMORY * horizon))]
    weight, total = (lfilter([1.0], faded, series)[at] for series in (weights, sums))
    scale: Floats = np.sqrt((PRIOR + total) / (PRIOR + weight)).astype(np.float32)
    return scale


def mean_squares(errors: Floats, valid: Bools) -> Floats:
    """``[window]`` mean of ``[window, region, feature]`` squares; NaN where nothing is valid."""
    count = valid.sum((1, 2))
    squares = (errors**2 * valid).sum((1, 2), dtype=float)
    mean: Floats = np.divide(squares, count, out=np.full(len(count), np.nan), where=count > 0)
    return mean


def share_apart(starts: Ints, horizon: int) -> float:
    """Windows whose futures share no step, as a share of all."""
    stride = int(starts[1] - starts[0]) if len(starts) > 1 else horizon
    return min(1.0, stride / horizon)
