"""The mask of DynST (arXiv 2403.02914): pruning in rounds, then dropping and regrowing.

Everything here is pure: arrays in, arrays out, no state and no randomness. *How* the mask changes
is two score functions and one shared `swap`; *when* it changes is `budgets` and `swap_fraction`.
Drop and regrow by gradient follow RigL (Evci et al. 2020, arXiv 1911.11134, section 3).

A mask is ``[region]`` bool, True = kept. θ is ``[region]`` float, the trained weight of each mask
entry; the forecaster sees the gate θ ⊙ mask, and every gradient here is that of the loss to the
gate, which exists for pruned regions too.
"""

import heapq
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sensorplan.sensors import Bools, Floats, Ints


@dataclass(frozen=True)
class MaskRound:
    """The mask at the end of one round of its training.

    Attributes:
        stage: ``start`` before the first; rounds of ``prune`` and then ``refine``; ``jury``, the
            best of all candidates; ``plan``, that one refined.
        mask: ``[region]``.
        swapped: How many regions were regrown in the round, each in the place of one dropped.
    """

    stage: Literal["start", "prune", "refine", "jury", "plan"]
    mask: Bools
    swapped: int


def regrown(before: Bools, after: Bools) -> int:
    """How many regions are kept that were not before."""
    return int((after & ~before).sum())


def budgets(regions: int, budget: int, rounds: int) -> list[int]:
    """Regions kept after each round: density falls geometrically, (budget / regions)^(r / rounds).

    >>> budgets(100, 25, 2)
    [50, 25]
    """
    density = budget / regions
    return [max(budget, round(regions * density ** (r / rounds))) for r in range(1, rounds)] + [
        budget
    ]


def swap_fraction(step: int, steps: int, initial: float) -> float:
    """Share of the kept regions to swap at a step: cosine decay from `initial` to 0."""
    return initial / 2 * (1 + math.cos(math.pi * step / steps))


def drop_score(gradient: Floats, theta: Floats) -> Floats:
    """``[region]`` how much the loss would rise without each kept region, to first order.

    Removing a region moves its gate from θ to 0, which changes the loss by -gradient · θ.
    """
    return -gradient * theta


def grow_score(gradient: Floats, theta: Floats) -> Floats:
    """``[region]`` how much the loss would fall with each pruned region, to first order.

    Readmitting a region moves its gate from 0 to θ, which changes the loss by gradient · θ.
    """
    return -gradient * theta


def prune(mask: Bools, score: Floats, budget: int) -> Bools:
    """Keep the `budget` best of the kept regions; ties keep the lower index."""
    kept = np.flatnonzero(mask)
    best = kept[np.argsort(-score[kept], kind="stable")[:budget]]
    return _mask_of(best, len(mask))


def prune_apart(mask: Bools, score: Floats, budget: int, neighbours: Ints, spacing: float) -> Bools:
    """Prune one by one, each time the worst by its score and by how many neighbours are left.

    Regions that stand in for one another have much the same score, and `prune` takes them together,
    which leaves a hole. Here a region is worth more with every neighbour that goes. Ties keep the
    lower index, and a `spacing` of 0 is `prune`.

    Args:
        mask: ``[region]``.
        score: ``[region]`` worth of kept regions; the lowest go.
        budget: How many to keep.
        neighbours: ``[region, neighbour]`` the regions that may stand in for each.
        spacing: Worth of the last neighbour over that of all, in standard deviations of the score.

    Source: the sample elimination of Yuksel 2015 (doi 10.1111/cgf.12538), with a score.
    """
    if mask.sum() <= budget:
        return mask.copy()
    worth = np.where(mask, score / max(score[mask].std(), np.finfo(float).tiny), np.inf)
    worth = worth - spacing * mask[neighbours].mean(1)
    each = spacing / neighbours.shape[1]
    named_by = np.argsort(neighbours, axis=None, kind="stable") // neighbours.shape[1]
    edges = np.searchsorted(np.sort(neighbours, axis=None), np.arange(len(mask) + 1))
    left, to_go = mask.copy(), int(mask.sum()) - budget
    queue = [(worth[region], -region) for region in np.flatnonzero(mask)]
    heapq.heapify(queue)
    while to_go:
        known, negative = heapq.heappop(queue)  # of equals the one with the highest index
        gone = -negative
        if worth[gone] > known:  # it is worth more by now
            heapq.heappush(queue, (worth[gone], negative))
            continue
        left[gone] = False
        worth[named_by[edges[gone] : edges[gone + 1]]] += each
        to_go -= 1
    return left


def swap(mask: Bools, drop: Floats, grow: Floats, count: int) -> Bools:
    """Drop up to `count` of the worst kept regions and regrow as many of those pruned before.

    The worst kept region is paired with the best pruned one, the second worst with the second best
    and so on; only pairs in which the pruned region has the higher score are swapped. So the number
    kept stays the same, ties change nothing, and what is dropped now is not readmitted.

    Args:
        mask: ``[region]``.
        drop: ``[region]`` score of kept regions; the lowest go.
        grow: ``[region]`` score of pruned regions; the highest come.
        count: How many.
    """
    kept, pruned = np.flatnonzero(mask), np.flatnonzero(~mask)
    worst = kept[np.argsort(drop[kept], kind="stable")]
    best = pruned[np.argsort(-grow[pruned], kind="stable")]
    pairs = min(count, len(worst), len(best))
    swapped = int((grow[best[:pairs]] > drop[worst[:pairs]]).sum())
    return _mask_of(np.concatenate([worst[swapped:], best[:swapped]]), len(mask))


def oscillation(masks: list[Bools]) -> float:
    """Share of the kept regions that changed sides more than once, over masks of one budget."""
    if len(masks) < 3:
        return 0.0
    changes = np.diff(np.stack(masks).astype(np.int8), axis=0) != 0  # [change, region]
    return float((changes.sum(0) > 1)[masks[-1]].mean())


def _mask_of(kept: Ints, regions: int) -> Bools:
    mask = np.zeros(regions, bool)
    mask[kept] = True
    return mask
