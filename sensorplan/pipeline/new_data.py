"""New data for a plan's forecaster: read, checked, and brought into the order of its sensors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from sensorplan.errors import DataError
from sensorplan.pipeline.saved import About, Saved
from sensorplan.reading import read
from sensorplan.reading.notes import listed
from sensorplan.recipe import DataSettings
from sensorplan.sensors import Bools, Floats, Geometry, Ints, SensorData

if TYPE_CHECKING:
    import xarray as xr

GREGORIAN = ("standard", "gregorian", "proleptic_gregorian")
SAME_PLACE = 0.01  # of the distance to the nearest other cell
SAME_STEP = 1e-4  # share by which steps of numeric time may differ


@dataclass(frozen=True)
class NewData:
    """New data in the order of a plan.

    Attributes:
        data: As it was read.
        values: ``[time, region, slot * channel]`` NaN where missing.
        found: ``[node]`` True for the sensors of the plan that have any value.
        missing: Names of the kept sensors that have none.
        warnings: Plain sentences.
    """

    data: SensorData
    values: NDArray[np.float32]
    found: Bools
    missing: tuple[str, ...]
    warnings: tuple[str, ...]


def read_new_data(
    saved: Saved, settings: DataSettings, dataset: "xr.Dataset | None" = None
) -> NewData:
    """Read the sensors of a plan from new data; all others in there are left aside.

    Args:
        saved: The plan's forecaster.
        settings: What to read; what it leaves out is as in the plan.
        dataset: What its path holds, where it is in memory already.

    Raises:
        DataError: The data cannot be read, does not fit the plan, or holds no kept sensor.
    """
    about = saved.about
    data = read(_as_in_plan(settings, about), dataset)
    _check_time(data, about)
    _check_variables(data, about)
    place = _place(data, saved)
    values = np.full((len(data.time), len(place), len(about.variables)), np.nan, np.float32)
    values[:, place >= 0] = data.held[:, place[place >= 0]]
    kept = saved.kept_sensors
    absent = np.flatnonzero(kept & (place < 0))
    missing = tuple(about.sensors[node] for node in absent)
    path = data.source.path
    if len(missing) == kept.sum():
        raise DataError(
            f"{path}: none of the kept sensors is in there; it holds {listed(data.sensors)}, "
            f"the plan keeps {listed(about.kept)}"
        )
    notes = []
    if missing:
        notes.append(
            f"{path}: {len(missing)} of {kept.sum()} kept sensors are not in there or have no "
            f"value: {listed(missing)}; the forecast does without them and is less sure"
        )
    regional = saved.regions.gather(values)
    return NewData(data, regional, place >= 0, missing, (*data.warnings, *notes))


def _as_in_plan(settings: DataSettings, about: About) -> DataSettings:
    """The settings, with those of the plan where they leave something out."""
    wanted = {
        "variable": tuple(variable.name for variable in about.variables),
        "select": about.select,
        "missing": about.missing,
        "resample": about.resample,
    }
    left_out = {name: value for name, value in wanted.items() if not getattr(settings, name)}
    return settings.model_copy(update=left_out)


def _check_time(data: SensorData, about: About) -> None:
    """Refuse another step or calendar.

    Raises:
        DataError: It is another.
    """
    path, time = data.source.path, data.time
    calendars = [time.calendar, about.calendar]
    family = ["standard" if calendar in GREGORIAN else calendar for calendar in calendars]
    if family[0] != family[1]:
        found, wanted = (calendar or "numeric, without a calendar" for calendar in calendars)
        raise DataError(f"{path}: its time is {found}; the plan was made with {wanted}")
    if time.calendar is None:
        apart = abs(time.step - about.step_length) > SAME_STEP * abs(about.step_length)
        other_unit = time.unit and about.time_unit and time.unit != about.time_unit
        same = not apart and not other_unit
    else:
        same = time.step_label == about.step
    if not same:
        raise DataError(
            f"{path}: has steps of {time.step_label}; the plan was made with steps of {about.step}"
        )


def _check_variables(data: SensorData, about: About) -> None:
    """Refuse another number of variables, or another unit where both state one.

    Raises:
        DataError: It is another.
    """
    path, wanted = data.source.path, about.variables
    if len(data.channels) != len(wanted):
        raise DataError(
            f"{path}: {len(data.channels)} variables ({listed(c.name for c in data.channels)}); "
            f"the plan was made with {len(wanted)} ({listed(v.name for v in wanted)})"
        )
    for channel, variable in zip(data.channels, wanted, strict=True):
        if channel.units and variable.units and channel.units != variable.units:
            raise DataError(
                f"{path}: {channel.name} is in {channel.units}; the plan was made with "
                f"{variable.name} in {variable.units}"
            )


def _place(data: SensorData, saved: Saved) -> Ints:
    """``[node]`` index in the data of each sensor of the plan; -1 where it is not in there.

    By name; cells of a grid that no name tells, by position.

    Raises:
        DataError: The data names no sensors and does not hold as many as the plan's.
    """
    about, theirs = saved.about, data.geometry
    ours = saved.geometry if saved.geometry and saved.geometry.kind == "cells" else None
    near = None
    if ours and theirs and (ours.crs is None) == (theirs.crs is None):
        near = _nearest(ours, theirs)
        if data.counted is not None and theirs.kind == "points":
            return near  # cells as a list that has positions and no names
    if data.counted is not None and data.counted != about.counted:
        wanted = f", or {_sizes(about.counted)} in the order of the plan's data"
        raise DataError(
            f"{data.source.path}: does not name its {_sizes(data.counted)} sensors, so only their "
            f"order tells which they are; expected names{wanted if about.counted else ''}"
        )
    index = {name: i for i, name in enumerate(data.sensors)}
    place = np.array([index.get(name, -1) for name in about.sensors])
    return place if near is None else np.where(place >= 0, place, near)


def _sizes(counted: tuple[int, ...] | None) -> str:
    return " x ".join(map(str, counted or ()))


def _nearest(cells: Geometry, found: Geometry) -> Ints:
    """``[cell]`` index of the position that is that of each cell; -1 where there is none."""
    ours, theirs = _points(cells), _points(found)
    there = np.flatnonzero(np.isfinite(theirs).all(axis=1))
    if not len(there):
        return np.full(len(ours), -1)
    spacing = cKDTree(ours).query(ours, k=2)[0][:, 1]
    distance, nearest = cKDTree(theirs[there]).query(ours)
    return np.where(distance <= SAME_PLACE * spacing, there[nearest], -1)


def _points(geometry: Geometry) -> Floats:
    """``[node, 2 or 3]`` positions in a plane, or degrees as points on the unit sphere."""
    if geometry.crs is None:
        return geometry.positions
    latitude, longitude = np.deg2rad(geometry.positions.T)
    level = np.cos(latitude)
    return np.column_stack([level * np.cos(longitude), level * np.sin(longitude), np.sin(latitude)])
