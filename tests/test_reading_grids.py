"""Grids: any order of dimensions and coordinates gives the same cells."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading_samples import HOURS, findings, grid, read_dataset, read_path, write

from sensorplan.errors import DataError


def assert_same(one, two):
    np.testing.assert_array_equal(one.values, two.values)
    assert one.sensors == two.sensors
    assert one.time.labels == two.time.labels
    assert one.geometry.shape == two.geometry.shape
    np.testing.assert_allclose(one.geometry.positions, two.geometry.positions)
    np.testing.assert_allclose(one.geometry.corners, two.geometry.corners)
    np.testing.assert_array_equal(one.geometry.rows, two.geometry.rows)
    np.testing.assert_array_equal(one.geometry.columns, two.geometry.columns)


def test_a_plain_grid(tmp_path):
    data = read_dataset(grid(), tmp_path)
    assert data.values.shape == (8, 12, 1)
    assert data.values.dtype == np.float32
    assert data.values[1, :, 0].tolist() == list(range(12, 24))
    assert data.sensors[:2] == ("50.0000_8.0000", "50.0000_8.5000")
    assert data.channels[0].units == "K"
    assert data.channels[0].long_name == "temperature"
    geometry = data.geometry
    assert (geometry.kind, geometry.crs, geometry.shape) == ("cells", "EPSG:4326", (3, 4))
    assert geometry.rows.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert geometry.columns.tolist() == [0, 1, 2, 3] * 3
    assert geometry.corners[0].tolist() == [
        [7.75, 49.75], [8.25, 49.75], [8.25, 50.25], [7.75, 50.25]
    ]  # fmt: skip
    assert data.warnings == ()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    dims=st.permutations(("time", "lat", "lon")),
    south=st.booleans(),
    west=st.booleans(),
    turn=st.integers(0, 5),
    positive=st.booleans(),
    start=st.sampled_from([-180.0, -30.0, 0.0, 100.0, 170.0]),
    step=st.sampled_from([2.5, 10.0, 60.0]),
)
def test_order_in_the_file_does_not_matter(
    tmp_path, dims, south, west, turn, positive, start, step
):
    longitude = start + step * np.arange(6)
    plain = grid(latitude=(-10, 0, 10, 20), longitude=(longitude + 180) % 360 - 180)
    other = plain.transpose(*dims)
    other = other.isel(lat=slice(None, None, -1)) if south else other
    other = other.isel(lon=slice(None, None, -1)) if west else other
    other = other.roll(lon=turn, roll_coords=True)
    if positive:
        other = other.assign_coords(lon=other.lon.copy(data=other.lon.values % 360))
    assert_same(read_dataset(plain, tmp_path), read_path(write(other, tmp_path, "other.nc")))


def test_global_longitudes_start_at_the_dateline(tmp_path):
    data = read_dataset(grid(longitude=np.arange(0, 360, 90)), tmp_path)
    assert data.geometry.positions[:4, 1].tolist() == [-180, -90, 0, 90]
    assert data.geometry.corners[0, :, 0].tolist() == [-225, -135, -135, -225]
    assert data.values[0, :4, 0].tolist() == [2, 3, 0, 1]


def test_a_grid_across_the_dateline_stays_in_one_piece(tmp_path):
    data = read_dataset(grid(longitude=(170, 175, 180, 185)), tmp_path)
    assert data.geometry.positions[:4, 1].tolist() == [170, 175, -180, -175]
    assert data.geometry.corners[2, :, 0].tolist() == [-182.5, -177.5, -177.5, -182.5]
    assert data.values[0, :4, 0].tolist() == [0, 1, 2, 3]


def test_a_repeated_column_is_dropped(tmp_path):
    data = read_dataset(grid(longitude=(0, 90, 180, 270, 360)), tmp_path)
    assert data.geometry.shape == (3, 4)
    assert "longitude 360 repeats one" in data.warnings[0]
    assert data.values[0, :, 0].tolist() == [2, 3, 0, 1, 7, 8, 5, 6, 12, 13, 10, 11]


def test_corners_end_at_the_poles(tmp_path):
    data = read_dataset(grid(latitude=(-90, 0, 90)), tmp_path)
    assert data.geometry.corners[:, :, 1].min() == -90
    assert data.geometry.corners[:, :, 1].max() == 90


def test_land_is_no_node(tmp_path):
    dataset = grid()
    dataset["t2m"][:, 1, 2] = np.nan
    data = read_dataset(dataset, tmp_path)
    assert len(data.sensors) == 11
    assert "50.5000_9.0000" not in data.sensors
    assert findings(data)["dropped"] == "1 cell"
    assert data.geometry.rows.tolist() == [0] * 4 + [1] * 3 + [2] * 4
    assert data.warnings == ()


def test_a_planar_grid(tmp_path):
    dataset = grid(latitude=(2, 1, 0)).rename(lat="y", lon="x")
    for dim in "xy":
        dataset[dim].attrs = {"units": "m"}
    data = read_dataset(dataset, tmp_path)
    assert data.geometry.crs is None
    assert data.geometry.positions[0].tolist() == [0, 8]
    assert data.values[0, :4, 0].tolist() == [8, 9, 10, 11]


def test_a_grid_without_coordinates(tmp_path):
    data = read_dataset(grid().drop_vars(["lat", "lon"]).rename(lat="row", lon="col"), tmp_path)
    assert data.geometry.positions[5].tolist() == [1, 1]
    assert findings(data)["grid"] == "row, col (3 x 4)"


def test_unknown_dimensions_are_a_grid_with_a_warning(tmp_path):
    data = read_dataset(grid().drop_vars(["lat", "lon"]).rename(lat="a", lon="b"), tmp_path)
    assert data.geometry.shape == (3, 4)
    assert "nothing says what a and b are" in data.warnings[0]


def curvilinear(flip: bool = False) -> xr.Dataset:
    y, x = np.meshgrid(np.arange(3.0), np.arange(4.0), indexing="ij")
    latitude, longitude = 50 + y + 0.1 * x, 178 + x - 0.1 * y
    if flip:
        latitude, longitude = latitude[::-1], longitude[::-1]
    values = np.arange(8 * 12, dtype="f4").reshape(8, 3, 4)
    return xr.Dataset(
        {"sst": (("time", "nj", "ni"), values[:, ::-1] if flip else values)},
        {
            "time": HOURS,
            "nav_lat": (("nj", "ni"), latitude, {"standard_name": "latitude"}),
            "nav_lon": (("nj", "ni"), longitude, {"standard_name": "longitude"}),
        },
    )


def test_two_dimensional_coordinates(tmp_path):
    data = read_dataset(curvilinear(), tmp_path)
    assert data.geometry.crs == "EPSG:4326"
    assert data.geometry.positions[0].tolist() == [50, 178]
    assert data.geometry.positions[3].tolist() == pytest.approx([50.3, -179])
    corners = data.geometry.corners[5]
    np.testing.assert_allclose(
        corners, [[178.45, 50.55], [179.45, 50.65], [179.35, 51.65], [178.35, 51.55]], atol=0.02
    )
    assert np.abs(data.geometry.corners[..., 0] - data.geometry.positions[:, None, 1]).max() < 1
    assert_same(data, read_dataset(curvilinear(flip=True), tmp_path))
    assert_same(data, read_dataset(curvilinear().transpose(..., "time"), tmp_path))


def test_rings_run_counter_clockwise(tmp_path):
    for dataset in (curvilinear(), curvilinear().isel(ni=slice(None, None, -1)), grid()):
        x, y = np.moveaxis(read_dataset(dataset, tmp_path).geometry.corners, -1, 0)
        area = (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)
        assert (area > 0).all()


def test_a_projected_grid_is_placed_in_degrees(tmp_path):
    dataset = grid(latitude=(5_600_000, 5_610_000), longitude=(490_000, 500_000, 510_000))
    dataset = dataset.rename(lat="y", lon="x")
    for dim in "xy":
        dataset[dim].attrs = {"units": "m", "standard_name": f"projection_{dim}_coordinate"}
    dataset["t2m"].attrs["grid_mapping"] = "utm"
    dataset["utm"] = ((), 0, {
        "grid_mapping_name": "transverse_mercator",
        "longitude_of_central_meridian": 9.0,
        "latitude_of_projection_origin": 0.0,
        "scale_factor_at_central_meridian": 0.9996,
        "false_easting": 500_000.0,
        "false_northing": 0.0,
        "semi_major_axis": 6378137.0,
        "inverse_flattening": 298.257223563,
    })  # fmt: skip
    data = read_dataset(dataset, tmp_path)
    assert data.geometry.crs == "EPSG:4326"
    assert data.geometry.positions[1].tolist() == pytest.approx([50.552, 9.0], abs=0.001)
    assert data.geometry.corners[1].mean(axis=0).tolist() == pytest.approx([9.0, 50.552], abs=0.001)
    in_km = dataset.assign_coords(
        {d: (d, dataset[d].values / 1000, {**dataset[d].attrs, "units": "km"}) for d in "xy"}
    )
    assert_same(data, read_dataset(in_km, tmp_path))


def test_static_fields_become_attributes(tmp_path):
    dataset = grid()
    dataset["orog"] = (
        ("lon", "lat"),
        np.arange(12.0).reshape(4, 3),
        {"standard_name": "surface_altitude"},
    )
    data = read_dataset(dataset, tmp_path)
    assert data.attributes["altitude"] == (0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11)


def test_cells_of_one_place_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"grid cells 0 and 4 .* both lie at 50.0+_8.0+"):
        read_dataset(grid(latitude=(50, 50, 51)), tmp_path)


def test_narrow_cells_get_more_decimals(tmp_path):
    data = read_dataset(grid(latitude=(50, 50.00002, 50.00004)), tmp_path)
    assert data.sensors[4] == "50.00002_8.00000"


def test_a_missing_coordinate_is_refused(tmp_path):
    with pytest.raises(DataError, match="lat is missing at position 1"):
        read_dataset(grid(latitude=(50, np.nan, 51)), tmp_path)


def test_swapped_coordinates_are_a_warning(tmp_path):
    data = read_dataset(grid(latitude=(100, 110, 120), longitude=(40, 45, 50, 55)), tmp_path)
    assert (
        "the latitude (lat) reaches 120, beyond 90 degrees, and longitude does not"
        in data.warnings[0]
    )
    dataset = grid()
    dataset.lat.attrs, dataset.lon.attrs = dataset.lon.attrs, dataset.lat.attrs
    assert "may be swapped" in read_dataset(dataset, tmp_path).warnings[0]


def test_a_further_dimension_of_one_is_squeezed(tmp_path):
    data = read_dataset(grid().expand_dims(height=[2.0], axis=1), tmp_path)
    assert data.values.shape == (8, 12, 1)
    assert findings(data)["squeezed"] == "height = 2"


def levels() -> xr.Dataset:
    return grid().expand_dims(level=[1000, 500]) * xr.DataArray([1.0, 2.0], dims="level")


def test_a_larger_further_dimension_wants_a_choice(tmp_path):
    with pytest.raises(DataError, match=r"level with 2 values \(1000, 500\).*--select level=1000"):
        read_dataset(levels(), tmp_path)


@pytest.mark.parametrize("chosen", ["500", "500.0", "5e2"])
def test_select(tmp_path, chosen):
    data = read_dataset(levels(), tmp_path, select={"level": chosen})
    assert data.values[0, :3, 0].tolist() == [0, 2, 4]
    assert findings(data)["selected"] == "level = 500"


def test_select_of_what_is_not_there(tmp_path):
    with pytest.raises(
        DataError, match="select level=700: no such value; expected one of 1000, 500"
    ):
        read_dataset(levels(), tmp_path, select={"level": "700"})
    with pytest.raises(
        DataError, match="select depth: no such further dimension; expected one of level"
    ):
        read_dataset(levels(), tmp_path, select={"depth": "0", "level": "500"})
    with pytest.raises(DataError, match="there is none to select"):
        read_dataset(grid(), tmp_path, select={"level": "500"})


def test_several_variables_are_channels(tmp_path):
    dataset = grid()
    dataset["rain"] = -dataset["t2m"].transpose("lon", "time", "lat")
    data = read_dataset(dataset, tmp_path, variable=("rain", "t2m"))
    assert [c.name for c in data.channels] == ["rain", "t2m"]
    np.testing.assert_array_equal(data.values[..., 0], -data.values[..., 1])
    alone = read_dataset(dataset, tmp_path)
    assert [c.name for c in alone.channels] == ["t2m"]
    assert (
        "holds also rain; planned on t2m alone; name several with --variable" in alone.warnings[0]
    )


def test_bounds_and_flags_are_no_measurements(tmp_path):
    dataset = grid()
    time_bnds = ("time", "nv"), np.arange(16.0).reshape(8, 2)
    flag = dataset["t2m"].astype("i1").assign_attrs(flag_values=[0, 1])
    dataset = xr.Dataset({"time_bnds": time_bnds, "flag": flag}).merge(dataset)
    data = read_dataset(dataset, tmp_path)
    assert [c.name for c in data.channels] == ["t2m"]
    assert data.warnings == ()


def test_unknown_variable(tmp_path):
    with pytest.raises(DataError, match=r"no variable t2n \(did you mean t2m\?\); it holds t2m"):
        read_dataset(grid(), tmp_path, variable=("t2n",))


def test_variable_without_time(tmp_path):
    with pytest.raises(
        DataError, match=r"orog has the dimensions \(lat\); expected time among them"
    ):
        read_dataset(grid().assign(orog=("lat", [1.0, 2.0, 3.0])), tmp_path, variable=("orog",))


def test_no_variable_over_sensors(tmp_path):
    with pytest.raises(DataError, match=r"no variable has the time dimension time.*t2m\(time\)"):
        read_dataset(grid().isel(lat=0, lon=0, drop=True), tmp_path)


def test_variables_over_other_sensors(tmp_path):
    dataset = grid()
    dataset["flow"] = (("time", "gauge"), np.ones((8, 2)))
    with pytest.raises(
        DataError, match=r"flow has the dimensions \(time, gauge\); expected time, lat"
    ):
        read_dataset(dataset, tmp_path, variable=("t2m", "flow"))


def test_files_are_not_changed(tmp_path):
    path = write(grid(), tmp_path)
    before = Path(path).read_bytes()
    read_path(path)
    assert Path(path).read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["data.nc"]


def test_a_geostationary_grid_in_radians(tmp_path):
    dataset = grid(latitude=(-0.001, 0, 0.001), longitude=(-0.002, 0, 0.002))
    dataset = dataset.rename(lat="y", lon="x")
    for dim in "xy":
        dataset[dim].attrs = {"units": "rad", "standard_name": f"projection_{dim}_coordinate"}
    dataset["t2m"].attrs["grid_mapping"] = "goes"
    dataset["goes"] = ((), 0, {
        "grid_mapping_name": "geostationary",
        "perspective_point_height": 35786023.0,
        "longitude_of_projection_origin": -75.0,
        "sweep_angle_axis": "x",
        "semi_major_axis": 6378137.0,
        "semi_minor_axis": 6356752.3,
    })  # fmt: skip
    positions = read_dataset(dataset, tmp_path).geometry.positions
    assert positions[4].tolist() == pytest.approx([0, -75], abs=1e-6)
    assert positions[5].tolist() == pytest.approx([0, -75 + 0.643], abs=0.01)


def test_positions_given_at_each_time(tmp_path):
    dataset = curvilinear()
    steady = dataset.assign_coords(
        {
            n: (("time", "nj", "ni"), np.stack([dataset[n].values] * 8), dataset[n].attrs)
            for n in ("nav_lat", "nav_lon")
        }
    )
    data = read_dataset(steady, tmp_path)
    assert_same(data, read_dataset(dataset, tmp_path))
    assert data.warnings == ()
    steady["nav_lat"][3] += 1
    assert "nav_lat changes with time" in read_dataset(steady, tmp_path).warnings[0]


def test_cells_without_a_position_are_left_out(tmp_path):
    dataset = curvilinear()
    dataset["nav_lat"][0, 0] = np.nan
    data = read_dataset(dataset, tmp_path)
    assert len(data.sensors) == 11
    np.testing.assert_allclose(
        data.geometry.corners[0],
        [[178.55, 49.45], [179.55, 49.55], [179.45, 50.55], [178.45, 50.45]],
        atol=0.15,
    )
    assert "1 cell without a position left out" in data.warnings[0]
    dataset["nav_lat"][:2, :2] = np.nan
    dataset["nav_lat"][1, 3] = np.nan
    data = read_dataset(dataset, tmp_path)
    assert len(data.sensors) == 7
    assert np.isfinite(data.geometry.corners).all()


def test_cells_without_coordinates_are_counted(tmp_path):
    assert read_dataset(grid(), tmp_path).counted is None
    bare = grid().drop_vars(["lat", "lon"])
    assert read_dataset(bare, tmp_path).counted == (3, 4)
    half = bare.rename(lat="y", lon="x").assign_coords(y=[0.0, 1, 2])
    assert read_dataset(half, tmp_path).counted == (3, 4)


def test_select_of_the_one_position_that_the_file_holds(tmp_path):
    one = grid().assign_coords(level=500)
    data = read_dataset(one, tmp_path, select={"level": "500.0"})
    assert findings(data)["selected"] == "level = 500"
    with pytest.raises(DataError, match=r"select level=850: no such value; expected one of 500"):
        read_dataset(one, tmp_path, select={"level": "850"})
