"""Which of several masks is the best, and how it gets better still.

The trained mask was found by the loss of its forecaster, which therefore flatters it, and which has
hardly seen masks like those of other rankers. So first the forecaster practises on the masks of all
candidates. Then half of the verdict is its loss on training and on validation windows, and half
that of a ridge regression, cross-validated. The best candidate is refined by drop and regrow as
long as that verdict gets better.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from torch import Tensor

from sensorplan.constraints import Rules
from sensorplan.rankers.dynst.cross_validation import CrossValidation
from sensorplan.rankers.dynst.moves import proposer
from sensorplan.rankers.dynst.probing import SMALLEST_LOSS
from sensorplan.sensors import Bools, Floats
from sensorplan.training import Trainer

WEIGHTS = np.array([0.25, 0.25, 0.5])  # of training, validation and cross-validation
PLAN_SHARE = 0.75  # of the masks that the forecaster practises on; the rest is random
LEAST_GAIN = 1e-4  # in the logarithm of the loss

FIRST_SHARE, DECAY = 0.2, 0.75  # of the kept regions that a refinement may swap; by attempt
ATTEMPTS = 10  # at refining


def practise(
    trainer: Trainer,
    steps: int,
    masks: list[Bools],
    each_step: Callable[[int], None] | None = None,
) -> None:
    """Train the forecaster on, mostly under the given masks, each as often as the others."""
    stacked = trainer.mask_tensor(np.stack(masks))

    def drawn(batch: int) -> Tensor:
        gates = trainer.random_masks(batch)
        turns = np.arange(math.ceil(PLAN_SHARE * batch)) % len(masks)
        gates[: len(turns)] = stacked[trainer.rng.permutation(turns)]
        return gates

    trainer.train(steps, trainer.late_rate, drawn, each_step=each_step, keep_best=False)


class Jury:
    """Judges masks by the loss relative to that of all regions, on the same windows for all.

    Args:
        trainer: The forecaster, as it judges.
        validation: The regressions; they serve every jury of the same windows.
        windows: At most so many of training, and of validation.
    """

    def __init__(self, trainer: Trainer, validation: CrossValidation, windows: int) -> None:
        self._trainer, self._validation = trainer, validation
        split = trainer.windows.split
        self._stretches = [
            starts[:: -(-len(starts) // windows)] for starts in (split.train, split.validation)
        ]
        self._everything = self._logarithms(trainer.windows.observed)

    def loss(self, mask: Bools) -> float:
        """Weighted mean of the logarithms of the losses over those of all regions."""
        return float(WEIGHTS @ (self._logarithms(mask) - self._everything))

    def refine(
        self, mask: Bools, probed: int, rules: Rules, attempts: int = ATTEMPTS
    ) -> tuple[Bools, float]:
        """Drop and regrow, fewer and fewer regions, while the loss falls.

        Args:
            mask: ``[region]`` where to begin.
            probed: Windows that the gradient is averaged over.
            rules: What every mask obeys.
            attempts: Rounds of drop and regrow.

        Returns:
            The refined mask and its loss.
        """
        loss = self.loss(mask)
        for attempt in range(attempts):
            count = math.ceil(FIRST_SHARE * DECAY**attempt * mask.sum())
            improve = partial(self._improve, mask, loss, count, probed, rules)
            mask, loss = self._trainer.remember(f"refine {attempt}", improve)
        return mask, loss

    def _improve(
        self, mask: Bools, loss: float, count: int, probed: int, rules: Rules
    ) -> tuple[Bools, float]:
        """Drop and regrow that many regions, fewer until the loss falls, if it does."""
        propose = proposer(self._trainer, mask, probed, rules)
        while count > 0:
            proposed = propose(count)
            if proposed is not None:
                found = self.loss(proposed)
                if found < loss - LEAST_GAIN:
                    return proposed, found
            count //= 3
        return mask, loss

    def _logarithms(self, mask: Bools) -> Floats:
        losses = [self._trainer.mask_loss(mask, starts) for starts in self._stretches]
        return np.log(np.maximum([*losses, self._validation.loss(mask)], SMALLEST_LOSS))


def best_of(candidates: Mapping[str, float]) -> str:
    """The name with the lowest loss, the first of equals."""
    return min(candidates, key=lambda name: candidates[name])
