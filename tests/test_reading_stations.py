"""Station files: ids, positions, attributes, the file's graph, and what means missing."""

import netCDF4
import numpy as np
import pytest
import xarray as xr
from reading_samples import HOURS, findings, read_dataset, read_path, stations

from sensorplan.errors import DataError


def test_a_plain_station_file(tmp_path):
    data = read_dataset(stations(), tmp_path)
    assert data.sensors == ("A", "B", "C")
    assert data.values[2, :, 0].tolist() == [6, 7, 8]
    assert data.geometry.kind == "points"
    assert data.geometry.crs == "EPSG:4326"
    assert data.geometry.positions.tolist() == [[50, 8], [50.5, 8.5], [51, 9]]
    assert data.geometry.corners is None
    assert data.adjacency is None
    assert data.attributes == {}
    assert data.warnings == ()
    assert len(data.source.sha256) == 64
    assert findings(data)["ids"] == "sensor (A, B, C)"


def test_dimensions_in_the_other_order(tmp_path):
    data = read_dataset(stations().transpose("sensor", "time"), tmp_path)
    assert data.values[2, :, 0].tolist() == [6, 7, 8]


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        ([773869, 17, 3], ("773869", "17", "3")),
        ([1.0, 2.0, 3.5], ("1", "2", "3.5")),
        ([" A ", "B", "Ä/1"], ("A", "B", "Ä/1")),
    ],
)
def test_ids(tmp_path, ids, names):
    assert read_dataset(stations(ids=ids), tmp_path).sensors == names


def test_char_array_ids_and_the_coordinates_attribute(tmp_path):
    path = str(tmp_path / "chars.nc")
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
        file.createDimension("time", 4)
        file.createDimension("n", 2)
        file.createDimension("name_strlen", 6)
        time = file.createVariable("time", "f8", ("time",))
        time.units = "hours since 2020-01-01"
        time[:] = np.arange(4)
        name = file.createVariable("name", "S1", ("n", "name_strlen"))
        name.cf_role = "timeseries_id"
        name[:] = netCDF4.stringtochar(np.array(["Oslo", "Bergen"], "S6"))
        for key, values, units in (
            ("yy", [59.9, 60.4], "degrees_north"),
            ("xx", [10.7, 5.3], "degrees_east"),
        ):
            coordinate = file.createVariable(key, "f8", ("n",))
            coordinate.units = units
            coordinate[:] = values
        speed = file.createVariable("speed", "f4", ("n", "time"))
        speed.coordinates = "time yy xx name"
        speed[:] = np.arange(8).reshape(2, 4)
    data = read_path(path)
    assert data.sensors == ("Oslo", "Bergen")
    assert data.geometry.positions.tolist() == [[59.9, 10.7], [60.4, 5.3]]
    assert data.values[1, :, 0].tolist() == [1, 5]


def test_no_ids_are_counted(tmp_path):
    data = read_dataset(stations().drop_vars("sensor"), tmp_path)
    assert data.sensors == ("0", "1", "2")
    assert [f.why for f in data.findings if f.what == "ids"] == [
        "the file names no sensors; counted"
    ]


def test_ids_by_name_of_the_variable(tmp_path):
    dataset = stations().drop_vars("sensor").rename(sensor="n")
    dataset = dataset.assign_coords(site_id=("n", ["x1", "x2", "x3"]))
    assert read_dataset(dataset, tmp_path).sensors == ("x1", "x2", "x3")


def test_a_count_gives_way_to_ids(tmp_path):
    dataset = stations(ids=[0, 1, 2]).assign_coords(site_id=("sensor", [31, 5, 8]))
    del dataset["sensor"].attrs["cf_role"]
    assert read_dataset(dataset, tmp_path).sensors == ("31", "5", "8")
    assert read_dataset(dataset.drop_vars("site_id"), tmp_path).sensors == ("0", "1", "2")


def test_two_sensors_of_one_id(tmp_path):
    with pytest.raises(
        DataError, match="two sensors have the id A in sensor, at positions 0 and 2"
    ):
        read_dataset(stations(ids=["A", "B", "A"]), tmp_path)


