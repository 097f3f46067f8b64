"""`Vit`: a vision transformer of which every region is a token, conditional on the mask.

The token of a region (a patch, a cell or a station) is its history and its identity, as in the
vision transformer (Dosovitskiy et al. 2021, arXiv 2010.11929). Tokens attend to each other in some
layers, then every target region asks them from its own identity, and adds its own token if it is
kept. All is made of deviations from the level of the network in the window, which is carried on.
A few register tokens (Darcet et al. 2024, arXiv 2309.16588) are always there, so that there is
something to attend to even where nothing was seen.

A token counts by gate x share observed, in every attention, so a region with gate 0 takes no part
at all and the compact form, which does not have it, is exact. The cost of the layers grows with the
square of the regions that are read, the cost of asking with their number times the targets: of a
thousand regions or more a compact forecaster with 40 % of them does about a third of the work.
Training reads all regions, whatever the mask. Its 400 steps take one core half a minute for 200
regions and five minutes for 1,600; beyond 2,000 take patches.
"""

import copy
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from sensorplan.forecasters.attention import HEAD
from sensorplan.forecasters.backbone import Backbone, Options
from sensorplan.forecasters.laid_out import LaidOut, places
from sensorplan.forecasters.network import Network
from sensorplan.forecasters.regionwise import RegionIdentity
from sensorplan.forecasters.vit_core import VitCore, VitLayout, VitSizes


class VitOptions(Options):
    """Settings of the transformer.

    Attributes:
        layers: Times that tokens attend to each other before they are asked.
        heads: Attentions side by side, each of width 16.
        width: Of a token.
    """

    layers: Annotated[int, Field(ge=0)] = 2
    heads: Annotated[int, Field(ge=1)] = 1
    width: Annotated[int, Field(ge=1)] = 32


class Vit(Backbone):
    """The transformer over all regions of a network; conditional on any gate."""

    learning_rate = 5e-3
    options_type = VitOptions

    def __init__(self, sizes: VitSizes, network: Network) -> None:
        super().__init__()
        self.core = VitCore(sizes)
        self.identity = RegionIdentity(network, sizes.width + sizes.hidden)
        self.regions = network.regions

    @classmethod
    def build(cls, network: Network, options: Options) -> "Vit":
        """Make one for a network; its modes and positions give the first identity."""
        sizes = VitSizes(
            channels=network.channels,
            history=network.lookback * network.channels,
            future=network.horizon * network.channels,
            calendar=network.calendar_features,
            **options.model_dump(),
        )
        return cls(sizes, network)

    def layout(self, targets: Tensor) -> VitLayout:
        """The layout with all regions as sources, for some targets."""
        sizes = self.core.sizes
        entry, exit_ = self.identity().split([sizes.width, sizes.hidden], -1)
        return VitLayout(entry, self.core.read.ask(entry[targets]), exit_[targets], targets)

    def forward(
        self,
        history: Tensor,
        seen: Tensor,
        calendar: Tensor,
        gate: Tensor,
        targets: Tensor | None = None,
    ) -> Tensor:
        """See `Backbone.forward`."""
        if targets is None:
            targets = torch.arange(self.regions, device=gate.device)
        forecast: Tensor = self.core(history, seen, calendar, gate, self.layout(targets))
        return forecast

    def compact(self, gate: Tensor) -> LaidOut:
        """The same forecaster with the tokens of the kept regions (gate not 0) only."""
        kept = torch.nonzero(gate)[:, 0]
        whole = self.layout(torch.arange(self.regions, device=gate.device))
        layout = whole._replace(entry=whole.entry[kept], own=places(kept, self.regions))
        return LaidOut(copy.deepcopy(self.core), gate[kept], layout)

    @classmethod
    def empty_compact(cls, config: dict[str, Any]) -> LaidOut:
        """See `Backbone.empty_compact`."""
        sizes, regions, kept = VitSizes(**config["sizes"]), config["regions"], config["kept"]
        layout = VitLayout(
            entry=torch.zeros(kept, sizes.width),
            query=torch.zeros(sizes.heads, regions, HEAD),
            exit=torch.zeros(regions, sizes.hidden),
            own=torch.zeros(regions, dtype=torch.int64),
        )
        return LaidOut(VitCore(sizes), torch.zeros(kept), layout)
