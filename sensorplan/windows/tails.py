"""Which values are low or high for their series."""

from collections.abc import Sequence

import numpy as np

from sensorplan.sensors import Floats

TAILS = (0.05, 0.95)  # low is what lies under the first quantile of training, high over the second
SORTED_VALUES = 20_000_000  # at a time


def tail_limits(training: Floats) -> Floats:
    """The quantiles of each series beyond which a value is low or high.

    Args:
        training: ``[time, node, channel]`` values of the training stretch, NaN where missing.

    Returns:
        ``[2, node, channel]``; NaN where nothing was observed.
    """
    size = max(1, SORTED_VALUES // training[:, 0].size)  # of nodes at once
    limits = [
        quantiles(training[:, first : first + size], TAILS)
        for first in range(0, training.shape[1], size)
    ]
    return np.concatenate(limits, axis=1)


def quantiles(values: Floats, shares: Sequence[float]) -> Floats:
    """Quantiles over time of what was observed; between two values in proportion.

    Args:
        values: ``[time, ...]``, NaN where missing.
        shares: Of the values that lie below.

    Returns:
        ``[share, ...]``; NaN where nothing was observed.
    """
    ordered = np.sort(values, axis=0)  # NaN comes last
    last = np.maximum(np.isfinite(values).sum(0) - 1, 0)
    found = []
    for share in shares:
        below = (share * last).astype(int)
        first, second = (
            np.take_along_axis(ordered, place[None], 0)[0].astype(float)
            for place in (below, np.minimum(below + 1, last))
        )
        found.append(first + (share * last - below) * (second - first))
    return np.stack(found)
