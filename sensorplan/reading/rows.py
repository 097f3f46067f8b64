"""The rows of a history, moved about in time; on disk only what is looked for moves."""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sensorplan.sensors import Floats, Ints
from sensorplan.spool import ABSENT, Spool

Values = NDArray[np.float32] | Spool


def row_of(values: Values, step: int) -> Floats:
    """``[node, channel]`` the values at one step."""
    row: Floats = values.read(np.array([step]))[0] if isinstance(values, Spool) else values[step]
    return row


def rows_of(values: Values, steps: Ints) -> Values:
    """The values at other steps; on disk nothing moves."""
    return values.at_rows(steps) if isinstance(values, Spool) else values[steps]


def bin_means(values: Values, dates: NDArray[Any], bins: str) -> tuple[Values, NDArray[Any]]:
    """Means over the bins that the ascending dates fall into, and the date of each bin.

    On disk they are taken bin by bin, and written beside the values.
    """
    if not isinstance(values, Spool):
        history = xr.DataArray(values, {"time": dates}, ("time", "node", "channel"))
        means = history.resample(time=bins).mean()
        return means.values, means["time"].values
    counts = xr.DataArray(np.ones(len(dates)), {"time": dates}, ("time",)).resample(time=bins).sum()
    sizes = np.nan_to_num(counts.values).astype(int)
    ends = np.cumsum(sizes)
    spool = values.another(len(sizes))
    for end, size in zip(ends, sizes, strict=True):
        steps = values.read(np.arange(end - size, end))
        observed = np.isfinite(steps)
        total = np.where(observed, steps, 0).sum(0, keepdims=True)
        count = observed.sum(0, keepdims=True, dtype=np.float32)
        spool.append(np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0))
    return spool, counts["time"].values


def spread_over(values: Values, steps: Ints, length: int) -> Values:
    """The values at the steps of a longer history, missing between."""
    if isinstance(values, Spool):
        rows = np.full(length, ABSENT)
        rows[steps] = np.arange(len(values))
        return values.at_rows(rows)
    spread = np.full((length, *values.shape[1:]), np.nan, np.float32)
    spread[steps] = values
    return spread
