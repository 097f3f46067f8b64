"""The training of the mask: pruned in rounds, then dropped and regrown.

A forecaster that was trained under random masks of all sizes and the mask's weights θ are trained
on together, while the mask is pruned in rounds and regions are dropped and regrown. Where history
is short the search can overfit: the masks of challengers are judged by the same loss, and the best
is taken. From the mask at the budget the ranking is read off both ways, by eliminating the kept
regions in rounds and growing back the pruned ones, without more training.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from sensorplan import masking
from sensorplan.plan import Ranking
from sensorplan.rankers.dynst.probing import draw_stretches, probe, relative_loss
from sensorplan.rankers.dynst.reading_off import eliminate, grow_back, importance_along
from sensorplan.recipe import MaskSettings
from sensorplan.sensors import Bools
from sensorplan.training import Snapshot, Trainer, fitting_windows

NOISE = (0.0, 0.5, 1.0, 2.0)  # standard deviations of the score, one a proposal
OWN = "dynst"  # among the candidates, the trained mask
FINAL_WINDOWS = 4  # times as many decide between the candidates as in a probe
SPACINGS = (2.0, 6.0, 20.0)  # see `masking.prune_apart`, one a proposal


@dataclass(frozen=True)
class MaskTraining:
    """What the training of a mask gave.

    Attributes:
        mask: ``[region]`` the mask at the budget.
        ranking: The order of all regions; its first `budget` are those of `mask`.
        oscillation: Share of the kept regions that changed sides more than once after the last
            pruning; 0 where a challenger was taken.
        candidates: Of the trained mask (`OWN`) and of each challenger, the mean logarithm of its
            loss over that of all regions; the lowest became `mask`.
    """

    mask: Bools
    ranking: Ranking
    oscillation: float
    candidates: dict[str, float] = field(default_factory=dict)


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
    probed = settings.probe or fitting_windows(256, len(observed), 64)
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
            mask = _prune(trainer, mask, size, probed)
        elif step % settings.update_every == 0:
            share = masking.swap_fraction(step, settings.steps, settings.swap_fraction)
            mask = _swap(trainer, mask, math.ceil(share * mask.sum()), probed)
        if step % settings.update_every == 0 and mask.sum() == kept:
            settled.append(mask)
        if each_step:
            each_step(step)

    trainer.train(
        settings.steps,
        trainer.settings.late_rate,
        masks,
        penalty=settings.penalty,
        each_step=update,
        keep_best=False,
    )
    _keep_better(trainer, before)
    masks_by_name = {OWN: mask} | {
        name: _first_observed(ranking, observed, kept)
        for name, ranking in (challengers or {}).items()
    }
    candidates = _judge(trainer, masks_by_name, FINAL_WINDOWS * probed)
    best = min(candidates, key=lambda name: candidates[name])
    mask = masks_by_name[best]
    oscillation = masking.oscillation(settled) if best == OWN else 0.0
    order = np.concatenate(
        [
            eliminate(trainer, mask, probed),
            grow_back(trainer, mask, probed),
            np.flatnonzero(~observed),
        ]
    )
    ranking = Ranking(order, importance_along(trainer, order))
    return MaskTraining(ranking.keep(budget), ranking, oscillation, candidates)


def _first_observed(ranking: Ranking, observed: Bools, count: int) -> Bools:
    """``[region]`` mask of the first of a ranking that training observed."""
    mask = np.zeros(len(observed), bool)
    mask[ranking.order[observed[ranking.order]][:count]] = True
    return mask


def _judge(trainer: Trainer, masks: Mapping[str, Bools], windows: int) -> dict[str, float]:
    """Mean logarithm of the loss of each mask over that of all regions, on the same windows."""
    judged = draw_stretches(trainer, windows)
    whole = sum(stretch.weight for stretch in judged)
    everything = relative_loss(trainer, trainer.windows.observed, judged)
    return {
        name: (relative_loss(trainer, mask, judged) - everything) / whole
        for name, mask in masks.items()
    }


def _keep_better(trainer: Trainer, before: Snapshot) -> None:
    """Go back to the state before, if it is better on validation under masks of all sizes.

    Where the history is short, training on while the mask is pruned can overfit.
    """
    masks = trainer.validation_masks(trainer.random_masks)
    after, loss = trainer.snapshot(), trainer.validation_loss(masks)
    trainer.restore(before)
    if loss <= trainer.validation_loss(masks):
        trainer.restore(after)


def _prune(trainer: Trainer, mask: Bools, budget: int, windows: int) -> Bools:
    """Keep the `budget` best regions, by the best of several proposals.

    Regions that stand in for one another have much the same score and would go together, and leave
    a hole. Noise parts them, or their distance; the loss on probed windows decides.
    """
    score = masking.drop_score(*probe(trainer, mask, windows))
    spread = score[mask].std()
    judged = draw_stretches(trainer, windows)
    proposals = [
        masking.prune(mask, score + share * spread * trainer.rng.normal(size=len(mask)), budget)
        for share in NOISE
    ] + [
        masking.prune_apart(mask, score, budget, trainer.neighbours, spacing)
        for spacing in SPACINGS
    ]
    return min(proposals, key=lambda proposed: relative_loss(trainer, proposed, judged))


def _swap(trainer: Trainer, mask: Bools, count: int, windows: int) -> Bools:
    """Drop and regrow up to `count` regions, fewer until the loss on probed windows falls.

    The scores are of first order and only propose; the loss decides.
    """
    gradient, theta = probe(trainer, mask, windows)
    drop = masking.drop_score(gradient, theta)
    grow = masking.grow_score(gradient, theta)
    grow[~trainer.windows.observed] = -np.inf
    judged = draw_stretches(trainer, windows)
    loss = relative_loss(trainer, mask, judged)
    while count > 0:
        proposed = masking.swap(mask, drop, grow, count)
        if relative_loss(trainer, proposed, judged) < loss:
            return proposed
        count //= 2
    return mask
