"""What all regions share in a diffusion graph: its weights, and the way to the forecasts.

Inside, the axis of the regions comes first, ``[region, batch, width]``, so that a sum over links
reads whole rows.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sensorplan.forecasters.graph_links import AllLinks, Links
from sensorplan.forecasters.level import carry_level, leave_level


@dataclass(frozen=True)
class GraphSizes:
    """Sizes of a diffusion graph; `history` and `future` are lookback and horizon times channels.

    `ways` is 2 in a directed graph, 1 in one without direction, 0 where there is none.
    """

    channels: int
    history: int
    future: int
    calendar: int
    ways: int
    adaptive: bool
    layers: int = 2
    hops: int = 2
    width: int = 64
    hidden: int = 128
    latents: int = 8
    identity: int = 16
    mixing: int = 64

    @property
    def transitions(self) -> int:
        """Number of transitions in a `Layout`."""
        return self.ways + self.adaptive

    @property
    def readouts(self) -> int:
        """Number of links from sources to targets in a `Layout`."""
        return 1 + self.adaptive


class Layout(NamedTuple):
    """What does not depend on the history: `source` regions are read, `target` ones forecast.

    All sums over sources become means by division through the sum of weights + 1.

    Attributes:
        entry: ``[source, width]`` identity of the sources, added to their encoding.
        attention: ``[latent, source]`` weight of each source in each latent.
        context: ``[source, latent]`` weight of each latent for each source.
        readout: ``[target, latent + 1]`` weight of each latent, and 1 for the level.
        transitions: Links from sources to sources, one for each way to walk.
        reach: Links from sources to targets.
    """

    entry: Tensor
    attention: Tensor
    context: Tensor
    readout: Tensor
    transitions: tuple[Links | AllLinks, ...]
    reach: tuple[Links | AllLinks, ...]


class Diffusion(nn.Module):
    """A diffusion convolution (Li et al. 2018, arXiv 1707.01926, eq. 2), added to its input.

    The walks go over kept regions alone, each weighted by gate x share observed.
    """

    def __init__(self, sizes: GraphSizes) -> None:
        super().__init__()
        self.hops = sizes.hops
        walks, width = 1 + sizes.transitions * sizes.hops, sizes.width
        self.join = nn.Sequential(
            nn.Linear(walks * width, width), nn.GELU(), nn.Linear(width, width)
        )

    def forward(
        self, code: Tensor, weight: Tensor, layout: Layout, shares: tuple[Tensor, ...]
    ) -> Tensor:
        """Let each source know what those around it hold.

        Args:
            code: ``[source, batch, width]``.
            weight: ``[source, batch, 1]``.
            layout: With the transitions.
            shares: For each transition ``[source, batch, 1]``, 1 / (sum of weights + 1).
        """
        walks = [code]
        for links, share in zip(layout.transitions, shares, strict=True):
            reached = code
            for _ in range(self.hops):
                reached = links.spread(weight * reached) * share
                walks.append(reached)
        joined: Tensor = self.join(torch.cat(walks, -1))
        return code + joined


class GraphCore(nn.Module):
    """The weights that all regions share, and the way from histories to forecasts."""

    def __init__(self, sizes: GraphSizes) -> None:
        super().__init__()
        self.sizes = sizes
        width, flat = sizes.width, sizes.latents * sizes.width
        self.encode = nn.Sequential(
            nn.Linear(2 * sizes.history, sizes.hidden), nn.GELU(), nn.Linear(sizes.hidden, width)
        )
        self.mix = nn.Sequential(
            nn.Linear(flat + sizes.calendar, sizes.mixing), nn.GELU(), nn.Linear(sizes.mixing, flat)
        )
        self.diffusions = nn.ModuleList(Diffusion(sizes) for _ in range(sizes.layers))
        self.messages = nn.ModuleList(nn.Linear(width, sizes.future) for _ in range(sizes.readouts))
        self.latent_message = nn.Linear(width, sizes.future)
        horizon = sizes.future // sizes.channels
        self.level_gain = nn.Parameter(torch.ones(horizon, sizes.channels))

    def forward(
        self, history: Tensor, seen: Tensor, calendar: Tensor, gate: Tensor, layout: Layout
    ) -> Tensor:
        """Forecast the layout's targets from its sources; see `Backbone.forward`."""
        deviation, level = leave_level(history, seen, gate, self.sizes.channels)
        streams = torch.cat([deviation, seen], -1).transpose(0, 1)  # [source, batch, 2 * history]
        code = self.encode(streams) + layout.entry.unsqueeze(1)
        weight = (gate * seen.mean(-1)).transpose(0, 1).unsqueeze(-1)  # [source, batch, 1]

        latents = self._latents(code, weight, calendar, layout)
        code = code + (layout.context @ latents.flatten(1)).view_as(code)
        shares = tuple(_share(links.spread(weight)) for links in layout.transitions)
        for diffusion in self.diffusions:
            code = diffusion(code, weight, layout, shares)

        carried = carry_level(level, self.level_gain).transpose(0, 1)  # [1, batch, future]
        shared = torch.cat([self.latent_message(latents), carried])  # [latent + 1, batch, future]
        forecast = (layout.readout @ shared.flatten(1)).view(-1, *shared.shape[1:])
        for links, message in zip(layout.reach, self.messages, strict=True):
            near = links.spread(weight * message(code))
            forecast = torch.addcmul(forecast, near, _share(links.spread(weight)))
        return forecast.transpose(0, 1)

    def _latents(self, code: Tensor, weight: Tensor, calendar: Tensor, layout: Layout) -> Tensor:
        """``[latent, batch, width]`` means over the whole network, mixed with the calendar."""
        total = layout.attention @ weight.squeeze(-1)  # [latent, batch]
        summed = (layout.attention @ (weight * code).flatten(1)).view(*total.shape, -1)
        latents = summed * _share(total).unsqueeze(-1)
        by_window = latents.transpose(0, 1)  # [batch, latent, width]
        mixed: Tensor = self.mix(torch.cat([by_window.flatten(1), calendar], -1))
        return latents + mixed.view_as(by_window).transpose(0, 1)


def _share(total: Tensor) -> Tensor:
    """What turns a sum of that total weight into a mean, shrunk to 0."""
    return (total + 1).reciprocal()
