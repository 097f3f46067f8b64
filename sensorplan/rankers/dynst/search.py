"""The training of the mask: pruned in rounds, then dropped and regrown.

A forecaster that was trained under random masks of all sizes and the mask's weights θ are trained
on together, while the mask is pruned in rounds and regions are dropped and regrown. Where history
is short the search can overfit: a jury judges its mask beside those of challengers, and refines the
best. From the mask at the budget the ranking is read off both ways, by eliminating the kept regions
in rounds and growing back the pruned ones, without more training.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from sensorplan import masking
from sensorplan.plan import Ranking
from sensorplan.rankers.dynst.cross_validation import CrossValidation
from sensorplan.rankers.dynst.jury import Jury, best_of, practise
from sensorplan.rankers.dynst.moves import first_observed, keep_better, prune, swap
from sensorplan.rankers.dynst.probing import windows_probed
from sensorplan.rankers.dynst.reading_off import eliminate, grow_back, importance_along
from sensorplan.recipe import MaskSettings
from sensorplan.sensors import Bools
from sensorplan.training import Trainer

OWN = "dynst"  # among the candidates, the trained mask


@dataclass(frozen=True)
class MaskTraining:
    """What the training of a mask gave.

    Attributes:
        mask: ``[region]`` the mask at the budget.
        ranking: The order of all regions; its first `budget` are those of `mask`.
        oscillation: Share of the kept regions that changed sides more than once after the last
            pruning; 0 where a challenger was taken.
        candidates: Of the trained mask (`OWN`) and of each challenger, the logarithm of its loss
            over that of all regions, as the jury sees it; the lowest was refined into `mask`.
        loss: The same of `mask`.
    """

    mask: Bools
    ranking: Ranking
    oscillation: float
    candidates: dict[str, float] = field(default_factory=dict)
    loss: float | None = None


def rank_by_dynst(
    trainer: Trainer,
    settings: MaskSettings,
    budget: int,
    each_step: Callable[[int], None] | None = None,
    challengers: Mapping[str, Ranking] | None = None,
) -> MaskTraining:
    """Train the mask down to a budget, from a trainer that was trained under random masks.

    Regions that training never observed come last, in their own order.

    Args:
        trainer: Forecaster and θ; both go on training, and end as they were before if that is
            better on validation.
        settings: Rounds, swaps and penalty.
        budget: Regions to keep.
        each_step: Called after every step with its number from 1.
        challengers: Other rankings, whose masks at the budget compete with the trained one.
    """
    before = trainer.snapshot()
    observed = trainer.windows.observed
    regions, kept = int(observed.sum()), min(budget, int(observed.sum()))
    sizes = masking.budgets(regions, kept, settings.rounds) + [kept] * settings.refinements
    mask = observed
    probed = windows_probed(settings, len(observed))
    settled: list[Bools] = []  # masks since the last pruning

    def masks(batch: int) -> Tensor:
        """Half of the batch sees the mask as it is, half random masks of all sizes."""
        drawn = trainer.random_masks(batch)
        drawn[: batch // 2] = trainer.mask_tensor(mask)
        return drawn

    def update(step: int) -> None:
        nonlocal mask
        size = sizes[(step - 1) // settings.round_steps]
        if step % settings.round_steps == 0 and size < mask.sum():
            mask = prune(trainer, mask, size, probed)
        elif step % settings.update_every == 0:
            share = masking.swap_fraction(step, settings.steps, settings.swap_fraction)
            mask = swap(trainer, mask, math.ceil(share * mask.sum()), probed)
        if step % settings.update_every == 0 and mask.sum() == kept:
            settled.append(mask)
        if each_step:
            each_step(step)

    trainer.train(
        settings.steps,
        trainer.late_rate,
        masks,
        penalty=settings.penalty,
        each_step=update,
        keep_best=False,
    )
    keep_better(trainer, before)
    proposed = {OWN: mask} | {
        name: first_observed(ranking, observed, kept)
        for name, ranking in (challengers or {}).items()
    }
    trained = trainer.snapshot()
    trainer.restore(before)
    practise(trainer, settings.practice, [*proposed.values(), observed])
    jury = Jury(trainer, CrossValidation(trainer.windows), probed)
    candidates = {name: jury.loss(proposal) for name, proposal in proposed.items()}
    best = best_of(candidates)
    mask, loss = jury.refine(proposed[best], probed)
    trainer.restore(trained)
    oscillation = masking.oscillation(settled) if best == OWN else 0.0
    order = np.concatenate(
        [
            eliminate(trainer, mask, probed),
            grow_back(trainer, mask, probed),
            np.flatnonzero(~observed),
        ]
    )
    ranking = Ranking(order, importance_along(trainer, order))
    return MaskTraining(ranking.keep(budget), ranking, oscillation, candidates, loss)
