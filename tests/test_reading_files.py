"""Files: missing, damaged, several, Zarr."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from reading_samples import findings, grid, read_dataset, read_path, stations, write

from sensorplan.errors import DataError


def test_no_path():
    with pytest.raises(DataError, match="no data given"):
        read_path()


def test_no_such_file(tmp_path):
    with pytest.raises(DataError, match=r"away\.nc: no such file"):
        read_path(str(tmp_path / "away.nc"))


def test_a_glob_without_a_match(tmp_path):
    with pytest.raises(DataError, match=r"\*\.nc: no file matches"):
        read_path(str(tmp_path / "*.nc"))


def test_not_a_netcdf_file(tmp_path):
    (tmp_path / "data.nc").write_text("time,A\n1,2\n")
    with pytest.raises(DataError, match=r"data\.nc: not a netCDF file; expected netCDF, .* or CSV"):
        read_path(str(tmp_path / "data.nc"))


def test_an_empty_file(tmp_path):
    (tmp_path / "data.nc").touch()
    with pytest.raises(DataError, match="not a netCDF file"):
        read_path(str(tmp_path / "data.nc"))


def test_a_folder_that_is_no_store(tmp_path):
    with pytest.raises(DataError, match="a folder, but no Zarr store"):
        read_path(str(tmp_path))


@pytest.mark.parametrize("kind", ["NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF4"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("unlimited", [(), ("time",)])
def test_a_truncated_file(tmp_path, kind, share, unlimited):
    path = Path(write(grid(), tmp_path, format=kind, unlimited_dims=unlimited))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=r"data\.nc: (damaged or truncated|not a netCDF file)"):
        read_path(str(path))


@pytest.mark.parametrize("kind", ["NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF4", "NETCDF4_CLASSIC"])
def test_every_kind_of_netcdf(tmp_path, kind):
    data = read_path(write(grid(), tmp_path, format=kind, unlimited_dims=("time",)))
    assert data.values.shape == (8, 12, 1)


def test_damaged_values(tmp_path):
    path = Path(
        write(grid(), tmp_path, encoding={"t2m": {"fletcher32": True, "chunksizes": (8, 3, 4)}})
    )
    content = path.read_bytes()
    start = content.index(grid()["t2m"].values.tobytes())
    path.write_bytes(content[:start] + b"????" + content[start + 4 :])
    with pytest.raises(DataError, match=r"data\.nc: t2m cannot be read; damaged or truncated"):
        read_path(str(path))


def test_a_name_with_brackets_is_no_glob(tmp_path):
    assert len(read_path(write(stations(), tmp_path, "data[1].nc")).sensors) == 3


def test_source(tmp_path):
    path = write(stations(), tmp_path)
    source = read_path(path).source
    assert source.path == path
    assert source.sha256 == hashlib.sha256(Path(path).read_bytes()).hexdigest()


def halves(folder: Path, dataset: xr.Dataset) -> str:
    write(dataset.isel(time=slice(0, 4)), folder, "a.nc")
    later = dataset.isel(time=slice(4, 8))
    later["time"].encoding = {"units": "days since 2019-05-01", "dtype": "f8"}
    write(later, folder, "b.nc")
    return str(folder / "*.nc")


@pytest.mark.parametrize("dataset", [grid(), stations()])
def test_files_along_time(tmp_path, dataset):
    data = read_path(halves(tmp_path, dataset))
    whole = read_dataset(dataset, tmp_path)
    np.testing.assert_array_equal(data.values, whole.values)
    assert data.time.labels == whole.time.labels
    assert data.sensors == whole.sensors
    assert findings(data)["files"] == "2"
    assert data.warnings == ()


def test_files_in_any_order(tmp_path):
    halves(tmp_path, stations())
    a, b = str(tmp_path / "a.nc"), str(tmp_path / "b.nc")
    data = read_path(b, a)
    assert data.values[:, 0, 0].tolist() == [0, 3, 6, 9, 12, 15, 18, 21]
    assert data.source.path == f"{b},{a}"
    assert data.source.sha256 != read_path(a, b).source.sha256


def test_files_that_overlap_in_time(tmp_path):
    a = write(stations().isel(time=slice(0, 5)), tmp_path, "a.nc")
    b = write(stations().isel(time=slice(3, 8)), tmp_path, "b.nc")
    data = read_path(a, b)
    assert data.values[:, 0, 0].tolist() == [0, 3, 6, 9, 12, 15, 18, 21]
    assert any("2 time steps repeated with equal values" in w for w in data.warnings)


def test_files_of_different_variables(tmp_path):
    a = write(grid(), tmp_path, "a.nc")
    b = write(grid(name="rain"), tmp_path, "b.nc")
    data = read_path(a, b, variable=("t2m", "rain"))
    np.testing.assert_array_equal(data.values[..., 0], data.values[..., 1])


def test_files_of_different_sensors(tmp_path):
    a = write(stations().isel(time=slice(0, 4)), tmp_path, "a.nc")
    b = write(stations().isel(time=slice(4, 8), sensor=[0, 2]), tmp_path, "b.nc")
    data = read_path(a, b)
    assert data.sensors == ("A", "B", "C")
    assert data.valid[:, 1, 0].tolist() == [True] * 4 + [False] * 4
    assert data.geometry.positions[1].tolist() == [50.5, 8.5]
    assert "b.nc has 2 of 3 along sensor; the others are missing in it" in data.warnings[0]


def test_files_of_different_grids(tmp_path):
    a = write(grid().isel(time=slice(0, 4)), tmp_path, "a.nc")
    b = write(grid(latitude=(50, 50.5, 51.1)).isel(time=slice(4, 8)), tmp_path, "b.nc")
    with pytest.raises(DataError, match=r"do not share one grid: a\.nc has 3 of 4 along lat"):
        read_path(a, b)


def test_files_that_do_not_fit(tmp_path):
    a = write(stations().isel(time=slice(0, 4)), tmp_path, "a.nc")
    other = stations().isel(time=slice(4, 8)).assign_coords(lat=("sensor", [1.0, 2.0, 3.0]))
    with pytest.raises(DataError, match="the files do not fit together"):
        read_path(a, write(other, tmp_path, "b.nc"))


def test_files_with_single_values_that_differ(tmp_path):
    for name, run, part in (("a.nc", 1, slice(0, 4)), ("b.nc", 2, slice(4, 8))):
        write(grid().isel(time=part).assign_coords(run=run), tmp_path, name)
    assert len(read_path(str(tmp_path / "?.nc")).time) == 8


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("consolidated", [True, False])
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_zarr(tmp_path, version, consolidated):
    pytest.importorskip("zarr")
    store = tmp_path / "data.zarr"
    grid().to_zarr(store, zarr_format=version, consolidated=consolidated)
    data = read_path(str(store))
    np.testing.assert_array_equal(data.values, read_dataset(grid(), tmp_path).values)
    before = data.source.sha256
    assert read_path(str(store)).source.sha256 == before
    (store / "note").write_text("")
    assert read_path(str(store)).source.sha256 != before


def test_zarr_is_an_extra(tmp_path, monkeypatch):
    (tmp_path / "zarr.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(
        DataError, match=r"needs the package zarr; pip install 'sensorplan\[zarr\]'"
    ):
        read_path(str(tmp_path))


def test_a_damaged_store(tmp_path):
    pytest.importorskip("zarr")
    (tmp_path / "zarr.json").write_text("{")
    with pytest.raises(DataError, match="damaged or truncated"):
        read_path(str(tmp_path))


def test_nothing_but_the_chosen_variable_is_loaded(tmp_path, monkeypatch):
    dataset = grid().assign(rain=grid()["t2m"] * 2).expand_dims(level=[1, 2])
    path = write(dataset, tmp_path)
    sizes = []
    load = xr.DataArray.values.fget
    monkeypatch.setattr(
        xr.DataArray, "values", property(lambda a: sizes.append((a.name, a.size)) or load(a))
    )
    read_path(path, variable=("rain",), select={"level": "2"})
    assert ("rain", 96) in sizes
    assert all(name != "t2m" and size <= 96 for name, size in sizes)
