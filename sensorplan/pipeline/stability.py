"""How often each region is kept over resampled histories, and what that makes one warn of."""

from collections.abc import Sequence

import numpy as np

from sensorplan.pipeline.planning import Prepared, Stage
from sensorplan.pipeline.recording import SHOWN
from sensorplan.plan import Ranking, Stability
from sensorplan.rankers import (
    MASK_RESAMPLES,
    OWN,
    RANKERS,
    make_history,
    mask_frequency,
    ranker_frequency,
    windows_probed,
)
from sensorplan.recipe import Recipe
from sensorplan.sensors import Bools, Floats

RESAMPLES, FEW_RESAMPLES = 20, 5  # of a baseline's history
MANY = 5000  # regions, above which there are few
LEAST_BLOCKS = 10  # in a baseline's history
LITTLE = 0.2  # of the way from chance to certainty, below which a plan is unsure


def resample_plan(
    prepared: Prepared, mask: Bools, recipe: Recipe, stage: Stage
) -> tuple[Floats, Stability]:
    """How often each region is kept over resampled histories.

    A baseline ranks each of them anew; the forecaster that DynST has trained is asked about each.

    Args:
        prepared: The network and the trained forecaster, both left as they are.
        mask: ``[region]`` the plan.
        recipe: All settings.
        stage: Told of this one.

    Returns:
        ``[region]`` share of the resamples, and what the plan says of them.
    """
    trainer, rules, method = prepared.trainer, prepared.rules, recipe.mask.method
    split, regions = trainer.windows.split, len(prepared.regions)
    block = split.lookback + split.horizon
    with stage("resample the history", 1):
        if method == OWN:
            resamples, probed = MASK_RESAMPLES, windows_probed(recipe.mask, regions)
            frequency = trainer.remember(
                "mask frequency",
                lambda: mask_frequency(trainer, mask, probed, recipe.run.seed, rules),
            )
        else:
            resamples = RESAMPLES if regions <= MANY else FEW_RESAMPLES
            history = make_history(trainer.windows, seed=recipe.run.seed)
            block = max(1, min(block, len(history.anomalies) // LEAST_BLOCKS))
            frequency = trainer.remember(
                "ranker frequency",
                lambda: ranker_frequency(RANKERS[method], history, rules, block, resamples),
            )
    mean_kept = round(float(frequency[mask].mean()), 6)
    return frequency, Stability(resamples=resamples, block=block, mean_kept=mean_kept)


def stability_note(
    stability: Stability, frequency: Floats, ranking: Ranking, budget: int, names: Sequence[str]
) -> list[str]:
    """A plain sentence when the kept regions are kept hardly more often than chance would."""
    chance = budget / len(names)
    if stability.mean_kept >= chance + LITTLE * (1 - chance):
        return []
    kept = ranking.order[:budget]
    unsure = kept[np.argsort(frequency[kept], kind="stable")[:SHOWN]]
    shown = ", ".join(names[region] for region in unsure)
    return [
        f"the choice is unsure: over {stability.resamples} resampled histories a kept sensor is "
        f"kept {100 * stability.mean_kept:.0f} % of the time on average, by chance "
        f"{100 * chance:.0f} %; least sure: {shown}"
    ]
