"""What happens region by region, before and after anything passes between regions."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sensorplan.forecasters.level import carry_level
from sensorplan.forecasters.network import Network, identity_features


class RegionIdentity(nn.Module):
    """What tells each region apart: from its modes and its position, and learned."""

    features: Tensor

    def __init__(self, network: Network, width: int) -> None:
        super().__init__()
        features = identity_features(network.loadings, network.topology.positions)
        self.linear = nn.Linear(features.shape[1], width)
        self.learned = nn.Parameter(torch.zeros(len(features), width))
        self.register_buffer("features", torch.from_numpy(features))

    def forward(self) -> Tensor:
        """``[region, width]``."""
        identity: Tensor = self.linear(self.features) + self.learned
        return identity


class RegionEncoder(nn.Module):
    """What a region saw, as a code: a linear and a non-linear view of it."""

    def __init__(self, history: int, hidden: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * history, width)
        self.bent = nn.Sequential(
            nn.Linear(2 * history, hidden), nn.GELU(), nn.Linear(hidden, width)
        )

    def forward(self, deviation: Tensor, seen: Tensor) -> Tensor:
        """Encode ``[batch, region, lookback * channel]`` deviations and what of them was seen.

        Returns:
            ``[batch, region, width]``.
        """
        streams = torch.cat([deviation, seen], -1)
        code: Tensor = self.linear(streams) + self.bent(streams)
        return code


class RegionDecoder(nn.Module):
    """The forecast of a region from what reached it: the level carried on, and deviations."""

    def __init__(
        self, streams: int, calendar: int, hidden: int, channels: int, future: int
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(streams, future)
        self.bend = nn.Linear(streams, hidden)
        self.season = nn.Parameter(torch.zeros(calendar, hidden))
        self.bent = nn.Linear(hidden, future)
        nn.init.zeros_(self.bent.weight)
        self.level_gain = nn.Parameter(torch.ones(future // channels, channels))

    def forward(self, streams: Tensor, identity: Tensor, calendar: Tensor, level: Tensor) -> Tensor:
        """Forecast the targets.

        Args:
            streams: ``[batch, target, stream]`` what reached them, in proportion to what was seen.
            identity: ``[target, hidden]`` of the targets.
            calendar: ``[batch, feature]``.
            level: ``[batch, 1, channel]``, see `leave_level`.

        Returns:
            ``[batch, target, horizon * channel]``.
        """
        season = (calendar @ self.season).unsqueeze(1)  # [batch, 1, hidden]
        bent = self.bent(functional.gelu(self.bend(streams) + identity + season))
        forecast: Tensor = self.linear(streams) + bent + carry_level(level, self.level_gain)
        return forecast
