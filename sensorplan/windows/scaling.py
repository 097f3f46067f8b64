"""What a history is scaled by: level, cycles and scale of every series, from training alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sensorplan.errors import DataError, RecipeError
from sensorplan.memory import bytes_for
from sensorplan.regions import Regions
from sensorplan.sensors import Bools, Floats, Ints, SensorData
from sensorplan.spool import Spool
from sensorplan.windows.climatology import Climatology
from sensorplan.windows.moments import Moments
from sensorplan.windows.split import Split

STRETCHES = ("training", "validation", "test")
LEAST_HELD = 8  # windows


@dataclass(frozen=True)
class Scaling:
    """What turns values into anomalies.

    Attributes:
        observed: ``[region]`` True where training holds any value.
        level: ``[region, channel]`` in the data's unit.
        cycles: ``[feature, region, channel]``.
        scale: ``[region, channel]`` data's unit / one standardised anomaly.
        unit: ``[channel]`` error unit / the variable's own unit: 1 with one variable.
    """

    observed: Bools
    level: Floats
    cycles: Floats
    scale: Floats
    unit: Floats


def scaling_of(
    climatology: Callable[[Ints], Climatology],
    observed: Bools,
    shape: tuple[int, int],
    features: int,
    variables: int,
) -> Scaling:
    """Bring the climatologies of the variables together.

    Args:
        climatology: From the channels of one variable (one a slot) to that of its series, region
            by region.
        observed: ``[region]`` True where training holds any value.
        shape: Regions and channels.
        features: Of the calendar.
        variables: Channels come as slot x variable.
    """
    level, cycles, scale = (np.empty((n, *shape), np.float32) for n in (1, features, 1))
    unit = np.ones(shape[1], np.float32)
    for variable in range(variables):
        own = np.arange(variable, shape[1], variables)  # its channel in every slot
        fitted = climatology(own)
        level[:, :, own] = fitted.level.reshape(1, -1, len(own))
        cycles[:, :, own] = fitted.cycles.reshape(-1, shape[0], len(own))
        scale[:, :, own] = fitted.scale.reshape(1, -1, len(own))
        if variables > 1:
            unit[own] = 1 / np.sqrt(np.mean(fitted.scale**2))
    return Scaling(observed, level[0], cycles, scale[0], unit)


def scale_on_disk(
    data: SensorData, values: Spool, regions: Regions, split: Split, calendar: Floats
) -> Scaling:
    """The scaling of a history on disk, in one pass over it.

    Args:
        data: The history.
        values: Where it is.
        regions: What one mask entry switches.
        split: How time is cut.
        calendar: ``[time, feature]``.

    Raises:
        DataError: See `check_observed`.
        RecipeError: A few windows are more than may be held.
    """
    shape = len(regions), regions.members.shape[1] * values.shape[2]
    series, held = shape[0] * shape[1], LEAST_HELD * split.length
    if held * series > values.most_values:
        raise RecipeError(
            f"--memory: {LEAST_HELD} windows of {split.length} steps x {series:,} values do not "
            f"fit beside each other; expected at least {bytes_for(held * series) / 1e9:.1f}GB, "
            "or a shorter --lookback"
        )
    moments = Moments(series, calendar.shape[1])
    edges = (0, *split.bounds, len(values))
    judged = np.zeros((len(STRETCHES), series), bool)
    for stretch, (first, end) in enumerate(pairwise(edges)):
        for steps in values.parts(first, end):
            block = regions.gather(values.read(steps)).reshape(len(steps), series)
            valid = np.isfinite(block)
            judged[stretch] |= valid[steps >= first + split.lookback].any(0)
            if stretch == 0:
                moments.add(block, valid, calendar[steps])
    observed = np.asarray(moments.observed.reshape(shape).any(1))
    seen = [bool((part.reshape(shape) & observed[:, None]).any()) for part in judged]
    check_observed(data, split, seen, bool((moments.high > moments.low).any()))
    place = np.arange(series).reshape(shape)
    return scaling_of(
        lambda own: moments.climatology(place[:, own].ravel()),
        observed,
        shape,
        calendar.shape[1],
        len(data.channels),
    )


def check_observed(data: SensorData, split: Split, judged: Sequence[bool], varies: bool) -> None:
    """Refuse a history that nothing can be learned from or judged on.

    Args:
        data: The history.
        split: How time is cut.
        judged: Of training, validation and test: whether any value to forecast is observed.
        varies: Whether any sensor changes in training.

    Raises:
        DataError: It is one.
    """
    edges = (0, *split.bounds, len(data.time))
    for name, there, first, end in zip(STRETCHES, judged, edges, edges[1:], strict=False):
        if not there:
            raise DataError(
                f"{data.source.path}: no value to forecast is observed in the {name} stretch "
                f"({data.time.labels[first]} to {data.time.labels[end - 1]})"
            )
    if not varies:
        raise DataError(
            f"{data.source.path}: every sensor is constant in the training stretch; "
            "expected at least one that changes"
        )
