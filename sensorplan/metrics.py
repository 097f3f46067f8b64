"""Errors of forecasts: RMSE, MAE, skill, value kept, and intervals of ratios.

An `Errors` holds sums per window, so that forecasts of the same windows can be compared in pairs,
and per lead time and region.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import t as student
from torch import Tensor

from sensorplan.sensors import Floats, Ints

LEAST_VALUE = 0.02  # share of the error without any sensor


@dataclass(frozen=True)
class Sums:
    """Sums over the valid targets of each member of a group, in the unit of the errors.

    Attributes:
        squares: ``[member]`` sum of squared errors.
        absolutes: ``[member]`` sum of absolute errors.
        count: ``[member]`` number of valid targets; a mean over several forecasts of the same
            targets leaves it as it is.
    """

    squares: Floats
    absolutes: Floats
    count: Ints

    @property
    def rmse(self) -> Floats:
        """``[member]`` root mean squared error; NaN without any valid target."""
        root: Floats = np.sqrt(_mean(self.squares, self.count))
        return root

    @property
    def mae(self) -> Floats:
        """``[member]`` mean absolute error; NaN without any valid target."""
        return _mean(self.absolutes, self.count)

    @property
    def total(self) -> "Sums":
        """``[1]`` the sums over all members."""
        return Sums(
            self.squares.sum(keepdims=True),
            self.absolutes.sum(keepdims=True),
            self.count.sum(keepdims=True),
        )


@dataclass(frozen=True)
class Errors:
    """Errors of one forecast on some windows, summed three ways.

    Attributes:
        by_window: ``[window]`` over all regions and leads.
        by_lead: ``[lead]`` over all windows and regions.
        by_region: ``[region]`` over all windows and leads.
    """

    by_window: Sums
    by_lead: Sums
    by_region: Sums

    @property
    def rmse(self) -> float:
        """Root mean squared error over all valid targets; NaN without any."""
        return float(self.by_window.total.rmse[0])

    @property
    def mae(self) -> float:
        """Mean absolute error over all valid targets; NaN without any."""
        return float(self.by_window.total.mae[0])


def _mean(sums: Floats, count: Ints) -> Floats:
    mean: Floats = np.divide(sums, count, out=np.full(len(sums), np.nan), where=count > 0)
    return mean


def window_errors(error: Tensor, valid: Tensor) -> Errors:
    """Sum the errors over the valid targets.

    Args:
        error: ``[window, region, lead, channel]``; what stands at an invalid target is ignored.
        valid: The same shape, True where the target was observed.
    """
    error = torch.where(valid, error, 0).double()
    parts = error**2, error.abs(), valid

    def sums(*summed: int) -> Sums:
        squares, absolutes, count = (part.sum(summed).cpu().numpy() for part in parts)
        return Sums(squares, absolutes, count)

    return Errors(sums(1, 2, 3), sums(0, 1, 3), sums(0, 2, 3))


def join(parts: Sequence[Errors]) -> Errors:
    """Errors of the windows of all parts, such as consecutive batches or folds, as one."""
    windows = [part.by_window for part in parts]
    return Errors(
        Sums(
            np.concatenate([part.squares for part in windows]),
            np.concatenate([part.absolutes for part in windows]),
            np.concatenate([part.count for part in windows]),
        ),
        _added([part.by_lead for part in parts]),
        _added([part.by_region for part in parts]),
    )


def average(forecasts: Sequence[Errors]) -> Errors:
    """Mean squared and mean absolute errors over several forecasts of the same targets."""

    def mean(group: Sequence[Sums]) -> Sums:
        added = _added(group)
        return Sums(added.squares / len(group), added.absolutes / len(group), group[0].count)

    return Errors(
        mean([errors.by_window for errors in forecasts]),
        mean([errors.by_lead for errors in forecasts]),
        mean([errors.by_region for errors in forecasts]),
    )


def in_units_of(errors: Errors, unit: float) -> Errors:
    """The same errors in a unit that is so many times as large, say the RMSE of a reference."""
    size = max(unit, float(np.finfo(np.float32).tiny))

    def divided(sums: Sums) -> Sums:
        return Sums(sums.squares / size**2, sums.absolutes / size, sums.count)

    return Errors(divided(errors.by_window), divided(errors.by_lead), divided(errors.by_region))


def _added(group: Sequence[Sums]) -> Sums:
    return Sums(
        np.sum([sums.squares for sums in group], axis=0),
        np.sum([sums.absolutes for sums in group], axis=0),
        np.sum([sums.count for sums in group], axis=0),
    )


def skill(errors: Errors, reference: Errors) -> float:
    """1 - RMSE / RMSE of a reference forecast; NaN where that has no error."""
    return 1 - errors.rmse / reference.rmse if reference.rmse else np.nan


def value_kept(without: float, plan: float, everything: float) -> float | None:
    """Share of what the sensors add to the calendar that a plan keeps.

    (RMSE without any sensor - RMSE of the plan) / (RMSE without any sensor - RMSE of all sensors);
    None when all sensors take away under 2 % of the calendar's error: there is nothing to keep.
    """
    if everything >= (1 - LEAST_VALUE) * without:
        return None
    return (without - plan) / (without - everything)


def ratio_interval(
    plan: Errors, reference: Errors, block: int, seed: int, draws: int = 1000
) -> tuple[float, float]:
    """95 % interval of RMSE(plan) / RMSE(reference), see `squares_interval`.

    Args:
        plan: Errors of the plan.
        reference: Errors of the same windows, say with all sensors.
        block: Windows in a block.
        seed: Of the draws.
        draws: Number of resamples.
    """
    return squares_interval(plan.by_window.squares, reference.by_window.squares, block, seed, draws)


def squares_interval(
    plan: Floats, reference: Floats, block: int, seed: int, draws: int = 1000
) -> tuple[float, float]:
    """95 % interval of a ratio of RMSE by a paired moving-block bootstrap.

    Blocks of consecutive windows, the last joined to the first so that each window is drawn as
    often, are drawn for both at once. The interval is that of Student's t around the logarithm of
    the ratio, with the standard deviation of the draws and a degree of freedom for each block but
    one: few windows that overlap hold few independent ones, and the interval says so.

    Args:
        plan: ``[window]`` sums of squared errors.
        reference: ``[window]`` the same of other forecasts of the same targets.
        block: Windows in a block: as many as overlap, and more than errors stay alike.
        seed: Of the draws.
        draws: Number of resamples.

    Source: Künsch 1989, doi 10.1214/aos/1176347265; circular blocks: Politis and Romano 1992;
    Student's t for few blocks: Ibragimov and Müller 2010, doi 10.1198/jbes.2009.08046.
    """
    windows = len(plan)
    block = max(1, min(block, windows // 2))
    first = np.random.default_rng(seed).integers(0, windows, (draws, -(-windows // block)))
    tiny = np.finfo(float).tiny
    drawn = [
        np.log(np.maximum(_block_sums(squares, block)[first].sum(1), tiny))
        for squares in (plan, reference)
    ]
    freedom = max(windows / block - 1, 1)
    deviation = (drawn[0] - drawn[1]).std() / 2 * np.sqrt((freedom + 1) / freedom)
    quantile = student.ppf(0.975, freedom)
    whole = [np.log(max(squares.sum(), tiny)) for squares in (plan, reference)]
    ratio = np.exp((whole[0] - whole[1]) / 2)
    spread = np.exp(quantile * deviation)
    return float(ratio / spread), float(ratio * spread)


def _block_sums(values: Floats, block: int) -> Floats:
    """``[window]`` sum of the block that begins at each window, in a circle."""
    running = np.cumsum(np.concatenate([[0], values, values[:block]]))
    sums: Floats = running[block : block + len(values)] - running[: len(values)]
    return sums
