"""The plan: a ranking cut at a budget, with its evidence, as `plan.json` holds it."""

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from sensorplan.sensors import Floats, Ints

SCHEMA_VERSION = 1


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Score(_Record):
    """Error of one forecast over all sensors, lead times and later windows, in the data's unit."""

    rmse: float
    mae: float


class Metrics(_Record):
    """The evidence of a plan, on later time that neither training nor selection has seen.

    Attributes:
        all_sensors: Forecast from every sensor.
        plan: Forecast of every sensor from the kept ones.
        persistence: The last value of each sensor, carried on.
        climatology: The calendar alone, no sensor.
        rmse_ratio: RMSE of the plan / RMSE from all sensors.
        value_kept: Share of what the sensors add to the calendar that the plan keeps; None when they add nothing.
    """

    all_sensors: Score
    plan: Score
    persistence: Score
    climatology: Score
    rmse_ratio: float
    value_kept: float | None


class DataRecord(_Record):
    """Which data the plan is for."""

    path: str
    sha256: str
    variable: tuple[str, ...]
    units: tuple[str, ...]
    sensors: int
    regions: int
    times: int
    step: str


class Plan(_Record):
    """A ranking cut at a budget, with its evidence.

    Attributes:
        sparsity: Share of the regions that is switched off.
        budget: Number of regions kept.
        kept: Names of the kept regions, best first.
        dropped: Names of the dropped regions, best first.
        split: How time was cut: ``train``, ``validation`` and ``test`` with first and last time, and the windows in each.
        settings: Every setting of the run, as its recipe.
    """

    schema_version: int = SCHEMA_VERSION
    method: str
    sparsity: float
    budget: int
    kept: tuple[str, ...]
    dropped: tuple[str, ...]
    data: DataRecord
    split: dict[str, Any]
    seed: int
    metrics: Metrics
    warnings: tuple[str, ...]
    timings: dict[str, float]
    versions: dict[str, str]
    settings: dict[str, Any]


class CurvePoint(_Record):
    """One row of `curve.csv`; the interval is that of ``rmse_ratio`` (95 %)."""

    method: str
    sparsity: float
    budget: int
    rmse: float
    mae: float
    rmse_ratio: float
    ci_low: float
    ci_high: float


class Ranking:
    """An order over the regions, best first.

    Attributes:
        order: ``[region]`` region index at each rank.
        importance: ``[region]`` score of each region, falling along `order`, in [0, 1].
    """

    def __init__(self, order: Ints, importance: Floats) -> None:
        assert sorted(order.tolist()) == list(range(len(order)))
        self.order = order
        self.importance = importance

    def keep(self, budget: int) -> "np.typing.NDArray[np.bool_]":
        """``[region]`` mask that keeps the `budget` best."""
        mask = np.zeros(len(self.order), bool)
        mask[self.order[:budget]] = True
        return mask
