"""Accuracy against sparsity: one ranking cut at many sparsities, one forecaster for all."""

from collections.abc import Callable

from sensorplan.evaluation.forecasts import forecast_errors
from sensorplan.metrics import Errors, ratio_interval
from sensorplan.plan import CurvePoint, Ranking, budget_at
from sensorplan.training import Trainer

SPARSITIES = tuple(round(0.1 * k, 1) for k in range(1, 10))


def accuracy_curve(
    trainer: Trainer,
    ranking: Ranking,
    method: str,
    all_sensors: Errors,
    done: Callable[[int], None],
) -> list[CurvePoint]:
    """Cut a ranking at sparsities 0.1 to 0.9; the mask-conditional forecaster serves every cut.

    Args:
        trainer: The forecaster, trained under masks of all sizes.
        ranking: The order of the regions.
        method: Name of what ranked them.
        all_sensors: Test errors from all sensors, the reference of the ratios.
        done: Told how many of the sparsities are done.
    """
    windows, regions = trainer.windows, trainer.windows.regions
    points = []
    for number, sparsity in enumerate(SPARSITIES, 1):
        budget = budget_at(sparsity, regions)
        forecast = trainer.forecast(ranking.keep(budget))
        cut = forecast_errors(windows, windows.split.test, forecast)
        low, high = ratio_interval(cut, all_sensors, windows.split.overlap, seed=0)
        points.append(
            CurvePoint(
                method=method,
                sparsity=sparsity,
                budget=budget,
                rmse=cut.rmse,
                mae=cut.mae,
                rmse_ratio=cut.rmse / all_sensors.rmse,
                ci_low=low,
                ci_high=high,
            )
        )
        done(number)
    return points
