"""`Stretch`: all steps of a history that is too large for memory, read a part at a time."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.spool import PART

FEWEST_OWN = 3  # steps of a part, for each that it shares with the next one
Found = TypeVar("Found")


@dataclass(frozen=True)
class Stretch:
    """The first steps of a history on disk.

    Attributes:
        shape: Steps, regions and channels.
        most_values: That may be held at a time.
        read: From ascending steps to anomalies, 0 where missing, and where they are valid, both
            ``[step, region, channel]`` of all regions.
        regions: Which of them it has; None: all.
        pooled: In a matrix of it, the channels of a region are further rows, not further columns.
        found: What `once` keeps.
    """

    shape: tuple[int, int, int]
    most_values: int
    read: Callable[[Ints], tuple[Floats, Bools]]
    regions: Ints | None = None
    pooled: bool = False
    found: dict[Hashable, object] = field(default_factory=dict)

    @property
    def matrix_shape(self) -> tuple[int, int]:
        """Rows and columns of a matrix of all of it: steps and regions, channels in either."""
        steps, regions, channels = self.shape
        return (steps * channels, regions) if self.pooled else (steps, regions * channels)

    def of(self, regions: Ints) -> "Stretch":
        """The same steps of some regions, in that order."""
        if np.array_equal(regions, np.arange(self.shape[1])):
            return self
        kept = regions if self.regions is None else self.regions[regions]
        return replace(self, shape=(self.shape[0], len(kept), self.shape[2]), regions=kept)

    def at(self, steps: Ints) -> tuple[Floats, Bools]:
        """``[step, region, channel]`` anomalies and valid at ascending steps."""
        anomalies, valid = self.read(steps)
        if self.regions is None:
            return anomalies, valid
        return anomalies[:, self.regions], valid[:, self.regions]

    def matrix(self, steps: Ints) -> tuple[Floats, Bools]:
        """``[row, column]`` anomalies and valid at ascending steps."""
        arrays = self.at(steps)
        if self.pooled:
            arrays = arrays[0].transpose(0, 2, 1), arrays[1].transpose(0, 2, 1)
        columns = self.matrix_shape[1]
        return arrays[0].reshape(-1, columns), arrays[1].reshape(-1, columns)

    def parts(self, shared: int = 0, width: int = 0) -> Iterator[Ints]:
        """All steps in order, some at a time.

        Args:
            shared: Steps that a part has in common with the next one, so that each step meets the
                one so much later in exactly one part.
            width: Values that are held of a row of the matrix, if more than it has itself.
        """
        columns = self.matrix_shape[1]
        values = self.shape[1] * self.shape[2] // columns * max(columns, width)
        held = min(self.most_values, PART) // values
        own = max(held - shared, FEWEST_OWN * shared, 1)
        end = self.shape[0]
        for first in range(0, end - shared, own):
            yield np.arange(first, min(first + own + shared, end))

    def once(self, what: Hashable, find: Callable[[], Found]) -> Found:
        """What is found out about it, from the second time on as it was kept."""
        chosen = None if self.regions is None else self.regions.tobytes()
        key = what, self.shape[0], chosen, self.pooled
        if key not in self.found:
            self.found[key] = find()
        return self.found[key]  # type: ignore[return-value]
