"""Backbones: architectures that forecast every region from any subset of them.

A backbone is a `torch.nn.Module` with

- ``build(network, seed)``: made for one network, from its training history;
- ``forward(history, seen, calendar, gate, targets)``: the forecast ``[batch, target, horizon *
  channel]`` from all
  regions, each weighted by its gate (θ ⊙ mask; 0 = switched off);
- ``neighbours``: ``[region, neighbour]``, the regions that may stand in for each;
- ``compact(gate)``: the module that takes the kept regions alone and forecasts the same.
"""

from sensorplan.forecasters.mixer import CompactMixer, Mixer
from sensorplan.forecasters.network import Network
from sensorplan.forecasters.saving import from_bytes, to_bytes

FORECASTERS = {"mixer": Mixer}

__all__ = ["FORECASTERS", "CompactMixer", "Mixer", "Network", "from_bytes", "to_bytes"]
