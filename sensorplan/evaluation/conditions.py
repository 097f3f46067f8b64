"""Where a plan loses: its error and that of all sensors by season, hour, lead and size of value.

A condition is that of the target: its time, its lead, or what was observed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sensorplan.conditions import ConditionRow
from sensorplan.evaluation.areas import node_areas
from sensorplan.evaluation.comparison import DRAWS_SEED, MARGIN
from sensorplan.evaluation.forecasts import Forecast, batches
from sensorplan.metrics import squares_interval
from sensorplan.regions import Regions
from sensorplan.sensors import Floats, Ints, SensorData, TimeAxis
from sensorplan.windows import Windows, tail_limits

ALL, AREA = "all", "area-weighted"
SEASONS = ("DJF", "MAM", "JJA", "SON")
HOURS = ("night", "morning", "afternoon", "evening")  # six hours each, from midnight on
DAYS = ("weekday", "weekend")
OBSERVED = ("low", "middle", "high")
DAY, SEASON = 86400.0, 100 * 86400.0  # longest step that has a weekday; a season


@dataclass(frozen=True)
class _Condition:
    """Sums over the targets of the test windows under one condition.

    Attributes:
        name: What it is of, say ``season``.
        value: Which, say ``DJF``.
        squares: ``[2, window]`` squared errors from all sensors and of the plan.
        weight: ``[window]`` what their mean is over: the number of targets, or their areas.
        targets: Number of targets.
    """

    name: str
    value: str
    squares: Floats
    weight: Floats
    targets: int

    def row(self, block: int) -> ConditionRow:
        """The errors, and the interval over the windows that hold any such target.

        Args:
            block: Windows in a block of the bootstrap: as many as overlap.
        """
        everything, plan = np.sqrt(self.squares.sum(1) / self.weight.sum()).tolist()
        held = self.weight > 0
        low = high = np.nan
        if everything > 0 and held.sum() > 1:
            low, high = squares_interval(
                self.squares[1, held], self.squares[0, held], block, DRAWS_SEED
            )
        return ConditionRow(
            condition=self.name,
            value=self.value,
            targets=self.targets,
            rmse_all=everything,
            rmse_plan=plan,
            rmse_ratio=plan / everything if everything > 0 else np.nan,
            ci_low=low,
            ci_high=high,
        )


def condition_rows(
    windows: Windows, data: SensorData, regions: Regions, everything: Forecast, plan: Forecast
) -> list[ConditionRow]:
    """Errors on the test stretch over all targets, and under each condition that holds any.

    Seasons, hours and days are left out where the calendar or the step has none, and where all
    targets are of one.

    Args:
        windows: The series.
        data: What they were made from.
        regions: The regions that it was gathered by.
        everything: The forecast from all sensors.
        plan: That from the kept ones.
    """
    split = windows.split
    leads = np.arange(split.horizon)
    steps = split.test[:, None] + split.lookback + leads  # [window, lead]
    sums = _window_sums(windows, data, regions, everything, plan)
    by_lead, by_size = sums[..., leads], sums[..., split.horizon : split.horizon + len(OBSERVED)]
    by_area, placed = sums[..., -2], sums[2, :, -1]

    def counted(name: str, value: str, part: Floats) -> _Condition:
        return _Condition(name, value, part[:2], part[2], round(part[2].sum()))

    conditions = [counted(ALL, "", by_lead.sum(2))]
    for name, values, codes in _calendar(data.time):
        group = [
            counted(name, value, (by_lead * (codes[steps] == code)).sum(2))
            for code, value in enumerate(values)
        ]
        if sum(condition.targets > 0 for condition in group) > 1:
            conditions += group
    conditions += [counted("lead", str(lead + 1), by_lead[..., lead]) for lead in leads]
    conditions += [
        counted("observed", value, by_size[..., place]) for place, value in enumerate(OBSERVED)
    ]
    conditions.append(_Condition(AREA, "", by_area[:2], by_area[2], round(placed.sum())))
    return [condition.row(split.overlap) for condition in conditions if condition.targets]


def weakest_condition(rows: Sequence[ConditionRow]) -> ConditionRow | None:
    """The condition under which the plan loses most, if it clearly loses more than it does overall.

    Clearly: the whole interval lies above 1 and above the ratio of all targets, by more than what
    counts as a tie in a comparison.
    """
    overall = next((row.rmse_ratio for row in rows if row.condition == ALL), np.nan)
    clear = [row for row in rows if row.ci_low > (1 + MARGIN) * max(overall, 1)]
    return max(clear, key=lambda row: row.rmse_ratio, default=None)


def _window_sums(
    windows: Windows, data: SensorData, regions: Regions, everything: Forecast, plan: Forecast
) -> Floats:
    """Sums over the valid targets of each test window, in one pass.

    Returns:
        ``[3, window, lead + 3 + 2]`` of squared errors from all sensors, of those of the plan, and
        of 1: at each lead, of low, middle and high values, of all values times the area that their
        sensor stands for, and of those where that is known.
    """
    starts, horizon = windows.split.test, windows.split.horizon
    sizes, area = _Sizes(windows, data, regions), _slot_areas(windows, data, regions)
    parts, done = [], 0
    with torch.no_grad():
        for batch in batches(windows, starts):
            shape = (len(batch), windows.regions, horizon, windows.channels)
            valid = batch.valid.view(shape)
            size = sizes.of(starts[done : done + len(batch)]).to(valid.device)
            done += len(batch)
            sums = []
            for forecast in (everything, plan):
                error = (forecast(batch) - batch.future).view(shape) * windows.error_scale[:, None]
                squares = torch.where(valid, error, 0).double() ** 2
                sums.append(_grouped(squares, size, area))
            sums.append(_grouped(valid.double(), size, area))
            parts.append(torch.stack(sums))
    joined: Floats = torch.cat(parts, 1).cpu().numpy()
    return joined


def _grouped(values: Tensor, size: Tensor, area: Tensor) -> Tensor:
    """``[window, lead + 3 + 2]`` sums of ``[window, region, lead, channel]``."""
    whole = (1, 2, 3)
    others = [(values * (size == place)).sum(whole) for place in range(len(OBSERVED))]
    others += [(values * area).sum(whole), (values * (area > 0)).sum(whole)]
    return torch.cat([values.sum((1, 3)), torch.stack(others, 1)], 1)


class _Sizes:
    """Which targets are low or high for their series, by quantiles of its training values."""

    def __init__(self, windows: Windows, data: SensorData, regions: Regions) -> None:
        self._split, self._data, self._regions = windows.split, data, regions
        limits = tail_limits(data.sample(windows.split.bounds[0]))
        self._low, self._high = regions.gather(limits)

    def of(self, starts: Ints) -> Tensor:
        """``[window, region, lead, channel]`` the place in `OBSERVED` of each target."""
        horizon = self._split.horizon
        steps = starts[:, None] + self._split.lookback + np.arange(horizon)
        values = self._regions.gather(self._data.at(steps.ravel()))
        places = (1 + (values > self._high) - (values < self._low)).astype(np.int8)
        by_window = places.reshape(*steps.shape, *places.shape[1:])
        return torch.from_numpy(by_window).transpose(1, 2)


def _slot_areas(windows: Windows, data: SensorData, regions: Regions) -> Tensor:
    """``[region, 1, channel]`` area of the sensor in each channel's slot; 0 where not known."""
    areas = node_areas(data.geometry)
    if areas is None:
        areas = np.zeros(len(data.sensors))
    each = np.broadcast_to(areas[:, None], data.values.shape[1:])
    slots = np.nan_to_num(regions.gather(each[None])[0])
    return torch.from_numpy(slots[:, None]).to(windows.device)


def _calendar(time: TimeAxis) -> Iterator[tuple[str, Sequence[str], Ints]]:
    """Each condition of the calendar that the steps have: its values, and ``[time]`` which."""
    if time.calendar is not None and time.step < SEASON:
        months = np.array([int(label.rsplit("-", 2)[1]) for label in time.labels])  # ISO 8601
        yield "season", SEASONS, months % 12 // 3
    if time.time_of_day is not None and time.step < DAY:
        yield "time_of_day", HOURS, np.minimum(4 * time.time_of_day, 3).astype(int)
    if time.day_of_week is not None and time.step <= DAY:
        yield "day_of_week", DAYS, (time.day_of_week >= 5).astype(int)