def test_an_empty_id(tmp_path):
    with pytest.raises(DataError, match="sensor is empty at position 1"):
        read_dataset(stations(ids=["A", "", "C"]), tmp_path)


def test_no_positions(tmp_path):
    data = read_dataset(stations().drop_vars(["lat", "lon"]), tmp_path)
    assert data.geometry is None
    assert findings(data)["positions"] == "none"


@pytest.mark.parametrize("attributes", [{"axis": "{}"}, {"units": "degrees_{}"}, {}])
def test_positions_by_axis_units_or_name(tmp_path, attributes):
    names = {"axis": ("q", "r"), "units": ("q", "r")}.get(
        next(iter(attributes), ""), ("Latitude", "lng")
    )
    dataset = stations().rename(lat=names[0], lon=names[1])
    for name, axis, north in zip(names, "YX", ("north", "east"), strict=True):
        dataset[name].attrs = {
            k: v.format(axis if k == "axis" else north) for k, v in attributes.items()
        }
    data = read_dataset(dataset, tmp_path)
    assert data.geometry.positions[1].tolist() == [50.5, 8.5]
    assert data.geometry.crs == (None if "axis" in attributes else "EPSG:4326")


def test_planar_positions_with_a_crs(tmp_path):
    dataset = stations().drop_vars(["lat", "lon"])
    dataset = dataset.assign_coords(
        easting=("sensor", [500_000.0, 510_000.0, 520_000.0]),
        northing=("sensor", [5_600_000.0] * 3),
    )
    assert read_dataset(dataset, tmp_path).geometry.crs is None
    data = read_dataset(dataset.assign_attrs(crs="EPSG:25832"), tmp_path)
    assert data.geometry.crs == "EPSG:4326"
    assert data.geometry.positions[0].tolist() == pytest.approx([50.552, 9.0], abs=0.001)


def test_an_unreadable_crs_is_a_warning(tmp_path):
    dataset = stations().rename(lat="y", lon="x").assign_attrs(crs="EPSG:1")
    for name in "xy":
        dataset[name].attrs = {}
    data = read_dataset(dataset, tmp_path)
    assert "its CRS cannot be read" in data.warnings[0]
    assert "\n" not in data.warnings[0]


def test_longitudes_are_wrapped_and_positions_may_be_missing(tmp_path):
    dataset = stations()
    dataset["lon"] = dataset["lon"].copy(data=[350.0, 10.0, np.nan])
    dataset["lat"] = dataset["lat"].copy(data=[50.0, 51.0, np.nan])
    positions = read_dataset(dataset, tmp_path).geometry.positions
    assert positions[:2].tolist() == [[50, -10], [51, 10]]
    assert np.isnan(positions[2]).all()


def test_swapped_positions_are_a_warning(tmp_path):
    dataset = stations()
    dataset["lat"], dataset["lon"] = dataset["lat"].copy(data=[151.0, 150.0, 149.0]), dataset["lat"]
    dataset["lon"].attrs = {"standard_name": "longitude"}
    data = read_dataset(dataset, tmp_path)
    assert "latitude and longitude may be swapped" in data.warnings[0]


def test_attributes(tmp_path):
    dataset = stations().assign_coords(
        alt=("sensor", [1.0, 2.0, 3.0]), station_name=("sensor", ["Ay ", "Bee", "Cee"])
    )
    data = read_dataset(dataset, tmp_path)
    assert data.attributes == {"altitude": (1, 2, 3), "station_name": ("Ay", "Bee", "Cee")}


def square(dataset: xr.Dataset, name: str, **other: object) -> xr.Dataset:
    weights = np.arange(9.0).reshape(3, 3)
    return dataset.assign({name: (("sensor", "sensor_to"), weights)}).assign_coords(other)


def test_adjacency(tmp_path):
    data = read_dataset(square(square(stations(), "road"), "adjacency_w"), tmp_path)
    assert data.adjacency.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert data.adjacency.dtype == np.float32
    assert findings(data)["adjacency"] == "adjacency_w"
    assert "holds also road; adjacency_w is taken as adjacency" in data.warnings[0]


