"""The standardised series of a network: in memory, or read from disk when they are asked for."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from sensorplan.regions import Regions
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.spool import READ_AT_A_TIME, Spool
from sensorplan.stretch import Stretch


@dataclass(frozen=True)
class Held:
    """Series in memory.

    Attributes:
        anomalies: ``[time, region, channel]`` (value - climatology) / scale, 0 where missing.
        valid: ``[time, region, channel]`` True where observed.
        most_values: Values that work on the series may hold at a time; None: any number.
    """

    anomalies: Tensor
    valid: Tensor
    most_values: ClassVar[None] = None

    @property
    def shape(self) -> Sequence[int]:
        """Steps, regions and channels."""
        return self.anomalies.shape

    @property
    def device(self) -> torch.device:
        """Where they live."""
        return self.anomalies.device

    def at(self, steps: Tensor, regions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``[..., region, channel]`` anomalies and valid at the steps ``[...]``.

        Args:
            steps: See above.
            regions: Which; None: all.
        """
        if regions is not None:
            return self.anomalies[steps[..., None], regions], self.valid[steps[..., None], regions]
        return self.anomalies[steps], self.valid[steps]

    def sampled(self, end: int, together: int) -> Ints:
        """The steps before `end` that `sample` holds: all of them."""
        return np.arange(end)

    def sample(self, end: int, together: int) -> tuple[Floats, Bools]:
        """``[step, region, channel]`` anomalies and valid of the first `end` steps."""
        return self.anomalies[:end].cpu().numpy(), self.valid[:end].cpu().numpy()

    def whole(self, end: int, together: int) -> None:
        """The first `end` steps where `sample` leaves any out: never."""


class Spooled:
    """Series on disk, standardised when they are read.

    Attributes:
        device: Where what is read is put.
        most_values: See `Held`.

    Args:
        values: The history.
        regions: What one mask entry switches.
        observed: ``[region]`` True where training holds any value.
        calendar: ``[time, feature]``.
        level: ``[region, channel]`` in the data's unit.
        cycles: ``[feature, region, channel]`` weight of each calendar feature.
        scale: ``[region, channel]`` data's unit / one standardised anomaly.
        device: See above.
    """

    def __init__(
        self,
        values: Spool,
        regions: Regions,
        observed: Bools,
        calendar: Floats,
        level: Floats,
        cycles: Floats,
        scale: Floats,
        device: torch.device,
    ) -> None:
        self.device, self.most_values = device, values.most_values
        self._values, self._regions, self._observed = values, regions, observed
        self._calendar, self._level, self._scale = calendar, level, scale
        self._cycles = cycles.reshape(len(cycles), level.size)
        self._sample: tuple[int, Floats, Bools] | None = None
        self._found: dict[Hashable, object] = {}

    @property
    def shape(self) -> Sequence[int]:
        """Steps, regions and channels."""
        return len(self._values), *self._level.shape

    def at(self, steps: Tensor, regions: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See `Held.at`."""
        asked, place = np.unique(steps.cpu().numpy(), return_inverse=True)
        there = torch.from_numpy(place.reshape(steps.shape))
        chosen = slice(None) if regions is None else regions.cpu().numpy()
        read = (array[:, chosen] for array in self._read(asked))
        anomalies, valid = (torch.from_numpy(array)[there] for array in read)
        return anomalies.to(self.device), valid.to(self.device)

    def sampled(self, end: int, together: int) -> Ints:
        """The steps before `end` that `sample` holds: blocks that are evenly spread.

        Args:
            end: As in `sample`.
            together: As in `sample`.
        """
        return self._values.sample_steps(end, together)

    def sample(self, end: int, together: int) -> tuple[Floats, Bools]:
        """``[step, region, channel]`` anomalies and valid of as many steps as may be held.

        Args:
            end: Steps to choose from, the first ones.
            together: Steps of a window; the sample is of blocks that are a few times as long.
        """
        if self._sample is None or self._sample[0] != end:
            self._sample = None  # one at a time
            self._sample = end, *self._read(self.sampled(end, together))
        return self._sample[1:]

    def whole(self, end: int, together: int) -> Stretch | None:
        """The first `end` steps where `sample` leaves any out, to be read a part at a time.

        Args:
            end: As in `sample`.
            together: As in `sample`.
        """
        if len(self.sampled(end, together)) == end:
            return None
        shape = end, *self._level.shape
        return Stretch(shape, self.most_values, self._read, found=self._found)

    def _read(self, steps: Ints) -> tuple[Floats, Bools]:
        """``[step, region, channel]`` anomalies and valid at ascending steps."""
        anomalies = np.empty((len(steps), *self._level.shape), np.float32)
        valid = np.empty(anomalies.shape, bool)
        size = max(1, READ_AT_A_TIME // self._level.size)
        for first in range(0, len(steps), size):
            part = slice(first, first + size)
            values = self._regions.gather(self._values.read(steps[part]))
            np.isfinite(values, out=valid[part])
            cycles = self._calendar[steps[part]] @ self._cycles
            values -= self._level + cycles.reshape(values.shape)
            np.divide(values, self._scale, out=anomalies[part])
        valid[:, ~self._observed] = False
        anomalies[~valid] = 0
        return anomalies, valid


Series = Held | Spooled
