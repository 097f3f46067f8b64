"""Which values are low or high for their series."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sensorplan.regions import Regions
from sensorplan.sensors import Floats
from sensorplan.spool import Spool

TAILS = (0.05, 0.95)  # low is what lies under the first quantile of training, high over the second
TAIL_WEIGHT = (TAILS[1] - TAILS[0]) / (1 - TAILS[1] + TAILS[0])  # as much as all the rest
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


class TailWeight:
    """The weights of the values of a history on disk, found when they are asked for.

    Attributes:
        limits: ``[2, region, channel]`` below and above which a value is low or high.

    Args:
        values: The history.
        regions: What it is gathered by.
        limits: See above.
    """

    def __init__(self, values: Spool, regions: Regions, limits: Floats) -> None:
        self._values, self._regions, self.limits = values, regions, limits

    def __getitem__(self, steps: Tensor) -> Tensor:
        """``[..., region, channel]`` at the steps ``[...]``."""
        asked, place = np.unique(steps.cpu().numpy(), return_inverse=True)
        here = self._regions.gather(self._values.read(asked))
        tail = (here < self.limits[0]) | (here > self.limits[1])
        weight = torch.from_numpy(np.where(tail, TAIL_WEIGHT, 1).astype(np.float32))
        return weight[torch.from_numpy(place.reshape(steps.shape))].to(steps.device)
