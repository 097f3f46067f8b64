"""Masks of many budgets from one training, from dense to sparse.

The training is that of `search`, with every wanted budget on its way: the mask is pruned to a
budget, regions are dropped and regrown there for a round, and the mask is taken down before the
pruning goes on. Masks of two budgets need not nest.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from torch import Tensor

from sensorplan import masking
from sensorplan.constraints import free_rules
from sensorplan.plan import Ranking
from sensorplan.rankers.dynst.cross_validation import CrossValidation
from sensorplan.rankers.dynst.jury import Jury, best_of, practise
from sensorplan.rankers.dynst.moves import Way, first_observed, keep_better, prune, swap
from sensorplan.rankers.dynst.probing import windows_probed
from sensorplan.rankers.dynst.search import OWN
from sensorplan.recipe import MaskSettings
from sensorplan.sensors import Bools
from sensorplan.training import Trainer

LARGEST_CUT = 0.6  # share kept of the regions in one pruning, at the least
JURY_SHARE = 4  # a probe has so many times the windows that decide between candidates
ATTEMPTS = 1  # at refining the mask of a budget
CHOOSING = 90  # time that the mask of a budget takes after training, in steps, about


def masks_along(
    trainer: Trainer,
    settings: MaskSettings,
    budgets: Sequence[int],
    each_step: Callable[[int], None] | None = None,
    challengers: Mapping[str, Ranking] | None = None,
) -> dict[int, Bools]:
    """Train a mask down through all budgets, from a trainer trained under random masks.

    Regions that training never observed are kept only where the budget exceeds the others.

    Args:
        trainer: Forecaster and θ; both go on training, and end as they were before if that is
            better on validation.
        settings: Length of a round, swaps and penalty; rounds and refinements are for one budget
            and play no part here.
        budgets: Regions to keep, in any order.
        each_step: Called after every part with its number from 1; `path_parts` says how many.
        challengers: Other rankings, whose masks at each budget compete with the trained one.

    Returns:
        ``[region]`` the mask of each budget, densest first.
    """
    before = trainer.snapshot()
    observed = trainer.windows.observed
    sizes = _sizes(int(observed.sum()), budgets)
    wanted = set(_wanted(int(observed.sum()), budgets))
    way = Way(observed, [observed])  # passed: the masks of the wanted budgets
    free = free_rules(len(observed), len(observed))
    probed = windows_probed(settings, len(observed))

    def masks(batch: int) -> Tensor:
        """Half of the batch sees the mask as it is, half random masks of all sizes."""
        drawn = trainer.random_masks(batch)
        drawn[: batch // 2] = trainer.mask_tensor(way.mask)
        return drawn

    def update(step: int) -> None:
        turn, within = divmod(step - 1, settings.round_steps)
        within += 1
        if within % settings.update_every == 0 and way.mask.sum() < observed.sum():
            begun = within - settings.update_every
            share = masking.swap_fraction(begun, settings.round_steps, settings.swap_fraction)
            count = math.ceil(share * way.mask.sum())
            way.mask = swap(trainer, way.mask, count, probed, free, last=False)
        if within == settings.round_steps:
            if way.mask.sum() in wanted:
                way.passed.append(way.mask)
            if turn + 1 < len(sizes):
                way.mask = prune(trainer, way.mask, sizes[turn + 1], probed, free, last=False)
        if each_step:
            each_step(step)

    steps = len(sizes) * settings.round_steps
    trainer.train(
        steps,
        trainer.late_rate,
        masks,
        penalty=settings.penalty,
        each_step=update,
        keep_best=False,
        companion=way,
    )
    keep_better(trainer, before)
    after = trainer.snapshot()
    trainer.restore(before)
    trained = {int(mask.sum()): mask for mask in way.passed}
    proposed = {
        size: {OWN: own}
        | {name: first_observed(r, observed, size) for name, r in (challengers or {}).items()}
        for size, own in trained.items()
        if size in wanted
    }
    everyone = [mask for masks in proposed.values() for mask in masks.values()]
    told = each_step or (lambda part: None)
    practise(trainer, settings.practice, [*everyone, observed], lambda step: told(steps + step))
    jury = Jury(trainer, CrossValidation(trainer.windows), probed // JURY_SHARE)
    best = {}
    for place, (size, masks_of_size) in enumerate(proposed.items(), 1):
        best[size] = _best(trainer, jury, masks_of_size, probed)
        told(steps + settings.practice + CHOOSING * place)
    trainer.restore(after)
    return {
        budget: _filled(best[min(budget, int(observed.sum()))], budget)
        for budget in sorted(set(budgets), reverse=True)
    }


def path_parts(regions: int, settings: MaskSettings, budgets: Sequence[int]) -> int:
    """Parts of `masks_along` when so many regions were observed in training.

    They are its training steps, and what comes after them as so many steps.
    """
    steps = len(_sizes(regions, budgets)) * settings.round_steps
    return steps + settings.practice + CHOOSING * len(_wanted(regions, budgets))


def _wanted(regions: int, budgets: Sequence[int]) -> list[int]:
    """The budgets, densest first, none over the number of regions."""
    return sorted({min(budget, regions) for budget in budgets}, reverse=True)


def _sizes(regions: int, budgets: Sequence[int]) -> list[int]:
    """Regions kept in each round: first all, then every budget, and between two that lie far apart
    some more, so that no pruning takes too many at once.

    >>> _sizes(100, [50, 10, 100])
    [100, 50, 29, 17, 10]
    """
    sizes = [regions]
    for budget in _wanted(regions, budgets):
        if budget < sizes[-1]:
            rounds = max(1, round(math.log(budget / sizes[-1]) / math.log(LARGEST_CUT)))
            sizes += masking.budgets(sizes[-1], budget, rounds)
    return sizes


def _best(trainer: Trainer, jury: Jury, masks: Mapping[str, Bools], probed: int) -> Bools:
    """``[region]`` the best of the masks of a budget, refined."""
    losses = trainer.remember(
        "judge the candidates", lambda: {name: jury.loss(mask) for name, mask in masks.items()}
    )
    best = masks[best_of(losses)]
    rules = free_rules(len(best), int(best.sum()))
    return jury.refine(best, probed, rules, ATTEMPTS)[0]


def _filled(mask: Bools, budget: int) -> Bools:
    """The mask, and as many of the other regions as the budget leaves room for."""
    filled = mask.copy()
    filled[np.flatnonzero(~mask)[: budget - int(mask.sum())]] = True
    return filled
