"""The training of forecaster and mask weights together, under masks of all sizes.

One `Trainer` serves a whole plan: the first training under random masks, the rounds of pruning, and
the fine-tuning on a final mask all go through `Trainer.train`, with other gates.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sensorplan.errors import TrainingError
from sensorplan.forecasters import Network, build_backbone
from sensorplan.recipe import TrainingSettings
from sensorplan.sampling import fitting_windows, random_masks, random_survivors
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.windows import Batch, Windows

TARGETS_PER_STEP = 512  # regions in the loss of one step; more are sampled
CHECKS = 10  # of the validation loss in one training

GateSampler = Callable[[int], Tensor]
"""From a batch size, the masks ``[batch, region]`` of one step, as floats."""


@dataclass(frozen=True)
class Snapshot:
    """State of a trainer at one moment."""

    forecaster: dict[str, Tensor]
    theta: Tensor


class Trainer:
    """Trains a forecaster and θ, the weight of each mask entry, on one network.

    Attributes:
        forecaster: The backbone.
        theta: ``[region]`` weight of each mask entry, starts at 1.
        batch_size: Windows in a step.
        failing: Share of the kept regions that fails, at random in each window, whenever a mask is
            judged or fine-tuned; 0 unless a plan is to bear failures.
        rate: Peak learning rate of the first training.
        late_rate: That of all later ones: a third.
    """

    def __init__(
        self, windows: Windows, settings: TrainingSettings, seed: int, failing: float = 0.0
    ) -> None:
        self.windows = windows
        self.settings = settings
        self.failing = failing
        self.rng = np.random.default_rng(seed)
        self.device = windows.anomalies.device
        training = windows.split.bounds[0]
        network = Network(
            lookback=windows.split.lookback,
            horizon=windows.split.horizon,
            anomalies=windows.anomalies[:training].cpu().numpy(),
            valid=windows.valid[:training].cpu().numpy(),
            calendar_features=windows.calendar.shape[1],
            topology=windows.topology,
            seed=seed,
        )
        torch.manual_seed(seed)
        self.forecaster = build_backbone(settings.backbone, settings.options, network)
        self.forecaster.to(self.device)
        self._network = network
        self.theta = nn.Parameter(torch.ones(windows.regions, device=self.device))
        self.rate = settings.learning_rate or self.forecaster.learning_rate
        self.late_rate = self.rate / 3
        self.batch_size = settings.batch_size or fitting_windows(32, windows.regions)
        horizon = windows.split.horizon
        self._weight = windows.loss_weight.repeat(1, horizon)  # [region, horizon * channel]

    def random_masks(self, batch: int) -> Tensor:
        """``[batch, region]`` random masks of log-uniform budgets; some keep everything."""
        return torch.from_numpy(random_masks(self.rng, batch, self.windows.regions)).to(self.device)

    def loss(self, batch: Batch, gate: Tensor, targets: Tensor | None = None) -> Tensor:
        """Mean squared error over valid targets, each region by its weight."""
        forecast = self.forecaster(batch.history, batch.seen, batch.calendar, gate, targets)
        future, valid, weight, further = batch.future, batch.valid, self._weight, batch.weight
        if targets is not None:
            future, valid, weight = future[:, targets], valid[:, targets], weight[targets]
            further = None if further is None else further[:, targets]
        weight = weight * valid
        if further is not None:
            weight = weight * further
        squares: Tensor = (forecast - future) ** 2 * weight
        return squares.sum() / weight.sum().clamp(min=1e-6)

    def train(
        self,
        steps: int,
        learning_rate: float,
        masks: GateSampler,
        *,
        penalty: float = 0.0,
        each_step: Callable[[int], None] | None = None,
        keep_best: bool = True,
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

        Returns:
            The validation loss of the best state; inf where `keep_best` is False.

        Raises:
            TrainingError: The loss is no number any more.
        """
        best, best_loss = None, np.inf
        if self.forecaster.closed_form:
            if keep_best:
                best_loss = self._tune(masks)
            for step in range(1, steps + 1):
                if each_step:
                    each_step(step)
            return best_loss
        parameters = [*self.forecaster.parameters(), self.theta]
        optimiser = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, learning_rate, total_steps=max(steps, 2), pct_start=0.15
        )
        validation_masks = self.validation_masks(masks)
        if keep_best:
            best, best_loss = self.snapshot(), self.validation_loss(validation_masks)
        for step in range(1, steps + 1):
            training = self.windows.split.train
            size = min(self.batch_size, len(training))
            starts = self.rng.choice(training, size, replace=False)
            mask = masks(len(starts))
            loss = self.loss(self.windows.batch(starts), self.theta * mask, self._some_targets())
            if penalty:
                loss = loss + penalty * (self.theta * mask).abs().mean()
            if not torch.isfinite(loss):
                raise TrainingError(
                    f"the training loss is {loss.item()} at step {step}; "
                    "expected a finite number: try a smaller learning_rate"
                )
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            schedule.step()
            if keep_best and (step % max(1, steps // CHECKS) == 0 or step == steps):
                checked = self.validation_loss(validation_masks)
                if checked < best_loss:
                    best, best_loss = self.snapshot(), checked
            if each_step:
                each_step(step)
        if best is not None:
            self.restore(best)
        return best_loss

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

    def mask_loss(self, mask: Bools, starts: Ints) -> float:
        """Loss of one mask ``[region]`` on some windows; the same regions fail for every mask."""
        if not self.failing:
            return self._loss(self.mask_tensor(mask), starts)
        works = random_survivors(np.random.default_rng(0), len(starts), len(mask), self.failing)
        return self._loss(self.mask_tensor(mask & works), starts)

    def failing_masks(self, mask: Bools) -> GateSampler:
        """Masks of a step: one mask, of which the failing share is out in each window."""
        fixed = self.mask_tensor(mask)
        if not self.failing:
            return lambda batch: fixed.expand(batch, -1)
        return lambda batch: (
            fixed * self.mask_tensor(random_survivors(self.rng, batch, len(mask), self.failing))
        )

    def _loss(self, masks: Tensor, starts: Ints) -> float:
        targets = self._fixed_targets()
        total = 0.0
        with torch.no_grad():
            for part in self._parts(starts):
                batch = self.windows.batch(starts[part])
                mask = masks[part] if masks.ndim > 1 else masks
                total += self.loss(batch, self.theta * mask, targets).item() * len(part)
        return total / len(starts)

    def gate_gradient(self, masks: Tensor, starts: Ints) -> tuple[Floats, float]:
        """Gradient of the loss to the gate θ ⊙ mask, and the loss, averaged over windows.

        Args:
            masks: ``[window, region]``, one for each window.
            starts: ``[window]``.

        Returns:
            ``[region]`` the gradient, and the loss.
        """
        total, total_loss = torch.zeros(self.windows.regions, device=self.device), 0.0
        for gradient, loss in self._gate_gradients(masks, starts):
            total += gradient.sum(0) * len(gradient)
            total_loss += loss * len(gradient)
        return (total / len(starts)).cpu().numpy(), total_loss / len(starts)

    def window_gradients(self, masks: Tensor, starts: Ints) -> tuple[Floats, float]:
        """What `gate_gradient` averages: what each window adds to the gradient, and the mean loss.

        Args:
            masks: ``[window, region]``, one for each window.
            starts: ``[window]``.

        Returns:
            ``[window, region]`` gradients, whose mean is that of the loss, and the loss.
        """
        parts, total_loss = [], 0.0
        for gradient, loss in self._gate_gradients(masks, starts):
            parts.append(gradient * len(gradient))
            total_loss += loss * len(gradient)
        return torch.cat(parts).cpu().numpy(), total_loss / len(starts)

    def _gate_gradients(self, masks: Tensor, starts: Ints) -> Iterator[tuple[Tensor, float]]:
        """``[part, region]`` gradients of the loss of some windows at a time, and that loss."""
        for part in self._parts(starts):
            gate = (self.theta.detach() * masks[part]).requires_grad_()
            loss = self.loss(self.windows.batch(starts[part]), gate, self._some_targets())
            (gradient,) = torch.autograd.grad(loss, gate)
            yield gradient, loss.item()

    def _parts(self, starts: Ints) -> list[Ints]:
        """Places of the windows, so many at a time as fit in memory."""
        return np.array_split(np.arange(len(starts)), -(-len(starts) // (2 * self.batch_size)))

    @property
    def neighbours(self) -> Ints:
        """``[region, neighbour]`` the regions whose series are nearest to each region's."""
        return self._network.neighbours[0]

    def forecast(self, mask: Bools) -> Callable[[Batch], Tensor]:
        """The forecast ``[batch, region, horizon * channel]`` from the kept regions of a mask."""
        gate = self.theta.detach() * self.mask_tensor(mask)

        def forecast(batch: Batch) -> Tensor:
            forecasts: Tensor = self.forecaster(batch.history, batch.seen, batch.calendar, gate)
            return forecasts

        return forecast

    def snapshot(self) -> Snapshot:
        """The state now, as a copy."""
        return Snapshot(copy.deepcopy(self.forecaster.state_dict()), self.theta.detach().clone())

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a state."""
        self.forecaster.load_state_dict(snapshot.forecaster)
        with torch.no_grad():
            self.theta.copy_(snapshot.theta)

    def mask_tensor(self, mask: Bools) -> Tensor:
        """``[region]`` bool array as floats on the device."""
        return torch.from_numpy(mask.astype(np.float32)).to(self.device)

    def _validation_sample(self) -> Ints:
        starts = self.windows.split.validation
        return starts[:: -(-len(starts) // fitting_windows(256, self.windows.regions, 32))]

    def _some_targets(self) -> Tensor | None:
        regions = self.windows.regions
        if regions <= TARGETS_PER_STEP:
            return None
        chosen = self.rng.choice(regions, TARGETS_PER_STEP, replace=False)
        return torch.from_numpy(chosen).to(self.device)

    def _fixed_targets(self) -> Tensor | None:
        regions = self.windows.regions
        if regions <= 2 * TARGETS_PER_STEP:
            return None
        chosen = np.random.default_rng(0).choice(regions, 2 * TARGETS_PER_STEP, replace=False)
        return torch.from_numpy(chosen).to(self.device)
