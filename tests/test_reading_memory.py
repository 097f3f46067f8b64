"""Data in memory comes in through the door of files."""

import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from reading_samples import HOURS, grid, read_path, stations, write

from sensorplan.errors import DataError
from sensorplan.reading import read, unchanged_file
from sensorplan.reading.memory import as_dataset, content_checksum
from sensorplan.recipe import IN_MEMORY, DataSettings

HELD = DataSettings(path=(IN_MEMORY,))


def months(**options):
    dataset = stations(time=np.arange(8))
    dataset["time"].attrs["units"] = "months since 2000-01-15"
    return dataset


def mapped():
    """Planar positions, whose CRS is in a variable of its own."""
    dataset = grid().rename(lat="y", lon="x")
    dataset["y"].attrs, dataset["x"].attrs = {}, {}
    dataset = dataset.assign_coords(y=5e6 + 1e4 * dataset.y, x=4e6 + 1e4 * dataset.x)
    dataset["t2m"].attrs["grid_mapping"] = "crs"
    laea = {"latitude_of_projection_origin": 52.0, "longitude_of_projection_origin": 10.0}
    dataset["crs"] = ((), 0, {"grid_mapping_name": "lambert_azimuthal_equal_area", **laea})
    return dataset


def sparse():
    dataset = stations()
    dataset["speed"] = dataset["speed"].where(dataset["speed"] != 4)
    return dataset


@pytest.mark.parametrize(
    "options",
    [{}, {"chunks": {"time": 3}}, {"decode_times": False}, {"mask_and_scale": False}],
    ids=["opened", "dask", "undecoded", "unscaled"],
)
@pytest.mark.parametrize("make", [grid, stations, sparse, mapped])
def test_a_dataset_is_read_as_its_file(tmp_path, make, options):
    packed = {"dtype": "i2", "scale_factor": 0.5, "_FillValue": -1}
    name = next(iter(make().data_vars))
    path = write(make(), tmp_path, encoding={name: packed})
    with xr.open_dataset(path, **options) as dataset:
        before = dataset.copy(deep=True)
        held = read(HELD, dataset)
        assert unchanged_file(HELD, dataset) == path
        xr.testing.assert_identical(dataset, before)
        assert {n: v.encoding for n, v in dataset.variables.items()} == {
            n: v.encoding for n, v in before.variables.items()
        }
        assert (dataset.chunks != {}) == ("chunks" in options)
    found = read_path(path)
    assert held.source.path == IN_MEMORY
    assert held.findings == found.findings
    np.testing.assert_array_equal(held.values, found.values)
    assert content_checksum(held) == content_checksum(found) == held.source.sha256


def test_months_are_counted_as_in_a_file(tmp_path):
    labels = read_path(write(months(), tmp_path)).time.labels
    assert read(HELD, months()).time.labels == labels
    assert labels[1] == "2000-02-15T00:00:00"


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.isel(time=slice(1, None)),
        lambda d: d.sel(sensor=["A", "C"]),
        lambda d: d.assign(speed=d["speed"] + 1),
        lambda d: d.isel(sensor=[2, 1, 0]),
        lambda d: d.assign_coords(lat=d["lat"] + 0.1),
        lambda d: d.assign_coords(time=d["time"] + np.timedelta64(1, "h")),
    ],
    ids=["cut", "chosen", "values", "order", "positions", "times"],
)
def test_a_changed_dataset_is_not_its_file(tmp_path, change):
    path = write(stations(), tmp_path)
    with xr.open_dataset(path) as dataset:
        changed = change(dataset).load()
        assert changed.encoding.get("source") == path  # so that alone tells nothing
        assert unchanged_file(HELD, dataset) == path
        assert unchanged_file(HELD, changed) is None
    assert content_checksum(read(HELD, changed)) != content_checksum(read_path(path))


def test_a_dataset_whose_file_is_gone_or_another_stands_alone(tmp_path):
    dataset = xr.load_dataset(write(stations(), tmp_path))
    assert unchanged_file(HELD, dataset) is not None
    (tmp_path / "data.nc").write_bytes(b"no netCDF")
    assert unchanged_file(HELD, dataset) is None
    (tmp_path / "data.nc").unlink()
    assert unchanged_file(HELD, dataset) is None
    assert unchanged_file(HELD, stations()) is None


