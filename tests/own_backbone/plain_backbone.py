"""A backbone of one's own: any torch module, here a plain network from all sensors to all."""

from typing import Any

import torch
from torch import Tensor, nn

from sensorplan.forecasters import Backbone, Network, Options


class PlainOptions(Options):
    """Its one setting: hidden units."""

    hidden: int = 32


class Plain(Backbone):
    """One hidden layer over what all sensors saw."""

    learning_rate = 1e-3
    options_type = PlainOptions

    def __init__(self, history: int, future: int, hidden: int) -> None:
        super().__init__()
        self.sizes = {"history": history, "future": future, "hidden": hidden}
        self.network = nn.Sequential(
            nn.Linear(2 * history, hidden), nn.GELU(), nn.Linear(hidden, future)
        )

    @classmethod
    def build(cls, network: Network, options: PlainOptions) -> "Plain":
        values = network.regions * network.channels
        return cls(network.lookback * values, network.horizon * values, options.hidden)

    def forward(
        self,
        history: Tensor,
        seen: Tensor,
        calendar: Tensor,
        gate: Tensor,
        targets: Tensor | None = None,
    ) -> Tensor:
        gates = gate.expand(history.shape[:2]).unsqueeze(-1)  # [batch, region, 1]
        inputs = torch.cat([(gates * history).flatten(1), (gates * seen).flatten(1)], 1)
        forecast = self.network(inputs).unflatten(1, (history.shape[1], -1))
        return forecast if targets is None else forecast[:, targets]

    def config(self) -> dict[str, Any]:
        return self.sizes

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Plain":
        return cls(**config)
