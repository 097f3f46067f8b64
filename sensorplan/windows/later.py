"""Later data as windows, scaled as the training data was: to forecast from, or to be judged on."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from sensorplan.regions import Topology
from sensorplan.sensors import Floats, Ints, TimeAxis
from sensorplan.windows.climatology import calendar_features
from sensorplan.windows.series import Held
from sensorplan.windows.split import Split
from sensorplan.windows.streams import Windows

NONE = np.zeros(0, np.int64)


def later_windows(
    values: Floats,
    time: TimeAxis,
    starts: Ints,
    shape: tuple[int, int],
    scaling: Mapping[str, Tensor],
    harmonics: Mapping[str, int],
) -> Windows:
    """Windows of a network that a forecaster knows already; all of them are in the test stretch.

    Args:
        values: ``[time, region, channel]`` in the variables' own units, NaN where missing, with the
            regions in their order in training.
        time: Its axis.
        starts: ``[window]`` first step of each window.
        shape: Lookback and horizon.
        scaling: What `Windows.scaling` gave in training.
        harmonics: Those of the training windows.
    """
    level, cycles, error_scale, unit = (
        scaling[name].cpu().numpy() for name in ("level", "cycles", "error_scale", "unit")
    )
    observed = scaling["observed"].cpu().numpy()
    valid = np.isfinite(values)
    valid[:, ~observed] = False
    calendar = calendar_features(time, harmonics)
    anomalies = np.empty(values.shape, np.float32)
    for step, present in enumerate(values):  # a step at a time: no second array of this size
        climatology = level + (calendar[step] @ cycles).reshape(level.shape)
        anomalies[step] = (present * unit - climatology) / error_scale
    anomalies[~valid] = 0
    return Windows(
        Split(*shape, (0, 0), NONE, NONE, starts),
        Held(torch.from_numpy(anomalies), torch.from_numpy(valid)),
        observed,
        torch.from_numpy(calendar),
        torch.from_numpy(level),
        torch.from_numpy(cycles),
        torch.from_numpy(error_scale),
        torch.from_numpy(unit),
        harmonics,
        torch.ones(level.shape),
        Topology(),
    )
