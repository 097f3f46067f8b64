"""`forecast`: every sensor of a plan from new data of the kept ones."""

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sensorplan.devices import prepare_torch
from sensorplan.errors import DataError, RecipeError
from sensorplan.evaluation import widening
from sensorplan.exports.forecast_file import Forecasts, check_forecast_target, write_forecasts
from sensorplan.pipeline.new_data import NewData, read_new_data
from sensorplan.pipeline.preparing import default_target
from sensorplan.pipeline.recording import Progress, Stages
from sensorplan.pipeline.saved import Saved, load_forecaster
from sensorplan.plan import SCHEMA_VERSION, Plan
from sensorplan.reading.notes import listed
from sensorplan.reading.time_axis import continued
from sensorplan.recipe import DataSettings
from sensorplan.sensors import Floats, Ints
from sensorplan.version import __version__
from sensorplan.windows import Windows, later_windows

if TYPE_CHECKING:
    import xarray as xr

LAST, ALL = "last", "all"
LEVEL = 0.9
CONVENTIONS = "CF-1.11"


@dataclass(frozen=True)
class ForecastResult:
    """What `forecast` made.

    Attributes:
        file: Where it lies.
        plan: The plan's folder.
        data: The new data, as its path was given.
        forecasts: What the file holds.
        step: Length of a step for people.
        missing: Kept sensors that are not in the new data.
        test_coverage: Share of the plan's test stretch that lay in such intervals; None in a plan
            that does not say.
        warnings: Plain sentences.
    """

    file: Path
    plan: Path
    data: str
    forecasts: Forecasts
    step: str
    missing: tuple[str, ...]
    test_coverage: float | None
    warnings: tuple[str, ...]

    @property
    def origins(self) -> tuple[str, ...]:
        """The last time that each forecast knows."""
        labels = self.forecasts.time.labels
        return tuple(labels[origin] for origin in self.forecasts.origins)

    @property
    def valid(self) -> tuple[str, str]:
        """The first and the last time that is forecast."""
        labels, origins = self.forecasts.time.labels, self.forecasts.origins
        return labels[origins[0] + 1], labels[origins[-1] + self.forecasts.values.shape[1]]

    def to_json(self) -> dict[str, Any]:
        """The same as one object."""
        forecasts = self.forecasts
        return {
            "schema_version": SCHEMA_VERSION,
            "file": str(self.file),
            "plan": str(self.plan),
            "data": self.data,
            "variable": [channel.name for channel in forecasts.channels],
            "origins": {
                "first": self.origins[0],
                "last": self.origins[-1],
                "count": len(self.origins),
            },
            "valid": {"first": self.valid[0], "last": self.valid[1]},
            "step": self.step,
            "horizon": forecasts.values.shape[1],
            "sensors": len(forecasts.sensors),
            "kept": int(forecasts.kept.sum()),
            "missing": list(self.missing),
            "interval": {
                "level": forecasts.level,
                "test_coverage": self.test_coverage,
                "widening": round(float(forecasts.widening[-1]), 3),
            },
            "warnings": list(self.warnings),
        }


