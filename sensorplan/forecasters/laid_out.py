"""`LaidOut`: the compact form of backbones that keep apart what regions share and what they do not.

Such a backbone has a core, whose weights all regions share, and makes a layout for it: a named
tuple of tensors that do not depend on the history.
"""

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from sensorplan.forecasters.backbone import Compact


class LaidOut(Compact):
    """A core with the gate of the kept regions and a layout that reads no others."""

    gate: Tensor

    def __init__(self, core: nn.Module, gate: Tensor, layout: Any) -> None:
        super().__init__()
        self.core = core
        self.layout_type = type(layout)
        self.register_buffer("gate", gate.detach().clone())
        for name, tensor in layout._asdict().items():
            self.register_buffer(f"layout_{name}", tensor.detach().clone().contiguous())

    def config(self) -> dict[str, Any]:
        """The core's sizes, and how many regions there are and are kept."""
        return {
            "sizes": asdict(self.core.sizes),  # type: ignore[call-overload]
            "regions": len(self.get_buffer("layout_exit")),
            "kept": len(self.gate),
        }

    def forward(self, history: Tensor, seen: Tensor, calendar: Tensor) -> Tensor:
        """See `Compact.forward`."""
        names = self.layout_type._fields
        layout = self.layout_type(*(self.get_buffer(f"layout_{name}") for name in names))
        forecast: Tensor = self.core(history, seen, calendar, self.gate, layout)
        return forecast


def places(kept: Tensor, regions: int) -> Tensor:
    """``[region]`` the place of each region among the kept ones; `len(kept)` where it is none."""
    place = torch.full((regions,), len(kept), device=kept.device)
    place[kept] = torch.arange(len(kept), device=kept.device)
    return place