def test_adjacency_in_another_order_of_columns(tmp_path):
    data = read_dataset(square(stations(), "adj", sensor_to=["C", "A", "B"]), tmp_path)
    assert data.adjacency.tolist() == [[1, 2, 0], [4, 5, 3], [7, 8, 6]]


def test_adjacency_with_rows_in_another_order(tmp_path):
    dataset = square(stations(), "adj", sensor_to=["C", "A", "B"])
    dataset["adj"] = dataset["adj"].transpose("sensor_to", "sensor")
    data = read_dataset(dataset, tmp_path)
    assert data.adjacency.tolist() == [[1, 4, 7], [2, 5, 8], [0, 3, 6]]


def test_distances_are_no_adjacency(tmp_path):
    assert read_dataset(square(stations(), "distance"), tmp_path).adjacency is None


def test_missing_weights_are_zero_with_a_warning(tmp_path):
    dataset = square(stations(), "adj")
    dataset["adj"][0, 1] = np.nan
    data = read_dataset(dataset, tmp_path)
    assert data.adjacency[0].tolist() == [0, 0, 2]
    assert "adj has missing weights; taken as 0" in data.warnings[0]


def test_a_sensor_always_missing_is_left_out_everywhere(tmp_path):
    dataset = square(stations(), "adj").assign_coords(alt=("sensor", [1.0, 2.0, 3.0]))
    dataset["speed"][:, 1] = np.nan
    data = read_dataset(dataset, tmp_path)
    assert data.sensors == ("A", "C")
    assert data.values.shape == (8, 2, 1)
    assert data.adjacency.tolist() == [[0, 2], [6, 8]]
    assert data.attributes["altitude"] == (1, 3)
    assert data.geometry.positions.tolist() == [[50, 8], [51, 9]]
    assert "1 sensor without any value left out: B" in data.warnings[0]


def test_all_missing(tmp_path):
    with pytest.raises(DataError, match=r"data\.nc: every value of speed is missing"):
        read_dataset(stations() * np.nan, tmp_path)


def test_a_constant_sensor_is_a_warning(tmp_path):
    dataset = stations()
    dataset["speed"][:, 2] = 7
    assert "constant at all times: C" in read_dataset(dataset, tmp_path).warnings[0]


def test_a_sensor_constant_or_missing_in_one_channel(tmp_path):
    dataset = stations()
    dataset["rain"] = dataset["speed"] * 0 + [np.nan, 1, 2]
    dataset["rain"][3, 2] = 5
    data = read_dataset(dataset, tmp_path, variable=("speed", "rain"))
    assert len(data.sensors) == 3
    assert [w.split(": ")[1:] for w in data.warnings] == [["constant at all times", "B"]]


def test_scaled_integers_and_fill_value(tmp_path):
    dataset = stations()
    dataset["speed"][0, 0] = np.nan
    dataset["speed"].encoding = {
        "dtype": "i2", "scale_factor": 0.5, "add_offset": 10.0, "_FillValue": -32768,
    }  # fmt: skip
    data = read_dataset(dataset, tmp_path)
    assert np.isnan(data.values[0, 0, 0])
    assert data.values[2, :, 0].tolist() == [6, 7, 8]
    assert data.values.dtype == np.float32


def test_plain_integers(tmp_path):
    assert read_dataset(stations().astype("i4"), tmp_path).values.dtype == np.float32


def test_missing_sentinels(tmp_path):
    data = read_dataset(stations(), tmp_path, missing=(0.0, 23.0))
    assert not data.valid[0, 0, 0]
    assert not data.valid[7, 2, 0]
    assert data.valid.sum() == 22
    assert [f.value for f in data.findings if f.what == "missing"] == ["0", "23"]


def test_a_sentinel_matches_the_precision_of_the_file(tmp_path):
    dataset = stations()
    dataset["speed"][3, 1] = -99.9
    assert not read_dataset(dataset, tmp_path, missing=(-99.9,)).valid[3, 1, 0]


