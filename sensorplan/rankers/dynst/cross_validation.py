"""The loss of a mask by ridge regression, cross-validated: a second opinion on trained masks.

The forecaster that a mask was found with flatters it. A regression that is fitted on three quarters
of the history and judged on the fourth, each in turn, errs in other ways.
"""

from collections.abc import Iterator

import numpy as np
import torch
from scipy.linalg import eigh
from torch import Tensor

from sensorplan.linear import lag_features
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.windows import Batch, Windows

BLOCKS = 4
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
SWEEPS = 8  # over the missing targets
VALUES = 800_000  # regions x windows, and thereby the cost of one mask
MOST_TARGETS = 4096  # regions that are judged; more are sampled
FEWEST, MOST = 256, 3000  # windows
READ_VALUES = 2_000_000  # regions x windows that are read at a time
HELD = 8  # values of each series that are held of a window


class CrossValidation:
    """The cross-validated squared error of ridge regressions, mask by mask.

    Targets are each region's first and last step ahead, in the unit of the errors; those of a large
    network are of regions drawn at random, the same for every mask. Windows are those of training
    and validation, cut into blocks of time; windows that share a step with the block under judgment
    take no part in the fit.
    """

    def __init__(self, windows: Windows) -> None:
        split, self._judged = windows.split, _judged(windows)
        starts = np.concatenate([split.train, split.validation])
        most = int(np.clip(VALUES // windows.regions, FEWEST, MOST))
        most = windows.at_a_time(most, HELD * windows.regions * windows.channels)
        starts = starts[:: -(-len(starts) // most)]
        size = windows.at_a_time(max(1, READ_VALUES // windows.regions))
        parts = [
            self._part(windows, windows.batch(part))
            for part in np.array_split(starts, -(-len(starts) // size))
        ]
        self._features = np.concatenate([part[0] for part in parts])
        self._targets = np.concatenate([part[1] for part in parts])  # [window, target]
        self._valid = np.concatenate([part[2] for part in parts])
        weights = [part[3] for part in parts if part[3] is not None]
        self._weight = np.concatenate(weights) if weights else None
        self._blocks = [
            (block, np.flatnonzero(_steps_outside(starts, starts[block]) >= split.length))
            for block in np.array_split(np.arange(len(starts)), BLOCKS)
        ]

    def _part(self, windows: Windows, batch: Batch) -> tuple[Floats, Floats, Bools, Floats | None]:
        """``[window, lag, region, channel]`` features, and of the targets values, valid, weight."""
        count, regions, channels = len(batch), windows.regions, windows.channels
        features = lag_features(batch, np.ones(regions, bool), channels)
        ends = sorted({0, windows.split.horizon - 1})
        scale = windows.error_scale[self._judged, None]
        return (
            features.astype(np.float32).reshape(count, -1, regions, channels),
            (self._at(ends, batch.future, windows) * scale).reshape(count, -1).cpu().numpy(),
            self._at(ends, batch.valid, windows).reshape(count, -1).cpu().numpy(),
            self._weight_of(windows, batch, ends),
        )

    def _at(self, ends: list[int], values: Tensor, windows: Windows) -> Tensor:
        """``[window, judged, end, channel]`` of ``[window, region, horizon * channel]``."""
        by_lead = values.view(len(values), windows.regions, windows.split.horizon, windows.channels)
        return by_lead[:, self._judged][:, :, ends]

    def loss(self, mask: Bools) -> float:
        """Mean squared error over the valid targets by their weights, at the best penalty."""
        inputs = self._features[:, :, mask].reshape(len(self._features), -1)
        inputs = inputs[:, np.ptp(inputs, axis=0) > 0]
        errors = sum(self._errors(inputs, block, fitted) for block, fitted in self._blocks)
        count = self._valid if self._weight is None else self._weight[self._valid]
        return float(np.min(errors)) / max(float(count.sum()), 1e-12)

    def _weight_of(self, windows: Windows, batch: Batch, ends: list[int]) -> Floats | None:
        """``[window, target]`` weights in the loss; None where all count alike."""
        if windows.region_weight is None and batch.weight is None:
            return None
        weight = torch.ones_like(batch.future) if batch.weight is None else batch.weight
        if windows.region_weight is not None:
            weight = weight * windows.region_weight[:, None]
        return self._at(ends, weight, windows).reshape(len(batch), -1).cpu().numpy()

    def _errors(self, inputs: Floats, block: Ints, fitted: Ints) -> Floats:
        """``[penalty]`` sum of squared errors in a block, from a fit on other windows."""
        centre = inputs[fitted].mean(0)
        strength, scores, judged = _principal_scores(
            inputs[fitted] - centre, inputs[block] - centre
        )
        targets, valid = self._targets[fitted], self._valid[fitted]
        errors = np.empty(len(PENALTIES))
        fits = _fits(scores, strength, targets, valid)
        for number, (weights, level) in enumerate(fits):
            error = judged @ weights + level - self._targets[block]
            squares = np.square(error)
            if self._weight is not None:
                squares *= self._weight[block]
            errors[number] = squares[self._valid[block]].sum()
        return errors


def _steps_outside(starts: Ints, block: Ints) -> Ints:
    """``[window]`` steps from each start to the nearest one of a block; 0 within it."""
    steps: Ints = np.abs(starts - np.clip(starts, block[0], block[-1]))
    return steps


def _judged(windows: Windows) -> slice | Ints:
    """The regions whose targets are judged."""
    if windows.regions <= MOST_TARGETS:
        return slice(None)
    drawn = np.random.default_rng(0).choice(windows.regions, MOST_TARGETS, replace=False)
    return np.sort(drawn)


def _principal_scores(x: Floats, other: Floats) -> tuple[Floats, Floats, Floats]:
    """``[component]`` squared singular values of x, and the scores of x and of other rows.

    Args:
        x: ``[window, feature]``.
        other: ``[other window, feature]``.
    """
    if x.shape[1] <= len(x):
        strength, axes = eigh(x.T @ x)
        return np.maximum(strength, 0), x @ axes, other @ axes
    strength, shapes = eigh(x @ x.T)  # x = shapes · sizes · axes
    strength = np.maximum(strength, 0)
    turn = shapes / np.sqrt(np.maximum(strength, 1e-6))
    return strength, turn * strength, (other @ x.T) @ turn


def _fits(
    scores: Floats, strength: Floats, targets: Floats, valid: Bools
) -> Iterator[tuple[Floats, Floats]]:
    """For each penalty ``[component, target]`` weights and ``[target]`` level.

    A missing target takes the value that the fit gives it, again and again (expectation and
    maximisation, Dempster et al. 1977): in the end it has no say, and all targets share one
    decomposition of the inputs.
    """
    if valid.all():
        level: Floats = targets.mean(0)
        aimed = scores.T @ (targets - level)
        for penalty in PENALTIES:
            yield aimed / (strength + penalty)[:, None], level
        return
    for penalty in PENALTIES:
        fit = (targets * valid).sum(0) / np.maximum(valid.sum(0), 1)
        for _ in range(SWEEPS):
            filled = np.where(valid, targets, fit)
            level = filled.mean(0)
            weights = (scores.T @ (filled - level)) / (strength + penalty)[:, None]
            fit = scores @ weights + level
        yield weights, level
