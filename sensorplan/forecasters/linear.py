"""`Linear`: ridge regression on lag features in closed form, the floor that networks must beat.

The regression of all regions' future on the lag features (`lag_features`) of the kept ones is
solved anew for every gate: with G the gate of each feature on a diagonal, Σ the features' second
moments and Γ those with the targets, the weights are (G Σ + λI)⁻¹ G Γ, so that a gate scales what
its region may add, and 0 leaves it out. Nothing is trained step by step, and the gradient to the
gate is exact. Moments come from values observed together, so that gaps count
for nothing. A solution costs the cube of the features, so this is for networks of hundreds.

Source: Hoerl and Kennard 1970, Technometrics 12, 55-67.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from sensorplan.errors import DataError
from sensorplan.forecasters.backbone import Backbone, Compact, Options
from sensorplan.forecasters.lags import LAGS, lag_features
from sensorplan.forecasters.network import Network
from sensorplan.sensors import Ints

PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # beside second moments near 1
MOST_WINDOWS = 4000
MOST_INPUTS = 20_000_000  # windows x features, above which there are fewer windows
FEWEST_WINDOWS = 500
MOST_WEIGHTS = 50_000_000  # windows or features, whichever are fewer, x targets


class Linear(Backbone):
    """Ridge regression from any subset of the regions.

    Args:
        regions: Number of regions.
        channels: Channels of a region.
        targets: Regions x horizon x channels.
        windows: That it is fitted on, where they are fewer than the features, and the regression
            is better solved among them; else None.
    """

    closed_form: ClassVar[bool] = True
    most_probed: ClassVar[int] = 32

    centre: Tensor
    inputs: Tensor
    outputs: Tensor
    level: Tensor
    penalty: Tensor

    def __init__(self, regions: int, channels: int, targets: int, windows: int | None) -> None:
        super().__init__()
        self.channels, self.among_windows = channels, windows is not None
        features = LAGS * regions * channels
        size = windows or features
        for name, shape in (
            ("inputs", (size, features)),  # Σ, or the windows' features / √windows
            ("outputs", (size, targets)),  # Γ, or the windows' targets / √windows
            ("penalty", ()),
        ):
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("centre", torch.zeros(LAGS, regions, channels))
        self.register_buffer("level", torch.zeros(targets))
        self.penalty.fill_(1.0)

    @classmethod
    def build(cls, network: Network, options: Options) -> "Linear":
        """Take the moments of the training history; `tune` finds the penalty.

        Raises:
            DataError: The network is too large.
        """
        features = LAGS * network.regions * network.channels
        targets = network.regions * network.horizon * network.channels
        most = int(np.clip(MOST_INPUTS // features, FEWEST_WINDOWS, MOST_WINDOWS))
        starts = window_starts(network, _bounded(network, most))
        windows = len(starts)
        size = min(windows, features)
        if size * targets > MOST_WEIGHTS:
            raise DataError(
                f"backbone linear: {size:,} windows or features x {targets:,} values to forecast "
                f"are too many; it takes at most {MOST_WEIGHTS:,} in all: take larger patches, a "
                "shorter horizon, or another backbone"
            )
        history, seen, target, valid = training_windows(network, starts)
        fewer = windows if windows < features else None
        model = cls(network.regions, network.channels, targets, fewer)
        lags = lag_features(history, seen, network.channels)
        model.centre.copy_(lags.mean(0))
        observed = valid.sum(0) + 1
        model.level.copy_(target.sum(0) / observed)
        x = (lags - model.centre).flatten(1).double() / windows**0.5
        y = ((target - model.level) * valid * (windows / observed)).double() / windows**0.5
        model.inputs.copy_(x if model.among_windows else x.T @ x)
        model.outputs.copy_(y if model.among_windows else x.T @ y)
        return model

    def tune(self, loss: Callable[[], float]) -> float:
        """Take the penalty with the lowest loss; see `Backbone.tune`."""
        losses = []
        for penalty in PENALTIES:
            self.penalty.fill_(penalty)
            losses.append(loss())
        self.penalty.fill_(PENALTIES[int(np.argmin(losses))])
        return min(losses)

    def forward(
        self,
        history: Tensor,
        seen: Tensor,
        calendar: Tensor,
        gate: Tensor,
        targets: Tensor | None = None,
    ) -> Tensor:
        """See `Backbone.forward`."""
        batch, regions = history.shape[:2]
        x = (lag_features(history, seen, self.channels) - self.centre).flatten(1).double()
        outputs = self.outputs.view(len(self.outputs), regions, -1)
        level = self.level.view(regions, -1)
        if targets is not None:
            outputs, level = outputs[:, targets], level[targets]
        if gate.ndim > 1 and not gate.requires_grad and bool((gate == gate[0]).all()):
            gate = gate[0]
        by_feature = self._by_feature(gate)
        asked = (by_feature * x) @ self.inputs.T if self.among_windows else x
        weights = self._combine(asked, by_feature)  # of each row of the outputs
        forecast: Tensor = (weights @ outputs.flatten(1)).view(batch, *level.shape)
        return forecast.to(history.dtype) + level

    def _combine(self, asked: Tensor, by_feature: Tensor) -> Tensor:
        """``[batch, row]`` weight of each row of the outputs in the forecast.

        Args:
            asked: ``[batch, row]`` features x, or among windows x G Xᵀ.
            by_feature: ``[batch, feature]`` or ``[feature]`` the gates.
        """
        inputs = self.inputs
        if self.among_windows:  # x G Xᵀ (X G Xᵀ + λI)⁻¹
            system = (inputs * by_feature.unsqueeze(-2)) @ inputs.T
            return _solve_rows(system + self._penalties(system), asked)
        if by_feature.ndim == 1 and not by_feature.requires_grad:  # the open ones do
            some = torch.nonzero(by_feature)[:, 0]
            system = by_feature[some, None] * inputs[some][:, some]
            weights = torch.zeros_like(asked)
            weights[:, some] = by_feature[some] * _solve_rows(
                system + self._penalties(system), asked[:, some]
            )
            return weights
        system = by_feature.unsqueeze(-1) * inputs  # x (GΣ + λI)⁻¹ G
        return by_feature * _solve_rows(system + self._penalties(system), asked)

    def compact(self, gate: Tensor) -> "CompactLinear":
        """The regression on the kept regions: one matrix, or the product of two."""
        by_feature = self._by_feature(gate.detach())
        kept, rows = torch.nonzero(gate)[:, 0], torch.nonzero(by_feature)[:, 0]
        rank = len(self.outputs) if self.among_windows else None
        compact = CompactLinear(len(gate), len(kept), self.channels, self.outputs.shape[1], rank)
        compact.centre.copy_(self.centre[:, kept])
        compact.level.copy_(self.level)
        if self.among_windows:
            asked = by_feature[rows, None] * self.inputs[:, rows].T
            compact.directions.copy_(self._combine(asked, by_feature))
            compact.weights.copy_(self.outputs)
        else:
            asked = torch.eye(len(by_feature), dtype=by_feature.dtype, device=gate.device)[rows]
            compact.weights.copy_(self._combine(asked, by_feature) @ self.outputs)
        return compact.to(gate.device)

    @classmethod
    def empty_compact(cls, config: dict[str, Any]) -> "CompactLinear":
        """See `Backbone.empty_compact`."""
        return CompactLinear(**config)

    def _by_feature(self, gate: Tensor) -> Tensor:
        """``[..., region]`` to ``[..., feature]``, in double precision."""
        gates = gate.double().unsqueeze(-2).unsqueeze(-1)  # [..., 1, region, 1]
        return gates.expand(*gate.shape[:-1], LAGS, -1, self.channels).flatten(-3)

    def _penalties(self, system: Tensor) -> Tensor:
        identity = torch.eye(system.shape[-1], dtype=system.dtype, device=system.device)
        return self.penalty * identity


class CompactLinear(Compact):
    """A linear forecast from the lag features of the kept regions.

    With `rank` the weights are a product of two thin matrices.
    """

    centre: Tensor
    weights: Tensor
    level: Tensor
    directions: Tensor

    def __init__(
        self, regions: int, kept: int, channels: int, targets: int, rank: int | None = None
    ) -> None:
        super().__init__()
        self.regions, self.kept, self.channels = regions, kept, channels
        self.targets, self.rank = targets, rank
        features = LAGS * kept * channels
        self.register_buffer("centre", torch.zeros(LAGS, kept, channels))
        self.register_buffer("weights", torch.zeros(features if rank is None else rank, targets))
        self.register_buffer("level", torch.zeros(targets))
        if rank is not None:
            self.register_buffer("directions", torch.zeros(features, rank))

    def forward(self, history: Tensor, seen: Tensor, calendar: Tensor) -> Tensor:
        """See `Compact.forward`."""
        inputs = (lag_features(history, seen, self.channels) - self.centre).flatten(1)
        if self.rank is not None:
            inputs = inputs @ self.directions
        forecast: Tensor = inputs @ self.weights + self.level
        return forecast.view(history.shape[0], self.regions, -1)

    def config(self) -> dict[str, Any]:
        """See `Compact.config`."""
        names = ("regions", "kept", "channels", "targets", "rank")
        return {name: getattr(self, name) for name in names}


def _solve_rows(system: Tensor, right: Tensor) -> Tensor:
    """``[batch, row]`` right @ system⁻¹, of one system or of one a row."""
    solved: Tensor
    if system.ndim > 2:
        solved = torch.linalg.solve(system.mT, right[..., None])[..., 0]
    else:
        solved = torch.linalg.solve(system.T, right.T).T
    return solved


def _bounded(network: Network, most: int) -> int:
    """How many windows may be fitted on.

    Raises:
        DataError: Too few of them may be held at a time.
    """
    if network.most_values is None:
        return most
    values = (network.lookback + network.horizon) * network.regions * network.channels
    held = network.most_values // values
    if held < FEWEST_WINDOWS:
        raise DataError(
            f"backbone linear: {FEWEST_WINDOWS} windows x {values:,} values do not fit into the "
            f"memory allowed ({network.most_values:,} at a time): allow more, take larger patches "
            "or another backbone"
        )
    return min(most, held)


def window_starts(network: Network, most: int) -> Ints:
    """``[window]`` first steps of at most so many windows of the training history."""
    length = network.lookback + network.horizon
    last = len(network.anomalies) - length + 1
    starts = np.arange(0, last, max(1, -(-last // most)))
    block = np.searchsorted(network.breaks, starts, "right")
    whole: Ints = starts[block == np.searchsorted(network.breaks, starts + length - 1, "right")]
    return whole


def training_windows(network: Network, starts: Ints) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """History, seen, target and valid of windows of the training history.

    Returns:
        ``[window, region, lookback * channel]`` twice, and ``[window, region * horizon * channel]``
        twice.
    """
    past = starts[:, None] + np.arange(network.lookback)
    ahead = starts[:, None] + np.arange(network.lookback, network.lookback + network.horizon)

    def morph(series: "np.typing.NDArray[Any]", steps: "np.typing.NDArray[Any]") -> Tensor:
        """``[time, region, channel]`` to ``[window, region, step * channel]`` float32."""
        cut = np.moveaxis(series[steps], 1, 2).astype(np.float32)
        return torch.from_numpy(cut).flatten(2)

    return (
        morph(network.anomalies, past),
        morph(network.valid, past),
        morph(network.anomalies, ahead).flatten(1),
        morph(network.valid, ahead).flatten(1),
    )
