"""A forecaster behind the gate θ ⊙ mask: its loss, its forecasts, and the gradient to the gate."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sensorplan.forecasters import Network, Sources, build_backbone
from sensorplan.recipe import TrainingSettings
from sensorplan.sampling import MANY, fitting_windows, random_survivors
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.windows import Batch, Windows

TARGETS_PER_STEP = 512  # regions in the loss of one step; more are sampled
PROBED_SHARE = 1 / 8  # of the regions in the loss of a gradient to the gates, at the least


@dataclass(frozen=True)
class Snapshot:
    """State of a trainer at one moment."""

    forecaster: dict[str, Tensor]
    theta: Tensor


class GatedForecaster:
    """A forecaster and θ, the weight of each mask entry, of one network.

    Attributes:
        forecaster: The backbone.
        theta: ``[region]`` weight of each mask entry, starts at 1.
        rng: What every random choice is drawn from.
        batch_size: Windows in a step.
        failing: Share of the kept regions that fails, at random in each window, whenever a mask is
            judged or fine-tuned; 0 unless a plan is to bear failures.
    """

    def __init__(
        self, windows: Windows, settings: TrainingSettings, seed: int, failing: float = 0.0
    ) -> None:
        self.windows = windows
        self.settings = settings
        self.failing = failing
        self.rng = np.random.default_rng(seed)
        self.device = windows.device
        training = windows.split.bounds[0]
        anomalies, valid = windows.sample(training)
        network = Network(
            lookback=windows.split.lookback,
            horizon=windows.split.horizon,
            anomalies=anomalies,
            valid=valid,
            calendar_features=windows.calendar.shape[1],
            topology=windows.topology,
            seed=seed,
            breaks=windows.breaks(training),
            most_values=windows.series.most_values,
            whole=windows.whole(training),
        )
        torch.manual_seed(seed)
        self.forecaster = build_backbone(settings.backbone, settings.options, network)
        self.forecaster.to(self.device)
        self._network = network
        self.theta = nn.Parameter(torch.ones(windows.regions, device=self.device))
        fitting = fitting_windows(32, windows.regions)
        self.batch_size = settings.batch_size or windows.at_a_time(fitting)
        horizon = windows.split.horizon
        self._weight = windows.loss_weight.repeat(1, horizon)  # [region, horizon * channel]

    def loss(
        self,
        batch: Batch,
        gate: Tensor,
        targets: Tensor | None = None,
        sources: Sources | None = None,
    ) -> Tensor:
        """Mean squared error over valid targets, each region by its weight; see `squares`."""
        squares, weight = self.squares(batch, gate, targets, sources)
        return squares / weight.clamp(min=1e-6)

    def squares(
        self,
        batch: Batch,
        gate: Tensor,
        targets: Tensor | None = None,
        sources: Sources | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Sum of the squared errors over valid targets by their weights, and of the weights.

        Args:
            batch: Windows that are cut to the targets and the sources.
            gate: ``[window, region]`` or ``[region]`` θ ⊙ mask.
            targets: Regions that are judged; None: all.
            sources: The part of the network that is read; None: all of it.
        """
        seen = batch.history, batch.seen, batch.calendar
        if sources is None or targets is None:
            forecast: Tensor = self.forecaster(*seen, gate, targets)
        else:
            gate = gate[..., sources.regions]
            forecast = self.forecaster.forecast_from(sources, *seen, gate, targets)
        weight = (self._weight if targets is None else self._weight[targets]) * batch.valid
        if batch.weight is not None:
            weight = weight * batch.weight
        squares = (forecast - batch.future) ** 2 * weight
        return squares.sum(), weight.sum()

    def mask_loss(self, mask: Bools, starts: Ints) -> float:
        """Loss of one mask ``[region]`` on some windows; the same regions fail for every mask."""
        if not self.failing:
            return self._loss(self.mask_tensor(mask), starts)
        works = random_survivors(np.random.default_rng(0), len(starts), len(mask), self.failing)
        return self._loss(self.mask_tensor(mask & works), starts)

    def _loss(self, masks: Tensor, starts: Ints) -> float:
        targets = self._fixed_targets()
        sources = self._sources(masks, targets, np.random.default_rng(0))
        total = 0.0
        with torch.no_grad():
            for part in self._parts(starts):
                mask = masks[part] if masks.ndim > 1 else masks
                batch = self._cut(starts[part], targets, sources)
                loss = self.loss(batch, self.theta * mask, targets, sources)
                total += loss.item() * len(part)
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
            targets = self._some_targets(PROBED_SHARE)
            loss = self.loss(self._cut(starts[part], targets), gate, targets)
            (gradient,) = torch.autograd.grad(loss, gate)
            yield gradient, loss.item()

    def _parts(self, starts: Ints) -> list[Ints]:
        """Places of the windows, so many at a time as fit in memory."""
        size = self.windows.at_a_time(2 * self.batch_size)
        return np.array_split(np.arange(len(starts)), -(-len(starts) // size))

    @property
    def neighbours(self) -> Ints:
        """``[region, neighbour]`` the regions whose series are nearest to each region's."""
        return self._network.neighbours[0]

    def forecast(self, mask: Bools) -> Callable[[Batch], Tensor]:
        """The forecast ``[batch, region, horizon * channel]`` from the kept regions of a mask."""
        gate = self.theta.detach() * self.mask_tensor(mask)
        if self.forecaster.closed_form:  # its compact form has more to be solved for
            return lambda batch: self.forecaster(batch.history, batch.seen, batch.calendar, gate)
        compact = self.forecaster.compact(gate)
        kept = torch.from_numpy(np.flatnonzero(mask)).to(self.device)

        def forecast(batch: Batch) -> Tensor:
            seen = batch.history[:, kept], batch.seen[:, kept]
            forecasts: Tensor = compact(*seen, batch.calendar)
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

    def _cut(self, starts: Ints, targets: Tensor | None, sources: Sources | None = None) -> Batch:
        return self.windows.batch(starts, targets, sources and sources.regions)

    def _sources(
        self, masks: Tensor, targets: Tensor | None, rng: np.random.Generator
    ) -> Sources | None:
        """The part of a large network that is read for some targets; None: all of it.

        It is what the targets need, and of what the masks keep a sample. The same random numbers
        draw much the same sample for masks that are nearly the same.

        Args:
            masks: ``[window, region]`` or ``[region]``.
            targets: ``[target]``.
            rng: Draws the sample.
        """
        if targets is None or self.windows.regions <= MANY:
            return None
        needed = self.forecaster.reads(targets)
        if needed is None:
            return None
        kept = masks.view(-1, self.windows.regions).any(0).cpu().numpy()
        order = rng.permutation(self.windows.regions)
        drawn = order[kept[order]][:MANY]
        regions = np.union1d(drawn, needed.cpu().numpy())
        share = np.zeros(len(regions), np.float32)
        share[np.searchsorted(regions, drawn)] = kept.sum() / max(len(drawn), 1)
        return Sources(
            torch.from_numpy(regions).to(self.device), torch.from_numpy(share).to(self.device)
        )

    def _some_targets(self, share: float = 0.0) -> Tensor | None:
        """Regions drawn to be judged, no less than a share of all; None: all are."""
        regions = self.windows.regions
        count = max(TARGETS_PER_STEP, int(share * regions))
        if regions <= count:
            return None
        chosen = self.rng.choice(regions, count, replace=False)
        return torch.from_numpy(chosen).to(self.device)

    def _fixed_targets(self) -> Tensor | None:
        regions = self.windows.regions
        if regions <= 2 * TARGETS_PER_STEP:
            return None
        chosen = np.random.default_rng(0).choice(regions, 2 * TARGETS_PER_STEP, replace=False)
        return torch.from_numpy(chosen).to(self.device)