def test_what_is_not_read_may_have_changed(tmp_path):
    path = write(stations().assign(other=stations()["speed"] * 2), tmp_path)
    dataset = xr.load_dataset(path)
    dataset["other"] += 1
    settings = HELD.model_copy(update={"variable": ("speed",)})
    assert unchanged_file(settings, dataset) == path
    assert unchanged_file(settings.model_copy(update={"variable": ("other",)}), dataset) is None


def test_an_open_file_can_be_looked_at_again_and_again(tmp_path):
    code = (
        "import sys, xarray as xr\n"
        "from sensorplan.reading import unchanged_file\n"
        "from sensorplan.recipe import DataSettings\n"
        "dataset = xr.open_dataset(sys.argv[1])\n"
        "for _ in range(3):\n"
        "    assert unchanged_file(DataSettings(path=('<dataset>',)), dataset) == sys.argv[1]\n"
    )
    path = write(stations(), tmp_path)  # text ids, which crash HDF5 when opened so
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_store_is_told_too(tmp_path):
    pytest.importorskip("zarr")
    store = str(tmp_path / "data.zarr")
    grid().to_zarr(store, zarr_format=2, consolidated=True)
    with xr.open_zarr(store) as dataset:
        assert unchanged_file(HELD, dataset) == store
        assert read(HELD, dataset).values.tolist() == read_path(store).values.tolist()


@pytest.mark.parametrize("change", ["values", "sensors", "time", "geometry", "channels"])
def test_the_checksum_is_over_all_that_was_read(change):
    data = read(HELD, grid())
    assert data.geometry is not None
    other = {
        "values": data.values + np.float32(1),
        "sensors": tuple(f"{name}!" for name in data.sensors),
        "time": replace(data.time, labels=tuple(f"{label}!" for label in data.time.labels)),
        "geometry": replace(data.geometry, positions=data.geometry.positions + 0.1),
        "channels": (replace(data.channels[0], units="degC"),),
    }
    assert content_checksum(replace(data, **{change: other[change]})) != content_checksum(data)
    assert content_checksum(replace(data, values=data.values.copy())) == content_checksum(data)


def test_an_array_is_a_dataset_of_one_variable():
    dataset, variable = as_dataset(stations()["speed"])
    assert variable == ("speed",)
    xr.testing.assert_identical(dataset, stations().drop_attrs(deep=False))
    assert as_dataset(stations()["speed"].rename(None))[1] == ("value",)
    assert as_dataset(stations()) == (stations(), ())


def test_a_frame_has_a_row_a_time_and_a_column_a_sensor():
    frame = pd.DataFrame(np.arange(16.0).reshape(8, 2), pd.Index(HOURS), ["A", "B"])
    dataset, variable = as_dataset(frame)
    data = read(HELD.model_copy(update={"variable": variable}), dataset)
    assert data.sensors == ("A", "B")
    assert data.time.step_label == "1 h"
    np.testing.assert_array_equal(data.values[..., 0], frame.to_numpy())


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (
            lambda: stations().rename(speed=3),
            "^<dataset>: has names that are no text: 3$",
        ),
        (
            lambda: grid().stack(sensor=("lat", "lon")),
            "^<dataset>: sensor is a MultiIndex; expected one index, as reset_index gives$",
        ),
        (
            lambda: stations().drop_vars("time").isel(time=0),
            "^<dataset>: no time dimension; found speed",
        ),
        (
            lambda: months().assign_coords(time=("time", np.arange(8), {"units": "days since x"})),
            r"^<dataset>: unable to decode time units 'days since x'",
        ),
    ],
)
def test_a_dataset_that_cannot_be_read(dataset, message):
    with pytest.raises(DataError, match=message):
        read(HELD, dataset())


def test_an_array_named_as_one_of_its_coordinates():
    with pytest.raises(DataError, match=r"^<dataset>: .*same name as one of its coordinates"):
        as_dataset(stations()["lat"])


def test_data_in_memory_cannot_be_read_again():
    with pytest.raises(DataError, match=r"^<dataset>: data that was in memory, which cannot be"):
        read(HELD)


def test_the_file_of_a_dataset_gives_its_checksum(tmp_path):
    path = write(stations(), tmp_path)
    dataset = xr.load_dataset(path)
    shutil.copy(path, tmp_path / "copy.nc")
    assert read(DataSettings(path=(path,)), dataset).source == read_path(path).source
