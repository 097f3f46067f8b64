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
from functools import partial

import numpy as np
from torch import Tensor

from sensorplan import masking
from sensorplan.constraints import Rules
from sensorplan.plan import Ranking
from sensorplan.rankers.dynst.cross_validation import CrossValidation
from sensorplan.rankers.dynst.jury import Jury, best_of, practise
from sensorplan.rankers.dynst.moves import (
    Way,
    first_observed,
    keep_better,
    prune,
    swap,
    worth_of,
)
from sensorplan.rankers.dynst.probing import probe, windows_probed
from sensorplan.rankers.dynst.reading_off import eliminate, grow_back, importance_along
from sensorplan.recipe import MaskSettings
from sensorplan.sensors import Bools
from sensorplan.training import Trainer

OWN = "dynst"  # among the candidates, the trained mask
CHOOSING, REFINING, READING_OFF = 120, 120, 40  # time that each takes, in steps, about


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
        rounds: How the mask came about; none of a baseline.
    """

    mask: Bools
    ranking: Ranking
    oscillation: float
    candidates: dict[str, float] = field(default_factory=dict)
    loss: float | None = None
    rounds: tuple[masking.MaskRound, ...] = ()


def rank_by_dynst(
    trainer: Trainer,
    settings: MaskSettings,
    rules: Rules,
    each_step: Callable[[int], None] | None = None,
    challengers: Mapping[str, Ranking] | None = None,
) -> MaskTraining:
    """Train the mask down to its size, from a trainer that was trained under random masks.

    Regions that training never observed come last, in their own order.

    Args:
        trainer: Forecaster and θ; both go on training, and end as they were before if that is
            better on validation.
        settings: Rounds, swaps and penalty.
        rules: How many to keep, and what else the mask obeys.
        each_step: Called after every part with its number from 1; `search_parts` says how many.
        challengers: Other rankings, whose masks of that size compete with the trained one.

    Raises:
        UndecidedError: The rules are too hard to decide.
    """
    before = trainer.snapshot()
    observed = trainer.windows.observed
    probed = windows_probed(settings, len(observed))
    mask = (observed | rules.required) & ~rules.excluded
    kept = _size(trainer, rules, mask, probed)
    sizes = masking.budgets(int(mask.sum()), kept, settings.rounds) + [kept] * settings.refinements
    way = Way(mask, rounds=[masking.MaskRound("start", mask, 0)])

    def masks(batch: int) -> Tensor:
        """Half of the batch sees the mask as it is, half random masks of all sizes."""
        drawn = trainer.random_masks(batch)
        drawn[: batch // 2] = trainer.mask_tensor(way.mask)
        return drawn

    def update(step: int) -> None:
        previous = way.mask
        size = sizes[(step - 1) // settings.round_steps]
        last = step >= settings.rounds * settings.round_steps
        due = size < way.mask.sum() and not (last and rules.allow(way.mask))
        if step % settings.round_steps == 0 and due:
            way.mask = prune(trainer, way.mask, size, probed, rules, last)
        elif step % settings.update_every == 0:
            share = masking.swap_fraction(step, settings.steps, settings.swap_fraction)
            count = math.ceil(share * way.mask.sum())
            way.mask = swap(trainer, way.mask, count, probed, rules, last)
        if step % settings.update_every == 0 and (last or way.mask.sum() == kept):
            way.passed.append(way.mask)
        way.swapped += masking.regrown(previous, way.mask)
        if step % settings.round_steps == 0:
            pruned = step <= settings.rounds * settings.round_steps
            way.rounds.append(
                masking.MaskRound("prune" if pruned else "refine", way.mask, way.swapped)
            )
            way.swapped = 0
        if each_step:
            each_step(step)

    trainer.train(
        settings.steps,
        trainer.late_rate,
        masks,
        penalty=settings.penalty,
        each_step=update,
        keep_best=False,
        companion=way,
    )
    keep_better(trainer, before)
    mask = _obeying(trainer, rules, way.mask, probed) if rules.binding else way.mask
    proposed = {OWN: mask} | {
        name: mask
        for challenger, ranking in (challengers or {}).items()
        for name, mask in _masks_of(challenger, ranking, rules, observed, kept).items()
    }
    trained = trainer.snapshot()
    trainer.restore(before)
    told = each_step or (lambda part: None)
    practise(
        trainer,
        settings.practice,
        [*proposed.values(), observed],
        lambda step: told(settings.steps + step),
    )
    practised = settings.steps + settings.practice
    jury = Jury(trainer, CrossValidation(trainer.windows), probed)
    candidates = {}
    for place, (name, proposal) in enumerate(proposed.items(), 1):
        candidates[name] = trainer.remember(f"judge {name}", partial(jury.loss, proposal))
        told(practised + CHOOSING * place // len(proposed))
    best = best_of(candidates)
    taken = proposed[best]
    mask, loss = jury.refine(taken, probed, rules)
    told(practised + CHOOSING + REFINING)
    trainer.restore(trained)
    oscillation = masking.oscillation(way.passed) if best == OWN else 0.0
    kept_ones = trainer.remember(
        "eliminate", lambda: eliminate(trainer, mask, probed, rules.required)
    )
    order = np.concatenate(
        [
            kept_ones,
            trainer.remember("grow back", lambda: grow_back(trainer, mask, probed, rules.excluded)),
            np.flatnonzero(~observed & ~mask & ~rules.excluded),
            np.flatnonzero(rules.excluded),
        ]
    )
    ranking = Ranking(order, importance_along(trainer, order))
    full = mask if rules.budget is None else ranking.keep(rules.budget)
    last = way.rounds[-1].mask
    way.rounds += [
        masking.MaskRound("jury", taken, masking.regrown(last, taken)),
        masking.MaskRound("plan", full, masking.regrown(taken, full)),
    ]
    return MaskTraining(full, ranking, oscillation, candidates, loss, tuple(way.rounds))


def search_parts(settings: MaskSettings) -> int:
    """Parts of `rank_by_dynst`: training steps, and what comes after them as so many steps."""
    return settings.steps + settings.practice + CHOOSING + REFINING + READING_OFF


def _size(trainer: Trainer, rules: Rules, mask: Bools, probed: int) -> int:
    """How many regions the mask will keep."""
    if rules.budget is not None:
        return min(rules.budget, int(mask.sum()))
    return int(_obeying(trainer, rules, mask, probed).sum())


def _obeying(trainer: Trainer, rules: Rules, mask: Bools, probed: int) -> Bools:
    """The mask as far as the rules allow, the best of it first."""
    score = masking.drop_score(*probe(trainer, mask, probed))
    return rules.obey(mask, worth_of(score, trainer))


def _masks_of(
    name: str, ranking: Ranking, rules: Rules, observed: Bools, kept: int
) -> dict[str, Bools]:
    """The masks of a challenger by name: the first of its ranking, as far as the rules allow.

    Where there are costs, also one that takes importance for its cost first.
    """
    if not rules.binding:
        return {name: first_observed(ranking, observed, kept)}
    seen = observed[ranking.order]
    masks = {name: rules.cut(np.concatenate([ranking.order[seen], ranking.order[~seen]]))}
    if rules.cost is not None:
        importance = np.where(observed, ranking.importance, 0.0)
        masks[f"{name} by cost"] = rules.obey(np.zeros_like(observed), importance)
    return masks