def forecast(
    plan_folder: Path,
    data: DataSettings,
    *,
    dataset: "xr.Dataset | None" = None,
    out: Path | None = None,
    origins: str = LAST,
    level: float = LEVEL,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ForecastResult:
    """Forecast all sensors of a plan, and write the forecast to a file.

    Args:
        plan_folder: The folder that `fit` wrote.
        data: The new data; what it leaves out is as in the plan.
        dataset: What its path holds, where it is in memory already.
        out: A file that ends in ``.nc`` or ``.zarr``; None: the data's stem with ``.forecast.nc``,
            in the working folder.
        origins: ``last``: from the last time of the data; ``all``: from each with enough history.
        level: Of the intervals.
        overwrite: Replace an older file.
        progress: Told of every stage.

    Raises:
        SensorplanError: See `sensorplan.errors` for the kinds.
    """
    prepare_torch()
    stage = Stages(progress)
    if origins not in (LAST, ALL):
        raise RecipeError(f"--origins {origins}; expected {LAST} or {ALL}")
    target = out or default_target(data, ".forecast.nc")
    check_forecast_target(target, overwrite)
    plan, saved = Plan.load(plan_folder), load_forecaster(plan_folder)
    place = place_of_level(saved, level)
    with stage("read"):
        new = read_new_data(saved, data, dataset)
    with stage("forecast"):
        forecasts, notes = _forecasts(saved, new, origins, place)
    path = new.data.source.path
    with stage("write"):
        command = shlex.join(["sensorplan", "forecast", str(plan_folder), *data.path])
        attributes = _attributes(saved, plan_folder, f"{command} -o {shlex.quote(str(target))}")
        write_forecasts(target, forecasts, attributes, overwrite)
    return ForecastResult(
        target,
        plan_folder,
        path,
        forecasts,
        saved.about.step,
        new.missing,
        plan.interval_coverage.get(f"{level:g}"),
        (*new.warnings, *notes),
    )


def place_of_level(saved: Saved, level: float) -> int:
    """Place of a level among those that the forecaster's intervals are for.

    Raises:
        RecipeError: It is none of them.
    """
    levels = saved.about.levels
    if level not in levels:
        raise RecipeError(
            f"--interval {100 * level:g}%; expected one of "
            f"{', '.join(f'{100 * known:g}%' for known in levels)}"
        )
    return levels.index(level)


def _forecasts(saved: Saved, new: NewData, wanted: str, level: int) -> tuple[Forecasts, list[str]]:
    """The forecasts from the last time, or from each, and what to warn of.

    Raises:
        DataError: There is too little history.
    """
    about, steps = saved.about, len(new.data.time)
    lookback, horizon = about.lookback, about.horizon
    if steps < lookback:
        labels, path = new.data.time.labels, new.data.source.path
        raise DataError(
            f"{path}: holds {steps} steps ({labels[0]} to {labels[-1]}); a forecast needs the last "
            f"{lookback} steps of {about.step}"
        )
    last = steps - lookback
    starts = np.arange(last + 1) if wanted == ALL else np.array([last])
    time = continued(new.data.time, horizon)
    ahead = np.full((horizon, *new.values.shape[1:]), np.nan, np.float32)
    windows = later_windows(
        np.concatenate([new.values, ahead]),
        time,
        starts,
        (lookback, horizon),
        saved.scaling,
        about.harmonics,
    )
    wider = widening(windows, starts, saved.forecast, saved.mask, saved.intervals, since=0)
    values, lower, upper = _values(windows, starts, saved, level, wider)
    forecasts = Forecasts(
        values,
        lower,
        upper,
        about.levels[level],
        wider[level].numpy(),
        time,
        starts + lookback - 1,
        about.sensors,
        saved.kept_sensors,
        saved.channels,
        saved.geometry,
    )
    return forecasts, _silent_notes(saved, new)


def _values(
    windows: Windows, starts: Ints, saved: Saved, level: int, wider: torch.Tensor
) -> tuple[Floats, Floats, Floats]:
    """``[origin, lead, node, channel]`` forecast and both ends of its interval, in own units."""
    about = saved.about
    lookback, horizon, nodes = about.lookback, about.horizon, len(about.sensors)
    ends = [
        np.empty((len(starts), horizon, nodes, len(about.variables)), np.float32) for _ in range(3)
    ]
    for part in np.array_split(np.arange(len(starts)), -(-len(starts) // 64)):
        batch = windows.batch(starts[part])
        with torch.no_grad():
            middle = saved.forecast(batch)  # [part, region, horizon * channel]
        half = saved.intervals.half_width(level, wider[:, part])
        steps = torch.from_numpy(starts[part, None] + lookback + np.arange(horizon))
        calendar = windows.climatology(steps)  # [part, horizon, region, channel]
        for end, anomalies in zip(ends, (middle, middle - half, middle + half), strict=True):
            split = anomalies.view(len(part), windows.regions, horizon, windows.channels)
            scaled = calendar + split.transpose(1, 2) * windows.error_scale
            values = (scaled / windows.unit).numpy()
            values[:, :, ~windows.observed] = np.nan
            end[part] = saved.regions.scatter(values, nodes)
    return ends[0], ends[1], ends[2]


def _silent_notes(saved: Saved, new: NewData) -> list[str]:
    """A plain sentence when kept sensors that are there said nothing lately."""
    path, lookback, names = new.data.source.path, saved.about.lookback, saved.about.regions
    observed = np.asarray(np.isfinite(new.values).any(axis=2))  # [time, region]
    lately = np.asarray(observed[-lookback:].any(axis=0))
    since = new.data.time.labels[-lookback]
    if not lately[saved.mask].any():
        return [
            f"{path}: no kept sensor has a value from {since} on; the last forecast is the "
            "calendar alone"
        ]
    silent = np.flatnonzero(saved.mask & observed.any(axis=0) & ~lately)
    if not len(silent):
        return []
    return [
        f"{path}: {len(silent)} of {int(saved.mask.sum())} kept sensors without a value from "
        f"{since} on: "
        f"{listed(names[region] for region in silent)}"
    ]


def _attributes(saved: Saved, plan_folder: Path, command: str) -> dict[str, str]:
    """What the file says of itself."""
    kept, sensors = int(saved.kept_sensors.sum()), len(saved.about.sensors)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "Conventions": CONVENTIONS,
        "title": f"Forecast of {sensors} sensors from the {kept} that a plan keeps",
        "source": f"sensorplan {__version__}",
        "plan": str(plan_folder),
        "history": f"{now} {command}",
    }
