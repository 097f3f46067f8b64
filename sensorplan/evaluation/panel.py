"""Judging any mask beside a plan without refitting: by the network, and by ridge regression.

The network was trained under masks of all sizes, and the regression is solved anew for every mask,
so both know what to do when a kept region fails or gives way to another. They err differently: the
network alone follows what a network loses that is fitted afresh, and says little of what a
regression loses, so each has half of the verdict, as before the jury of DynST.
"""

from collections.abc import Sequence

import numpy as np
import torch

from sensorplan import masking
from sensorplan.evaluation.forecasts import Forecast, batches, forecast_errors
from sensorplan.metrics import Errors, average, in_units_of
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.training import Trainer
from sensorplan.windows import Batch, Windows

STREAM = 2  # of random numbers, beside the trainer's own of the same seed


def tune_linear(linear: Trainer, mask: Bools) -> None:
    """Give the regression the penalty that is best for a mask on validation."""
    fixed = linear.mask_tensor(mask)
    linear.train(0, linear.late_rate, lambda batch: fixed.expand(batch, -1))


class Panel:
    """Judges masks on the same windows, relative to a plan.

    Args:
        members: The trained forecasters; each has as much to say.
        mask: ``[region]`` the plan.
        starts: ``[window]`` first steps.
    """

    def __init__(self, members: Sequence[Trainer], mask: Bools, starts: Ints) -> None:
        self._members, self._starts = members, starts
        self._windows = members[0].windows
        self._intact = [self._errors_of(member, mask).rmse for member in members]

    def errors(self, mask: Bools) -> Errors:
        """Errors of a mask in units of the RMSE of the plan, averaged over the members."""
        members = zip(self._members, self._intact, strict=True)
        return average([in_units_of(self._errors_of(one, mask), rmse) for one, rmse in members])

    def _errors_of(self, member: Trainer, mask: Bools) -> Errors:
        forecast: Forecast = member.forecast(mask) if mask.any() else _calendar_alone
        return forecast_errors(self._windows, self._starts, forecast)


def _calendar_alone(batch: Batch) -> torch.Tensor:
    """The forecast when no region is left."""
    return torch.zeros_like(batch.future)


def removal_estimates(trainer: Trainer, mask: Bools, starts: Ints, seed: int) -> Floats:
    """``[region]`` how much the loss would rise without each kept region, to first order.

    The gradient is taken where all gates are half open: at open gates the loss has levelled off,
    and half-way is the best single place for the path from open to closed.

    Args:
        trainer: The network and θ; its random stream stays as it is.
        mask: ``[region]`` the plan.
        starts: ``[window]`` first steps; a spread of them where the network takes fewer.
        seed: Of the regions that the loss of a large network is taken over.
    """
    stream, trainer.rng = trainer.rng, np.random.default_rng([seed, STREAM])
    try:
        starts = spread(starts, trainer.forecaster.most_probed)
        half = (trainer.mask_tensor(mask) / 2).expand(len(starts), -1)
        gradient, _ = trainer.gate_gradient(half, starts)
    finally:
        trainer.rng = stream
    theta = trainer.theta.detach().cpu().numpy()
    return np.where(mask, masking.drop_score(gradient, theta), -np.inf)


def observed_spread(windows: Windows, starts: Ints, count: int) -> Ints:
    """At most so many of the windows that have any value to judge, evenly spread."""
    seen = [batch.valid.flatten(1).any(1).cpu().numpy() for batch in batches(windows, starts)]
    return spread(starts[np.concatenate(seen)], count)


def spread(starts: Ints, count: int) -> Ints:
    """At most so many windows, evenly spread."""
    return starts[:: -(-len(starts) // count)]
