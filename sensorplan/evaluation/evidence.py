"""The evidence of a plan, and what it makes one warn of."""

from dataclasses import dataclass

import numpy as np

from sensorplan.evaluation.forecasts import (
    climatology_errors,
    compact_forecast,
    forecast_errors,
    persistence_errors,
    score_of,
)
from sensorplan.evaluation.shipping import Shipped, make_linear, ship
from sensorplan.metrics import Errors, value_kept
from sensorplan.plan import Metrics
from sensorplan.sensors import Bools
from sensorplan.training import Trainer
from sensorplan.windows import Split, Windows

LITTLE = 0.1  # share of the calendar's error that all sensors must take away to be worth it
FAR_WORSE = 1.25  # RMSE ratio
UNSTEADY = 0.1  # share of the kept regions that change sides more than once
FEW_WINDOWS = 100  # of training
FEW_APART = 4  # test windows that share no step


@dataclass(frozen=True)
class Evidence:
    """The scores of a plan on later time, its compact forecaster, and plain warnings.

    Attributes:
        mask: ``[region]`` the plan.
        metrics: The scores.
        all_sensors: Test errors from all sensors, the reference of every ratio.
        plan: Test errors of the plan.
        persistence: Those of the last value of each sensor, carried on.
        climatology: Those of the calendar alone.
        whole: The forecaster from all regions.
        shipped: The forecaster of the plan, from the kept regions alone.
        warnings: Plain sentences.
    """

    mask: Bools
    metrics: Metrics
    all_sensors: Errors
    plan: Errors
    persistence: Errors
    climatology: Errors
    whole: Shipped
    shipped: Shipped
    warnings: tuple[str, ...]


def gather_evidence(trainer: Trainer, mask: Bools, oscillation: float, unit: str) -> Evidence:
    """Make the forecaster of the plan and that of all sensors; score both and the references.

    Each network is fine-tuned from the shared one and ends with the state that is best on
    validation, the first one included. The trainer is left as it was.

    Args:
        trainer: The forecaster, trained under masks of all sizes.
        mask: ``[region]`` the plan.
        oscillation: See `sensorplan.masking.oscillation`.
        unit: Of the errors.
    """
    windows, test = trainer.windows, trainer.windows.split.test
    linear = make_linear(trainer)
    whole = ship(trainer, linear, np.ones(len(mask), bool))
    shipped = whole if mask.all() else ship(trainer, linear, mask)
    everything = forecast_errors(windows, test, whole.forecast)
    plan = everything if mask.all() else forecast_errors(windows, test, shipped.forecast)
    without, carried = climatology_errors(windows, test), persistence_errors(windows, test)
    floor = _linear_errors(windows, shipped)
    metrics = Metrics(
        all_sensors=score_of(everything),
        plan=score_of(plan),
        linear=score_of(floor) if floor else None,
        persistence=score_of(carried),
        climatology=score_of(without),
        unit=unit,
        rmse_ratio=plan.rmse / everything.rmse,
        value_kept=value_kept(without.rmse, plan.rmse, everything.rmse),
    )
    warnings = _warnings(metrics, oscillation, windows.split)
    return Evidence(
        mask, metrics, everything, plan, carried, without, whole, shipped, tuple(warnings)
    )


def _linear_errors(windows: Windows, shipped: Shipped) -> Errors | None:
    """Test errors of ridge regression on the plan, where there is one."""
    if shipped.linear is None:
        return None
    forecast = compact_forecast(shipped.linear, shipped.mask)
    return forecast_errors(windows, windows.split.test, forecast)


def _warnings(metrics: Metrics, oscillation: float, split: Split) -> list[str]:
    warnings = forecaster_warnings(
        metrics.all_sensors.rmse, metrics.climatology.rmse, metrics.persistence.rmse, "plan"
    )
    if metrics.rmse_ratio > FAR_WORSE:
        warnings.append(
            f"the plan's RMSE is {metrics.rmse_ratio:.2f} times that of all sensors; "
            "keep more sensors"
        )
    if oscillation > UNSTEADY:
        warnings.append(
            f"the mask did not settle: {100 * oscillation:.0f} % of the kept sensors changed sides "
            "more than once; their ranks are uncertain"
        )
    return [*warnings, *history_warnings(split)]


def forecaster_warnings(
    everything: float, calendar: float, persistence: float, judged: str
) -> list[str]:
    """What makes all plans doubtful: a forecaster that is no better than none.

    Args:
        everything: RMSE from all sensors.
        calendar: RMSE of the calendar alone.
        persistence: RMSE of the last value, carried on.
        judged: What is not to be trusted, in a word.
    """
    warnings = []
    if everything >= min(calendar, persistence):
        better = "the calendar alone" if calendar <= persistence else "persistence"
        warnings.append(
            f"the forecaster did not learn: from all sensors its RMSE is {everything:.4g}, "
            f"no better than {min(calendar, persistence):.4g} of {better}; "
            f"do not trust this {judged}"
        )
    if everything > (1 - LITTLE) * calendar:
        change = 100 * (everything / calendar - 1) if calendar else 0.0
        warnings.append(
            f"the sensors add little to the calendar: all of them change its RMSE by "
            f"{change:+.1f} %; almost any plan will look good"
        )
    return warnings


def history_warnings(split: Split) -> list[str]:
    """Warnings when there is little to learn from, or to judge on."""
    warnings = []
    if len(split.train) < FEW_WINDOWS:
        warnings.append(
            f"the history is short: {len(split.train)} training windows; the ranking is uncertain"
        )
    apart = len(split.test) / split.overlap
    if apart < FEW_APART:
        warnings.append(
            f"the test stretch is short: {len(split.test)} windows, {apart:.1f} of them without "
            "overlap; intervals are wide, and not to be relied on"
        )
    return warnings
