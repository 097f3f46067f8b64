"""Judging: how good the forecast of every sensor is, on later time that nothing was trained on."""

from sensorplan.evaluation.comparison import (
    DRAWS_SEED,
    MARGIN,
    Case,
    JudgedErrors,
    join_folds,
    lead_rows,
    method_rows,
    sensor_rows,
    verdict,
)
from sensorplan.evaluation.conditions import condition_rows, weakest_condition
from sensorplan.evaluation.conformal import LEVELS, Intervals, calibrate
from sensorplan.evaluation.coverage import Coverage, interval_coverage
from sensorplan.evaluation.curve import (
    accuracy_curve,
    baseline_losses,
    find_knee,
    limit_curve,
    mask_errors,
    plan_curve,
    random_curve,
)
from sensorplan.evaluation.evidence import (
    FEW_APART,
    Evidence,
    forecaster_warnings,
    gather_evidence,
    history_warnings,
)
from sensorplan.evaluation.forecasts import (
    Forecast,
    climatology_errors,
    compact_forecast,
    forecast_errors,
    persistence_errors,
    score_of,
)
from sensorplan.evaluation.leads import lead_errors
from sensorplan.evaluation.limit import linear_limit, why_no_limit
from sensorplan.evaluation.neural import train_judge
from sensorplan.evaluation.panel import Panel, tune_linear
from sensorplan.evaluation.resilience import Failures, judge_failures
from sensorplan.evaluation.ridge import RidgeJudge, ridge_errors
from sensorplan.evaluation.shipping import Shipped, make_linear, ship
from sensorplan.evaluation.tracking import widening

__all__ = [
    "DRAWS_SEED",
    "FEW_APART",
    "LEVELS",
    "MARGIN",
    "Case",
    "Coverage",
    "Evidence",
    "Failures",
    "Forecast",
    "Intervals",
    "JudgedErrors",
    "Panel",
    "RidgeJudge",
    "Shipped",
    "accuracy_curve",
    "baseline_losses",
    "calibrate",
    "climatology_errors",
    "compact_forecast",
    "condition_rows",
    "find_knee",
    "forecast_errors",
    "forecaster_warnings",
    "gather_evidence",
    "history_warnings",
    "interval_coverage",
    "join_folds",
    "judge_failures",
    "lead_errors",
    "lead_rows",
    "limit_curve",
    "linear_limit",
    "make_linear",
    "mask_errors",
    "method_rows",
    "persistence_errors",
    "plan_curve",
    "random_curve",
    "ridge_errors",
    "score_of",
    "sensor_rows",
    "ship",
    "train_judge",
    "tune_linear",
    "verdict",
    "weakest_condition",
    "why_no_limit",
    "widening",
]
