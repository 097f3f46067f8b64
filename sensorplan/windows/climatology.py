"""What the calendar alone says: a level and smooth daily, weekly and yearly cycles per sensor.

It is the forecast without any sensor, and what the forecaster's inputs are anomalies from. Fitted
by ridge regression in two stages, so that a sensor with a short history borrows the network's
cycles: cycles that all sensors share first, then each sensor's own deviation, shrunk.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sensorplan.sensors import Bools, Floats, TimeAxis

DAY, WEEK, YEAR = 86400.0, 7 * 86400.0, 365.2425 * 86400.0
CYCLES = {"day": (DAY, 4), "week": (WEEK, 3), "year": (YEAR, 3)}
"""Period in seconds and most harmonics of each cycle."""
# Shrinkage in observations: how many a deviation from the network must outweigh.
CYCLE_SHRINKAGE, LEVEL_SHRINKAGE, SCALE_SHRINKAGE = 20.0, 1.0, 20.0
LEAST_CYCLES = 1.97  # 720 days are two years of a 360-day calendar
LEAST_SCALE = 0.1  # of the network's scale; a constant sensor has none of its own


def choose_harmonics(time: TimeAxis, training_steps: int) -> dict[str, int]:
    """How many harmonics of each cycle there are to fit: of those seen at least twice in training.

    Args:
        time: The axis.
        training_steps: Steps from its start on that are training.

    Returns:
        By name of the cycle (of `CYCLES`); cycles without any are left out.
    """
    harmonics = {}
    for name, (period, most) in CYCLES.items():
        if _phases(time, name) is None or training_steps * time.step < LEAST_CYCLES * period:
            continue
        harmonics[name] = sum(2 * k * time.step < period for k in range(1, most + 1))
    return {name: count for name, count in harmonics.items() if count}


def calendar_features(time: TimeAxis, harmonics: Mapping[str, int]) -> Floats:
    """Harmonics of the cycles, at the times of any axis whose calendar has these cycles.

    Args:
        time: The axis.
        harmonics: How many of each cycle, see `choose_harmonics`.

    Returns:
        ``[time, feature]`` float32 sines and cosines.
    """
    waves = []
    for name in (name for name in CYCLES if name in harmonics):
        phases = _phases(time, name)
        assert phases is not None
        for k in range(1, harmonics[name] + 1):
            waves += [np.sin(2 * np.pi * k * phases), np.cos(2 * np.pi * k * phases)]
    return np.array(waves, np.float32).reshape(len(waves), len(time)).T


def _phases(time: TimeAxis, cycle: str) -> Floats | None:
    """``[time]`` share of the cycle passed, in [0, 1); None in a calendar without it."""
    if cycle == "week":
        if time.day_of_week is None or time.time_of_day is None:
            return None
        return (time.day_of_week + time.time_of_day) / 7
    return time.time_of_day if cycle == "day" else time.time_of_year


@dataclass(frozen=True)
class Climatology:
    """Calendar forecast and scale of every series.

    Attributes:
        level: ``[series]`` in the data's unit.
        cycles: ``[feature, series]`` weight of each calendar feature.
        scale: ``[series]`` standard deviation of the anomalies, shrunk towards the network's and
            never zero.
    """

    level: Floats
    cycles: Floats
    scale: Floats

    def at(self, features: Floats) -> Floats:
        """``[time, series]`` the calendar forecast at the given ``[time, feature]``."""
        return self.level + features @ self.cycles


def fit_climatology(values: Floats, valid: Bools, features: Floats) -> Climatology:
    """Fit on training time.

    Args:
        values: ``[time, series]`` of one channel.
        valid: ``[time, series]``.
        features: ``[time, feature]``.
    """
    times, series = values.shape
    weight = valid.astype(np.float32)
    count = weight.sum(0, dtype=np.float64)  # [series]
    filled = np.where(valid, values, 0)
    total = count.sum()
    mean = filled.sum(dtype=np.float64) / max(total, 1)
    level = (filled.sum(0, dtype=np.float64) + LEVEL_SHRINKAGE * mean) / (count + LEVEL_SHRINKAGE)

    columns = np.column_stack([np.ones(times), features])  # [time, 1 + feature]
    size = columns.shape[1]
    products = (columns[:, :, None] * columns[:, None, :]).reshape(times, -1)
    gram = (weight.T @ products).reshape(series, size, size)  # [series, 1 + feature, 1 + feature]
    anomalies = np.where(valid, values - level, 0)

    shared = np.linalg.solve(
        gram.sum(0) + np.eye(size), columns.T @ anomalies.sum(1, dtype=np.float64)
    )
    anomalies -= weight * (columns @ shared)[:, None]
    penalty = np.diag([LEVEL_SHRINKAGE] + [CYCLE_SHRINKAGE] * (size - 1))
    own = np.linalg.solve(gram + penalty, (columns.T @ anomalies).T[..., None])[..., 0]
    anomalies -= weight * (columns @ own.T)

    squares = (anomalies**2).sum(0, dtype=np.float64)
    typical = np.sqrt(squares.sum() / max(total, 1)) or 1.0
    variance = (squares + SCALE_SHRINKAGE * typical**2) / (count + SCALE_SHRINKAGE)
    return Climatology(
        (level + shared[0] + own[:, 0]).astype(np.float32),
        (shared[1:, None] + own[:, 1:].T).astype(np.float32),
        np.maximum(np.sqrt(variance), LEAST_SCALE * typical).astype(np.float32),
    )
