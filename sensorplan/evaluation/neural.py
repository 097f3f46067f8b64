"""The neural judge: a forecaster of its own, fitted afresh, that no plan was chosen by.

One forecaster is conditional on the mask, so one training serves all plans under judgment: first
under random masks of all sizes, then under the plans themselves, each as often as the others.
"""

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from sensorplan.recipe import TrainingSettings
from sensorplan.sensors import Bools
from sensorplan.training import Trainer
from sensorplan.windows import Windows

OTHER_SEED = 104729  # added to the plan's, so that the judge is another forecaster than the planner


def train_judge(
    windows: Windows,
    settings: TrainingSettings,
    seed: int,
    plans: Sequence[Bools],
    each_step: Callable[[int], None] | None = None,
) -> Trainer:
    """Train a forecaster to judge plans; `Trainer.forecast` of a plan's mask is its forecast.

    Args:
        windows: The series.
        settings: As in planning: as many steps under random masks, and on the plans as many as a
            plan is fine-tuned with.
        seed: That of the planning.
        plans: ``[region]`` masks under judgment, and that of all regions.
        each_step: Called after every step with its number from 1.

    Raises:
        TrainingError: The loss is no number any more.
    """
    judge = Trainer(windows, settings, seed + OTHER_SEED)
    stacked = judge.mask_tensor(np.stack(plans))

    def masks(batch: int) -> Tensor:
        return stacked[judge.rng.permutation(np.arange(batch) % len(plans))]

    judge.train(settings.steps, judge.rate, judge.random_masks, each_step=each_step)
    judge.train(
        settings.fine_tune,
        judge.late_rate,
        masks,
        each_step=each_step and (lambda step: each_step(settings.steps + step)),
    )
    return judge
