"""`Mixer`: the default backbone, conditional on the mask, of a cost linear in the regions.

Every region's history is encoded by one shared network. Three streams then tell each target region
what the kept regions saw: *latents*, attention averages over the whole network (as in Perceiver IO,
Jaegle et al. 2021, arXiv 2107.14795, and Senseiver, Santos et al. 2023, doi
10.1038/s42256-023-00746-x) that are mixed with the calendar; *neighbours*, an average over the
regions whose series correlate most with the target's; and the target's *own* history if it is kept.
All three are made of deviations from the level of the network in the window, which is carried on.
Every average is over kept regions, weighted by gate x share observed, so a region with gate 0 takes
no part at all and the compact form is exact.
"""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sensorplan.forecasters.backbone import Backbone, Compact, Options
from sensorplan.forecasters.mixer_core import Layout, MixerCore, MixerSizes
from sensorplan.forecasters.network import (
    Network,
    identity_features,
)

LOG_WEIGHT_LIMIT = 8.0


class Mixer(Backbone):
    """The mixer over all regions of a network; conditional on any gate."""

    features: Tensor
    neighbours: Tensor

    def __init__(
        self, sizes: MixerSizes, features: Tensor, neighbours: Tensor, log_closeness: Tensor
    ) -> None:
        super().__init__()
        self.sizes = sizes
        self.core = MixerCore(sizes)
        parts = 2 * sizes.identity + 2 * sizes.width
        self.identify = nn.Linear(features.shape[1], parts)
        self.identity = nn.Parameter(torch.zeros(len(features), parts))
        self.latent_keys = nn.Parameter(0.3 * torch.randn(sizes.latents, sizes.identity))
        self.latent_values = nn.Parameter(0.3 * torch.randn(sizes.latents, sizes.identity))
        self.log_closeness = nn.Parameter(log_closeness)
        self.register_buffer("features", features)
        self.register_buffer("neighbours", neighbours)

    @classmethod
    def build(cls, network: Network, options: Options) -> "Mixer":
        """Make one for a network; its modes give the first identity and the neighbours."""
        sizes = MixerSizes(
            channels=network.channels,
            history=network.lookback * network.channels,
            future=network.horizon * network.channels,
            calendar=network.calendar_features,
        )
        neighbours, correlation = network.neighbours
        squared = np.clip(correlation / network.channels, 0, 0.99) ** 2
        closeness = squared / (1 - squared) + 0.01  # like a precision: signal over noise
        return cls(
            sizes,
            torch.from_numpy(identity_features(network.loadings, network.topology.positions)),
            torch.from_numpy(neighbours),
            torch.from_numpy(np.log(closeness).astype(np.float32)),
        )

    @property
    def regions(self) -> int:
        """Number of regions."""
        return len(self.features)

    def layout(self, targets: Tensor | None = None) -> Layout:
        """The layout with all regions as sources, for some targets (all by default)."""
        if targets is None:
            targets = torch.arange(self.regions, device=self.features.device)
        width, identity = self.sizes.width, self.sizes.identity
        whole = self.identify(self.features) + self.identity
        entry, exit_, key, query = whole.split([width, width, identity, identity], -1)
        return Layout(
            entry,
            _bounded_exp(self.latent_keys @ key.T),
            torch.softmax(query[targets] @ self.latent_values.T, -1),
            exit_[targets],
            targets,
            self.neighbours[targets],
            _bounded_exp(self.log_closeness[targets]),
        )

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

    def compact(self, gate: Tensor) -> "CompactMixer":
        """The same forecaster with the kept regions (gate not 0) as its only input."""
        kept = torch.nonzero(gate)[:, 0]
        place = torch.full((self.regions,), len(kept), device=gate.device)
        place[kept] = torch.arange(len(kept), device=gate.device)
        with torch.no_grad():
            whole = self.layout()
            layout = whole._replace(
                entry=whole.entry[kept],
                attention=whole.attention[:, kept],
                own=place,
                neighbours=place[whole.neighbours],
            )
        compact = CompactMixer(self.sizes, self.regions, len(kept), whole.closeness.shape[1])
        compact.core.load_state_dict(self.core.state_dict())
        compact.set_buffers(gate[kept], layout)
        return compact.to(gate.device)

    @classmethod
    def empty_compact(cls, config: dict[str, Any]) -> "CompactMixer":
        """See `Backbone.empty_compact`."""
        return CompactMixer(**{**config, "sizes": MixerSizes(**config["sizes"])})


class CompactMixer(Compact):
    """A mixer reduced to its kept regions."""

    gate: Tensor

    def __init__(self, sizes: MixerSizes, regions: int, kept: int, neighbours: int) -> None:
        super().__init__()
        self.sizes, self.regions, self.kept, self.neighbours = sizes, regions, kept, neighbours
        self.core = MixerCore(sizes)
        self.set_buffers(
            torch.zeros(kept),
            Layout(
                entry=torch.zeros(kept, sizes.width),
                attention=torch.zeros(sizes.latents, kept),
                readout=torch.zeros(regions, sizes.latents),
                exit=torch.zeros(regions, sizes.width),
                own=torch.zeros(regions, dtype=torch.int64),
                neighbours=torch.zeros(regions, neighbours, dtype=torch.int64),
                closeness=torch.zeros(regions, neighbours),
            ),
        )

    def set_buffers(self, gate: Tensor, layout: Layout) -> None:
        """Take the gate of the kept regions and their layout."""
        self.register_buffer("gate", gate.detach().clone())
        for name, tensor in layout._asdict().items():
            self.register_buffer(f"layout_{name}", tensor.detach().clone().contiguous())

    def config(self) -> dict[str, Any]:
        """See `Compact.config`."""
        return {
            "sizes": asdict(self.sizes),
            "regions": self.regions,
            "kept": self.kept,
            "neighbours": self.neighbours,
        }

    def forward(self, history: Tensor, seen: Tensor, calendar: Tensor) -> Tensor:
        """See `Compact.forward`."""
        layout = Layout(*(getattr(self, f"layout_{name}") for name in Layout._fields))
        forecast: Tensor = self.core(history, seen, calendar, self.gate, layout)
        return forecast


def _bounded_exp(logarithm: Tensor) -> Tensor:
    return logarithm.clamp(-LOG_WEIGHT_LIMIT, LOG_WEIGHT_LIMIT).exp()
