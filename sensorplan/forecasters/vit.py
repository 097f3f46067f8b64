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
thousand regions a compact forecaster with 40 % of them does a third of the work. Training reads all
regions, whatever the mask: up to a thousand they cost no more than a few times the mixer's; at two
thousand expect half an hour on one core, and beyond that take patches.
"""

from dataclasses import asdict
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from sensorplan.forecasters.attention import HEAD
from sensorplan.forecasters.backbone import Backbone, Compact, Options
from sensorplan.forecasters.network import Network, identity_features
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
    features: Tensor

    def __init__(self, sizes: VitSizes, features: Tensor) -> None:
        super().__init__()
        self.sizes = sizes
        self.core = VitCore(sizes)
        self.identify = nn.Linear(features.shape[1], 2 * sizes.width)
        self.identity = nn.Parameter(torch.zeros(len(features), 2 * sizes.width))
        self.register_buffer("features", features)

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
        features = identity_features(network.loadings, network.topology.positions)
        return cls(sizes, torch.from_numpy(features))

    def layout(self, targets: Tensor | None = None) -> VitLayout:
        """The layout with all regions as sources, for some targets (all by default)."""
        if targets is None:
            targets = torch.arange(len(self.features), device=self.features.device)
        whole = self.identify(self.features) + self.identity
        entry, exit_ = whole.split(self.sizes.width, -1)
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
        forecast: Tensor = self.core(history, seen, calendar, gate, self.layout(targets))
        return forecast

    def compact(self, gate: Tensor) -> "CompactVit":
        """The same forecaster with the tokens of the kept regions (gate not 0) only."""
        kept = torch.nonzero(gate)[:, 0]
        place = torch.full((len(gate),), len(kept), device=gate.device)
        place[kept] = torch.arange(len(kept), device=gate.device)
        with torch.no_grad():
            whole = self.layout()
        compact = CompactVit(self.sizes, len(gate), len(kept))
        compact.core.load_state_dict(self.core.state_dict())
        compact.set_buffers(gate[kept], whole._replace(entry=whole.entry[kept], own=place))
        return compact.to(gate.device)

    @classmethod
    def empty_compact(cls, config: dict[str, Any]) -> "CompactVit":
        """See `Backbone.empty_compact`."""
        return CompactVit(**{**config, "sizes": VitSizes(**config["sizes"])})


class CompactVit(Compact):
    """A transformer reduced to its kept regions."""

    gate: Tensor

    def __init__(self, sizes: VitSizes, regions: int, kept: int) -> None:
        super().__init__()
        self.sizes, self.regions, self.kept = sizes, regions, kept
        self.core = VitCore(sizes)
        self.set_buffers(
            torch.zeros(kept),
            VitLayout(
                entry=torch.zeros(kept, sizes.width),
                query=torch.zeros(sizes.heads, regions, HEAD),
                exit=torch.zeros(regions, sizes.width),
                own=torch.zeros(regions, dtype=torch.int64),
            ),
        )

    def set_buffers(self, gate: Tensor, layout: VitLayout) -> None:
        """Take the gate of the kept regions and their layout."""
        self.register_buffer("gate", gate.detach().clone())
        for name, tensor in layout._asdict().items():
            self.register_buffer(f"layout_{name}", tensor.detach().clone().contiguous())

    def config(self) -> dict[str, Any]:
        """See `Compact.config`."""
        return {"sizes": asdict(self.sizes), "regions": self.regions, "kept": self.kept}

    def forward(self, history: Tensor, seen: Tensor, calendar: Tensor) -> Tensor:
        """See `Compact.forward`."""
        layout = VitLayout(*(getattr(self, f"layout_{name}") for name in VitLayout._fields))
        forecast: Tensor = self.core(history, seen, calendar, self.gate, layout)
        return forecast
