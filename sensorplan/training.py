"""The training of forecaster and mask weights together, under masks of all sizes.

One `Trainer` serves a whole plan: the first training under random masks, the rounds of pruning, and
the fine-tuning on a final mask all go through `Trainer.train`, with other gates.
"""

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from sensorplan.descent import Begin, Descent, Objective, Step
from sensorplan.errors import TrainingError
from sensorplan.forecasters import Sources
from sensorplan.gating import GatedForecaster, Snapshot
from sensorplan.journal import Journal, Resumable, State, UnderWay
from sensorplan.recipe import TrainingSettings
from sensorplan.sampling import fitting_windows, random_masks, random_survivors
from sensorplan.sensors import Bools, Ints
from sensorplan.team import current_team
from sensorplan.windows import Windows

CHECKS = 10  # of the validation loss in one training

GateSampler = Callable[[int], Tensor]
"""From a batch size, the masks ``[batch, region]`` of one step, as floats."""

Kept = TypeVar("Kept")


class Trainer(GatedForecaster):
    """Trains a forecaster and θ together.

    Attributes:
        journal: Of the run, with what its trainings gave.
        team: The processes that share the training.
        rate: Peak learning rate of the first training.
        late_rate: That of all later ones: a third.
    """

    def __init__(
        self,
        windows: Windows,
        settings: TrainingSettings,
        seed: int,
        failing: float = 0.0,
        journal: Journal | None = None,
    ) -> None:
        super().__init__(windows, settings, seed, failing)
        self.journal = journal or Journal()
        self.team = current_team()
        self.rate = settings.learning_rate or self.forecaster.learning_rate
        self.late_rate = self.rate / 3

    def random_masks(self, batch: int) -> Tensor:
        """``[batch, region]`` random masks of log-uniform budgets; some keep everything."""
        return torch.from_numpy(random_masks(self.rng, batch, self.windows.regions)).to(self.device)

    def train(
        self,
        steps: int,
        learning_rate: float,
        masks: GateSampler,
        *,
        penalty: float = 0.0,
        each_step: Callable[[int], None] | None = None,
        keep_best: bool = True,
        companion: Resumable | None = None,
    ) -> float:
        """Train for some steps, and go back to the state best on validation, the first included.

        A forecaster in closed form only takes the settings that are best there.

        Args:
            steps: Optimiser steps, with a one-cycle learning rate (Smith and Topin 2018).
            learning_rate: Its peak.
            masks: Masks of a step; also those of the validation loss.
            penalty: λ of the mask's L1 penalty (mean over regions).
            each_step: Called after every step with its number from 1.
            keep_best: Whether to go back to the best state.
            companion: What changes with the steps besides the trainer.

        Returns:
            The validation loss of the best state; inf where `keep_best` is False.

        Raises:
            TrainingError: The loss is no number any more.
        """
        if self.forecaster.closed_form:
            best_loss = self._tune(masks) if keep_best else np.inf
            for step in range(1, steps + 1):
                if each_step:
                    each_step(step)
            return best_loss

        def descend(under_way: UnderWay) -> State:
            descent = Descent([*self.forecaster.parameters(), self.theta], learning_rate, steps)
            if under_way.state is None:
                validation_masks = self.validation_masks(masks)
                if keep_best:
                    descent.note(self.snapshot(), self.validation_loss(validation_masks))
            else:
                validation_masks = under_way.state["validation_masks"].to(self.device)
                self._take_up(under_way.state, companion)
                descent.restore(under_way.state["descent"])

            def state() -> State:
                own = {"descent": descent.state(), "validation_masks": validation_masks}
                return {**self._whole(companion), **own}

            self.team.say(Begin(learning_rate, steps, descent.state()))
            objective = self.team.shared(Objective(self), self.device)
            for step in range(descent.steps_done + 1, steps + 1):
                descent.follow(self._step_loss(step, objective, masks, penalty))
                if keep_best and (step % max(1, steps // CHECKS) == 0 or step == steps):
                    descent.note(self.snapshot(), self.validation_loss(validation_masks))
                if each_step:
                    each_step(step)
                under_way.offer(step, state)
            self.team.say(None)
            if descent.best is not None:
                self.restore(descent.best)
            return {**self._whole(companion), "best_loss": descent.best_loss}

        done = self.journal.step(f"{steps} training steps", descend)
        self._take_up(done, companion)
        return float(done["best_loss"])

    def _whole(self, companion: Resumable | None) -> State:
        return {"trainer": self.state(), "companion": companion and companion.state()}

    def _take_up(self, state: State, companion: Resumable | None) -> None:
        self.resume(state["trainer"])
        if companion:
            companion.restore(state["companion"])

    def _step_loss(
        self, number: int, objective: nn.Module, masks: GateSampler, penalty: float
    ) -> Tensor:
        """Loss of one step, on this process's share of windows drawn at random.

        Raises:
            TrainingError: It is no number any more.
        """
        step = self._draw(masks, penalty)
        self.team.say(step)
        loss = self._share_of_loss(objective, step)
        if not torch.isfinite(self.team.total(loss)):
            raise TrainingError(
                f"the training loss is {loss.item()} at step {number}; "
                "expected a finite number: try a smaller learning_rate"
            )
        return loss

    def _draw(self, masks: GateSampler, penalty: float) -> Step:
        """Windows at random, a mask for each, and the regions that are judged."""
        training, size = self.windows.split.train, self.team.size
        if self.batch_size < size:
            raise TrainingError(
                f"{size} processes, but batch_size is {self.batch_size} windows a step; expected "
                f"batch_size >= {size}, or fewer processes"
            )
        starts = self.rng.choice(training, min(self.batch_size, len(training)), replace=False)
        drawn, targets = masks(len(starts)), self._some_targets()
        return Step(starts, drawn, targets, self._sources(drawn, targets, self.rng), penalty)

    def _share_of_loss(self, objective: nn.Module, step: Step) -> Tensor:
        """The loss of the windows that are this process's; the mean over the team is the loss."""
        own = slice(self.team.number, None, self.team.size)
        mask = step.mask.to(self.device)
        targets = None if step.targets is None else step.targets.to(self.device)
        sources = step.sources and Sources(*(part.to(self.device) for part in step.sources))
        batch = self._cut(step.starts[own], targets, sources)
        squares, weight = objective(batch, mask[own], targets, sources)
        loss: Tensor = self.team.size * squares / self.team.total(weight).clamp(min=1e-6)
        if step.penalty:
            loss = loss + step.penalty * (self.theta * mask).abs().mean()
        return loss

    def take_part(self) -> None:
        """Share every training of the first process, until it is done."""
        while (begin := self.team.hear()) is not None:
            parameters = [*self.forecaster.parameters(), self.theta]
            descent = Descent(parameters, begin.learning_rate, begin.steps)
            descent.restore(begin.state)
            objective = self.team.shared(Objective(self), self.device)
            while (step := self.team.hear()) is not None:
                loss = self._share_of_loss(objective, step)
                if torch.isfinite(self.team.total(loss)):  # else the first process ends the run
                    descent.follow(loss)

    def _tune(self, masks: GateSampler) -> float:
        """Let a closed form take its settings, on fewer windows where each has its own mask."""
        sample = self._validation_sample()
        drawn = masks(len(sample))
        if not bool((drawn == drawn[0]).all()):
            every = -(-len(sample) // self.forecaster.most_probed)
            drawn, sample = drawn[::every], sample[::every]
        return self.forecaster.tune(lambda: self._loss(drawn, sample))

    def validation_masks(self, masks: GateSampler) -> Tensor:
        """``[window, region]`` a mask for each window of the validation loss."""
        return masks(len(self._validation_sample()))

    def validation_loss(self, masks: Tensor) -> float:
        """Loss on the validation windows (a spread of them), each under its own mask."""
        return self._loss(masks, self._validation_sample())

    def failing_masks(self, mask: Bools) -> GateSampler:
        """Masks of a step: one mask, of which the failing share is out in each window."""
        fixed = self.mask_tensor(mask)
        if not self.failing:
            return lambda batch: fixed.expand(batch, -1)
        return lambda batch: (
            fixed * self.mask_tensor(random_survivors(self.rng, batch, len(mask), self.failing))
        )

    def state(self) -> State:
        """All that it goes on from: weights and random streams."""
        return {
            "forecaster": dict(self.forecaster.state_dict()),
            "theta": self.theta.detach(),
            "draws": self.rng.bit_generator.state,
            "torch_draws": torch.get_rng_state(),
        }

    def resume(self, state: State) -> None:
        """Go on from a `state`."""
        self.restore(Snapshot(state["forecaster"], state["theta"]))
        self.rng.bit_generator.state = state["draws"]
        torch.set_rng_state(state["torch_draws"])

    def remember(self, name: str, compute: Callable[[], Kept]) -> Kept:
        """What `compute` gives, as a step of the run's journal.

        It may draw from the random stream, but must leave the weights alone.
        """

        def step(under_way: UnderWay) -> State:
            return {"value": compute(), "draws": self.rng.bit_generator.state}

        done = self.journal.step(name, step)
        self.rng.bit_generator.state = done["draws"]
        return cast(Kept, done["value"])

    def _validation_sample(self) -> Ints:
        starts = self.windows.split.validation
        return starts[:: -(-len(starts) // fitting_windows(256, self.windows.regions, 32))]
