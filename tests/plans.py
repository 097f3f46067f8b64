"""Small plans that tests of what comes after planning share."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from test_pipeline import quick, write_grid, write_stations

from sensorplan.pipeline import fit


def make_plan(path, folder, **sections):
    """A plan of hardly any training: half of the sensors, by a baseline."""
    mask = {"method": "variance", "sparsity": 0.5, **sections.pop("mask", {})}
    training = {"steps": 8, "fine_tune": 2, **sections.pop("training", {})}
    recipe = quick(path, mask=mask, training=training, **sections)
    result = fit(recipe, out=folder)
    return SimpleNamespace(recipe=recipe, path=path, **vars(result))


@pytest.fixture(scope="session")
def stations(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stations")
    return make_plan(write_stations(folder / "net.nc"), folder / "net.plan")


@pytest.fixture(scope="session")
def patches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patches")
    return make_plan(write_grid(folder / "grid.nc"), folder / "p", window={"patch": "2x2"})


@pytest.fixture(scope="session")
def two(tmp_path_factory):
    """Two variables, the first of them a hundred times as wide as the second."""
    folder = tmp_path_factory.mktemp("two")
    dataset = xr.load_dataset(write_stations(folder / "net.nc", channels=2))
    dataset["v0"] *= 100
    dataset.to_netcdf(folder / "two.nc")
    return make_plan(str(folder / "two.nc"), folder / "two.plan", data={"variable": ["v0", "v1"]})


@pytest.fixture(scope="session")
def counted(tmp_path_factory):
    """Numeric time, and sensors without names or positions."""
    folder = tmp_path_factory.mktemp("counted")
    whole = xr.load_dataset(write_stations(folder / "net.nc", positions=False))
    dataset = whole.drop_vars(["station", "time"]).assign_coords(time=5.0 + 0.5 * np.arange(240))
    dataset["time"].attrs["units"] = "ks"
    dataset.to_netcdf(folder / "counted.nc")
    return make_plan(str(folder / "counted.nc"), folder / "counted.plan")
