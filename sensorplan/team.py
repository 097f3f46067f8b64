"""Several processes that share the training of one plan, as torchrun starts them.

The first process runs everything. The others hold the same windows and a copy of the forecaster,
and take part in every step of training with a share of its windows; the gradients are averaged by
torch's DistributedDataParallel (Li et al. 2020, arXiv 2006.15704).
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

PATIENCE = timedelta(days=7)  # while the first process reads, ranks and judges

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Team:
    """The processes of one run.

    Attributes:
        number: Of this process, from 0.
        size: How many there are.
    """

    number: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the first process, which runs everything."""
        return self.number == 0

    def say(self, message: object) -> None:
        """Tell the others, from the first process."""
        if self.size > 1:
            written = io.BytesIO()
            torch.save(message, written)
            distributed.broadcast_object_list([written.getvalue()], src=0)

    def hear(self) -> Any:
        """What the first process says next; its tensors are in memory, not on a device."""
        heard = [b""]
        distributed.broadcast_object_list(heard, src=0)
        return torch.load(io.BytesIO(heard[0]), map_location="cpu", weights_only=False)

    def total(self, value: Tensor) -> Tensor:
        """Sum of a value over the processes, without a gradient."""
        whole = value.detach()
        if self.size > 1:
            whole = whole.clone()
            distributed.all_reduce(whole)
        return whole

    def shared(self, module: Module, device: torch.device) -> Module | nn.Module:
        """The module with gradients that are averaged over the processes, all as the first's."""
        if self.size == 1:
            return module
        devices = [device] if device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(module, devices)


def team_size() -> int:
    """How many processes torchrun has started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1")) if distributed.is_torchelastic_launched() else 1


def current_team() -> Team:
    """The team that this process has joined, or it alone."""
    if not distributed.is_initialized():
        return Team()
    return Team(distributed.get_rank(), distributed.get_world_size())


@contextmanager
def joined() -> Iterator[Team]:
    """Join the processes that torchrun has started; the others are told when the first is done."""
    if team_size() == 1:
        yield Team()
        return
    # DistributedDataParallel loads it, and its defaults would hold the group of that moment
    from torch.distributed.nn import functional  # noqa: F401

    backends = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backends, timeout=PATIENCE)
    team = current_team()
    yield team
    if team.leads:
        team.say(None)
    distributed.destroy_process_group()
