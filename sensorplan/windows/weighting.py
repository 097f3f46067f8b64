"""What the loss cares for: some regions more than others, or the tails of every series.

Only training and the choice of the mask follow these weights; scores stay unweighted.
"""

from dataclasses import replace

import numpy as np
import torch

from sensorplan.regions import Regions
from sensorplan.sensors import Floats, SensorData
from sensorplan.spool import Spool
from sensorplan.windows.streams import Windows
from sensorplan.windows.tails import TAIL_WEIGHT, TailWeight, tail_limits


def weigh_regions(windows: Windows, weight: Floats) -> Windows:
    """The same windows, with a loss that weighs regions.

    Args:
        windows: The series.
        weight: ``[region]`` 0 or more, some above 0.
    """
    share = torch.from_numpy((weight / weight.mean()).astype(np.float32))
    share = share.to(windows.loss_weight.device)
    weighted = windows.loss_weight * share[:, None]
    return replace(windows, loss_weight=weighted, region_weight=share)


def weigh_extremes(windows: Windows, data: SensorData, regions: Regions) -> Windows:
    """The same windows, with a loss in which low and high values count as much as the others.

    Low and high is what lies under the 5th and over the 95th percentile of the training values of
    its series; each such value weighs nine times another.

    Args:
        windows: The series.
        data: What they were made from.
        regions: The regions that it was gathered by.
    """
    low, high = limits = regions.gather(tail_limits(data.sample(windows.split.bounds[0])))
    if isinstance(data.values, Spool):
        return replace(windows, value_weight=TailWeight(data.values, regions, limits))
    weight = torch.ones(tuple(windows.series.shape), device=windows.device)
    for step, values in enumerate(data.values):
        here = regions.gather(values[None])[0]
        tail = torch.from_numpy((here < low) | (here > high))
        weight[step][tail.to(weight.device)] = TAIL_WEIGHT
    return replace(windows, value_weight=weight)
