"""The level of a network in a window, which forecasts are deviations from.

A drift of the whole network (a trend, an odd season) is so carried on, and not extrapolated.
"""

from torch import Tensor


def leave_level(
    history: Tensor, seen: Tensor, gate: Tensor, channels: int
) -> tuple[Tensor, Tensor]:
    """Take the level of the network out of each window: the mean of what the kept regions saw.

    Args:
        history: ``[batch, region, lookback * channel]``, 0 where missing.
        seen: The same shape, 1 where observed.
        gate: ``[batch, region]`` or ``[region]`` weight of each region in the mean.
        channels: Channels of a region.

    Returns:
        ``[batch, region, lookback * channel]`` deviations, 0 where missing, and ``[batch, 1,
        channel]`` the level, shrunk to 0 where little was seen.
    """
    steps = history.shape[2] // channels
    by_step = history.view(*history.shape[:2], steps, channels)
    gates = gate.expand(by_step.shape[:2])[..., None, None]  # [batch, region, 1, 1]
    weight = gates * seen.view(by_step.shape)
    level = (by_step * weight).sum((1, 2)) / (weight.sum((1, 2)) + 1)  # [batch, channel]
    level = level.unsqueeze(1)
    return (by_step - level.unsqueeze(2)).flatten(2) * seen, level


def carry_level(level: Tensor, gain: Tensor) -> Tensor:
    """Carry the level on, as a part of the forecast that all regions share.

    Args:
        level: ``[batch, 1, channel]``.
        gain: ``[horizon, channel]``, 1 where all of it lasts.

    Returns:
        ``[batch, 1, horizon * channel]``.
    """
    return (gain * level).flatten(1).unsqueeze(1)
