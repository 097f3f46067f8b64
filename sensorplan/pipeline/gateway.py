"""`Gateway`: a plan's forecaster that takes and gives values in the data's own units.

Everything between a reading and a forecast is inside, scaling included, so that what is exported
needs no sensorplan: readings of the kept sensors and the calendar in, values of all sensors out.
"""

import numpy as np
import torch
from torch import Tensor, nn

from sensorplan.pipeline.saved import Saved

READINGS, CALENDAR, FORECAST = "readings", "calendar", "forecast"


class Gateway(nn.Module):
    """The forecaster of a plan, from readings to values.

    Attributes:
        lookback: Steps of history.
        horizon: Steps of future.
        features: Calendar features of a step; see `calendar_features`.
    """

    observed: Tensor
    slots: Tensor
    place: Tensor
    level: Tensor
    cycles: Tensor
    scale: Tensor
    unit: Tensor
    kept: Tensor

    def __init__(self, saved: Saved) -> None:
        super().__init__()
        about, members = saved.about, saved.regions.members
        self.compact = saved.compact
        self.lookback, self.horizon = about.lookback, about.horizon
        self.regions, self.variables = len(about.regions), len(about.variables)
        self.features = len(saved.scaling["cycles"])
        self.kept_regions, sensors = int(saved.mask.sum()), len(about.sensors)
        input_of = np.full(sensors + 1, sensors)  # place of each sensor among the readings
        kept = np.flatnonzero(saved.kept_sensors)
        self.sensors_read = len(kept)
        input_of[-1] = len(kept)  # one more: no sensor, always missing
        input_of[kept] = np.arange(len(kept))
        place = np.zeros(sensors, np.int64)
        place[members[members >= 0]] = np.flatnonzero(members.reshape(-1) >= 0)
        buffers = {
            "slots": torch.from_numpy(input_of[members[saved.mask]].reshape(-1)),
            "place": torch.from_numpy(place),
            "kept": torch.from_numpy(np.flatnonzero(saved.mask)),
            "observed": saved.scaling["observed"],
            "level": saved.scaling["level"],
            "cycles": saved.scaling["cycles"],
            "scale": saved.scaling["error_scale"],
            "unit": saved.scaling["unit"],
        }
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer)

    def forward(self, readings: Tensor, calendar: Tensor | None = None) -> Tensor:
        """Forecast every sensor.

        Args:
            readings: ``[batch, lookback, kept sensor, variable]``, NaN where missing.
            calendar: ``[batch, lookback + horizon, feature]``; None where there is no feature.

        Returns:
            ``[batch, horizon, sensor, variable]``; NaN for a sensor that training never saw.
        """
        batch = readings.shape[0]
        padded = nn.functional.pad(readings, (0, 0, 0, 1), value=torch.nan)
        by_region = padded[:, :, self.slots].reshape(batch, self.lookback, self.kept_regions, -1)
        seen = ~torch.isnan(by_region) & self.observed[self.kept][:, None]
        if calendar is None:
            calendar = readings.new_zeros(batch, self.lookback + self.horizon, 0)
        climatology = self._climatology(calendar)
        usual = climatology[:, : self.lookback, self.kept]
        anomalies = (by_region * self.unit - usual) / self.scale[self.kept]
        anomalies = torch.where(seen, anomalies, torch.zeros_like(anomalies))
        forecast = self.compact(
            anomalies.transpose(1, 2).flatten(2),
            seen.to(anomalies.dtype).transpose(1, 2).flatten(2),
            calendar[:, self.lookback + self.horizon // 2],
        )
        by_lead = forecast.view(batch, self.regions, self.horizon, -1).transpose(1, 2)
        values = (climatology[:, self.lookback :] + by_lead * self.scale) / self.unit
        values = torch.where(self.observed[:, None], values, torch.full_like(values, torch.nan))
        by_slot = values.reshape(batch, self.horizon, -1, self.variables)
        return by_slot[:, :, self.place]

    def _climatology(self, calendar: Tensor) -> Tensor:
        """``[batch, step, region, channel]`` in the unit of the errors."""
        batch, steps = calendar.shape[:2]
        if not self.features:
            return self.level.expand(batch, steps, -1, -1)
        cycles = (calendar @ self.cycles).view(batch, steps, *self.level.shape)
        return self.level + cycles
