"""Small files for the tests of reading."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sensorplan.reading import read
from sensorplan.recipe import DataSettings
from sensorplan.sensors import SensorData

HOURS = np.datetime64("2020-01-06T00:00", "s") + np.arange(8) * np.timedelta64(1, "h")


def grid(
    *,
    latitude: Any = (50.0, 50.5, 51.0),
    longitude: Any = (8.0, 8.5, 9.0, 9.5),
    time: Any = HOURS,
    name: str = "t2m",
) -> xr.Dataset:
    """A CF grid whose values all differ."""
    shape = len(time), len(latitude), len(longitude)
    values = np.arange(np.prod(shape), dtype="f4").reshape(shape)
    return xr.Dataset(
        {name: (("time", "lat", "lon"), values, {"units": "K", "long_name": "temperature"})},
        {
            "time": np.asarray(time),
            "lat": ("lat", np.asarray(latitude, float), {"units": "degrees_north"}),
            "lon": ("lon", np.asarray(longitude, float), {"units": "degrees_east"}),
        },
    )


def stations(*, ids: Any = ("A", "B", "C"), time: Any = HOURS) -> xr.Dataset:
    """A CF station file whose values all differ."""
    n = len(ids)
    values = np.arange(len(time) * n, dtype="f4").reshape(len(time), n)
    return xr.Dataset(
        {"speed": (("time", "sensor"), values, {"units": "m s-1"})},
        {
            "time": np.asarray(time),
            "sensor": ("sensor", np.asarray(ids), {"cf_role": "timeseries_id"}),
            "lat": ("sensor", np.linspace(50, 51, n), {"standard_name": "latitude"}),
            "lon": ("sensor", np.linspace(8, 9, n), {"standard_name": "longitude"}),
        },
        {"featureType": "timeSeries"},
    )


def write(dataset: xr.Dataset, folder: Path, name: str = "data.nc", **options: Any) -> str:
    """Save and give the path."""
    dataset.to_netcdf(folder / name, **options)
    return str(folder / name)


def read_path(*path: str, **settings: Any) -> SensorData:
    """Read with default settings but for the given ones."""
    return read(DataSettings(path=path, **settings))


def read_dataset(dataset: xr.Dataset, folder: Path, **settings: Any) -> SensorData:
    """Save and read."""
    return read_path(write(dataset, folder), **settings)


def findings(data: SensorData) -> dict[str, str]:
    """Value of each finding."""
    return {finding.what: finding.value for finding in data.findings}
