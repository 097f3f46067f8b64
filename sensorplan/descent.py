"""How weights go down the gradient of a loss, and what one step looks at."""

import copy
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sensorplan.forecasters import Sources
from sensorplan.gating import GatedForecaster, Snapshot
from sensorplan.journal import State
from sensorplan.sensors import Ints
from sensorplan.windows import Batch


class Descent:
    """AdamW with a one-cycle learning rate (Smith and Topin 2018), and what was best so far.

    Args:
        parameters: What is trained.
        learning_rate: The peak.
        steps: Of the training.

    Attributes:
        steps_done: How many.
        best: The best state so far; None: none was noted.
        best_loss: Its loss on validation.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], learning_rate: float, steps: int
    ) -> None:
        self._parameters = [*parameters]
        self._optimiser = torch.optim.AdamW(self._parameters, lr=learning_rate, weight_decay=0.01)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser, learning_rate, total_steps=max(steps, 2), pct_start=0.15
        )
        self.steps_done = 0
        self.best: Snapshot | None = None
        self.best_loss = np.inf

    def note(self, snapshot: Snapshot, loss: float) -> None:
        """Take a state as the best, if its loss on validation is the lowest so far."""
        if self.best is None or loss < self.best_loss:
            self.best, self.best_loss = snapshot, loss

    def follow(self, loss: Tensor) -> None:
        """One step down the gradient of a loss."""
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimiser.step()
        self._schedule.step()
        self.steps_done += 1

    def state(self) -> State:
        """All that it goes on from, besides the parameters."""
        best = self.best and {"forecaster": self.best.forecaster, "theta": self.best.theta}
        return {
            "optimiser": self._optimiser.state_dict(),
            "schedule": self._schedule.state_dict(),
            "steps_done": self.steps_done,
            "best": best,
            "best_loss": self.best_loss,
        }

    def restore(self, state: State) -> None:
        """Go on from there; the parameters must be as they were then."""
        self._optimiser.load_state_dict(copy.deepcopy(state["optimiser"]))
        self._schedule.load_state_dict(state["schedule"])
        self.steps_done = state["steps_done"]
        self.best = state["best"] and Snapshot(**state["best"])
        self.best_loss = state["best_loss"]


class Objective(nn.Module):
    """What a step sums up, as a module of all that is trained."""

    def __init__(self, gated: GatedForecaster) -> None:
        super().__init__()
        self.forecaster, self.theta = gated.forecaster, gated.theta
        self._squares = gated.squares

    def forward(
        self, batch: Batch, mask: Tensor, targets: Tensor | None, sources: Sources | None
    ) -> tuple[Tensor, Tensor]:
        """See `GatedForecaster.squares`; the gate is θ ⊙ mask."""
        return self._squares(batch, self.theta * mask, targets, sources)


class Step(NamedTuple):
    """What one step of training looks at.

    Attributes:
        starts: ``[batch]`` first steps of its windows.
        mask: ``[batch, region]``.
        targets: Regions that are judged; None: all.
        sources: The part of the network that is read; None: all of it.
        penalty: λ of the mask's L1 penalty.
    """

    starts: Ints
    mask: Tensor
    targets: Tensor | None
    sources: Sources | None
    penalty: float


class Begin(NamedTuple):
    """How a training begins: arguments of `Descent`, and its state."""

    learning_rate: float
    steps: int
    state: State
