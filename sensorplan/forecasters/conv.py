"""`Conv`: convolutions over a grid of regions, conditional on the mask.

A grid's cells (or patches) are a picture of which time and channels are the colours, as in SimVP
(Gao et al. 2022, arXiv 2206.05099): one network encodes, translates past into future, and decodes,
with the encoder's view at every scale handed to the decoder. Here the picture is full of holes. So
every kept region is encoded by itself, and at each scale a normalised convolution averages what was
seen around a cell, weighted by gate x share observed; the translator works on these averages. A
region with gate 0, and a cell that is no region, weigh nothing. All is made of deviations from the
level of the network in the window, which is carried on.

The compact form is exact. It spares the encoder the regions that were switched off, and no more:
the convolutions run over the whole grid, however few cells are kept. The cost grows with the cells
of the grid.
"""

import copy
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from sensorplan.errors import DataError
from sensorplan.forecasters.backbone import Backbone, Options
from sensorplan.forecasters.conv_core import ConvCore, ConvLayout, ConvSizes
from sensorplan.forecasters.laid_out import LaidOut
from sensorplan.forecasters.network import Network
from sensorplan.forecasters.regionwise import RegionIdentity


class ConvOptions(Options):
    """Settings of the convolutional network.

    Attributes:
        scales: Of the grid, each half as fine as the one before.
        width: Of a cell's code; twice that at the coarsest scale.
        blocks: Translating past into future, at the coarsest scale.
    """

    scales: Annotated[int, Field(ge=1, le=8)] = 3
    width: Annotated[int, Field(ge=1)] = 32
    blocks: Annotated[int, Field(ge=0)] = 2


class Conv(Backbone):
    """The convolutional network over all regions of a grid; conditional on any gate."""

    learning_rate = 5e-3
    options_type = ConvOptions
    cells: Tensor

    def __init__(self, sizes: ConvSizes, network: Network, cells: Tensor) -> None:
        super().__init__()
        self.core = ConvCore(sizes)
        self.identity = RegionIdentity(network, sizes.width + sizes.hidden)
        self.register_buffer("cells", cells)

    @classmethod
    def build(cls, network: Network, options: Options) -> "Conv":
        """Make one for a grid; its modes and positions give the first identity of the regions.

        Raises:
            DataError: The regions are no cells of a grid.
        """
        cells = network.topology.cells
        if cells is None:
            raise DataError(
                "backbone conv: the sensors are no grid; expected gridded data, or another "
                "backbone, say mixer or vit"
            )
        own = ConvOptions.model_validate(options.model_dump())
        coarse = 2 ** (own.scales - 1)
        rows, columns = (-(-(int(last) + 1) // coarse) * coarse for last in cells.max(0))
        sizes = ConvSizes(
            channels=network.channels,
            history=network.lookback * network.channels,
            future=network.horizon * network.channels,
            calendar=network.calendar_features,
            rows=rows,
            columns=columns,
            **own.model_dump(),
        )
        return cls(sizes, network, torch.from_numpy(cells[:, 0] * columns + cells[:, 1]))

    def layout(self, targets: Tensor | None = None) -> ConvLayout:
        """The layout with all regions as sources, for some targets (all by default)."""
        sizes = self.core.sizes
        entry, exit_ = self.identity().split([sizes.width, sizes.hidden], -1)
        if targets is None:
            return ConvLayout(entry, self.cells, exit_, self.cells)
        return ConvLayout(entry, self.cells, exit_[targets], self.cells[targets])

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

    def compact(self, gate: Tensor) -> LaidOut:
        """The same forecaster, which encodes the kept regions (gate not 0) only."""
        kept = torch.nonzero(gate)[:, 0]
        whole = self.layout()
        layout = whole._replace(entry=whole.entry[kept], source=whole.source[kept])
        return LaidOut(copy.deepcopy(self.core), gate[kept], layout)

    @classmethod
    def empty_compact(cls, config: dict[str, Any]) -> LaidOut:
        """See `Backbone.empty_compact`."""
        sizes, regions, kept = ConvSizes(**config["sizes"]), config["regions"], config["kept"]
        layout = ConvLayout(
            entry=torch.zeros(kept, sizes.width),
            source=torch.zeros(kept, dtype=torch.int64),
            exit=torch.zeros(regions, sizes.hidden),
            target=torch.zeros(regions, dtype=torch.int64),
        )
        return LaidOut(ConvCore(sizes), torch.zeros(kept), layout)
