"""`Mixer`: the default backbone, conditional on the mask, of a cost linear in the regions.

Every region's history is encoded by one shared network. Three streams then tell each target region
what the kept regions saw: *latents*, attention averages over the whole network (as in Perceiver IO,
Jaegle et al. 2021, arXiv 2107.14795, and Senseiver, Santos et al. 2023, doi
10.1038/s42256-023-00746-x) that are mixed with the calendar; *neighbours*, an average over the
regions whose series correlate most with the target's; and the target's *own* history if it is kept.
Every average is over kept regions, weighted by gate x share observed, so a region with gate 0 takes
no part at all and the compact form is exact.
"""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sensorplan.forecasters.network import (
    Network,
    identity_features,
    mode_loadings,
    nearest_by_correlation,
)

LOG_WEIGHT_LIMIT = 8.0


@dataclass(frozen=True)
class MixerSizes:
    """Sizes of a mixer; `history` and `future` are lookback and horizon times channels."""

    history: int
    future: int
    calendar: int
    latents: int = 16
    width: int = 32
    identity: int = 16
    hidden: int = 64
    mixing: int = 128
    modes: int = 16
    neighbours: int = 8


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
        streams = torch.cat([history, seen], -1)
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
        forecast: Tensor = self.decode(everything) + self.decode_linear(linear)
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


class Mixer(nn.Module):
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
    def build(cls, network: Network, seed: int) -> "Mixer":
        """Make one for a network; its modes give the first identity and the neighbours.

        The caller seeds torch; `seed` is for the randomised modes.
        """
        sizes = MixerSizes(
            history=network.lookback * network.channels,
            future=network.horizon * network.channels,
            calendar=network.calendar_features,
        )
        loadings = mode_loadings(network, sizes.modes, seed)
        neighbours, correlation = nearest_by_correlation(loadings, sizes.neighbours)
        squared = np.clip(correlation / network.channels, 0, 0.99) ** 2
        closeness = squared / (1 - squared) + 0.01  # like a precision: signal over noise
        return cls(
            sizes,
            torch.from_numpy(identity_features(loadings, network.positions)),
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
        """Forecast from all regions, each weighted by its gate.

        Args:
            history: ``[batch, region, lookback * channel]`` standardised anomalies, 0 where
                missing.
            seen: The same shape, 1 where observed.
            calendar: ``[batch, feature]``.
            gate: ``[batch, region]`` or ``[region]``; 0 = switched off.
            targets: ``[target]`` regions to forecast; None: all.

        Returns:
            ``[batch, target, horizon * channel]``.
        """
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


class CompactMixer(nn.Module):
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
        """What `from_config` needs besides the state."""
        return {
            "sizes": asdict(self.sizes),
            "regions": self.regions,
            "kept": self.kept,
            "neighbours": self.neighbours,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "CompactMixer":
        """An empty one of the same shape, ready to load a state."""
        return cls(**{**config, "sizes": MixerSizes(**config["sizes"])})

    def forward(self, history: Tensor, seen: Tensor, calendar: Tensor) -> Tensor:
        """Forecast all regions.

        Args:
            history: ``[batch, kept, lookback * channel]`` standardised anomalies, 0 where missing.
            seen: The same shape, 1 where observed.
            calendar: ``[batch, feature]``.

        Returns:
            ``[batch, region, horizon * channel]``.
        """
        layout = Layout(*(getattr(self, f"layout_{name}") for name in Layout._fields))
        forecast: Tensor = self.core(history, seen, calendar, self.gate, layout)
        return forecast


def _bounded_exp(logarithm: Tensor) -> Tensor:
    return logarithm.clamp(-LOG_WEIGHT_LIMIT, LOG_WEIGHT_LIMIT).exp()
