"""The series of all regions, and the batches that are cut from them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sensorplan.regions import Topology
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.stretch import Stretch
from sensorplan.windows.series import Series
from sensorplan.windows.split import Split
from sensorplan.windows.tails import TailWeight


@dataclass(frozen=True)
class Batch:
    """Windows after stream morph: time and channel stacked into one feature axis.

    Attributes:
        history: ``[batch, region, lookback * channel]`` standardised anomalies, 0 where missing.
        seen: ``[batch, region, lookback * channel]`` 1 where observed, else 0.
        calendar: ``[batch, feature]`` calendar features in the middle of the horizon.
        future: ``[batch, region, horizon * channel]`` standardised anomalies, 0 where missing.
        valid: ``[batch, region, horizon * channel]`` True where the future was observed.
        weight: ``[batch, region, horizon * channel]`` weight of each target in the loss; None: all
            alike.
    """

    history: Tensor
    seen: Tensor
    calendar: Tensor
    future: Tensor
    valid: Tensor
    weight: Tensor | None = None

    def __len__(self) -> int:
        return len(self.history)


@dataclass(frozen=True)
class Windows:
    """The series of all regions, and how they are cut.

    Attributes:
        split: First step of every window.
        series: ``[time, region, channel]`` anomalies, (value - climatology) / scale, 0 where
            missing; and where they are valid: nowhere in a region that was never observed in
            training, for it can be neither forecast nor judged.
        observed: ``[region]`` True where training holds any value.
        calendar: ``[time, feature]``.
        level: ``[region, channel]`` of the climatology, in the unit of the errors (`error_scale`).
        cycles: ``[feature, region * channel]`` the same of each calendar feature.
        error_scale: ``[region, channel]`` unit of an error / one standardised anomaly: the data's
            own unit with one variable, the standard deviation of each variable with several.
        unit: ``[channel]`` error unit / the variable's own unit: 1 with one variable.
        harmonics: Of each cycle in `calendar`, see `choose_harmonics`.
        loss_weight: ``[region, channel]`` weight of a squared standardised error, mean near 1.
        topology: Where the regions are.
        region_weight: ``[region]`` weights that `loss_weight` holds; None: all alike.
        value_weight: ``[time, region, channel]`` further weight of each value; None: all alike.
    """

    split: Split
    series: Series
    observed: Bools
    calendar: Tensor
    level: Tensor
    cycles: Tensor
    error_scale: Tensor
    unit: Tensor
    harmonics: Mapping[str, int]
    loss_weight: Tensor
    topology: Topology
    region_weight: Tensor | None = None
    value_weight: Tensor | TailWeight | None = None

    @property
    def regions(self) -> int:
        """Number of regions."""
        return self.series.shape[1]

    @property
    def channels(self) -> int:
        """Channels of a region: variables x slots."""
        return self.series.shape[2]

    @property
    def device(self) -> torch.device:
        """Where batches are."""
        return self.series.device

    def batch(
        self, starts: Ints, targets: Tensor | None = None, sources: Tensor | None = None
    ) -> Batch:
        """Cut the windows that begin at the given steps.

        Args:
            starts: ``[window]``.
            targets: Regions whose future is cut out; None: all.
            sources: Regions whose history is; None: all.
        """
        lookback, horizon = self.split.lookback, self.split.horizon
        first = torch.as_tensor(starts, device=self.device)[:, None]
        steps = first + torch.arange(lookback + horizon, device=first.device)  # [batch, step]
        if sources is None:
            anomalies, valid = self.series.at(steps)
            past = anomalies[:, :lookback], valid[:, :lookback]
            future = anomalies[:, lookback:], valid[:, lookback:]
            if targets is not None:
                future = future[0][:, :, targets], future[1][:, :, targets]
        else:
            past = self.series.at(steps[:, :lookback], sources)
            future = self.series.at(steps[:, lookback:], targets)
        return Batch(
            _stream_morph(past[0]),
            _stream_morph(past[1]).float(),
            self.calendar[first[:, 0] + lookback + horizon // 2],
            _stream_morph(future[0]),
            _stream_morph(future[1]),
            self._weight_at(steps[:, lookback:], targets),
        )

    def _weight_at(self, steps: Tensor, targets: Tensor | None) -> Tensor | None:
        if self.value_weight is None:
            return None
        weight = self.value_weight[steps]  # [batch, step, region, channel]
        return _stream_morph(weight if targets is None else weight[:, :, targets])

    def sample(self, end: int) -> tuple[Floats, Bools]:
        """``[step, region, channel]`` anomalies and valid of the first `end` steps.

        Of a history on disk they are as many as may be held, in blocks evenly spread.
        """
        return self.series.sample(end, self.split.length)

    def whole(self, end: int) -> Stretch | None:
        """All of the first `end` steps, read a part at a time; None where the sample holds them."""
        return self.series.whole(end, self.split.length)

    def breaks(self, end: int) -> Ints:
        """Places in the sample of the first `end` steps at which time leaps."""
        steps = self.series.sampled(end, self.split.length)
        return np.flatnonzero(np.diff(steps) != 1) + 1

    def at_a_time(self, most: int, values: int | None = None) -> int:
        """How many windows may be worked on at a time.

        Args:
            most: Where nothing is bounded.
            values: That are held of each; None: those of its steps.
        """
        if self.series.most_values is None:
            return most
        values = values or self.regions * self.channels * self.split.length
        return max(1, min(most, self.series.most_values // values))

    def scaling(self) -> dict[str, Tensor]:
        """What turns anomalies into values and back, by name, for `later_windows`."""
        return {
            "observed": torch.from_numpy(self.observed),
            "level": self.level,
            "cycles": self.cycles,
            "error_scale": self.error_scale,
            "unit": self.unit,
        }

    def climatology(self, steps: Tensor) -> Tensor:
        """``[..., region, channel]`` calendar forecast at the steps ``[...]``, in error units."""
        cycles = self.calendar[steps] @ self.cycles  # [..., region * channel]
        return self.level + cycles.view(*cycles.shape[:-1], *self.level.shape)


def _stream_morph(windows: Tensor) -> Tensor:
    """``[batch, time, region, channel]`` to ``[batch, region, time * channel]``."""
    return windows.transpose(1, 2).flatten(2)
