"""What all regions share in a vision transformer: its weights, and the way to forecasts."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sensorplan.forecasters.attention import WeightedAttention
from sensorplan.forecasters.level import leave_level
from sensorplan.forecasters.regionwise import RegionDecoder, RegionEncoder


@dataclass(frozen=True)
class VitSizes:
    """Sizes of a transformer; `history` and `future` are lookback and horizon times channels."""

    channels: int
    history: int
    future: int
    calendar: int
    layers: int
    heads: int
    width: int
    hidden: int = 64
    registers: int = 4


class VitLayout(NamedTuple):
    """What does not depend on the history: `source` regions are read, `target` ones forecast.

    Attributes:
        entry: ``[source, width]`` identity of the sources, added to their encoding.
        query: ``[head, target, HEAD]`` what each target asks the tokens for.
        exit: ``[target, hidden]`` identity of the targets.
        own: ``[target]`` each target's place among the sources, `source` when it is none.
    """

    entry: Tensor
    query: Tensor
    exit: Tensor
    own: Tensor


class Layer(nn.Module):
    """Tokens look at each other, then each at itself."""

    def __init__(self, sizes: VitSizes) -> None:
        super().__init__()
        self.attention = WeightedAttention(sizes.width, sizes.heads)
        self.project = nn.Linear(self.attention.width, sizes.width)
        self.feed = nn.Sequential(
            nn.Linear(sizes.width, sizes.hidden), nn.GELU(), nn.Linear(sizes.hidden, sizes.width)
        )

    def forward(self, tokens: Tensor, weight: Tensor) -> Tensor:
        """``[batch, token, width]`` to the same, with ``[batch, token, 1]`` weights."""
        around = self.attention(self.attention.ask(tokens), tokens, weight)
        tokens = tokens + self.project(around)
        fed: Tensor = tokens + self.feed(tokens)
        return fed


class VitCore(nn.Module):
    """The weights that all regions share, and the way from histories to forecasts."""

    def __init__(self, sizes: VitSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.encode = RegionEncoder(sizes.history, sizes.hidden, sizes.width)
        self.season = nn.Parameter(torch.zeros(sizes.calendar, sizes.width))
        self.registers = nn.Parameter(0.3 * torch.randn(sizes.registers, sizes.width))
        self.layers = nn.ModuleList(Layer(sizes) for _ in range(sizes.layers))
        self.read = WeightedAttention(sizes.width, sizes.heads)
        self.decode = RegionDecoder(
            streams=sizes.width + 1 + self.read.width,
            calendar=sizes.calendar,
            hidden=sizes.hidden,
            channels=sizes.channels,
            future=sizes.future,
        )

    def forward(
        self, history: Tensor, seen: Tensor, calendar: Tensor, gate: Tensor, layout: VitLayout
    ) -> Tensor:
        """Forecast the layout's targets from its sources; see `Backbone.forward`."""
        batch, sources = history.shape[:2]
        deviation, level = leave_level(history, seen, gate, self.sizes.channels)
        registers = self.registers.expand(batch, -1, -1)
        tokens = torch.cat([self.encode(deviation, seen) + layout.entry, registers], 1)
        tokens = tokens + (calendar @ self.season).unsqueeze(1)
        own_weight = (gate * seen.mean(-1)).unsqueeze(-1)  # [batch, source, 1]
        weight = torch.cat([own_weight, torch.ones_like(registers[..., :1])], 1)
        for layer in self.layers:
            tokens = layer(tokens, weight)  # [batch, source + register, width]

        context = self.read(layout.query, tokens, weight)  # [batch, target, width of heads]
        weighted = torch.cat([own_weight * tokens[:, :sources], own_weight], -1)
        padded = functional.pad(weighted, (0, 0, 0, 1))  # one more source, of weight 0
        streams = torch.cat([padded.index_select(1, layout.own), context], -1)
        forecast: Tensor = self.decode(streams, layout.exit, calendar, level)
        return forecast
