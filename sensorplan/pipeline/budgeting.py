"""How many sensors a largest loss lets go: learned plans of all sizes, and the knee among them."""

import numpy as np

from sensorplan.curve import CurvePoint
from sensorplan.errors import ConstraintError
from sensorplan.evaluation import find_knee, mask_errors, plan_curve
from sensorplan.evaluation.curve import FINE_SPARSITIES
from sensorplan.metrics import Errors
from sensorplan.pipeline.planning import Prepared, Stage, as_it_was
from sensorplan.plan import Metrics, budget_at
from sensorplan.rankers import OWN, masks_along, path_parts
from sensorplan.recipe import MaskSettings, Recipe
from sensorplan.sensors import Bools
from sensorplan.training import Trainer


def knee_within(max_loss: float, prepared: Prepared, recipe: Recipe, stage: Stage) -> CurvePoint:
    """The sparsest plan of the recipe's method within a largest loss; the trainer stays as it was.

    Args:
        max_loss: Share of the RMSE from all sensors.
        prepared: The network, and its forecaster.
        recipe: All settings.
        stage: Told of every stage.

    Raises:
        ConstraintError: Even the densest plan may cost more.
    """
    method, trainer = recipe.mask.method, prepared.trainer
    if method == OWN:
        masks = learned_masks(prepared, recipe.mask, stage)
    else:
        ranking = prepared.rankings[method]
        masks = {budget: ranking.keep(budget) for budget in fine_budgets(len(prepared.regions))}
    with stage("judge plans", len(FINE_SPARSITIES)) as done:
        reference = everything_errors(trainer)
        points = plan_curve(trainer, masks, method, reference, FINE_SPARSITIES, done)
    regions = len(prepared.regions)
    knee = find_knee(points, max_loss, regions)
    if knee is None:
        densest = next((point for point in points if point.budget < regions), points[-1])
        raise ConstraintError(no_knee(densest, max_loss, regions))
    return knee


def learned_masks(prepared: Prepared, mask: MaskSettings, stage: Stage) -> dict[int, Bools]:
    """``[region]`` mask that DynST trains for each of the fine sparsities, by budget.

    The trainer stays as it was: the forecaster that judges the masks owes them nothing.
    """
    trainer, budgets = prepared.trainer, fine_budgets(len(prepared.regions))
    parts = path_parts(int(trainer.windows.observed.sum()), mask, budgets)
    with stage("train masks", parts) as done, as_it_was(trainer):
        return masks_along(trainer, mask, budgets, done, prepared.rankings)


def everything_errors(trainer: Trainer) -> Errors:
    """Test errors from all sensors, of the forecaster that all plans share."""
    return mask_errors(trainer, np.ones(trainer.windows.regions, bool))


def fine_budgets(regions: int) -> list[int]:
    """Regions kept at each of the fine sparsities."""
    return [budget_at(sparsity, regions) for sparsity in FINE_SPARSITIES]


def no_knee(densest: CurvePoint, max_loss: float, regions: int) -> str:
    """Why there is no plan within a largest loss, in a sentence."""
    return (
        f"max-loss {100 * max_loss:g} %: no plan stays within it; {100 * densest.sparsity:.0f} % "
        f"off ({densest.budget} of {regions} kept) may already cost "
        f"{100 * (densest.ci_high - 1):.1f} % (upper end of the 95 % interval)"
    )


def knee_notes(max_loss: float, knee: CurvePoint, metrics: Metrics) -> list[str]:
    """What a plan whose size was chosen by a largest loss must say."""
    low, high = (100 * (end - 1) for end in (knee.ci_low, knee.ci_high))
    notes = [
        f"the number of sensors was chosen for a loss within {100 * max_loss:g} %, where the curve "
        f"of learned plans loses {100 * (knee.rmse_ratio - 1):.1f} % ({low:.1f} to {high:.1f} %): "
        "on the same test stretch that judges the plan, so its scores are slightly optimistic"
    ]
    if metrics.rmse_ratio > 1 + max_loss:
        notes.append(
            f"fine-tuned, the plan loses {100 * (metrics.rmse_ratio - 1):.1f} %, more than the "
            f"{100 * max_loss:g} % asked for: all sensors gain more by fine-tuning than the plan"
        )
    return notes
