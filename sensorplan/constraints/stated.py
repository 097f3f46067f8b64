"""What a plan must obey, in terms of the regions: `Constraints`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from sensorplan.sensors import Bools, Floats


@dataclass(frozen=True)
class Distance:
    """A distance between positions.

    Attributes:
        length: In metres between positions on the earth, else in the unit of the positions.
        text: As the user gave it.
    """

    length: float
    text: str


@dataclass(frozen=True)
class GroupLimit:
    """How many regions of a group are kept: ``low`` to ``high``; `high` None is any number."""

    low: int
    high: int | None

    @property
    def text(self) -> str:
        """``2:`` or ``2:5``, as the user gives it."""
        return f"{self.low}:{'' if self.high is None else self.high}"


@dataclass(frozen=True)
class Constraints:
    """What a plan must obey, besides its size.

    Attributes:
        names: ``[region]``.
        required: ``[region]`` True where it must be kept.
        excluded: ``[region]`` True where it must not be kept.
        excluded_by: Option that excludes to ``[region]`` what it excludes; `excluded` is all of
            these together.
        positions: ``[region, 2]`` latitude and longitude in degrees, or planar y and x; None
            without positions.
        geographic: True when positions are degrees.
        min_distance: Least distance between two kept regions.
        cover: Every target lies within that of a kept region.
        targets: ``[target, 2]`` positions to be covered.
        cost: ``[region]`` cost of keeping it; None without costs.
        max_cost: Largest sum of the costs of the kept regions.
        group: ``[region]`` group of each, empty for none.
        limits: How many of each group are kept.
    """

    names: tuple[str, ...]
    required: Bools
    excluded: Bools
    excluded_by: Mapping[str, Bools] = field(default_factory=dict)
    positions: Floats | None = None
    geographic: bool = False
    min_distance: Distance | None = None
    cover: Distance | None = None
    targets: Floats | None = None
    cost: Floats | None = None
    max_cost: float | None = None
    group: tuple[str, ...] = ()
    limits: Mapping[str, GroupLimit] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether anything is asked at all."""
        return bool(
            self.required.any()
            or self.excluded.any()
            or self.min_distance
            or self.cover
            or self.max_cost is not None
            or self.limits
        )


def unconstrained(names: tuple[str, ...]) -> Constraints:
    """Nothing is asked."""
    nothing = np.zeros(len(names), bool)
    return Constraints(names, nothing, nothing)
