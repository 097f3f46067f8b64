"""Which forecaster goes with a plan: the network, ridge regression, or a blend of the two.

Both are fitted to the kept regions and judged on validation. The blend has a share for each lead
time, the one with the least squared error there (Bates and Granger 1969, Operational Research
Quarterly 20, 451-468). It takes a clear gain to leave the network for the regression or the blend.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sensorplan.errors import DataError
from sensorplan.evaluation.forecasts import (
    Forecast,
    batches,
    compact_forecast,
)
from sensorplan.forecasters import BLEND, LINEAR, Compact, CompactBlend, CompactLinear
from sensorplan.sensors import Bools
from sensorplan.training import Trainer
from sensorplan.windows import Batch, Windows

CLEAR_GAIN = 0.005  # of the weighted RMSE on validation


@dataclass(frozen=True)
class Shipped:
    """The forecaster of a plan.

    Attributes:
        mask: ``[region]`` the plan.
        compact: The forecaster, from the kept regions alone.
        backbone: What it is: the network's backbone, `LINEAR` or `BLEND`.
        linear_share: Mean share of the linear forecast.
        linear: The linear forecaster of the same plan; None where it cannot be had.
    """

    mask: Bools
    compact: Compact
    backbone: str
    linear_share: float
    linear: Compact | None

    @property
    def forecast(self) -> Forecast:
        """From a batch of all regions, of which the kept ones are seen."""
        return compact_forecast(self.compact, self.mask)


def make_linear(trainer: Trainer) -> Trainer | None:
    """The linear forecaster of the same windows; None where it is the network or cannot be had."""
    if trainer.settings.backbone == LINEAR:
        return None
    settings = trainer.settings.model_copy(update={"backbone": LINEAR, "options": {}})
    try:
        return Trainer(trainer.windows, settings, seed=0, failing=trainer.failing)
    except DataError:  # the network is too large for it
        return None


def ship(trainer: Trainer, linear: Trainer | None, mask: Bools) -> Shipped:
    """Fit both forecasters to a plan, and take what is best on validation.

    Args:
        trainer: The network, trained under masks of all sizes; it is left as it was.
        linear: See `make_linear`.
        mask: ``[region]`` the plan.
    """
    name, network = trainer.settings.backbone, _fitted(trainer, mask)
    if linear is None:
        return Shipped(mask, network, name, float(name == LINEAR), None)
    regression = _fitted(linear, mask)
    assert isinstance(regression, CompactLinear)
    share = _best_share(trainer.windows, mask, network, regression)
    blend = CompactBlend(name, network, regression, share)
    choices = {name: network, LINEAR: regression, BLEND: blend}
    rmse = {known: _validation_rmse(trainer.windows, mask, choices[known]) for known in choices}
    best = name
    for choice in (LINEAR, BLEND):
        if rmse[choice] < (1 - CLEAR_GAIN) * rmse[best]:
            best = choice
    shares = {name: 0.0, LINEAR: 1.0, BLEND: float(share.mean())}
    return Shipped(mask, choices[best], best, shares[best], regression)


def _fitted(trainer: Trainer, mask: Bools) -> Compact:
    """The compact forecaster of a mask, fine-tuned on it; the trainer is left as it was."""
    shared = trainer.snapshot()
    trainer.train(trainer.settings.fine_tune, trainer.late_rate, trainer.failing_masks(mask))
    compact = trainer.forecaster.compact(trainer.theta.detach() * trainer.mask_tensor(mask))
    trainer.restore(shared)
    return compact


def _best_share(windows: Windows, mask: Bools, network: Compact, linear: Compact) -> Tensor:
    """``[horizon * channel]`` of the linear forecast with the least squared error on validation."""
    first, second = compact_forecast(network, mask), compact_forecast(linear, mask)
    along = across = torch.zeros((), device=windows.loss_weight.device)
    with torch.no_grad():
        for batch in batches(windows, windows.split.validation):
            base = first(batch)
            change = second(batch) - base
            weights = _weights(windows, batch)
            along = along + (weights * change * (batch.future - base)).sum((0, 1))
            across = across + (weights * change**2).sum((0, 1))
    return (along / across.clamp(min=1e-12)).clamp(0, 1)


def _validation_rmse(windows: Windows, mask: Bools, compact: Compact) -> float:
    """Root of the mean squared error on validation, weighted as the loss is."""
    forecast = compact_forecast(compact, mask)
    squares = count = 0.0
    with torch.no_grad():
        for batch in batches(windows, windows.split.validation):
            weights = _weights(windows, batch)
            squares += float((weights * (forecast(batch) - batch.future) ** 2).sum())
            count += float(weights.sum())
    return float(np.sqrt(squares / count))


def _weights(windows: Windows, batch: Batch) -> Tensor:
    """``[batch, region, horizon * channel]`` of each target in the loss; 0 where not observed."""
    weights = windows.loss_weight.repeat(1, windows.split.horizon) * batch.valid
    return weights if batch.weight is None else weights * batch.weight
