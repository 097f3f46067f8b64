"""What random thinning would have cost, beside a plan."""

import numpy as np

from sensorplan.constraints import UndecidedError
from sensorplan.evaluation import mask_errors
from sensorplan.metrics import Errors
from sensorplan.pipeline.planning import RANDOM_PLANS, Prepared, Stage, random_rankings
from sensorplan.plan import RandomPlans
from sensorplan.rankers import RANDOM, make_history
from sensorplan.recipe import Recipe
from sensorplan.sensors import Bools


def random_plans(
    prepared: Prepared, recipe: Recipe, mask: Bools, everything: Errors, stage: Stage
) -> RandomPlans | None:
    """Judge random plans that obey the same rules, by the forecaster that the curve is made with.

    Args:
        prepared: The network, and its forecaster.
        recipe: All settings.
        mask: ``[region]`` the plan.
        everything: Test errors from all sensors.
        stage: Told of the stage.

    Returns:
        None for a plan that is random itself, or where none can be found that obeys.
    """
    if recipe.mask.method == RANDOM:
        return None
    trainer = prepared.trainer
    history = make_history(trainer.windows, seed=recipe.run.seed)
    try:
        masks = [
            prepared.rules.cut(ranking.order) for ranking in random_rankings(history, RANDOM_PLANS)
        ]
    except UndecidedError:
        return None
    with stage("judge random plans", len(masks) + 1) as done:
        judged = []
        for count, one in enumerate([mask, *masks], 1):
            judged.append(mask_errors(trainer, one))
            done(count)
    own, *random = [errors.rmse / everything.rmse for errors in judged]
    return RandomPlans(
        rmse=float(np.mean([errors.rmse for errors in judged[1:]])),
        mae=float(np.mean([errors.mae for errors in judged[1:]])),
        rmse_ratio=float(np.mean(random)),
        best=min(random),
        worst=max(random),
        plans=len(random),
        plan_ratio=own,
    )


def chance_note(random: RandomPlans | None) -> list[str]:
    """A warning where random thinning would have done as well, or better."""
    if random is None or random.plan_ratio < random.rmse_ratio:
        return []
    own, others = (100 * (ratio - 1) for ratio in (random.plan_ratio, random.rmse_ratio))
    return [
        f"no better than random thinning: by the forecaster before fine-tuning the plan is at "
        f"{own:+.1f} %, {random.plans} random plans of its size are at {others:+.1f} % on average"
    ]
