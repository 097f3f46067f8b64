"""Linear forecasts: ridge regression on lag features of the kept regions.

Features of a window are, for every kept region and channel, the last observed anomaly, the mean of
the lookback (0 where nothing was observed) and whether anything was. Targets are all regions at all
lead times; a missing target is left out of the fit, never filled.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from scipy.linalg import eigh, qr

from sensorplan.forecasters import lags
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.windows import Batch

LEAST_WINDOWS = 2  # in which a target must be observed; else the calendar stands in


@dataclass(frozen=True)
class LinearForecast:
    """A linear forecast of all regions from the kept ones.

    Attributes:
        mask: ``[region]`` the kept ones.
        channels: Channels of a region.
        axes: ``[feature, direction]`` orthonormal, where there are more features than windows; else
            None, and the features themselves are the directions.
        weights: ``[direction, target]``.
        intercept: ``[target]``.
    """

    mask: Bools
    channels: int
    axes: Floats | None
    weights: Floats
    intercept: Floats

    def __call__(self, batch: Batch) -> torch.Tensor:
        """``[batch, region, horizon * channel]`` standardised anomalies."""
        inputs = lag_features(batch, self.mask, self.channels)
        if self.axes is not None:
            inputs = inputs @ self.axes
        forecast = inputs @ self.weights + self.intercept
        return torch.from_numpy(forecast).to(batch.future).view_as(batch.future)


class Targets:
    """What regressions are fitted to, in groups that were observed in the same windows.

    Attributes:
        count: Number of targets.
        groups: Of each group ``[window]`` True where observed, ``[target]`` its members, and their
            values ``[observed window, target]``.

    Args:
        values: ``[window, target]``.
        valid: ``[window, target]`` True where the target was observed.
    """

    def __init__(self, values: Floats, valid: Bools) -> None:
        self.count = values.shape[1]
        together: dict[bytes, list[int]] = {}
        for target, packed in enumerate(np.packbits(valid, axis=0).T):
            together.setdefault(packed.tobytes(), []).append(target)
        self.groups: list[tuple[Bools, Ints, Floats]] = []
        for members in map(np.array, together.values()):
            observed = valid[:, members[0]]
            if observed.sum() >= LEAST_WINDOWS:
                self.groups.append((observed, members, values[observed][:, members]))

    @classmethod
    def of(cls, batch: Batch) -> Self:
        """All regions at all lead times."""
        return cls(batch.future.flatten(1).cpu().numpy(), batch.valid.flatten(1).cpu().numpy())


class RidgeTraining:
    """What regressions on every mask are fitted on.

    Attributes:
        channels: Channels of a region.
        features: ``[window, 3, region, channel]`` of all regions.
        targets: All regions at all lead times.
    """

    def __init__(self, batch: Batch, channels: int) -> None:
        regions = batch.history.shape[1]
        everything = lag_features(batch, np.ones(regions, bool), channels)
        self.channels = channels
        self.features = everything.reshape(len(batch), 3, regions, channels)
        self.targets = Targets.of(batch)


class RidgePath:
    """Ridge regressions of every target on the lag features of kept regions, for any penalty.

    With more features than windows the weights lie in the span of the windows, and are found there:
    the same regression, for far less work.
    """

    def __init__(self, training: RidgeTraining, mask: Bools) -> None:
        self._mask, self._channels = mask, training.channels
        inputs = training.features[:, :, mask].reshape(len(training.features), -1)
        self._axes = qr(inputs.T, mode="economic")[0] if inputs.shape[1] > len(inputs) else None
        self._fit = RidgeFit(
            inputs if self._axes is None else inputs @ self._axes, training.targets
        )

    def at(self, penalty: float) -> LinearForecast:
        """The regression with this penalty on the squared weights."""
        return LinearForecast(self._mask, self._channels, self._axes, *self._fit.at(penalty))


class RidgeFit:
    """Ridge regressions of every target, for any penalty, on the windows in which it was observed.

    Targets that were observed in the same windows are fitted in one go. The smaller one of the
    Gram matrices of features and of windows is decomposed once, and serves every penalty.

    Args:
        inputs: ``[window, feature]``.
        targets: In the same windows.
    """

    def __init__(self, inputs: Floats, targets: Targets) -> None:
        self._shape = inputs.shape[1], targets.count
        self._parts = [
            _Part(inputs[observed], values, members) for observed, members, values in targets.groups
        ]

    def at(self, penalty: float) -> tuple[Floats, Floats]:
        """``[feature, target]`` weights and ``[target]`` intercept."""
        weights = np.zeros(self._shape)
        intercept = np.zeros(self._shape[1])
        for part in self._parts:
            weights[:, part.targets], intercept[part.targets] = part.solve(penalty)
        return weights, intercept


class _Part:
    """Least squares of targets that were observed in the same windows."""

    def __init__(self, inputs: Floats, values: Floats, targets: Ints) -> None:
        self.targets = targets
        self._centre, self._level = inputs.mean(0), values.mean(0, dtype=float)
        x, y = inputs - self._centre, values - self._level
        if x.shape[1] <= len(x):
            strength, self._basis = eigh(x.T @ x)  # basis: [feature, component]
            self._projected = self._basis.T @ (x.T @ y)
        else:
            strength, shapes = eigh(x @ x.T)
            self._basis = x.T @ shapes
            self._projected = shapes.T @ y
        self._strength = np.maximum(strength, 0)[:, None]

    def solve(self, penalty: float) -> tuple[Floats, Floats]:
        """``[feature, target]`` weights and ``[target]`` intercept."""
        weights: Floats = self._basis @ (self._projected / (self._strength + penalty))
        return weights, self._level - self._centre @ weights


def lag_features(batch: Batch, mask: Bools, channels: int) -> Floats:
    """``[window, 3 * kept * channel]`` last observed value, mean, and whether any was observed."""
    features = lags.lag_features(batch.history, batch.seen, channels).cpu().numpy()
    chosen: Floats = features[:, :, mask].reshape(len(batch), -1).astype(float)
    return chosen
