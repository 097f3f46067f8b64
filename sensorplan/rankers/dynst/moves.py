"""The moves of the search: prune, swap, and what to go back to."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sensorplan import masking
from sensorplan.constraints import Rules
from sensorplan.gating import Snapshot
from sensorplan.journal import State
from sensorplan.plan import Ranking
from sensorplan.rankers.dynst.probing import draw_stretches, probe, relative_loss
from sensorplan.sensors import Bools, Floats
from sensorplan.training import Trainer

NOISE = (0.0, 0.5, 1.0, 2.0)  # standard deviations of the score, one a proposal
SPACINGS = (2.0, 6.0, 20.0)  # see `masking.prune_apart`, one a proposal


@dataclass
class Way:
    """Where a search is between two steps of training.

    Attributes:
        mask: ``[region]`` as it is now.
        passed: Masks that it was at, as far as they matter.
        rounds: How it came about.
        swapped: Regions regrown in the round under way.
    """

    mask: Bools
    passed: list[Bools] = field(default_factory=list)
    rounds: list[masking.MaskRound] = field(default_factory=list)
    swapped: int = 0

    def state(self) -> State:
        """All that it goes on from."""
        return {
            "mask": self.mask,
            "passed": self.passed,
            "rounds": [(told.stage, told.mask, told.swapped) for told in self.rounds],
            "swapped": self.swapped,
        }

    def restore(self, state: State) -> None:
        """Go on from there."""
        self.mask, self.passed = state["mask"], list(state["passed"])
        self.rounds = [masking.MaskRound(*told) for told in state["rounds"]]
        self.swapped = state["swapped"]


def prune(
    trainer: Trainer, mask: Bools, budget: int, windows: int, rules: Rules, last: bool
) -> Bools:
    """Keep the `budget` best regions, by the best of several proposals.

    Regions that stand in for one another have much the same score and would go together, and leave
    a hole. Noise parts them, or their distance; the loss on probed windows decides. The last
    pruning obeys all the rules, those before only keep what is required.
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
    if last:
        worth = worth_of(score, trainer)
        proposals = [rules.obey(proposed, worth) for proposed in proposals]
    else:
        proposals = [proposed | rules.required for proposed in proposals]
    return min(proposals, key=lambda proposed: relative_loss(trainer, proposed, judged))


def swap(
    trainer: Trainer, mask: Bools, count: int, windows: int, rules: Rules, last: bool
) -> Bools:
    """Drop and regrow up to `count` regions, fewer until the loss on probed windows falls.

    The scores are of first order and only propose; the loss decides. After the last pruning what is
    proposed obeys all the rules, before it only keeps what is required.
    """
    propose = proposer(trainer, mask, windows, rules, last)
    judged = draw_stretches(trainer, windows)
    loss = relative_loss(trainer, mask, judged)
    while count > 0:
        proposed = propose(count)
        if proposed is not None and relative_loss(trainer, proposed, judged) < loss:
            return proposed
        count //= 2
    return mask


def proposer(
    trainer: Trainer, mask: Bools, windows: int, rules: Rules, last: bool = True
) -> Callable[[int], Bools | None]:
    """From a number of regions to the mask in which so many are dropped and regrown.

    It is None where the rules lead to a dead end.

    Args:
        trainer: The forecaster.
        mask: ``[region]`` where to begin.
        windows: That the gradient is averaged over.
        rules: What it obeys.
        last: All of them; else it only keeps what is required.
    """
    gradient, theta = probe(trainer, mask, windows)
    drop = masking.drop_score(gradient, theta)
    worth = worth_of(masking.grow_score(gradient, theta), trainer)
    drop[rules.required] = np.inf
    grow = np.where(rules.excluded, -np.inf, worth)

    def propose(count: int) -> Bools | None:
        proposed = masking.swap(mask, drop, grow, count)
        return rules.try_to_obey(proposed, worth) if last else proposed

    return propose


def worth_of(score: Floats, trainer: Trainer) -> Floats:
    """``[region]`` the score; those that training never observed are worth nothing."""
    return np.where(trainer.windows.observed, score, -np.inf)


def keep_better(trainer: Trainer, before: Snapshot) -> None:
    """Go back to the state before, if it is better on validation under masks of all sizes.

    Where the history is short, training on while the mask is pruned can overfit.
    """
    masks = trainer.validation_masks(trainer.random_masks)
    after, loss = trainer.snapshot(), trainer.validation_loss(masks)
    trainer.restore(before)
    if loss <= trainer.validation_loss(masks):
        trainer.restore(after)


def first_observed(ranking: Ranking, observed: Bools, count: int) -> Bools:
    """``[region]`` mask of the first of a ranking that training observed."""
    mask = np.zeros(len(observed), bool)
    mask[ranking.order[observed[ranking.order]][:count]] = True
    return mask
