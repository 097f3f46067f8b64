"""The coordinates of a forecast, as CF says them: times and leads, and sensors or a grid."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sensorplan.reading.leads import UNITS
from sensorplan.reading.stamps import SECOND, Stamps
from sensorplan.reading.time_axis import months_of
from sensorplan.sensors import Floats, Geometry, Ints, TimeAxis

LATITUDE = {"standard_name": "latitude", "long_name": "latitude", "units": "degrees_north"}
LONGITUDE = {"standard_name": "longitude", "long_name": "longitude", "units": "degrees_east"}
SAME = 1e-6  # degrees or units of the file, within which cells of a row lie on one line


def time_coordinates(time: TimeAxis, origins: Ints, horizon: int) -> dict[str, xr.Variable]:
    """``forecast_reference_time``, ``lead``, and the ``time`` that is forecast, by both.

    Args:
        time: The axis, up to the last time that is forecast.
        origins: ``[origin]`` place in `time` of the last step that was known.
        horizon: Steps that are forecast.
    """
    stamps = Stamps.of_labels(time.labels, time.calendar, time.unit)
    ahead = np.arange(1, horizon + 1)
    valid = origins[:, None] + ahead  # [origin, lead]
    if time.calendar is None:
        numbers, units = stamps.numbers, {"units": time.unit} if time.unit else {}
        reference, valid_time, lead = {}, {}, (ahead * time.step, units)
    else:
        numbers = _seconds(stamps.numbers)
        units = {"units": "seconds since 1970-01-01 00:00:00", "calendar": time.calendar}
        reference = {"standard_name": "forecast_reference_time"}
        valid_time = {"standard_name": "time"}
        lead = _lead(time, numbers, ahead)
    reference |= {"long_name": "last time that the forecast knows", **units}
    valid_time |= {"long_name": "time that is forecast", **units}
    steps, said = lead
    return {
        "forecast_reference_time": xr.Variable(
            "forecast_reference_time", numbers[origins], reference
        ),
        "lead": xr.Variable("lead", steps, {"long_name": "time ahead", **said}),
        "time": xr.Variable(("forecast_reference_time", "lead"), numbers[valid], valid_time),
    }


def _seconds(microseconds: Ints) -> NDArray[Any]:
    """Whole numbers where all of them are."""
    if (microseconds % SECOND).any():
        return microseconds / SECOND
    return microseconds // SECOND


def _lead(
    time: TimeAxis, seconds: NDArray[Any], ahead: Ints
) -> tuple[NDArray[Any], dict[str, str]]:
    """Time ahead in the largest unit that divides a step; in steps where they are months."""
    if months_of(time):
        return ahead, {"long_name": f"steps of {time.step_label} ahead", "units": "1"}
    step = seconds[1] - seconds[0]
    unit, size = next((u for u in UNITS if step % u[1] == 0), UNITS[-1])
    lead = ahead * (step // size if step % size == 0 else step / size)
    return lead, {"standard_name": "forecast_period", "units": unit}


@dataclass(frozen=True)
class NodeAxes:
    """How the sensors lie in the file.

    Attributes:
        dims: Names of the dimensions: ``sensor``, or those of a grid.
        shape: Their sizes.
        place: ``[node]`` flat index of each sensor.
        coordinates: Names and positions.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    place: Ints
    coordinates: dict[str, xr.Variable]

    def spread(self, values: NDArray[Any], empty: float) -> NDArray[Any]:
        """``[..., node]`` to ``[..., *shape]``; `empty` where a grid has no cell."""
        size = int(np.prod(self.shape))
        spread = np.full((*values.shape[:-1], size), empty, values.dtype)
        spread[..., self.place] = values
        return spread.reshape(*values.shape[:-1], *self.shape)


def node_axes(sensors: tuple[str, ...], geometry: Geometry | None) -> NodeAxes:
    """A grid where the sensors are cells in straight rows and columns; else a list of sensors."""
    axes = _straight_axes(geometry) if geometry else None
    if geometry is None or axes is None:
        return NodeAxes(
            ("sensor",), (len(sensors),), np.arange(len(sensors)), _listed(sensors, geometry)
        )
    assert geometry.rows is not None
    assert geometry.columns is not None
    coordinates = {
        name: xr.Variable(name, axis, {**attributes, "axis": letter})
        for (name, attributes), axis, letter in zip(_kinds(geometry), axes, "YX", strict=True)
    }
    shape = len(axes[0]), len(axes[1])
    place = geometry.rows * shape[1] + geometry.columns
    return NodeAxes(tuple(coordinates), shape, place, coordinates)


def _listed(sensors: tuple[str, ...], geometry: Geometry | None) -> dict[str, xr.Variable]:
    """Names of the sensors, and positions where they have any."""
    names = {"long_name": "name of the sensor", "cf_role": "timeseries_id"}
    coordinates = {"sensor": xr.Variable("sensor", np.array(sensors), names)}
    if geometry is None:
        return coordinates
    for (name, attributes), axis in zip(_kinds(geometry), geometry.positions.T, strict=True):
        coordinates[name] = xr.Variable("sensor", axis, attributes)
    return coordinates


def _kinds(geometry: Geometry) -> tuple[tuple[str, dict[str, str]], ...]:
    """Names of the two coordinates, and what is said of them."""
    if geometry.crs is None:
        return ("y", {}), ("x", {})
    return ("latitude", LATITUDE), ("longitude", LONGITUDE)


def _straight_axes(geometry: Geometry) -> tuple[Floats, Floats] | None:
    """``[row]`` and ``[column]`` positions; None where a grid is bent, or a row has no cell."""
    if geometry.shape is None or geometry.rows is None or geometry.columns is None:
        return None
    degrees = geometry.crs is not None
    y = _along(geometry.rows, geometry.positions[:, 0], geometry.shape[0], False)
    x = _along(geometry.columns, geometry.positions[:, 1], geometry.shape[1], degrees)
    return None if y is None or x is None else (y, x)


def _along(index: Ints, positions: Floats, size: int, around: bool) -> Floats | None:
    """Position of each row or column; `around` the earth they go on past 180 degrees."""
    axis = np.full(size, np.nan)
    axis[index] = positions
    if np.isnan(axis).any() or np.abs(positions - axis[index]).max() > SAME:
        return None
    return np.unwrap(axis, period=360) if around else axis
