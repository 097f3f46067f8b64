"""How the time axis is cut: lookback and horizon, and training, validation and test stretches."""

from dataclasses import dataclass

import numpy as np

from sensorplan.errors import DataError
from sensorplan.recipe import WindowSettings
from sensorplan.sensors import Ints, TimeAxis

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

# Longest step (seconds) of each row, then lookback and horizon in steps; docs/windows.md explains.
DEFAULTS = (
    (15 * MINUTE, 12, 12),
    (3 * HOUR, 12, 6),
    (12 * HOUR, 8, 4),
    (1 * DAY, 7, 3),
    (10 * DAY, 6, 2),
    (100 * DAY, 12, 3),
    (np.inf, 6, 2),
)
NUMERIC_DEFAULT = (6, 4)
LEAST_TRAINING, LEAST_LATER = 8, 2  # windows


@dataclass(frozen=True)
class Split:
    """First step of every window, by stretch; no window reaches over a boundary.

    Attributes:
        lookback: Steps of history in a window.
        horizon: Steps of future in a window.
        bounds: First step of validation and of test.
        train: ``[window]`` first step of each training window.
        validation: ``[window]`` first step of each validation window.
        test: ``[window]`` first step of each test window.
    """

    lookback: int
    horizon: int
    bounds: tuple[int, int]
    train: Ints
    validation: Ints
    test: Ints

    @property
    def length(self) -> int:
        """Steps in a window."""
        return self.lookback + self.horizon

    @property
    def overlap(self) -> int:
        """Windows from one on to the first that shares no step with it."""
        stride = int(self.test[1] - self.test[0])
        return -(-(self.lookback + self.horizon) // stride)


def split_windows(time: TimeAxis, settings: WindowSettings, where: str) -> Split:
    """Cut the axis into training, validation and test, in this order, and each into windows.

    Args:
        time: The axis.
        settings: Lookback, horizon, stride and the shares of validation and test.
        where: The file's name, for the message.

    Raises:
        DataError: A stretch holds too few windows.
    """
    times = len(time)
    test_from = times - round(settings.test * times)
    validation_from = test_from - round(settings.validation * times)
    shortest = min(test_from - validation_from, times - test_from)
    lookback, horizon = window_shape(time, settings, shortest)

    def starts(first: int, end: int) -> Ints:
        return np.arange(first, end - lookback - horizon + 1, settings.stride)

    split = Split(
        lookback,
        horizon,
        (validation_from, test_from),
        starts(0, validation_from),
        starts(validation_from, test_from),
        starts(test_from, times),
    )
    for name, windows, least in (
        ("training", split.train, LEAST_TRAINING),
        ("validation", split.validation, LEAST_LATER),
        ("test", split.test, LEAST_LATER),
    ):
        if len(windows) < least:
            raise DataError(
                f"{where}: {times} time steps give {len(windows)} {name} windows of lookback "
                f"{lookback} + horizon {horizon}; expected at least {least}: "
                "a longer history, or a smaller --lookback, --horizon or stride"
            )
    return split


def window_shape(time: TimeAxis, settings: WindowSettings, shortest: int) -> tuple[int, int]:
    """Lookback and horizon: as set, else the step's default.

    A default window is made to fit into half of the `shortest` stretch: the lookback gives way down
    to the horizon, then both.
    """
    lookback, horizon = step_default(time)
    room = max(2, shortest // 2)
    horizon = settings.horizon or min(horizon, room // 2)
    lookback = settings.lookback or max(1, min(lookback, room - horizon))
    return lookback, horizon


def step_default(time: TimeAxis) -> tuple[int, int]:
    """Lookback and horizon in steps that suit the axis's step, however short the history."""
    if time.calendar is None:
        return NUMERIC_DEFAULT
    return next((lookback, horizon) for step, lookback, horizon in DEFAULTS if time.step <= step)


def split_record(time: TimeAxis, split: Split) -> dict[str, dict[str, str | int]]:
    """First and last time and number of windows of each stretch, as `plan.json` holds them."""
    edges = (0, *split.bounds, len(time))
    stretches = {"train": split.train, "validation": split.validation, "test": split.test}
    return {
        name: {
            "first": time.labels[first],
            "last": time.labels[end - 1],
            "windows": len(starts),
        }
        for (name, starts), first, end in zip(stretches.items(), edges, edges[1:], strict=False)
    }
