"""The plan: a ranking cut at a budget, with its evidence, as `plan.json` holds it."""

import json
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field, ValidationError

from sensorplan.errors import DataError, RecipeError
from sensorplan.reasons import Resilience
from sensorplan.records import Record as Record
from sensorplan.sensors import Floats, Ints

SCHEMA_VERSION = 1
PLAN_FILE = "plan.json"


class Score(Record):
    """Error of one forecast over all sensors, lead times and later windows, in the data's unit."""

    rmse: float
    mae: float


class RandomPlans(Score):
    """Random thinning to the plan's size, judged by one forecaster that was fitted to no plan.

    Attributes:
        rmse: Mean over the random plans.
        mae: The same.
        rmse_ratio: Mean RMSE / RMSE from all sensors.
        best: The lowest of these ratios.
        worst: The highest.
        plans: How many random plans.
        plan_ratio: That ratio of the plan itself, by the same forecaster.
    """

    rmse_ratio: float
    best: float
    worst: float
    plans: int
    plan_ratio: float


class Metrics(Record):
    """The evidence of a plan, on later time that neither training nor selection has seen.

    Attributes:
        all_sensors: Forecast from every sensor.
        plan: Forecast of every sensor from the kept ones.
        linear: The same from ridge regression on the kept ones; None where it cannot be had.
        persistence: The last value of each sensor, carried on.
        climatology: The calendar alone, no sensor.
        random: Random plans of the same size; None for a random plan, or where the constraints
            allow none that could be found.
        unit: Of every RMSE and MAE: the variable's own, or ``standard deviations`` where several
            variables are scored together.
        rmse_ratio: RMSE of the plan / RMSE from all sensors.
        value_kept: Share of what the sensors add to the calendar that the plan keeps; None when
            they add nothing.
    """

    all_sensors: Score
    plan: Score
    linear: Score | None = None
    persistence: Score
    climatology: Score
    random: RandomPlans | None = None
    unit: str
    rmse_ratio: float
    value_kept: float | None


class ForecasterRecord(Record):
    """The forecaster that goes with a plan.

    Attributes:
        backbone: Architecture of the network.
        shipped: What was best on validation: the network's name, ``linear`` or ``blend``.
        linear_share: Mean share of the linear forecast in it.
    """

    backbone: str
    shipped: str
    linear_share: float


class Stability(Record):
    """How the plan fares over resampled histories.

    Attributes:
        resamples: Number of resampled histories.
        block: Steps in a block that is drawn as one.
        mean_kept: Mean share of them that keep a kept region.
    """

    resamples: int
    block: int
    mean_kept: float


class PhaseRecord(Record):
    """One step in which sensors are switched off.

    Attributes:
        sparsity: Share of the regions that is off then.
        budget: Number of regions kept.
        switched_off: Names of the regions that go in this phase.
        rmse: Of the forecast from what is left, by the forecaster that judges all phases.
        mae: The same.
        rmse_ratio: RMSE / RMSE from all sensors.
        ci_low: Of its 95 % interval.
        ci_high: Of its 95 % interval.
    """

    sparsity: float
    budget: int
    switched_off: tuple[str, ...]
    rmse: float
    mae: float
    rmse_ratio: float
    ci_low: float
    ci_high: float


class ConstraintCheck(Record):
    """One constraint, checked again on the plan as it is written.

    Attributes:
        constraint: As the user gave it.
        found: What the plan has.
        met: Whether that is allowed.
    """

    constraint: str
    found: str
    met: bool


class DataRecord(Record):
    """Which data the plan is for."""

    path: str
    sha256: str
    variable: tuple[str, ...]
    units: tuple[str, ...]
    sensors: int
    regions: int
    times: int
    step: str


class Plan(Record):
    """A ranking cut at a budget, with its evidence.

    Attributes:
        sparsity: Share of the regions that is switched off.
        budget: Number of regions kept.
        kept: Names of the kept regions, best first.
        dropped: Names of the dropped regions, best first.
        split: How time was cut: ``train``, ``validation`` and ``test``, each with first and last
            time and its windows.
        candidates: Loss of each mask that competed, by name (docs/plan-folder.md).
        candidate_loss: The same of the plan, which is the best of them, refined.
        forecaster: What goes with the plan; None in older plans.
        stability: Over resampled histories; None in older plans.
        constraints: Every constraint, checked again on the plan; none where nothing was asked but
            a number of sensors, nor in older plans.
        required: Names of the regions that had to be kept.
        excluded: Names of the regions that must not be kept.
        phases: The steps to it; none where it is made at once.
        interval_coverage: Share of the observed values of the test stretch that lie in the
            forecaster's intervals, by level (``"0.9"``); none in older plans.
        resilience: What failures of kept regions cost; None in older plans.
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
    candidates: dict[str, float] = Field(default_factory=dict)
    candidate_loss: float | None = None
    forecaster: ForecasterRecord | None = None
    stability: Stability | None = None
    constraints: tuple[ConstraintCheck, ...] = ()
    required: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    phases: tuple[PhaseRecord, ...] = ()
    interval_coverage: dict[str, float] = Field(default_factory=dict)
    resilience: Resilience | None = None
    metrics: Metrics
    warnings: tuple[str, ...]
    timings: dict[str, float]
    versions: dict[str, str]
    settings: dict[str, Any]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The plan in a folder that `sensorplan fit` wrote.

        Raises:
            DataError: The folder's `plan.json` is missing, damaged, or from a newer sensorplan.
        """
        file = folder / PLAN_FILE
        try:
            content = json.loads(file.read_bytes())
        except OSError as error:
            raise DataError(
                f"{file}: cannot be read ({error.strerror}); "
                "expected a folder written by sensorplan fit"
            ) from error
        except ValueError as error:
            raise DataError(f"{file}: damaged, no JSON ({error})") from error
        version = content.get("schema_version") if isinstance(content, dict) else None
        if isinstance(version, int) and version > SCHEMA_VERSION:
            raise DataError(
                f"{file}: schema_version = {version} is of a newer sensorplan; "
                f"this one reads up to {SCHEMA_VERSION}"
            )
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the whole"
            raise DataError(f"{file}: damaged, {where}: {first['msg']}") from error


def budget_at(sparsity: float, regions: int) -> int:
    """Number of regions kept at a sparsity in [0, 1): at least one.

    >>> budget_at(0.4, 12)
    7
    """
    return max(1, round((1 - sparsity) * regions))


def check_sparsity(sparsity: object) -> None:
    """Refuse what is no sparsity.

    Raises:
        RecipeError: It is no number, or not in [0, 1).
    """
    if not isinstance(sparsity, float | int | np.number):
        raise RecipeError(f"--sparsity {sparsity!r}; expected 0 <= sparsity < 1")
    if not 0 <= float(sparsity) < 1:
        raise RecipeError(f"--sparsity {sparsity:g}; expected 0 <= sparsity < 1")


def stem_of(path: str) -> str:
    """Name of the (first) data file of a record without folder and ending."""
    return Path(path.split(",")[0]).stem


class Ranking:
    """An order over the regions, best first.

    Attributes:
        order: ``[region]`` region index at each rank.
        importance: ``[region]`` score of each region, in [0, 1], falling along `order` as far as
            no constraint moved a region.
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
