"""Errors of forecasts: RMSE, MAE, skill, value kept, and intervals of ratios.

An `Errors` holds sums per window, so that forecasts of the same windows can be compared in pairs.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sensorplan.sensors import Floats, Ints

LEAST_VALUE = 0.02  # share of the error without any sensor


@dataclass(frozen=True)
class Errors:
    """Sums over the valid targets of each window, in the unit of the errors.

    Attributes:
        squares: ``[window]`` sum of squared errors.
        absolutes: ``[window]`` sum of absolute errors.
        count: ``[window]`` number of valid targets.
    """

    squares: Floats
    absolutes: Floats
    count: Ints

    @property
    def rmse(self) -> float:
        """Root mean squared error over all valid targets; NaN without any."""
        return float(np.sqrt(self.squares.sum() / self.count.sum())) if self.count.sum() else np.nan

    @property
    def mae(self) -> float:
        """Mean absolute error over all valid targets; NaN without any."""
        return float(self.absolutes.sum() / self.count.sum()) if self.count.sum() else np.nan


def window_errors(error: Tensor, valid: Tensor) -> Errors:
    """Sum ``[window, region, horizon * channel]`` errors over the valid targets of each window."""
    error = torch.where(valid, error, 0).flatten(1).double()
    return Errors(
        (error**2).sum(1).cpu().numpy(),
        error.abs().sum(1).cpu().numpy(),
        valid.flatten(1).sum(1).cpu().numpy(),
    )


def join(parts: list[Errors]) -> Errors:
    """Errors of consecutive windows as one."""
    return Errors(
        np.concatenate([part.squares for part in parts]),
        np.concatenate([part.absolutes for part in parts]),
        np.concatenate([part.count for part in parts]),
    )


def value_kept(without: float, plan: float, everything: float) -> float | None:
    """Share of what the sensors add to the calendar that a plan keeps.

    (RMSE without any sensor - RMSE of the plan) / (RMSE without any sensor - RMSE of all sensors);
    None when all sensors take away under 2 % of the calendar's error: there is nothing to keep.
    """
    if everything > (1 - LEAST_VALUE) * without:
        return None
    return (without - plan) / (without - everything)


def ratio_interval(
    plan: Errors, everything: Errors, block: int, seed: int, draws: int = 1000
) -> tuple[float, float]:
    """95 % interval of RMSE(plan) / RMSE(everything) by a paired moving-block bootstrap.

    Args:
        plan: Errors of the plan.
        everything: Errors of the same windows with all sensors.
        block: Windows in a block, at least as many as overlap.
        seed: Of the draws.
        draws: Number of resamples.

    Source: Künsch 1989, doi 10.1214/aos/1176347265.
    """
    windows = len(plan.squares)
    block = max(1, min(block, windows // 2))
    rng = np.random.default_rng(seed)
    first = rng.integers(0, windows - block + 1, (draws, -(-windows // block)))
    drawn = (first[:, :, None] + np.arange(block)).reshape(draws, -1)[:, :windows]
    squares = plan.squares[drawn].sum(1), everything.squares[drawn].sum(1)
    ratios = np.sqrt(squares[0] / np.maximum(squares[1], np.finfo(float).tiny))
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)
