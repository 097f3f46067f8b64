"""What all regions share in a mixer: its weights, and the way from histories to forecasts."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sensorplan.forecasters.level import carry_level, leave_level
from sensorplan.forecasters.sums import weighted_sums


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

    A pair is a target with one of its neighbours that is a source. The last of ``width + 1``
    features is a weight; `told` is what a target is decoded from: hidden features, then
    horizon * channel linear ones.

    Attributes:
        entry: ``[source, width]`` identity of the sources, added to their encoding.
        attention: ``[latent, source]`` weight of each source in each latent.
        readout: ``[target, latent]`` weight of each latent for each target; they sum to 1.
        own: ``[own]`` place among the sources of each of the first targets; the others are none.
        neighbours: ``[pair]`` place among the sources, target by target.
        closeness: ``[pair]`` weight of the neighbour.
        first_pair: ``[target]`` where its pairs begin.
        from_latents: ``[told, width]`` what a latent tells.
        from_own: ``[told, width + 1]`` what a target's own history tells.
        from_neighbours: ``[told, width + 1]`` what the mean of its neighbours tells.
        from_calendar: ``[hidden, feature]`` what the calendar tells.
        exit: ``[target, hidden]`` what the identity of the targets tells.
    """

    entry: Tensor
    attention: Tensor
    readout: Tensor
    own: Tensor
    neighbours: Tensor
    closeness: Tensor
    first_pair: Tensor
    from_latents: Tensor
    from_own: Tensor
    from_neighbours: Tensor
    from_calendar: Tensor
    exit: Tensor


class MixerCore(nn.Module):
    """The weights that all regions share, and the way from histories to forecasts.

    Every target is decoded, however few sources there are. So the first layer of decoding is taken
    apart by what it reads, and each part is applied where there is least of it: to the latents, to
    the sources, to the calendar. For the targets their outputs are only added up. Inside, regions
    come before windows: most steps are then one product of two matrices.
    """

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
        self.decode = nn.Linear(sizes.hidden, sizes.future)
        nn.init.zeros_(self.decode.weight)
        self.told = [sizes.hidden, sizes.future]
        self.channels = sizes.channels
        horizon = sizes.future // sizes.channels
        self.level_gain = nn.Parameter(torch.ones(horizon, sizes.channels))
        self.latent_shrinkage = nn.Parameter(torch.zeros(sizes.latents, 1, 1))  # log
        self.neighbour_shrinkage = nn.Parameter(torch.zeros(1))  # log

    def forward(
        self,
        history: Tensor,
        seen: Tensor,
        calendar: Tensor,
        gate: Tensor,
        layout: Layout,
        share: Tensor | None = None,
    ) -> Tensor:
        """Forecast the layout's targets from its sources; see `Backbone.forward`.

        `share` is that of `Sources`, which the layout's attention holds already; None: 1.
        """
        in_level = gate if share is None else gate * share
        deviation, level = leave_level(history, seen, in_level, self.channels)
        said = self._encode(deviation, seen, gate, layout)  # [source, batch, width + 1]
        latents = self._mix(said, calendar, layout)  # [latent, batch, width]

        carried = carry_level(level, self.level_gain).squeeze(1)  # [batch, horizon * channel]
        for_all = torch.cat([calendar @ layout.from_calendar.T, carried], -1)  # [batch, told]
        words = latents @ layout.from_latents.T + for_all
        told = _product(layout.readout, words)  # [target, batch, told]; means keep what is for all
        self._add_neighbours(told, said, layout)
        told[: len(layout.own)] += said.index_select(0, layout.own) @ layout.from_own.T

        hidden, linear = torch.split(told, self.told, -1)
        hidden = functional.gelu(hidden + layout.exit.unsqueeze(1))
        forecast: Tensor = self.decode(hidden)  # [target, batch, horizon * channel]
        forecast += linear
        return forecast.transpose(0, 1)

    def _encode(self, deviation: Tensor, seen: Tensor, gate: Tensor, layout: Layout) -> Tensor:
        """``[source, batch, width + 1]`` code of each history times its weight, and the weight."""
        streams = torch.cat([deviation.transpose(0, 1), seen.transpose(0, 1)], -1)
        code = self.encode(streams)
        code += self.encode_linear(streams)
        code += layout.entry.unsqueeze(1)
        weight = (gate * seen.mean(-1)).T.unsqueeze(-1)  # [source, batch, 1]
        return torch.cat([weight * code, weight], -1)

    def _mix(self, said: Tensor, calendar: Tensor, layout: Layout) -> Tensor:
        """``[latent, batch, width]`` averages over the network, mixed with the calendar."""
        sums = _product(layout.attention, said)
        latents = sums[..., :-1] / (sums[..., -1:] + self.latent_shrinkage.exp())
        mixed: Tensor = self.mix(torch.cat([latents.transpose(0, 1).flatten(1), calendar], -1))
        return latents + mixed.view(-1, len(latents), latents.shape[2]).transpose(0, 1)

    def _add_neighbours(self, told: Tensor, said: Tensor, layout: Layout) -> None:
        """Add to ``[target, batch, told]`` what the mean over each target's neighbours tells.

        The mean is shrunk to 0, and comes with its certainty in [0, 1). Sources are multiplied
        before they are averaged where there are far fewer of them than targets.
        """
        shrinkage = self.neighbour_shrinkage.exp()
        if 2 * len(said) < len(told):
            telling = torch.cat([said @ layout.from_neighbours.T, said[..., -1:]], -1)
            sums = _neighbour_sums(telling, layout)
            told.addcdiv_(sums[..., :-1], sums[..., -1:] + shrinkage)
        else:
            sums = _neighbour_sums(said, layout)
            told += (sums / (sums[..., -1:] + shrinkage)) @ layout.from_neighbours.T


def _product(matrix: Tensor, parts: Tensor) -> Tensor:
    """``[row, batch, feature]`` the matrix ``[row, part]`` times ``[part, batch, feature]``."""
    return (matrix @ parts.flatten(1)).view(len(matrix), *parts.shape[1:])


def _neighbour_sums(table: Tensor, layout: Layout) -> Tensor:
    """``[target, batch, feature]`` sums of ``[source, batch, feature]``, weighted by closeness."""
    return weighted_sums(table, layout.neighbours, layout.first_pair, layout.closeness)
