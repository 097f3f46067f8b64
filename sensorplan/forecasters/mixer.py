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
from torch.nn import functional

from sensorplan.forecasters.backbone import Backbone, Compact, Options, Sources
from sensorplan.forecasters.mixer_core import Layout, MixerCore, MixerSizes
from sensorplan.forecasters.network import Network, identity_features

LOG_WEIGHT_LIMIT = 8.0
CACHED = 16384  # regions x windows that are forecast at once


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
        width = sizes.width
        self.parts = [width, width, sizes.identity, sizes.identity]
        self.identify = nn.Linear(features.shape[1], sum(self.parts))
        self.identity = nn.Parameter(torch.zeros(len(features), sum(self.parts)))
        # What decoding reads: latents, own, neighbours (with their weights), calendar, identity.
        self.streams = [width, width + 1, width + 1, sizes.calendar, width]
        self.decode = nn.Linear(sum(self.streams), sizes.hidden)
        self.decode_linear = nn.Linear(3 * width, sizes.future, bias=False)
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

    def layout(self, targets: Tensor | None = None, sources: Sources | None = None) -> Layout:
        """The layout for some targets and sources, by default all regions; sources hold targets."""
        everything = torch.arange(self.regions, device=self.features.device)
        targets = everything if targets is None else targets
        neighbours, own = self.neighbours[targets], targets
        features, share = self.features, None
        identity: Tensor = self.identity
        if sources is not None:
            read, share = sources
            features, identity = features[read], identity[read]
            neighbours, own = torch.searchsorted(read, neighbours), torch.searchsorted(read, own)
        whole = self.identify(features) + identity
        entry, exit_, key, query = torch.split(whole, self.parts, -1)
        attention = _bounded_exp(self.latent_keys @ key.T)
        pairs = torch.arange(neighbours.numel(), device=targets.device).view(neighbours.shape)
        *decoders, from_calendar, from_identity = torch.split(self.decode.weight, self.streams, 1)
        linear = torch.split(self.decode_linear.weight, self.sizes.width, 1)
        from_latents, from_own, from_neighbours = map(_stacked, decoders, linear)
        return Layout(
            entry,
            attention if share is None else attention * share,
            torch.softmax(query[own] @ self.latent_values.T, -1),
            own,
            neighbours.flatten(),
            _bounded_exp(self.log_closeness[targets]).flatten(),
            pairs[:, 0],
            from_latents,
            from_own,
            from_neighbours,
            from_calendar,
            functional.linear(exit_[own], from_identity, self.decode.bias),
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

    def reads(self, targets: Tensor) -> Tensor:
        """See `Backbone.reads`: the targets and their neighbours."""
        return torch.cat([targets, self.neighbours[targets].flatten()])

    def forecast_from(
        self,
        sources: Sources,
        history: Tensor,
        seen: Tensor,
        calendar: Tensor,
        gate: Tensor,
        targets: Tensor,
    ) -> Tensor:
        """See `Backbone.forecast_from`."""
        layout = self.layout(targets, sources)
        forecast: Tensor = self.core(history, seen, calendar, gate, layout, sources.share)
        return forecast

    def compact(self, gate: Tensor) -> "CompactMixer":
        """The same forecaster with the kept regions (gate not 0) as its only input."""
        kept = torch.nonzero(gate)[:, 0]
        order = torch.cat([kept, torch.nonzero(gate == 0)[:, 0]])  # who is kept comes first
        place = order.argsort()
        with torch.no_grad():
            whole = self.layout(order)
            heard = gate[whole.neighbours] != 0  # [pair]
            counts = heard.view(self.regions, -1).sum(1)
            layout = whole._replace(
                entry=whole.entry[kept],
                attention=whole.attention[:, kept],
                own=place[kept],
                neighbours=place[whole.neighbours][heard],
                closeness=whole.closeness[heard],
                first_pair=counts.cumsum(0) - counts,
            )
        compact = CompactMixer(self.sizes, self.regions, len(kept), len(layout.neighbours))
        compact.core.load_state_dict(self.core.state_dict())
        compact.set_buffers(gate[kept], place, layout)
        return compact.to(gate.device)

    @classmethod
    def empty_compact(cls, config: dict[str, Any]) -> "CompactMixer":
        """See `Backbone.empty_compact`."""
        return CompactMixer(**{**config, "sizes": MixerSizes(**config["sizes"])})


class CompactMixer(Compact):
    """A mixer reduced to its kept regions; inside, those come first among the targets."""

    gate: Tensor
    place: Tensor

    def __init__(self, sizes: MixerSizes, regions: int, kept: int, pairs: int) -> None:
        super().__init__()
        self.sizes, self.regions, self.kept, self.pairs = sizes, regions, kept, pairs
        self.core = MixerCore(sizes)
        width, told = sizes.width, sizes.hidden + sizes.future
        self.set_buffers(
            torch.zeros(kept),
            torch.zeros(regions, dtype=torch.int64),
            Layout(
                entry=torch.zeros(kept, width),
                attention=torch.zeros(sizes.latents, kept),
                readout=torch.zeros(regions, sizes.latents),
                own=torch.zeros(kept, dtype=torch.int64),
                neighbours=torch.zeros(pairs, dtype=torch.int64),
                closeness=torch.zeros(pairs),
                first_pair=torch.zeros(regions, dtype=torch.int64),
                from_latents=torch.zeros(told, width),
                from_own=torch.zeros(told, width + 1),
                from_neighbours=torch.zeros(told, width + 1),
                from_calendar=torch.zeros(sizes.hidden, sizes.calendar),
                exit=torch.zeros(regions, sizes.hidden),
            ),
        )

    def set_buffers(self, gate: Tensor, place: Tensor, layout: Layout) -> None:
        """Take the gate of the kept regions, each region's place among the targets, the layout."""
        self.register_buffer("gate", gate.detach().clone())
        self.register_buffer("place", place)
        for name, tensor in layout._asdict().items():
            self.register_buffer(f"layout_{name}", tensor.detach().clone().contiguous())

    def config(self) -> dict[str, Any]:
        """See `Compact.config`."""
        return {
            "sizes": asdict(self.sizes),
            "regions": self.regions,
            "kept": self.kept,
            "pairs": self.pairs,
        }

    def forward(self, history: Tensor, seen: Tensor, calendar: Tensor) -> Tensor:
        """See `Compact.forward`; some windows at a time, which the processor's cache can hold."""
        size = max(1, CACHED // self.regions)
        if _exporting() or len(history) <= size:
            return self._forecast(history, seen, calendar)
        parts = zip(*(torch.split(x, size) for x in (history, seen, calendar)), strict=True)
        return torch.cat([self._forecast(*part) for part in parts])

    def _forecast(self, history: Tensor, seen: Tensor, calendar: Tensor) -> Tensor:
        layout = Layout(*(getattr(self, f"layout_{name}") for name in Layout._fields))
        forecast: Tensor = self.core(history, seen, calendar, self.gate, layout)
        return forecast.index_select(1, self.place)


def _exporting() -> bool:
    """Whether what is run is written down, for any number of windows."""
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    return tracing or torch.compiler.is_exporting()


def _bounded_exp(logarithm: Tensor) -> Tensor:
    return logarithm.clamp(-LOG_WEIGHT_LIMIT, LOG_WEIGHT_LIMIT).exp()


def _stacked(decoder: Tensor, linear: Tensor) -> Tensor:
    """Rows of both; the linear decoder reads no weight, which comes last."""
    return torch.cat([decoder, functional.pad(linear, (0, decoder.shape[1] - linear.shape[1]))])
