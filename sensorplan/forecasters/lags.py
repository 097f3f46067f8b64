"""Lag features: what a linear forecast knows of each region's history."""

import torch
from torch import Tensor

LAGS = 3  # features of a region and channel


def lag_features(history: Tensor, seen: Tensor, channels: int) -> Tensor:
    """The last observed anomaly, the mean of the lookback, and whether anything was observed.

    The first two are 0 where nothing was.

    Args:
        history: ``[batch, region, lookback * channel]``, 0 where missing.
        seen: The same shape, 1 where observed.
        channels: Channels of a region.

    Returns:
        ``[batch, 3, region, channel]``.
    """
    by_step = *history.shape[:2], history.shape[2] // channels, channels
    values, there = history.view(by_step), seen.view(by_step)
    step = torch.arange(values.shape[2], device=history.device)[:, None]
    newest = (there * step).amax(2, keepdim=True).long()
    last = values.gather(2, newest)[:, :, 0]
    count = there.sum(2)
    return torch.stack([last, values.sum(2) / count.clamp(min=1), count.clamp(max=1)], 1)
