"""The limit of linear forecasts: as many arbitrary linear combinations of all sensors.

No choice of sensors can make a linear forecast that fits better than the best combinations of as
many features of *all* sensors. These come from reduced-rank regression: ridge regression of all
targets on the lag features of all regions, projected on the directions of the fitted values that
matter most, in the unit of the errors.

Source: Izenman 1975, Journal of Multivariate Analysis 5, 248-264; with a ridge penalty, and its
term among the fitted values: Mukherjee and Zhu 2011, doi 10.1002/sam.10138, section 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import eigh

from sensorplan.evaluation.forecasts import forecast_errors
from sensorplan.evaluation.ridge import PENALTIES
from sensorplan.linear import RidgeFit, Targets, lag_features
from sensorplan.metrics import Errors
from sensorplan.sensors import Floats, Ints
from sensorplan.windows import Batch, Windows

MOST_REGIONS = 3000
MOST_WEIGHTS = 5e7  # training windows or features, whichever are fewer, times targets
MOST_WORK = 2e12  # multiplications of the decompositions where targets are missing
SMALLEST_STRENGTH = 1e-10  # of a direction of the features, beside the strongest


@dataclass(frozen=True)
class Limit:
    """Test errors of the linear limit.

    Attributes:
        all_sensors: Of ridge regression on all regions, the reference.
        at: Of the limit, by budget.
    """

    all_sensors: Errors
    at: dict[int, Errors]


def why_no_limit(windows: Windows) -> str | None:
    """Why the limit is left out, as a plain sentence; None when it can be had."""
    regions = windows.regions
    if windows.series.most_values is not None:
        return "the linear limit is left out: it needs all of the history in memory"
    if regions > MOST_REGIONS:
        return (
            f"the linear limit is left out: there are {regions:,} regions to choose from, and it "
            f"takes at most {MOST_REGIONS:,}"
        )
    count = len(windows.split.train)
    size = min(count, 3 * regions * windows.channels)
    targets = regions * windows.channels * windows.split.horizon
    if size * targets > MOST_WEIGHTS:
        return (
            f"the linear limit is left out: {size:,} windows or features times {targets:,} targets "
            f"take too much memory; it takes at most {MOST_WEIGHTS:,.0f} in all"
        )
    _, valid = windows.sample(windows.split.bounds[0])
    patterns = np.unique(
        valid.reshape(len(valid), -1), axis=1
    )  # [step, pattern]; each lead time has its own
    sizes = np.minimum(patterns.sum(0), size).astype(float)
    if len(sizes) > 1 and 10 * windows.split.horizon * (sizes**3).sum() > MOST_WORK:
        return (
            f"the linear limit is left out: with {len(sizes):,} patterns of missing values in "
            f"{count:,} windows it takes too long"
        )
    return None


def linear_limit(windows: Windows, budgets: Sequence[int]) -> Limit:
    """Test errors of the limit at some budgets, each with the penalty best on validation.

    Args:
        windows: The series; see `why_no_limit`.
        budgets: Regions kept.
    """
    split = windows.split
    regressions = ReducedRank(windows, split.train)
    ranks = {budget: regressions.rank_of(budget) for budget in budgets}
    lowest: dict[int, tuple[float, float]] = {}  # validation RMSE and penalty, by rank
    for penalty in PENALTIES:
        fitted = regressions.at(penalty)
        for rank in {regressions.full_rank, *ranks.values()}:
            rmse = forecast_errors(windows, split.validation, fitted.of_rank(rank)).rmse
            lowest[rank] = min(lowest.get(rank, (np.inf, penalty)), (rmse, penalty))
    errors = {}
    for penalty in PENALTIES:
        fitted = regressions.at(penalty)
        for rank, (_, best) in lowest.items():
            if best == penalty:
                errors[rank] = forecast_errors(windows, split.test, fitted.of_rank(rank))
    return Limit(
        errors[regressions.full_rank], {budget: errors[rank] for budget, rank in ranks.items()}
    )


class ReducedRank:
    """Reduced-rank ridge regressions of all targets on the lag features of all regions.

    The features are turned into the directions in which they vary over the windows, of which there
    are no more than windows; a ridge regression on these is the same one.

    Attributes:
        full_rank: Rank of a regression without restriction.
    """

    def __init__(self, windows: Windows, starts: Ints) -> None:
        self._channels = windows.channels
        self._scale = windows.error_scale.repeat(1, windows.split.horizon).flatten().cpu().numpy()
        batch = windows.batch(starts)
        inputs = _features(batch, windows.channels)
        self._centre = inputs.mean(0)
        inputs = inputs - self._centre
        varies = (np.abs(inputs) > 0).any(0).reshape(3, windows.regions, windows.channels)
        self._brought = np.cumsum(np.sort(varies.sum((0, 2)))[::-1])  # by the k busiest regions
        self._strength, self._directions = _directions(inputs)
        self.full_rank = min(len(self._strength), len(self._scale))
        self._fit = RidgeFit(inputs @ self._directions, Targets.of(batch))

    def rank_of(self, budget: int) -> int:
        """The most combinations that so many regions make: all features that vary of each."""
        return int(min(self._brought[budget - 1], self.full_rank))

    def at(self, penalty: float) -> "RankedForecasts":
        """The regressions with this penalty, of every rank."""
        weights, intercept = self._fit.at(penalty)  # [direction, target]
        size = np.sqrt(self._strength + penalty)[:, None]
        stacked = size * weights * self._scale  # its squares: fitted values and penalty
        _, shapes = eigh(stacked @ stacked.T)
        shapes = shapes[:, ::-1]  # [direction, rank], the one that matters most first
        return RankedForecasts(
            self._channels,
            self._centre,
            self._directions @ (shapes / size),
            shapes.T @ stacked / self._scale,
            intercept,
        )


@dataclass(frozen=True)
class RankedForecasts:
    """Regressions that share all but their rank.

    Attributes:
        channels: Channels of a region.
        centre: ``[feature]`` subtracted from the features.
        encode: ``[feature, rank]`` the combinations of the features, the best one first.
        decode: ``[rank, target]`` what each of them adds to the forecast.
        level: ``[target]`` the forecast at the centre.
    """

    channels: int
    centre: Floats
    encode: Floats
    decode: Floats
    level: Floats

    def of_rank(self, rank: int) -> "LowRankForecast":
        """The regression on the best `rank` combinations."""
        return LowRankForecast(self, rank)


@dataclass(frozen=True)
class LowRankForecast:
    """One of them, as a forecast."""

    regressions: RankedForecasts
    rank: int

    def __call__(self, batch: Batch) -> torch.Tensor:
        """``[batch, region, horizon * channel]`` standardised anomalies."""
        all_ranks = self.regressions
        features = _features(batch, all_ranks.channels) - all_ranks.centre
        combined = features @ all_ranks.encode[:, : self.rank]
        forecast = combined @ all_ranks.decode[: self.rank] + all_ranks.level
        return torch.from_numpy(forecast).to(batch.future).view_as(batch.future)


def _features(batch: Batch, channels: int) -> Floats:
    """``[window, 3 * region * channel]`` lag features of all regions."""
    return lag_features(batch, np.ones(batch.history.shape[1], bool), channels)


def _directions(inputs: Floats) -> tuple[Floats, Floats]:
    """``[direction]`` squared strength and ``[feature, direction]``, where features vary at all."""
    if inputs.shape[1] <= len(inputs):
        strength, shapes = eigh(inputs.T @ inputs)
    else:
        strength, shapes = eigh(inputs @ inputs.T)
    there = strength > SMALLEST_STRENGTH * strength[-1]
    strength, shapes = strength[there], shapes[:, there]
    if inputs.shape[1] > len(inputs):
        shapes = inputs.T @ shapes / np.sqrt(strength)
    return strength, shapes