def test_a_usual_sentinel_is_suspected(tmp_path):
    dataset = stations()
    dataset["speed"][2:4, 1] = -999
    data = read_dataset(dataset, tmp_path)
    assert data.valid.all()
    assert "-999 stands 2 times in speed" in data.warnings[0]


def test_infinite_and_unwritten_values(tmp_path):
    dataset = stations()
    dataset["speed"] = dataset["speed"].astype("f8")
    dataset["speed"][0] = np.inf
    dataset["speed"][1, 0] = -np.inf
    dataset["speed"][2, 0] = netCDF4.default_fillvals["f8"]
    dataset["speed"][3, 0] = 1e300
    data = read_dataset(dataset, tmp_path)
    assert data.valid.sum() == 18
    assert np.isfinite(data.values[data.valid]).all()
    assert "5 infinite values in speed; taken as missing" in data.warnings[0]
    assert "1 value in speed never written" in data.warnings[1]


def test_a_further_dimension_of_stations(tmp_path):
    dataset = stations().expand_dims(depth=[5.0, 10.0])
    with pytest.raises(DataError, match=r"depth with 2 values \(5, 10\)"):
        read_dataset(dataset, tmp_path)
    assert read_dataset(dataset, tmp_path, select={"depth": "10"}).values.shape == (8, 3, 1)


def test_sensors_by_elimination(tmp_path):
    dataset = xr.Dataset({"v": (("time", "k"), np.random.rand(8, 3))}, {"time": HOURS})
    data = read_dataset(dataset, tmp_path)
    assert data.sensors == ("0", "1", "2")
    assert [f.why for f in data.findings if f.what == "sensors"] == [
        "the only dimension left besides time"
    ]


def test_too_many_unknown_dimensions(tmp_path):
    dataset = xr.Dataset({"v": (("time", "a", "b", "c"), np.ones((8, 2, 2, 2)))}, {"time": HOURS})
    with pytest.raises(
        DataError, match=r"v has the dimensions \(time, a, b, c\) and none is known"
    ):
        read_dataset(dataset, tmp_path)


def test_positions_that_are_none(tmp_path):
    dataset = stations()
    dataset["lat"][1], dataset["lon"][1] = -9999, -9999
    data = read_dataset(dataset, tmp_path)
    assert np.isnan(data.geometry.positions[1]).all()
    assert "taken without position: B" in data.warnings[0]


def test_a_ragged_array_is_refused(tmp_path):
    dataset = xr.Dataset(
        {"v": ("obs", np.ones(4))},
        {
            "time": ("obs", HOURS[:4]),
            "station_index": ("obs", [0, 0, 1, 1], {"instance_dimension": "station"}),
        },
    )
    with pytest.raises(DataError, match=r"a ragged array \(station_index\)"):
        read_dataset(dataset, tmp_path)


def test_a_station_table_of_other_sensors(tmp_path):
    (tmp_path / "a.csv").write_text("time,a,b\n2020-01-01,1,2\n2020-01-02,2,3\n")
    (tmp_path / "s.csv").write_text("id,lat,lon\nk0,50,8\nk1,51,9\n")
    with pytest.raises(DataError, match=r"no station of the station table \(k0, k1\) is one of"):
        read_path(str(tmp_path / "a.csv"), stations=str(tmp_path / "s.csv"))


def test_stations_in_metres_are_not_called_swapped(tmp_path):
    (tmp_path / "a.csv").write_text("time,a,b\n2020-01-01,1,2\n2020-01-02,2,3\n")
    (tmp_path / "s.csv").write_text("id,lat,lon\na,4000,10\nb,5000,20\n")
    warnings = read_path(str(tmp_path / "a.csv"), stations=str(tmp_path / "s.csv")).warnings
    assert any("reaches 5000, beyond 90 degrees, expected degrees" in line for line in warnings)


def test_sensors_without_names_are_counted(tmp_path):
    assert read_dataset(stations(), tmp_path).counted is None
    bare = stations().drop_vars("sensor")
    bare["speed"][:, 1] = np.nan
    data = read_dataset(bare, tmp_path)
    assert (data.sensors, data.counted) == (("0", "2"), (3,))
