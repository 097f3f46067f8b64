"""`CompactBlend`: a compact network and a compact linear forecaster, averaged."""

from typing import Any, Self

import torch
from torch import Tensor

from sensorplan.forecasters.backbone import Compact
from sensorplan.forecasters.linear import CompactLinear


class CompactBlend(Compact):
    """Two forecasts of the same kept regions, the linear one with a share of its own at each lead.

    Args:
        backbone: Name of the network's.
        network: The network.
        linear: The linear forecaster.
        share: ``[horizon * channel]`` of the linear forecast, in [0, 1].
    """

    share: Tensor

    def __init__(
        self, backbone: str, network: Compact, linear: CompactLinear, share: Tensor
    ) -> None:
        super().__init__()
        self.backbone, self.network, self.linear = backbone, network, linear
        self.register_buffer("share", share)

    def forward(self, history: Tensor, seen: Tensor, calendar: Tensor) -> Tensor:
        """See `Compact.forward`."""
        network: Tensor = self.network(history, seen, calendar)
        blended: Tensor = torch.lerp(network, self.linear(history, seen, calendar), self.share)
        return blended

    def config(self) -> dict[str, Any]:
        """See `Compact.config`."""
        return {
            "backbone": self.backbone,
            "network": self.network.config(),
            "linear": self.linear.config(),
            "future": len(self.share),
        }

    @classmethod
    def empty(cls, config: dict[str, Any], network: Compact) -> Self:
        """One of the same shape around a network of the same shape, ready to load a state."""
        linear = CompactLinear(**config["linear"])
        return cls(config["backbone"], network, linear, torch.zeros(config["future"]))
