"""What it costs when kept regions fail: one, the worst two, or a share of them at random.

Nothing is refitted: see `panel` for what judges. The effort is set by the size of the network and
not by the clock, so that the same run finds the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sensorplan.evaluation.panel import Panel, observed_spread, removal_estimates
from sensorplan.metrics import Errors, ratio_interval
from sensorplan.reasons import Failure, RandomFailures, Resilience
from sensorplan.sampling import MANY
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.training import Trainer

SHARES = (0.05, 0.1, 0.2)  # of the kept regions that fail at random
DRAWS = 20  # of each share
SECONDS = 12  # regions that may fail beside the worst one
LEAST_SINGLE = 16  # failures that are judged in the largest network

WORK = 2_500_000  # regions x windows x masks, and thereby the cost
FEWEST_FORECASTS, MOST_FORECASTS = 6_400, 30_000  # windows x masks
FEWEST_WINDOWS = 64  # these and the forecasts are fewer in a large network, down to a quarter


@dataclass(frozen=True)
class Effort:
    """How much is judged.

    Attributes:
        single: Kept regions whose single failure is judged.
        second: Regions that may fail beside the worst one.
        windows: Test windows.
    """

    single: int
    second: int
    windows: int

    @property
    def masks(self) -> int:
        """Masks that are judged in all."""
        return self.single + self.second + DRAWS * len(SHARES)


@dataclass(frozen=True)
class Failures:
    """What failures cost.

    Attributes:
        summary: As in `plan.json`.
        single: The single failures that were judged, the most costly first.
        penalty: ``[region]`` relative rise of the RMSE when it fails; NaN where not judged.
    """

    summary: Resilience
    single: tuple[Failure, ...]
    penalty: Floats


def forecasts_affordable(regions: int) -> int:
    """Windows x masks that may be forecast for a network of that size."""
    return int(np.clip(WORK // regions, _fewer(FEWEST_FORECASTS, regions), MOST_FORECASTS))


def fewest_windows(regions: int) -> int:
    """Windows that a mask of a network of that size is judged on at the least."""
    return _fewer(FEWEST_WINDOWS, regions)


def _fewer(most: int, regions: int) -> int:
    return max(most // 4, min(most, most * MANY // regions))


def failure_effort(regions: int, kept: int) -> Effort:
    """How much is judged of a plan.

    >>> failure_effort(207, 83), failure_effort(20_000, 8_000)
    (Effort(single=83, second=12, windows=77), Effort(single=28, second=12, windows=16))
    """
    affordable, second = forecasts_affordable(regions), min(SECONDS, kept - 1)
    others, fewest = second + DRAWS * len(SHARES), fewest_windows(regions)
    single = min(kept, max(LEAST_SINGLE, affordable // fewest - others))
    return Effort(single, second, max(fewest, affordable // (single + others)))


def judge_failures(
    members: Sequence[Trainer],
    mask: Bools,
    names: Sequence[str],
    seed: int,
    done: Callable[[int], None] = lambda number: None,
) -> Failures:
    """Judge failures of kept regions on a spread of the test windows.

    Where not all can be judged alone, those are that cost most to first order.

    Args:
        members: The forecasters that judge; the first is the network.
        mask: ``[region]`` the plan.
        names: ``[region]``.
        seed: Of the random failures.
        done: Told how many masks are judged.
    """
    network, kept = members[0], np.flatnonzero(mask)
    effort = failure_effort(len(mask), len(kept))
    starts = observed_spread(network.windows, network.windows.split.test, effort.windows)
    bench = _Bench(members, mask, starts, names, done)

    def costliest(left: Bools, count: int) -> Ints:
        estimates = removal_estimates(network, left, starts, seed)
        return np.sort(np.argsort(-estimates, kind="stable")[:count])

    alone = kept if effort.single == len(kept) else costliest(mask, effort.single)
    single = [bench.failure([int(region)]) for region in alone]
    penalty = np.full(len(mask), np.nan)
    penalty[alone] = [round(failure.rmse_ratio - 1, 6) for failure in single]
    by_cost = np.argsort([-failure.rmse_ratio for failure in single], kind="stable")
    worst, pairs = int(alone[by_cost[0]]), []
    if effort.second:
        second = costliest(bench.without([worst]), effort.second)
        pairs = [bench.failure([worst, int(region)]) for region in second]
    orders = np.random.default_rng(seed).permuted(np.tile(kept, (DRAWS, 1)), axis=1)
    summary = Resilience(
        judged=len(single),
        windows=len(starts),
        worst=single[by_cost[0]],
        worst_pair=max(pairs, key=lambda pair: pair.rmse_ratio, default=None),
        random={
            f"{share:g}": bench.random_failures(orders[:, : _failing(share, len(kept))])
            for share in SHARES
        },
    )
    return Failures(summary, tuple(single[place] for place in by_cost), penalty)


class _Bench:
    """Judges failures of a plan, and counts them."""

    def __init__(
        self,
        members: Sequence[Trainer],
        mask: Bools,
        starts: Ints,
        names: Sequence[str],
        done: Callable[[int], None],
    ) -> None:
        split = members[0].windows.split
        self._mask, self._names, self._done, self._judged = mask, names, done, 0
        self._block = -(-split.overlap * len(starts) // len(split.test))
        self._panel = Panel(members, mask, starts)
        self._intact = self._panel.errors(mask)

    def without(self, failed: Sequence[int] | Ints) -> Bools:
        """``[region]`` what is left of the plan."""
        left = self._mask.copy()
        left[failed] = False
        return left

    def errors(self, failed: Sequence[int] | Ints) -> Errors:
        """Errors in units of the RMSE of the plan."""
        errors = self._panel.errors(self.without(failed))
        self._judged += 1
        self._done(self._judged)
        return errors

    def failure(self, failed: Sequence[int]) -> Failure:
        """With its interval."""
        errors = self.errors(failed)
        low, high = ratio_interval(errors, self._intact, self._block, seed=0)
        return Failure(
            sensors=tuple(self._names[region] for region in failed),
            rmse_ratio=round(errors.rmse, 6),
            ci_low=round(low, 6),
            ci_high=round(high, 6),
        )

    def random_failures(self, draws: Ints) -> RandomFailures:
        """Of ``[draw, failed]`` regions."""
        ratios = [self.errors(failed).rmse for failed in draws]
        return RandomFailures(
            failed=draws.shape[1],
            draws=len(draws),
            mean=round(float(np.mean(ratios)), 6),
            p95=round(float(np.quantile(ratios, 0.95)), 6),
        )


def _failing(share: float, kept: int) -> int:
    """How many of the kept regions a share is: at least one."""
    return max(1, round(share * kept))
