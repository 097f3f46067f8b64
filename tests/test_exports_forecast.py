"""The layout of a forecast file, from made-up forecasts."""

from dataclasses import replace

import cftime
import numpy as np
import pytest
import xarray as xr
from factories import make_sensor_data
from reading_samples import read_dataset
from reading_samples import stations as station_file

from sensorplan.exports.forecast_file import Forecasts, forecast_dataset
from sensorplan.reading.time_axis import continued
from sensorplan.sensors import Channel, Geometry

HOUR = np.timedelta64(1, "h")


def make_forecasts(tmp_path, time, *, data=None, horizon=3, channels=("v",)):
    """Forecasts 0, 1, 2... from the last two of the times."""
    data = data or make_sensor_data(times=8, nodes=3)
    axis = read_dataset(station_file(time=time), tmp_path).time
    shape = 2, horizon, len(data.sensors), len(channels)
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return Forecasts(
        values=values,
        lower=values - 1,
        upper=values + 1,
        level=0.9,
        widening=np.ones(2, np.float32),
        time=continued(axis, horizon),
        origins=np.array([len(axis) - 2, len(axis) - 1]),
        sensors=data.sensors,
        kept=np.arange(len(data.sensors)) % 2 == 0,
        channels=tuple(Channel(name, "K", f"long {name}") for name in channels),
        geometry=data.geometry,
    )


def hours(count=8):
    return np.datetime64("2020-01-06T00:00", "s") + np.arange(count) * HOUR


@pytest.mark.parametrize(
    ("step", "lead", "units"),
    [
        (np.timedelta64(5, "m"), [5, 10, 15], "minutes"),
        (np.timedelta64(90, "m"), [90, 180, 270], "minutes"),
        (np.timedelta64(6, "h"), [6, 12, 18], "hours"),
        (np.timedelta64(1, "D"), [1, 2, 3], "days"),
        (np.timedelta64(7, "D"), [7, 14, 21], "days"),
        (np.timedelta64(20, "s"), [20, 40, 60], "seconds"),
        (np.timedelta64(500, "ms"), [0.5, 1, 1.5], "seconds"),
    ],
)
def test_the_lead_of_each_step(tmp_path, step, lead, units):
    time = np.datetime64("2020-01-06T00:00", "ms") + np.arange(8) * step
    dataset = forecast_dataset(make_forecasts(tmp_path, time))
    assert dataset["lead"].values.tolist() == lead
    assert dataset["lead"].attrs["units"] == units
    decoded = xr.decode_cf(dataset, decode_timedelta=False)
    assert (decoded["forecast_reference_time"].values == time[-2:]).all()
    assert (decoded["time"].values[1] == time[-1] + step * np.arange(1, 4)).all()


def test_months_stay_months(tmp_path):
    time = np.arange("2019-06", "2020-02", dtype="datetime64[M]").astype("datetime64[s]")
    dataset = xr.decode_cf(forecast_dataset(make_forecasts(tmp_path, time)))
    assert dataset["lead"].values.tolist() == [1, 2, 3]
    assert dataset["lead"].attrs == {"long_name": "steps of 1 month ahead", "units": "1"}
    assert dataset["time"].values.astype("datetime64[D]").astype(str).tolist() == [
        ["2020-01-01", "2020-02-01", "2020-03-01"],
        ["2020-02-01", "2020-03-01", "2020-04-01"],
    ]


def test_another_calendar(tmp_path):
    time = [cftime.datetime(2001, 2, day, 12, calendar="360_day") for day in range(21, 30)]
    dataset = forecast_dataset(make_forecasts(tmp_path, time))
    assert dataset["time"].attrs["calendar"] == "360_day"
    decoded = xr.decode_cf(dataset, decode_timedelta=False)
    assert [str(t) for t in decoded["time"].values[1]] == [
        *("2001-02-30 12:00:00", "2001-03-01 12:00:00", "2001-03-02 12:00:00"),
    ]


def test_a_grid_across_the_dateline_goes_on_eastwards(tmp_path):
    data = make_sensor_data(times=8, grid=(2, 4))
    east = np.array([179.0, 179.5, -180.0, -179.5])[data.geometry.columns]
    positions = np.column_stack([data.geometry.positions[:, 0], east])
    turned = replace(data, geometry=replace(data.geometry, positions=positions))
    dataset = forecast_dataset(make_forecasts(tmp_path, hours(), data=turned))
    np.testing.assert_allclose(dataset["longitude"], [179, 179.5, 180, 180.5])
    assert dataset["v"].dims[2:] == ("latitude", "longitude")
    np.testing.assert_array_equal(dataset["v"][0, 0], np.arange(8).reshape(2, 4))


def test_a_planar_grid(tmp_path):
    data = make_sensor_data(times=8, grid=(2, 4))
    planar = replace(data, geometry=replace(data.geometry, crs=None))
    dataset = forecast_dataset(make_forecasts(tmp_path, hours(), data=planar))
    assert dataset["v"].dims[2:] == ("y", "x")
    assert dataset["x"].attrs == {"axis": "X"}


def test_a_bent_grid_is_a_list(tmp_path):
    data = make_sensor_data(times=8, grid=(2, 4))
    bent = data.geometry.positions + 0.1 * data.geometry.columns[:, None]
    data = replace(data, geometry=replace(data.geometry, positions=bent))
    dataset = forecast_dataset(make_forecasts(tmp_path, hours(), data=data))
    assert dataset["v"].dims[2:] == ("sensor",)
    np.testing.assert_allclose(dataset["latitude"], bent[:, 0])
    assert dataset["sensor"].values.tolist() == [*data.sensors]


def test_a_grid_with_a_row_without_cells_is_a_list(tmp_path):
    data = make_sensor_data(times=8, nodes=4)
    geometry = Geometry(
        "cells", "EPSG:4326", np.zeros((4, 2)), (3, 2), np.array([0, 0, 2, 2]), np.arange(4) % 2
    )
    dataset = forecast_dataset(
        make_forecasts(tmp_path, hours(), data=replace(data, geometry=geometry))
    )
    assert dataset["v"].dims[2:] == ("sensor",)


def test_names_that_are_taken_or_not_allowed(tmp_path):
    made = make_forecasts(tmp_path, hours(), channels=("lead", "pm2.5 (ug/m3)", "a", "a_lower"))
    dataset = forecast_dataset(made)
    assert {"lead_", "lead__lower", "pm2.5 (ug_m3)", "a", "a_lower", "a_lower_"} <= set(
        dataset.data_vars
    )
    np.testing.assert_array_equal(dataset["a_lower_"], made.values[..., 3])
    np.testing.assert_array_equal(dataset["a_lower"], made.lower[..., 2])
    dataset.to_netcdf(tmp_path / "out.nc")
