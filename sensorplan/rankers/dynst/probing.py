"""What a region is worth: the gradient of the loss to its gate, around a mask.

The gradient is averaged over windows of training and validation, each under a random thinning of
the mask (as in SmoothGrad, Smilkov et al. 2017): a gradient at the mask alone undervalues regions
that stand in for one another.
"""

import numpy as np
import torch

from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.training import Trainer

LARGEST_THINNING = 0.5  # share of the kept regions left out of a probe


def probe(trainer: Trainer, mask: Bools, windows: int) -> tuple[Floats, Floats]:
    """``[region]`` gradient of the loss to the gate around a mask, and θ."""
    rng, starts = trainer.rng, draw_windows(trainer, windows)
    thinning = rng.uniform(0, LARGEST_THINNING, (len(starts), 1))
    thinned = mask & (rng.random((len(starts), len(mask))) >= thinning)
    gates = torch.from_numpy(thinned.astype(np.float32)).to(trainer.device)
    return trainer.gate_gradient(gates, starts), trainer.theta.detach().cpu().numpy()


def draw_windows(trainer: Trainer, windows: int) -> Ints:
    """First steps of some windows of training and validation, each as likely as any other.

    More weight on the short validation stretch would make the mask fit its weather.
    """
    split = trainer.windows.split
    pool = np.concatenate([split.train, split.validation])
    return trainer.rng.choice(pool, min(windows, len(pool)), replace=False)
