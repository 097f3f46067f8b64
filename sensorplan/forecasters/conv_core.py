"""What all cells share in a convolutional network: its weights, and the way to forecasts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sensorplan.forecasters.level import leave_level
from sensorplan.forecasters.regionwise import RegionDecoder, RegionEncoder

LOG_WEIGHT_LIMIT = 8.0


@dataclass(frozen=True)
class ConvSizes:
    """Sizes of a convolutional network; `history` and `future` count steps times channels.

    `rows` and `columns` are those of the grid, up to a multiple of the coarsest scale's cells.
    """

    channels: int
    history: int
    future: int
    calendar: int
    rows: int
    columns: int
    scales: int
    width: int
    blocks: int
    reach: int = 5
    hidden: int = 64


class ConvLayout(NamedTuple):
    """What does not depend on the history: `source` regions are read, `target` ones forecast.

    Attributes:
        entry: ``[source, width]`` identity of the sources, added to their encoding.
        source: ``[source]`` cell of each, counted along the rows.
        exit: ``[target, hidden]`` identity of the targets.
        target: ``[target]`` cell of each.
    """

    entry: Tensor
    source: Tensor
    exit: Tensor
    target: Tensor


class NormalizedConv(nn.Module):
    """The average around each cell of what was seen there, by a kernel that is learned.

    Normalised convolution (Knutsson and Westin 1993): the convolution of weight x value over that
    of the weight, both with the same positive kernel, so that it matters what was seen and not how
    much. The average is shrunk to 0 where little was.
    """

    def __init__(self, reach: int) -> None:
        super().__init__()
        offset = torch.arange(reach) - reach // 2
        self.log_kernel = nn.Parameter(-(offset[:, None] ** 2 + offset**2) / 2)
        self.log_shrinkage = nn.Parameter(torch.zeros(()))
        self.margin = reach // 2

    def forward(self, weighted: Tensor) -> Tensor:
        """Average over what lies around each cell.

        Args:
            weighted: ``[batch, width + 1, row, column]`` weight x value, and last the weight.

        Returns:
            The same shape: averages, and last the certainty in [0, 1).
        """
        channels = weighted.shape[1]
        kernel = self.log_kernel.clamp(-LOG_WEIGHT_LIMIT, LOG_WEIGHT_LIMIT).exp()
        sums = functional.conv2d(
            weighted, kernel.expand(channels, 1, -1, -1), padding=self.margin, groups=channels
        )
        return sums / (sums[:, -1:] + self.log_shrinkage.exp())


class Block(nn.Module):
    """Wide depthwise convolution, then each cell at itself (as in ConvNeXt, Liu et al. 2022)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.feed = nn.Sequential(
            nn.Conv2d(width, 2 * width, 1), nn.GELU(), nn.Conv2d(2 * width, width, 1)
        )

    def forward(self, cells: Tensor) -> Tensor:
        """``[batch, width, row, column]`` to the same."""
        fed: Tensor = cells + self.feed(self.spread(cells))
        return fed


class Translator(nn.Module):
    """From what was seen at every scale, finest first, to what is about to come at the finest."""

    def __init__(self, sizes: ConvSizes) -> None:
        super().__init__()
        seen, width, deep = sizes.width + 1, sizes.width, 2 * sizes.width
        self.narrow = nn.Conv2d(seen, deep, 1)
        self.season = nn.Parameter(torch.zeros(sizes.calendar, deep))
        self.blocks = nn.Sequential(*(Block(deep) for _ in range(sizes.blocks)))
        self.widen = nn.Conv2d(deep, width, 1)
        self.merges = nn.ModuleList(
            nn.Conv2d(width + seen, width, 3, padding=1) for _ in range(sizes.scales - 1)
        )

    def forward(self, scales: Sequence[Tensor], calendar: Tensor) -> Tensor:
        """``[batch, width + 1, row, column]`` at every scale to ``[batch, width, row, column]``."""
        *finer, coarsest = scales
        deep = self.narrow(coarsest) + (calendar @ self.season)[..., None, None]
        cells: Tensor = self.widen(self.blocks(deep))
        for merge, skip in zip(self.merges, reversed(finer), strict=True):
            cells = functional.interpolate(cells, scale_factor=2.0)
            cells = cells + functional.gelu(merge(torch.cat([cells, skip], 1)))
        return cells


class ConvCore(nn.Module):
    """The weights that all cells share, and the way from histories to forecasts."""

    def __init__(self, sizes: ConvSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.encode = RegionEncoder(sizes.history, sizes.hidden, sizes.width)
        self.averages = nn.ModuleList(NormalizedConv(sizes.reach) for _ in range(sizes.scales))
        self.translate = Translator(sizes)
        self.decode = RegionDecoder(
            streams=3 * sizes.width + 2,
            calendar=sizes.calendar,
            hidden=sizes.hidden,
            channels=sizes.channels,
            future=sizes.future,
        )

    def forward(
        self, history: Tensor, seen: Tensor, calendar: Tensor, gate: Tensor, layout: ConvLayout
    ) -> Tensor:
        """Forecast the layout's targets from its sources; see `Backbone.forward`."""
        sizes, batch = self.sizes, history.shape[0]
        deviation, level = leave_level(history, seen, gate, sizes.channels)
        code = self.encode(deviation, seen) + layout.entry
        weight = (gate * seen.mean(-1)).unsqueeze(-1)  # [batch, source, 1]
        weighted = torch.cat([weight * code, weight], -1)  # [batch, source, width + 1]
        blank = weighted.new_zeros(batch, sizes.rows * sizes.columns, weighted.shape[2])
        cells = blank.index_copy(1, layout.source, weighted)

        grid = cells.view(batch, sizes.rows, sizes.columns, -1).permute(0, 3, 1, 2)
        scales = [self.averages[0](grid)]
        for average in self.averages[1:]:
            grid = 4 * functional.avg_pool2d(grid, 2)  # their sum
            scales.append(average(grid))
        coming = self.translate(scales, calendar)

        targets = (_at(scales[0], layout.target), _at(coming, layout.target))
        streams = torch.cat([cells[:, layout.target], *targets], -1)
        forecast: Tensor = self.decode(streams, layout.exit, calendar, level)
        return forecast


def _at(grid: Tensor, cells: Tensor) -> Tensor:
    """``[batch, target, width]`` of ``[batch, width, row, column]`` at some cells."""
    return grid.permute(0, 2, 3, 1).flatten(1, 2)[:, cells]
