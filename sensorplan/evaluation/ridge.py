"""The linear judge: ridge regression on lag features of the kept regions, fitted afresh.

A plan should not be judged only by the kind of model that chose it. Features of a window are, for
every kept region and channel, the last observed anomaly, the mean of the lookback (0 where nothing
was observed) and whether anything was. Targets are all regions at all lead times; a missing target
is left out of the fit, never filled.
"""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import Ridge

from sensorplan.evaluation.forecasts import forecast_errors
from sensorplan.metrics import Errors
from sensorplan.sensors import Bools, Floats
from sensorplan.windows import Batch, Windows

PENALTIES = (1.0, 10.0, 100.0, 1000.0, 10000.0)
LEAST_WINDOWS = 2  # in which a target must be observed; else the calendar stands in


@dataclass(frozen=True)
class LinearForecast:
    """A linear forecast of all regions from the kept ones.

    Attributes:
        mask: ``[region]`` the kept ones.
        channels: Channels of a region.
        weights: ``[feature, target]``.
        intercept: ``[target]``.
    """

    mask: Bools
    channels: int
    weights: Floats
    intercept: Floats

    def __call__(self, batch: Batch) -> torch.Tensor:
        """``[batch, region, horizon * channel]`` standardised anomalies."""
        forecast = lag_features(batch, self.mask, self.channels) @ self.weights + self.intercept
        return torch.from_numpy(forecast).to(batch.future).view_as(batch.future)


def ridge_errors(windows: Windows, mask: Bools) -> Errors:
    """Test errors of a ridge regression that was fitted on the kept regions in training.

    Its penalty is the best one on validation.

    Args:
        windows: The series.
        mask: ``[region]`` the plan; keeps at least one.
    """
    split = windows.split
    training = windows.batch(split.train)
    fits = [fit_ridge(training, mask, windows.channels, penalty) for penalty in PENALTIES]
    best = min(fits, key=lambda fitted: forecast_errors(windows, split.validation, fitted).rmse)
    return forecast_errors(windows, split.test, best)


def fit_ridge(batch: Batch, mask: Bools, channels: int, penalty: float) -> LinearForecast:
    """Ridge regression of every target on the windows in which it was observed.

    Targets that were observed in the same windows are fitted in one go.
    """
    inputs = lag_features(batch, mask, channels)
    targets = batch.future.flatten(1).cpu().numpy().astype(float)
    valid = batch.valid.flatten(1).cpu().numpy()
    weights = np.zeros((inputs.shape[1], targets.shape[1]))
    intercept = np.zeros(targets.shape[1])
    patterns, member = np.unique(valid, axis=1, return_inverse=True)
    for number, observed in enumerate(patterns.T):
        if observed.sum() < LEAST_WINDOWS:
            continue
        together = np.flatnonzero(member == number)
        model = Ridge(alpha=penalty).fit(inputs[observed], targets[np.ix_(observed, together)])
        weights[:, together] = model.coef_.reshape(len(together), -1).T
        intercept[together] = model.intercept_
    return LinearForecast(mask, channels, weights, intercept)


def lag_features(batch: Batch, mask: Bools, channels: int) -> Floats:
    """``[window, 3 * kept * channel]`` last observed value, mean, and whether any was observed."""
    shape = (len(batch), int(mask.sum()), -1, channels)
    history = batch.history.cpu().numpy()[:, mask].reshape(shape).astype(float)
    seen = batch.seen.cpu().numpy()[:, mask].reshape(shape) > 0  # [window, kept, step, channel]
    newest = seen.shape[2] - 1 - seen[:, :, ::-1].argmax(2, keepdims=True)
    last = np.take_along_axis(history, newest, 2)[:, :, 0]  # 0 where nothing was observed
    mean = history.sum(2) / np.maximum(seen.sum(2), 1)
    parts = (last, mean, seen.any(2).astype(float))
    return np.concatenate([part.reshape(len(batch), -1) for part in parts], 1)
