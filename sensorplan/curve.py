"""Accuracy against sparsity, as `curve.csv` and `curve.json` hold it."""

from typing import Any

from sensorplan.plan import SCHEMA_VERSION, DataRecord, Score
from sensorplan.records import Record

CURVE_FILE = "curve.json"
MAX_LOSS = 0.05  # of accuracy, up to which a curve is followed where nothing says how far


class CurvePoint(Record):
    """One row of `curve.csv`; the interval is that of ``rmse_ratio`` (95 %)."""

    method: str
    sparsity: float
    budget: int
    rmse: float
    mae: float
    rmse_ratio: float
    ci_low: float
    ci_high: float


class CurveRecord(Record):
    """What `curve.json` holds: how the points of `curve.csv` were made, and what they say.

    Attributes:
        max_loss: Share of the RMSE from all sensors that may be lost.
        knee: The sparsest learned plan within that; None when even the densest is not.
        best_baseline: Name of the baseline that the curve shows.
        baselines: Mean loss of each baseline on training and validation, by name (docs/curve.md).
        random_plans: Number of random plans.
        all_sensors: Forecast from every sensor, by the forecaster that judges all plans.
        linear: The same from ridge regression on the kept ones; None where it cannot be had.
        persistence: The last value of each sensor, carried on.
        climatology: The calendar alone, no sensor.
        unit: Of every RMSE and MAE.
        split: As in a plan.
        settings: Every setting of the run, as its recipe.
    """

    schema_version: int = SCHEMA_VERSION
    max_loss: float
    knee: CurvePoint | None
    best_baseline: str
    baselines: dict[str, float]
    random_plans: int
    all_sensors: Score
    persistence: Score
    climatology: Score
    unit: str
    data: DataRecord
    split: dict[str, Any]
    seed: int
    warnings: tuple[str, ...]
    timings: dict[str, float]
    versions: dict[str, str]
    settings: dict[str, Any]
