"""Backbones: architectures that forecast every region from any subset of them.

`Backbone` says what one is; each has a file, and a name in `FORECASTERS`. Other packages add theirs
through the entry-point group ``sensorplan.forecasters``.
"""

from sensorplan.forecasters.backbone import Backbone, Compact, Options, Sources
from sensorplan.forecasters.blend import CompactBlend
from sensorplan.forecasters.linear import CompactLinear
from sensorplan.forecasters.mixer import Mixer
from sensorplan.forecasters.network import Network
from sensorplan.forecasters.registry import (
    BLEND,
    FORECASTERS,
    LINEAR,
    build_backbone,
    find_backbone,
)
from sensorplan.forecasters.saving import from_bytes, to_bytes

__all__ = [
    "BLEND",
    "FORECASTERS",
    "LINEAR",
    "Backbone",
    "Compact",
    "CompactBlend",
    "CompactLinear",
    "Mixer",
    "Network",
    "Options",
    "Sources",
    "build_backbone",
    "find_backbone",
    "from_bytes",
    "to_bytes",
]
