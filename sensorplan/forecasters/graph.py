"""`DiffusionGraph`: a backbone on the graph of the network, of a cost linear in its links.

In the manner of DCRNN (Li et al. 2018, arXiv 1707.01926) and Graph WaveNet (Wu et al. 2019, arXiv
1906.00121), with a small encoder in place of a recurrence. Every region's history is encoded by one
shared network, told what *latents* (attention averages over the whole network, mixed with the
calendar) hold, and diffused over the links of the graph. Each source then says what it forecasts,
and a target is read out from those it reaches, itself among them, and from the latents: a few
additions a target, so that nearly all work is done for kept regions alone. All of it is made of
deviations from the level of the network in the window, which is carried on. Every average is over
kept regions, weighted by gate x share observed, so a region with gate 0 takes no part at all and
the compact form is exact.

The graph is the data's own adjacency, or the nearest neighbours by position; ``adaptive`` adds one
that is learned, of a cost quadratic in the regions.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from sensorplan.errors import DataError
from sensorplan.forecasters.backbone import Backbone, Compact, Options
from sensorplan.forecasters.graph_core import GraphCore, GraphSizes, Layout
from sensorplan.forecasters.graph_links import (
    AllLinks,
    Graph,
    HeldLinks,
    Links,
    blank_links,
    make_graph,
    unlinked,
)
from sensorplan.forecasters.network import Network, identity_features

LOG_WEIGHT_LIMIT = 8.0

Averages = tuple[Links | AllLinks, ...]


class GraphOptions(Options):
    """Settings of the graph.

    Attributes:
        neighbours: Nearest neighbours of a region in the graph of positions; it reaches twice as
            many. Of an adjacency, the twice as many strongest links of a region count.
        adaptive: Whether to learn a graph besides, between all regions.
    """

    neighbours: int = Field(8, ge=1)
    adaptive: bool = False


class DiffusionGraph(Backbone):
    """The graph over all regions of a network; conditional on any gate."""

    learning_rate: ClassVar[float] = 8e-3
    options_type: ClassVar[type[Options]] = GraphOptions

    features: Tensor

    def __init__(self, sizes: GraphSizes, features: Tensor, graph: Graph) -> None:
        super().__init__()
        self.sizes = sizes
        self.core = GraphCore(sizes)
        vectors = 4 if sizes.adaptive else 2
        self.parts = [sizes.width, *vectors * [sizes.identity]]
        self.identify = nn.Linear(features.shape[1], sum(self.parts))
        self.identity = nn.Parameter(torch.zeros(len(features), sum(self.parts)))
        self.latent_keys = nn.Parameter(0.3 * torch.randn(sizes.latents, sizes.identity))
        self.latent_values = nn.Parameter(0.3 * torch.randn(sizes.latents, sizes.identity))
        self.log_closeness = nn.Parameter(torch.zeros(graph.reach.nnz))  # beside its weight
        self.log_latent_scale = nn.Parameter(torch.zeros(sizes.latents, 1))
        self.log_scales = nn.Parameter(torch.zeros(sizes.transitions + sizes.readouts))
        self.register_buffer("features", features)
        matrices = (*graph.transitions, graph.reach)
        self.links = HeldLinks([Links.from_matrix(matrix) for matrix in matrices])

    @classmethod
    def build(cls, network: Network, options: Options) -> "DiffusionGraph":
        """Make one for a network; its modes and positions give the first identity.

        Raises:
            DataError: There is no graph, nor is one to be learned.
        """
        assert isinstance(options, GraphOptions)
        graph = make_graph(network.topology, options.neighbours)
        if graph is None and not options.adaptive:
            raise DataError(
                "backbone graph: the data has neither an adjacency with links nor positions; give "
                "--adjacency FILE (CSV with from,to,weight), --backbone-option adaptive=true or "
                "another --backbone"
            )
        graph = graph or unlinked(network.regions)
        sizes = GraphSizes(
            channels=network.channels,
            history=network.lookback * network.channels,
            future=network.horizon * network.channels,
            calendar=network.calendar_features,
            ways=len(graph.transitions),
            adaptive=options.adaptive,
        )
        features = identity_features(network.loadings, network.topology.positions)
        return cls(sizes, torch.from_numpy(features), graph)

    def layout(self, targets: Tensor | None = None) -> Layout:
        """The layout with all regions as sources, for some targets (all by default)."""
        whole = self.identify(self.features) + self.identity
        entry, key, query, *ends = whole.split(self.parts, -1)
        attention = _bounded_exp(self.latent_keys @ key.T + self.log_latent_scale)
        context = torch.softmax(query @ self.latent_values.T, -1)  # [region, latent]
        transitions, reach = self._averages(ends)
        readout = context
        if targets is not None:
            readout, reach = context[targets], tuple(links.to_rows(targets) for links in reach)
        readout = functional.pad(readout, (0, 1), value=1.0)
        return Layout(entry, attention, context, readout, transitions, reach)

    def _averages(self, ends: Sequence[Tensor]) -> tuple[Averages, Averages]:
        """The transitions, and what all regions reach; `ends` are those of the adaptive links."""
        *ways, reach = self.links.get()
        reach = reach._replace(weights=reach.weights * _bounded_exp(self.log_closeness))
        adaptive = [AllLinks(_bounded_exp(functional.relu(ends[0] @ ends[1].T)))] if ends else []
        scaled = [
            links._replace(weights=links.weights * scale)
            for links, scale in zip(
                (*ways, *adaptive, reach, *adaptive), self.log_scales.exp(), strict=True
            )
        ]
        count = self.sizes.transitions
        return tuple(scaled[:count]), tuple(scaled[count:])

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

    def compact(self, gate: Tensor) -> "CompactGraph":
        """The same forecaster with the kept regions (gate not 0) as its only input."""
        kept = gate != 0
        places = torch.nonzero(kept)[:, 0]
        with torch.no_grad():
            whole = self.layout()
            layout = Layout(
                whole.entry[kept],
                whole.attention[:, kept],
                whole.context[kept],
                whole.readout,
                tuple(links.to_rows(places).from_sources(kept) for links in whole.transitions),
                tuple(links.from_sources(kept) for links in whole.reach),
            )
        compact = CompactGraph(self.sizes, gate[kept], layout)
        compact.core.load_state_dict(self.core.state_dict())
        return compact.to(gate.device)

    @classmethod
    def empty_compact(cls, config: dict[str, Any]) -> "CompactGraph":
        """See `Backbone.empty_compact`."""
        sizes = GraphSizes(**config["sizes"])
        kept, regions, links = config["kept"], config["regions"], config["links"]
        rows = sizes.transitions * [kept] + sizes.readouts * [regions]
        blank = [blank_links(*numbers, kept) for numbers in zip(links, rows, strict=True)]
        layout = Layout(
            torch.zeros(kept, sizes.width),
            torch.zeros(sizes.latents, kept),
            torch.zeros(kept, sizes.latents),
            torch.zeros(regions, sizes.latents + 1),
            tuple(blank[: sizes.transitions]),
            tuple(blank[sizes.transitions :]),
        )
        return CompactGraph(sizes, torch.zeros(kept), layout)


class CompactGraph(Compact):
    """A diffusion graph reduced to its kept regions."""

    gate: Tensor
    entry: Tensor
    attention: Tensor
    context: Tensor
    readout: Tensor

    def __init__(self, sizes: GraphSizes, gate: Tensor, layout: Layout) -> None:
        super().__init__()
        self.sizes = sizes
        self.core = GraphCore(sizes)
        *tensors, transitions, reach = layout
        for name, tensor in zip(("gate", *Layout._fields), (gate, *tensors), strict=False):
            self.register_buffer(name, tensor.detach().clone().contiguous())
        self.links = HeldLinks([*transitions, *reach])

    def config(self) -> dict[str, Any]:
        """See `Compact.config`."""
        return {
            "sizes": asdict(self.sizes),
            "regions": len(self.readout),
            "kept": len(self.gate),
            "links": [links.number for links in self.links.get()],
        }

    def forward(self, history: Tensor, seen: Tensor, calendar: Tensor) -> Tensor:
        """See `Compact.forward`."""
        links, count = self.links.get(), self.sizes.transitions
        layout = Layout(
            self.entry, self.attention, self.context, self.readout, links[:count], links[count:]
        )
        forecast: Tensor = self.core(history, seen, calendar, self.gate, layout)
        return forecast


def _bounded_exp(logarithm: Tensor) -> Tensor:
    return logarithm.clamp(-LOG_WEIGHT_LIMIT, LOG_WEIGHT_LIMIT).exp()
