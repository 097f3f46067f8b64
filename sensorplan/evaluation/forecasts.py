"""How good a forecast of every sensor is, on later time that nothing was trained on."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from sensorplan.forecasters import Compact
from sensorplan.metrics import Errors, join, window_errors
from sensorplan.plan import Score
from sensorplan.sensors import Bools, Ints
from sensorplan.windows import Batch, Windows

Forecast = Callable[[Batch], Tensor]
"""From a batch to ``[batch, region, horizon * channel]`` standardised anomalies."""

BATCH_VALUES = 20_000_000  # float32 in one evaluated batch's widest array


def compact_forecast(compact: Compact, mask: Bools) -> Forecast:
    """The forecast by a compact forecaster from batches of all regions.

    Args:
        compact: The forecaster of the mask.
        mask: ``[region]`` the plan.
    """
    kept = torch.from_numpy(np.flatnonzero(mask))

    def forecast(batch: Batch) -> Tensor:
        place = kept.to(batch.history.device)
        forecasts: Tensor = compact(batch.history[:, place], batch.seen[:, place], batch.calendar)
        return forecasts

    return forecast


def forecast_errors(windows: Windows, starts: Ints, forecast: Forecast) -> Errors:
    """Errors of a forecaster on windows, in the unit of the errors.

    Args:
        windows: The series.
        starts: ``[window]`` first steps.
        forecast: The forecaster.
    """
    parts = []
    with torch.no_grad():
        for batch in batches(windows, starts):
            shape = (len(batch), windows.regions, windows.split.horizon, windows.channels)
            error = (forecast(batch) - batch.future).view(shape) * windows.error_scale[:, None]
            parts.append(window_errors(error, batch.valid.view(shape)))
    return join(parts)


def absolute_errors(
    windows: Windows, starts: Ints, forecast: Forecast
) -> Iterator[tuple[Tensor, Tensor]]:
    """``[batch, region, horizon * channel]`` standardised errors and valid, some windows a time."""
    with torch.no_grad():
        for batch in map(windows.batch, _parts(windows, starts)):
            yield (forecast(batch) - batch.future).abs(), batch.valid


def climatology_errors(windows: Windows, starts: Ints) -> Errors:
    """Errors of the calendar alone: no sensor at all."""
    return forecast_errors(windows, starts, lambda batch: torch.zeros_like(batch.future))


def persistence_errors(windows: Windows, starts: Ints) -> Errors:
    """Errors of carrying each series' last observed value on, or climatology where none was."""
    lookback, horizon = windows.split.lookback, windows.split.horizon
    steps = torch.arange(lookback + horizon, device=windows.device)
    parts = []
    for part in _parts(windows, starts):
        first = torch.as_tensor(part, device=steps.device)
        anomalies, valid = windows.series.at(first[:, None] + steps)
        seen = valid[:, :lookback]  # [batch, lookback, region, channel]
        step_of = steps[:lookback, None, None] + 1
        last, any_seen = (seen * step_of).max(1).values - 1, seen.any(1)
        past = anomalies[:, :lookback] * windows.error_scale
        past = past + windows.climatology(first[:, None] + steps[:lookback])
        carried = past.gather(1, last.clamp(min=0).unsqueeze(1))[:, 0]  # [batch, region, channel]
        errors = []
        for lead in range(horizon):
            calendar = windows.climatology(first + lookback + lead)
            observed = anomalies[:, lookback + lead] * windows.error_scale + calendar
            errors.append(torch.where(any_seen, carried, calendar) - observed)
        error = torch.stack(errors, 2)  # [batch, region, horizon, channel]
        parts.append(window_errors(error, valid[:, lookback:].transpose(1, 2)))
    return join(parts)


def score_of(errors: Errors) -> Score:
    """Errors in two numbers, as records hold them."""
    return Score(rmse=errors.rmse, mae=errors.mae)


def batches(windows: Windows, starts: Ints) -> Iterator[Batch]:
    """The windows in batches that fit in memory."""
    return map(windows.batch, _parts(windows, starts))


def _parts(windows: Windows, starts: Ints) -> list[Ints]:
    wide = windows.regions * max(100, windows.split.length * windows.channels)
    size = windows.at_a_time(int(np.clip(BATCH_VALUES // wide, 1, 64)), wide)
    return np.array_split(starts, -(-len(starts) // size))
