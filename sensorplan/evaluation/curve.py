"""Accuracy against sparsity: plans of many sizes, one forecaster for all."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sensorplan.curve import CurvePoint
from sensorplan.evaluation.forecasts import forecast_errors
from sensorplan.evaluation.limit import Limit
from sensorplan.metrics import Errors, ratio_interval
from sensorplan.plan import Ranking, budget_at
from sensorplan.rankers import RANDOM
from sensorplan.rankers.dynst.probing import draw_stretches, relative_loss
from sensorplan.sampling import fitting_windows
from sensorplan.sensors import Bools
from sensorplan.training import Trainer

SPARSITIES = tuple(round(0.1 * k, 1) for k in range(1, 10))
FINE_SPARSITIES = tuple(round(0.05 * k, 2) for k in range(1, 20))
PROBED = 64  # training and validation windows that tell baselines apart

LIMIT = "limit"  # a method of a curve


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
    budgets = [budget_at(sparsity, trainer.windows.regions) for sparsity in SPARSITIES]
    cuts = {budget: ranking.keep(budget) for budget in budgets}
    return plan_curve(trainer, cuts, method, all_sensors, SPARSITIES, done)


def plan_curve(
    trainer: Trainer,
    masks: Mapping[int, Bools],
    method: str,
    all_sensors: Errors,
    sparsities: Sequence[float],
    done: Callable[[int], None] = lambda number: None,
) -> list[CurvePoint]:
    """A point for each sparsity, from a plan for each budget.

    Args:
        trainer: The forecaster, trained under masks of all sizes.
        masks: ``[region]`` the plan, by budget.
        method: Name of what made the plans.
        all_sensors: Test errors from all sensors, the reference of the ratios.
        sparsities: Of the points.
        done: Told how many of the sparsities are done.
    """
    windows, points = trainer.windows, []
    for number, sparsity in enumerate(sparsities, 1):
        budget = budget_at(sparsity, windows.regions)
        mask = masks[budget]
        cut = all_sensors if mask.all() else mask_errors(trainer, mask)
        points.append(_point(method, sparsity, budget, cut, all_sensors, windows.split.overlap))
        done(number)
    return points


def random_curve(
    trainer: Trainer,
    rankings: Sequence[Ranking],
    all_sensors: Errors,
    sparsities: Sequence[float],
    done: Callable[[int], None],
) -> list[CurvePoint]:
    """The mean of random plans; the band reaches from the best to the worst of them.

    Args:
        trainer: The forecaster, trained under masks of all sizes.
        rankings: Random orders.
        all_sensors: Test errors from all sensors, the reference of the ratios.
        sparsities: Of the points.
        done: Told how many of the sparsities are done.
    """
    points = []
    for number, sparsity in enumerate(sparsities, 1):
        budget = budget_at(sparsity, trainer.windows.regions)
        cuts = [mask_errors(trainer, ranking.keep(budget)) for ranking in rankings]
        ratios = [cut.rmse / all_sensors.rmse for cut in cuts]
        points.append(
            CurvePoint(
                method=RANDOM,
                sparsity=sparsity,
                budget=budget,
                rmse=float(np.mean([cut.rmse for cut in cuts])),
                mae=float(np.mean([cut.mae for cut in cuts])),
                rmse_ratio=float(np.mean(ratios)),
                ci_low=min(ratios),
                ci_high=max(ratios),
            )
        )
        done(number)
    return points


def limit_curve(
    limit: Limit, regions: int, overlap: int, sparsities: Sequence[float]
) -> list[CurvePoint]:
    """The linear limit; its ratios are to ridge regression on all sensors.

    Args:
        limit: Its errors at the budgets of the sparsities.
        regions: Number of regions.
        overlap: Windows from one on to the first that shares no step with it.
        sparsities: Of the points.
    """
    budgets = [budget_at(sparsity, regions) for sparsity in sparsities]
    return [
        _point(LIMIT, sparsity, budget, limit.at[budget], limit.all_sensors, overlap)
        for sparsity, budget in zip(sparsities, budgets, strict=True)
    ]


def baseline_losses(
    trainer: Trainer, rankings: Mapping[str, Ranking], budgets: Sequence[int]
) -> dict[str, float]:
    """How well rankings do on training and validation, as the mean over budgets.

    Returns:
        By name, the mean logarithm of the squared error over that from all regions; a value c is an
        RMSE that is e^(c/2) times that of all regions.
    """
    stretches = draw_stretches(trainer, fitting_windows(PROBED, trainer.windows.regions, 64))
    whole = sum(stretch.weight for stretch in stretches)
    everything = relative_loss(trainer, trainer.windows.observed, stretches)

    def loss(ranking: Ranking) -> float:
        cuts = [relative_loss(trainer, ranking.keep(budget), stretches) for budget in budgets]
        return float(np.mean(cuts) - everything) / whole

    return {name: loss(ranking) for name, ranking in rankings.items()}


def find_knee(points: Sequence[CurvePoint], max_loss: float, regions: int) -> CurvePoint | None:
    """The sparsest point whose loss, and that of all denser points, is within bounds.

    A loss is within bounds when the upper end of the ratio's interval is at most 1 + `max_loss`. A
    point that in a small network keeps every region is none.

    Args:
        points: Of one method.
        max_loss: Share of the RMSE from all sensors.
        regions: Number of regions.

    Returns:
        The point; None when even the densest is out of bounds.
    """
    knee = None
    thinner = [point for point in points if point.budget < regions]
    for point in sorted(thinner, key=lambda point: point.sparsity):
        if not point.ci_high <= 1 + max_loss:
            break
        knee = point
    return knee


def mask_errors(trainer: Trainer, mask: Bools) -> Errors:
    """Test errors of the shared forecaster from the kept regions."""
    return forecast_errors(trainer.windows, trainer.windows.split.test, trainer.forecast(mask))


def _point(
    method: str, sparsity: float, budget: int, cut: Errors, reference: Errors, overlap: int
) -> CurvePoint:
    low, high = ratio_interval(cut, reference, overlap, seed=0)
    return CurvePoint(
        method=method,
        sparsity=sparsity,
        budget=budget,
        rmse=cut.rmse,
        mae=cut.mae,
        rmse_ratio=cut.rmse / reference.rmse,
        ci_low=low,
        ci_high=high,
    )
