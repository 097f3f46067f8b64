"""Judging: how good the forecast of every sensor is, on later time that nothing was trained on."""

from sensorplan.evaluation.curve import accuracy_curve
from sensorplan.evaluation.evidence import Evidence, gather_evidence, tuned_errors
from sensorplan.evaluation.forecasts import (
    climatology_errors,
    forecast_errors,
    persistence_errors,
)
from sensorplan.evaluation.neural import train_judge
from sensorplan.evaluation.ridge import RidgeJudge, ridge_errors

__all__ = [
    "Evidence",
    "RidgeJudge",
    "accuracy_curve",
    "climatology_errors",
    "forecast_errors",
    "gather_evidence",
    "persistence_errors",
    "ridge_errors",
    "train_judge",
    "tuned_errors",
]
