"""What all regions share in a mixer: its weights, and the way from histories to forecasts."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sensorplan.forecasters.level import carry_level, leave_level


@dataclass(frozen=True)
class MixerSizes:
    """Sizes of a mixer; `history` and `future` are lookback and horizon times channels."""

    channels: int
    history: int
    future: int
    calendar: int
    latents: int = 16
    width: int = 32
    identity: int = 16
    hidden: int = 64
    mixing: int = 128


class Layout(NamedTuple):
    """What does not depend on the history: `source` regions are read, `target` ones forecast.

    Attributes:
        entry: ``[source, width]`` identity of the sources, added to their encoding.
        attention: ``[latent, source]`` weight of each source in each latent.
        readout: ``[target, latent]`` weight of each latent for each target.
        exit: ``[target, width]`` identity of the targets.
        own: ``[target]`` each target's place among the sources, `source` when it is none.
        neighbours: ``[target, neighbour]`` places among the sources, `source` when it is none.
        closeness: ``[target, neighbour]`` weight of each neighbour.
    """

    entry: Tensor
    attention: Tensor
    readout: Tensor
    exit: Tensor
    own: Tensor
    neighbours: Tensor
    closeness: Tensor


class MixerCore(nn.Module):
    """The weights that all regions share, and the way from histories to forecasts."""

    def __init__(self, sizes: MixerSizes) -> None:
        super().__init__()
        seen_and_history, width = 2 * sizes.history, sizes.width
        self.encode = nn.Sequential(
            nn.Linear(seen_and_history, sizes.hidden), nn.GELU(), nn.Linear(sizes.hidden, width)
        )
        self.encode_linear = nn.Linear(seen_and_history, width)
        flat = sizes.latents * width
        self.mix = nn.Sequential(
            nn.Linear(flat + sizes.calendar, sizes.mixing), nn.GELU(), nn.Linear(sizes.mixing, flat)
        )
        last = nn.Linear(sizes.hidden, sizes.future)
        nn.init.zeros_(last.weight)
        self.decode = nn.Sequential(
            nn.Linear(4 * width + 2 + sizes.calendar, sizes.hidden), nn.GELU(), last
        )
        self.decode_linear = nn.Linear(3 * width, sizes.future)
        self.channels = sizes.channels
        horizon = sizes.future // sizes.channels
        self.level_gain = nn.Parameter(torch.ones(horizon, sizes.channels))
        self.latent_shrinkage = nn.Parameter(torch.zeros(sizes.latents, 1))  # log
        self.neighbour_shrinkage = nn.Parameter(torch.zeros(1))  # log

    def forward(
        self, history: Tensor, seen: Tensor, calendar: Tensor, gate: Tensor, layout: Layout
    ) -> Tensor:
        """Forecast the layout's targets from its sources.

        Args:
            history: ``[batch, source, lookback * channel]``.
            seen: The same shape, 1 where observed.
            calendar: ``[batch, feature]``.
            gate: ``[batch, source]`` or ``[source]``.
            layout: What does not depend on the history.

        Returns:
            ``[batch, target, horizon * channel]``.
        """
        deviation, level = leave_level(history, seen, gate, self.channels)
        streams = torch.cat([deviation, seen], -1)
        code = self.encode(streams) + self.encode_linear(streams) + layout.entry
        weight = (gate * seen.mean(-1)).unsqueeze(-1)  # [batch, source, 1]
        weighted = torch.cat([weight * code, weight], -1)  # [batch, source, width + 1]

        total, latents = _mean(layout.attention @ weighted, self.latent_shrinkage.exp())
        mixed = self.mix(torch.cat([latents.flatten(1), calendar], -1))
        latents = latents + mixed.view_as(latents)  # [batch, latent, width]
        from_latents = layout.readout @ latents  # [batch, target, width]

        padded = functional.pad(weighted, (0, 0, 0, 1))  # one more source, of weight 0
        own = padded[:, layout.own]  # [batch, target, width + 1]
        total, near = _mean(_neighbour_sum(padded, layout), self.neighbour_shrinkage.exp())

        linear = torch.cat([from_latents, own[..., :-1], near], -1)
        batch, targets = linear.shape[:2]
        around = torch.cat(
            [
                layout.exit.expand(batch, -1, -1),
                own[..., -1:],
                total,
                calendar.unsqueeze(1).expand(-1, targets, -1),
            ],
            -1,
        )
        everything = torch.cat([linear, around], -1)
        carried = carry_level(level, self.level_gain)  # [batch, 1, horizon * channel]
        forecast: Tensor = self.decode(everything) + self.decode_linear(linear) + carried
        return forecast


def _mean(weighted: Tensor, shrinkage: Tensor) -> tuple[Tensor, Tensor]:
    """Split ``[..., width + 1]`` weighted sums into (certainty in [0, 1), mean shrunk to 0)."""
    total = weighted[..., -1:]
    denominator = total + shrinkage
    return total / denominator, weighted[..., :-1] / denominator


def _neighbour_sum(padded: Tensor, layout: Layout) -> Tensor:
    """``[batch, target, width + 1]`` sum over each target's neighbours, weighted by closeness."""
    batch, sources, width = padded.shape
    table = padded.transpose(0, 1).reshape(sources, -1)  # [source, batch * (width + 1)]
    summed = functional.embedding_bag(
        layout.neighbours, table, per_sample_weights=layout.closeness, mode="sum"
    )
    by_target: Tensor = summed.view(-1, batch, width)
    return by_target.transpose(0, 1)
