"""What a baseline ranker may know: the history up to the end of validation, never the test stretch.

Rankers pool channels: each channel of a step counts as a further sample of the regions, so that one
covariance ``[region, region]`` serves them all.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np

from sensorplan.errors import DataError
from sensorplan.plan import Ranking
from sensorplan.regions import on_sphere
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.stretch import Stretch
from sensorplan.windows import Windows

Asked = ParamSpec("Asked")
Found = TypeVar("Found")


@dataclass(frozen=True)
class History:
    """A network as a baseline ranker sees it.

    Attributes:
        anomalies: ``[time, region, channel]`` standardised, 0 where missing.
        valid: ``[time, region, channel]`` True where observed.
        scale: ``[region, channel]`` unit of an error / one standardised anomaly.
        positions: ``[region, 2]`` latitude and longitude in degrees, or planar y and x; NaN where
            unknown; None without positions.
        geographic: True when `positions` are degrees.
        horizon: Steps of future in a window.
        seed: Of every random choice.
        whole: The history on disk of which `anomalies` is a sample; None: it is no sample.
    """

    anomalies: Floats
    valid: Bools
    scale: Floats
    positions: Floats | None
    geographic: bool
    horizon: int
    seed: int
    whole: Stretch | None = None

    @property
    def regions(self) -> int:
        """Number of regions."""
        return int(self.anomalies.shape[1])

    @property
    def observed(self) -> Bools:
        """``[region]`` True where anything was observed."""
        return np.asarray(self.valid.any(axis=(0, 2)))

    @property
    def placed(self) -> bool:
        """Whether any region has a position."""
        return self.positions is not None and bool(np.isfinite(self.positions).all(axis=1).any())

    def pooled(self, first: int = 0, end: int | None = None) -> tuple[Floats, Bools]:
        """``[time * channel, region]`` anomalies and valid of the steps from `first` to `end`."""
        values = self.anomalies[first:end].transpose(0, 2, 1).reshape(-1, self.regions)
        valid = self.valid[first:end].transpose(0, 2, 1).reshape(-1, self.regions)
        return values, valid

    def parts(self, shared: int = 0) -> Iterator["History"]:
        """All of it in order, so much at a time as may be held: in memory, itself.

        Args:
            shared: Steps that a part has in common with the next one.
        """
        if self.whole is None:
            yield self
            return
        for steps in self.whole.parts(shared):
            anomalies, valid = self.whole.at(steps)
            yield replace(self, anomalies=anomalies, valid=valid, whole=None)

    def coordinates(self, method: str) -> Floats:
        """Positions in which straight distance orders regions as the way between them does.

        Returns:
            ``[region, 3]`` on the unit sphere, or ``[region, 2]`` in the plane; NaN where unknown.

        Raises:
            DataError: There are no positions.
        """
        if self.positions is None or not self.placed:
            raise DataError(f"--method {method} needs positions of the sensors; the data has none")
        return on_sphere(self.positions) if self.geographic else self.positions


Ranker = Callable[[History], Ranking]


def make_history(windows: Windows, *, seed: int) -> History:
    """The history of the windows up to the end of validation; of one on disk a sample as well.

    Args:
        windows: The series of all regions.
        seed: Of every random choice.
    """
    end = windows.split.bounds[1]
    anomalies, valid = windows.sample(end)
    return History(
        anomalies=anomalies,
        valid=valid,
        scale=windows.error_scale.cpu().numpy(),
        positions=windows.topology.positions,
        geographic=windows.topology.geographic,
        horizon=windows.split.horizon,
        seed=seed,
        whole=windows.whole(end),
    )


def found_once(
    find: Callable[Concatenate[History, Asked], Found],
) -> Callable[Concatenate[History, Asked], Found]:
    """Keep what a pass over a history on disk has found, for the next ranker that asks."""

    @wraps(find)
    def once(history: History, /, *args: Asked.args, **kwargs: Asked.kwargs) -> Found:
        if history.whole is None:
            return find(history, *args, **kwargs)
        what = find.__name__, *args, *kwargs.items()
        return history.whole.once(what, lambda: find(history, *args, **kwargs))

    return once


def draw_blocks(length: int, block: int, rng: np.random.Generator) -> Ints:
    """``[length]`` indices in blocks of consecutive ones, each block drawn with replacement.

    The last block is cut where the length is reached (moving-block bootstrap, Künsch 1989, doi
    10.1214/aos/1176347265).
    """
    first = rng.integers(0, length - block + 1, -(-length // block))
    indices: Ints = (first[:, None] + np.arange(block)).reshape(-1)[:length]
    return indices


def resample(history: History, block: int, rng: np.random.Generator) -> History:
    """A history as long, of blocks of consecutive steps drawn with replacement.

    Args:
        history: Where the blocks come from; of one on disk, what is held of it.
        block: Steps in a block, at most those of the history.
        rng: Draws them.
    """
    steps = draw_blocks(len(history.anomalies), block, rng)
    held = history.anomalies[steps], history.valid[steps]
    return replace(history, anomalies=held[0], valid=held[1], whole=None)


def observed_first(choose: Callable[[History], tuple[Ints, Floats]]) -> Ranker:
    """Make a ranker of a function that orders regions which were all observed.

    Regions that were never observed come last in index order, with importance 0.

    Args:
        choose: From a history to the order of its regions, best first, and the gain of each rank.
            Importance is the gain as a share of the largest, held from rising along the order.
    """

    @wraps(choose)
    def rank(history: History) -> Ranking:
        observed = np.flatnonzero(history.observed)
        order, gains = choose(_only(history, observed))
        falling = np.minimum.accumulate(np.maximum(gains, 0).astype(float))
        importance = np.zeros(history.regions)
        importance[observed[order]] = falling / falling[0] if falling[0] > 0 else 0.0
        return Ranking(
            np.concatenate([observed[order], np.flatnonzero(~history.observed)]), importance
        )

    return rank


def _only(history: History, regions: Ints) -> History:
    """The history of some regions alone."""
    return replace(
        history,
        anomalies=history.anomalies[:, regions],
        valid=history.valid[:, regions],
        scale=history.scale[regions],
        whole=None if history.whole is None else history.whole.of(regions),
        positions=None if history.positions is None else history.positions[regions],
    )
