"""What a region is worth: the gradient of the loss to its gate, around a mask.

The gradient is averaged over windows, each under a random thinning of the mask (as in SmoothGrad,
Smilkov et al. 2017): a gradient at the mask alone undervalues regions that stand in for one
another.

The windows are of training and of validation. A forecaster has a far smaller loss where it was
trained, so that of a plain mean the mask would fit the weather of the short validation stretch.
Hence the loss here is *relative*: the mean over the two stretches of the logarithm of each
stretch's loss, by the number of their windows. Validation has also stopped the training, and counts
half.
"""

from dataclasses import dataclass

import numpy as np
import torch

from sensorplan.recipe import MaskSettings
from sensorplan.sampling import fitting_windows
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.training import Trainer

LARGEST_THINNING = 0.5  # share of the kept regions left out of a probe
PROBED, FEWEST = 256, 8  # windows of a gradient; fewer in a large network, but not less
VALIDATION_WEIGHT = 0.5  # of a validation window, beside a training window
SMALLEST_LOSS = 1e-12  # below which losses are equal


@dataclass(frozen=True)
class Stretch:
    """Some windows of one stretch.

    Attributes:
        starts: ``[window]`` first steps.
        weight: Of the logarithm of their loss.
    """

    starts: Ints
    weight: float


def windows_probed(settings: MaskSettings, regions: int) -> int:
    """Windows that a gradient is averaged over: as set, or what suits the number of regions."""
    return settings.probe or fitting_windows(256, regions, 64)


def draw_stretches(trainer: Trainer, windows: int) -> list[Stretch]:
    """Some windows of training and some of validation, as many of each as its share of both."""
    split = trainer.windows.split
    share = len(split.validation) / (len(split.train) + len(split.validation))
    validation = max(1, round(share * windows))
    return [
        Stretch(_draw(trainer, split.train, max(1, windows - validation)), 1 - share),
        Stretch(_draw(trainer, split.validation, validation), VALIDATION_WEIGHT * share),
    ]


def _draw(trainer: Trainer, starts: Ints, count: int) -> Ints:
    return trainer.rng.choice(starts, min(count, len(starts)), replace=False)


def relative_loss(trainer: Trainer, mask: Bools, stretches: list[Stretch]) -> float:
    """Weighted sum of the logarithms of the loss of a mask on each stretch."""
    losses = [trainer.mask_loss(mask, stretch.starts) for stretch in stretches]
    return sum(
        stretch.weight * float(np.log(max(loss, SMALLEST_LOSS)))
        for stretch, loss in zip(stretches, losses, strict=True)
    )


def probe(trainer: Trainer, mask: Bools, windows: int) -> tuple[Floats, Floats]:
    """``[region]`` gradient of the relative loss to the gate around a mask, and θ.

    Of `windows`, a large network takes as many as it has regions x windows for: a gradient is that
    of so many more regions.
    """
    total = np.zeros(len(mask), np.float32)
    affordable = fitting_windows(PROBED, len(mask), FEWEST)
    windows = min(windows, affordable, trainer.forecaster.most_probed)
    for stretch in draw_stretches(trainer, windows):
        thinning = trainer.rng.uniform(0, LARGEST_THINNING, (len(stretch.starts), 1))
        thinned = mask & (trainer.rng.random((len(stretch.starts), len(mask))) >= thinning)
        gates = torch.from_numpy(thinned.astype(np.float32)).to(trainer.device)
        gradient, loss = trainer.gate_gradient(gates, stretch.starts)
        total += stretch.weight * gradient / max(loss, SMALLEST_LOSS)
    return total, trainer.theta.detach().cpu().numpy()
