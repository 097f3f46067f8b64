"""`forecast` from new data to a CF file."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr
from plans import make_plan
from test_pipeline import sha, write_grid, write_stations

from sensorplan.errors import DataError, OutputError, RecipeError
from sensorplan.forecasters import from_bytes, to_bytes
from sensorplan.pipeline import forecast
from sensorplan.pipeline.preparing import read_regions
from sensorplan.pipeline.saved import FORECASTER_FILE, load_forecaster
from sensorplan.recipe import DataSettings
from sensorplan.windows import make_windows


def cut(plan, tmp_path, change=lambda dataset: dataset, name="new.nc"):
    """The plan's data after a change, as another file."""
    dataset = change(xr.load_dataset(plan.path))
    dataset.to_netcdf(tmp_path / name)
    return str(tmp_path / name)


def run(plan, path, target, **options):
    """The forecast as a dataset with decoded times, and what was said of it."""
    reading = {
        name: options.pop(name) for name in ("variable", "select", "stations") if name in options
    }
    settings = DataSettings(path=(path,), **reading)
    result = forecast(plan.folder, settings, out=target, **options)
    return opened(target), result


def opened(target):
    engine = "zarr" if target.suffix == ".zarr" else "netcdf4"
    with xr.open_dataset(target, engine=engine, decode_timedelta=False) as dataset:
        return dataset.load()


def by_training(plan, leads=2):
    """``[lead, node, channel]`` forecast of the last steps of the plan's own data.

    By the windows that it was trained on, and the saved compact forecaster.
    """
    data, regions = read_regions(plan.recipe)
    windows = make_windows(data, regions, plan.recipe.window, torch.device("cpu"))
    saved = load_forecaster(plan.folder)
    start = np.array([len(data.time) - 4 - leads])
    batch = windows.batch(start)
    kept = [regions.names.index(name) for name in saved.about.kept]
    with torch.no_grad():
        anomalies = saved.compact(batch.history[:, kept], batch.seen[:, kept], batch.calendar)
    anomalies = anomalies.view(windows.regions, leads, windows.channels).transpose(0, 1)
    steps = torch.as_tensor(start + 4 + np.arange(leads))
    values = windows.climatology(steps) + anomalies * windows.error_scale
    return regions.scatter((values / windows.unit).numpy(), len(data.sensors))


# What is forecast


@pytest.mark.parametrize("kind", ["stations", "two", "counted"])
def test_it_is_the_forecast_of_the_training_windows(kind, request, tmp_path):
    plan = request.getfixturevalue(kind)
    path = cut(plan, tmp_path, lambda dataset: dataset.isel(time=slice(None, -2)))
    found, result = run(plan, path, tmp_path / "out.nc")
    expected = by_training(plan)
    for channel, name in enumerate(plan.plan.data.variable):
        assert found[name].dims == ("forecast_reference_time", "lead", "sensor")
        np.testing.assert_allclose(found[name][0], expected[..., channel], rtol=1e-5)
    assert result.missing == ()


def test_patches_are_forecast_cell_by_cell(patches, tmp_path):
    path = cut(patches, tmp_path, lambda dataset: dataset.isel(time=slice(None, -2)))
    found, _ = run(patches, path, tmp_path / "out.nc")
    expected = by_training(patches)[..., 0].reshape(2, 4, 5)
    assert found["t2m"].dims == ("forecast_reference_time", "lead", "latitude", "longitude")
    np.testing.assert_allclose(found["t2m"][0], expected, rtol=1e-5)
    np.testing.assert_array_equal(found["latitude"], 50 + 0.25 * np.arange(4))
    kept = [name for name in patches.regions.names if name in patches.plan.kept]
    members = patches.regions.members[[patches.regions.names.index(name) for name in kept]]
    assert set(np.flatnonzero(found["kept"].values.ravel())) == set(members[members >= 0])


def test_kept_sensors_in_any_order_are_enough(stations, tmp_path):
    whole, _ = run(stations, stations.path, tmp_path / "whole.nc")
    names = [*reversed(stations.plan.kept)]
    path = cut(stations, tmp_path, lambda dataset: dataset.sel(station=names))
    before = sha(path)
    alone, result = run(stations, path, tmp_path / "alone.nc")
    assert sha(path) == before
    xr.testing.assert_equal(alone, whole)
    assert whole["sensor"].values.tolist() == [f"S{i:03d}" for i in range(8)]
    assert result.warnings == ()
    assert whole["kept"].sel(sensor=[*stations.plan.kept]).values.all()
    assert int(whole["kept"].sum()) == stations.plan.budget == 4


def test_the_original_data_is_not_needed(stations, tmp_path):
    path = cut(stations, tmp_path)
    original = Path(stations.path)
    original.rename(original.with_suffix(".away"))
    try:
        run(stations, path, tmp_path / "out.nc")
    finally:
        original.with_suffix(".away").rename(original)


def test_a_short_history_is_enough(stations, tmp_path):
    whole, _ = run(stations, stations.path, tmp_path / "whole.nc")
    path = cut(stations, tmp_path, lambda dataset: dataset.isel(time=slice(-4, None)))
    short, _ = run(stations, path, tmp_path / "short.nc")
    np.testing.assert_allclose(short["v0"], whole["v0"], rtol=1e-6)
    assert short["interval_widening"].item() == 1
    three = cut(stations, tmp_path, lambda dataset: dataset.isel(time=slice(-3, None)))
    with pytest.raises(DataError, match=r"new\.nc: holds 3 steps \(.*\); .* last 4 steps of 1 h$"):
        run(stations, three, tmp_path / "three.nc")


def test_all_origins_hold_the_last_one_of_each_cut(stations, tmp_path):
    every, result = run(stations, stations.path, tmp_path / "every.nc", origins="all")
    assert every.sizes["forecast_reference_time"] == 240 - 4 + 1
    assert result.to_json()["origins"]["count"] == 237
    path = cut(stations, tmp_path, lambda dataset: dataset.isel(time=slice(None, 100)))
    one, _ = run(stations, path, tmp_path / "one.nc")
    same = every.isel(forecast_reference_time=[96])
    for name, tolerance in (("v0", 1e-5), ("time", 0), ("interval_widening", 0.03)):
        np.testing.assert_allclose(
            same[name].values.astype(float), one[name].values.astype(float), rtol=tolerance
        )


def test_a_kept_sensor_that_is_missing_is_served_and_named(stations, tmp_path):
    gone = stations.plan.kept[1]
    path = cut(
        stations, tmp_path, lambda d: d.sel(station=[*stations.plan.kept]).drop_sel(station=gone)
    )
    found, result = run(stations, path, tmp_path / "out.nc")
    assert result.missing == (gone,)
    assert any(
        f"1 of 4 kept sensors are not in there or have no value: {gone};" in w
        for w in result.warnings
    )
    silent = cut(stations, tmp_path, lambda d: d.where(d["station"] != gone))
    same, result = run(stations, silent, tmp_path / "same.nc")
    xr.testing.assert_equal(found, same)
    assert result.missing == (gone,)
    whole, _ = run(stations, stations.path, tmp_path / "whole.nc")
    assert np.abs(found["v0"] - whole["v0"]).max() > 1e-4


def test_kept_sensors_that_fell_silent_are_named(stations, tmp_path):
    first, *others = stations.plan.kept

    def silence(names):
        return lambda d: d.where(~(d["station"].isin(names) & (d["time"] >= d["time"][-4])))

    _, one = run(stations, cut(stations, tmp_path, silence([first])), tmp_path / "one.nc")
    assert any(
        f": 1 of {stations.plan.budget} kept sensors without a value from 2020-01-15T20:00:00 on: "
        f"{first}" in w
        for w in one.warnings
    )
    found, all_of_them = run(
        stations, cut(stations, tmp_path, silence([first, *others])), tmp_path / "all.nc"
    )
    assert any("the last forecast is the calendar alone" in w for w in all_of_them.warnings)
    assert np.isfinite(found["v0"]).all()


def test_a_sensor_never_observed_in_training_has_no_forecast(tmp_path):
    def change(values):
        values[:200, 1] = np.nan

    path = write_stations(tmp_path / "net.nc", change=change)
    plan = make_plan(path, tmp_path / "net.plan")
    found, _ = run(plan, path, tmp_path / "out.nc")
    missing = np.isnan(found[["v0", "v0_lower", "v0_upper"]].to_dataarray()).all(
        ("variable", "lead")
    )
    assert found["sensor"][missing[0].values].values.tolist() == ["S001"]


# Intervals


def test_intervals_nest_around_the_forecast(stations, tmp_path):
    narrow, _ = run(stations, stations.path, tmp_path / "narrow.nc", level=0.5)
    wide, result = run(stations, stations.path, tmp_path / "wide.nc", level=0.95)
    assert (wide["v0_lower"] < narrow["v0_lower"]).all()
    assert (narrow["v0_lower"] < narrow["v0"]).all()
    assert (narrow["v0"] < narrow["v0_upper"]).all()
    assert (narrow["v0_upper"] < wide["v0_upper"]).all()
    xr.testing.assert_equal(narrow["v0"], wide["v0"])
    assert wide["v0_lower"].attrs["interval_level"] == 0.95
    assert "95 %" in wide["v0_upper"].attrs["long_name"]
    assert result.to_json()["interval"]["test_coverage"] == stations.plan.interval_coverage["0.95"]
    with pytest.raises(RecipeError, match=r"^--interval 70%; expected one of 50%, 80%, 90%, 95%$"):
        run(stations, stations.path, tmp_path / "none.nc", level=0.7)


def test_recent_errors_of_kept_sensors_widen_the_intervals(stations, tmp_path):
    def disturb(dataset):
        rng = np.random.default_rng(0)
        noise = xr.DataArray(rng.normal(size=dataset["v0"].shape), dims=dataset["v0"].dims)
        late = dataset["time"] >= dataset["time"][-30]
        return dataset.assign(v0=dataset["v0"] + 20 * noise * late)

    found, _ = run(stations, cut(stations, tmp_path, disturb), tmp_path / "out.nc")
    assert found["interval_widening"].item() > 5

    def disturb_dropped(dataset):
        dropped = dataset["station"].isin(stations.plan.dropped)
        return dataset.assign(v0=xr.where(dropped, disturb(dataset)["v0"], dataset["v0"]))

    calm, _ = run(stations, cut(stations, tmp_path, disturb_dropped), tmp_path / "calm.nc")
    whole, _ = run(stations, stations.path, tmp_path / "whole.nc")
    assert calm["interval_widening"].item() == whole["interval_widening"].item()


# Which sensor is which


@pytest.mark.parametrize(
    "kind", ["holes", "list by position", "nameless list", "list by name", "turned"]
)
def test_cells_are_told_by_name_or_position(patches, tmp_path, kind):
    whole, _ = run(patches, patches.path, tmp_path / "whole.nc")
    kept = np.flatnonzero(whole["kept"].values.ravel())[::-1]

    def change(dataset):
        if kind == "holes":
            return dataset.where(xr.DataArray(whole["kept"].values, dims=("lat", "lon")) == 1)
        if kind == "turned":
            return dataset.isel(lat=slice(None, None, -1)).astype("f4")
        lat, lon = (
            a.ravel()[kept] for a in np.meshgrid(dataset["lat"], dataset["lon"], indexing="ij")
        )
        values = dataset["t2m"].values.reshape(len(dataset["time"]), -1)[:, kept]
        ids = {"cf_role": "timeseries_id"}
        if kind == "list by name":
            names = [f"{a:.4f}_{b:.4f}" for a, b in zip(lat, lon, strict=True)]
            places = {"station": ("station", names, ids)}
        else:
            names = [f"cell {i}" for i in kept]
            places = {
                "station": ("station", names, ids),
                "lat": ("station", lat),
                "lon": ("station", lon),
            }
        listed = {"t2m": (("time", "station"), values, {"units": "K"})}
        if kind == "nameless list":
            del places["station"]
        return xr.Dataset(listed, {"time": dataset["time"], **places})

    found, result = run(patches, cut(patches, tmp_path, change), tmp_path / "out.nc")
    assert result.missing == ()
    xr.testing.assert_allclose(found, whole, rtol=1e-5)


def test_cells_missing_from_a_patch_are_named(patches, tmp_path):
    path = cut(patches, tmp_path, lambda dataset: dataset.isel(lat=slice(1, None)))
    kept, rows = patches.plan.kept, patches.regions
    cells = {
        (50 + 0.25 * (m // 5), 8 + 0.25 * (m % 5))
        for name in kept
        for m in rows.members[rows.names.index(name)]
        if 0 <= m < 5
    }
    _, result = run(patches, path, tmp_path / "out.nc")
    assert set(result.missing) == {f"{a:.4f}_{b:.4f}" for a, b in cells}


def test_nameless_sensors_must_all_be_there(counted, tmp_path):
    fewer = cut(counted, tmp_path, lambda dataset: dataset.isel(station=slice(1, None)))
    with pytest.raises(
        DataError, match=r"does not name its 7 sensors, .*, or 8 in the order of the"
    ):
        run(counted, fewer, tmp_path / "out.nc")
    first = load_forecaster(counted.folder).about.kept[0]
    silent = xr.DataArray(np.arange(8) == int(first), dims="station")
    _, result = run(
        counted, cut(counted, tmp_path, lambda d: d.where(~silent)), tmp_path / "out.nc"
    )
    assert result.missing == (first,)


def test_nameless_sensors_for_a_plan_with_names(stations, tmp_path):
    bare = cut(stations, tmp_path, lambda dataset: dataset.drop_vars(["station", "lat", "lon"]))
    with pytest.raises(DataError, match=r"does not name its 8 sensors, so .*; expected names$"):
        run(stations, bare, tmp_path / "out.nc")


def test_no_kept_sensor(stations, tmp_path):
    dropped = [*stations.plan.dropped]
    path = cut(stations, tmp_path, lambda dataset: dataset.sel(station=dropped))
    with pytest.raises(
        DataError, match=r"new\.nc: none of the kept sensors is in there; it holds S"
    ):
        run(stations, path, tmp_path / "out.nc")


# What does not fit


def in_units(units):
    def change(dataset):
        dataset["v0"].attrs["units"] = units
        return dataset

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.isel(time=slice(None, None, 2)), r"steps of 2 h; the plan was .* of 1 h$"),
        (in_units("degC"), r"v0 is in degC; the plan was made with v0 in K$"),
        (lambda d: d.rename(v0="t"), r"no variable v0"),
        (
            lambda d: d.assign_coords(time=np.arange(240.0)),
            r"its time is numeric, without a calendar; the plan was made with standard$",
        ),
        (
            lambda d: d.convert_calendar("noleap"),
            r"its time is noleap; the plan was made with standard$",
        ),
    ],
)
def test_data_that_does_not_fit(stations, tmp_path, change, message):
    with pytest.raises(DataError, match=rf"new\.nc: .*{message}"):
        run(stations, cut(stations, tmp_path, change), tmp_path / "out.nc")
    assert not (tmp_path / "out.nc").exists()


def test_a_unit_that_one_side_leaves_out(stations, tmp_path):
    _, result = run(stations, cut(stations, tmp_path, in_units("")), tmp_path / "out.nc")
    assert result.warnings == ()


def test_numeric_time_of_another_step_or_unit(counted, tmp_path):
    def slower(dataset):
        return dataset.assign_coords(time=("time", 2 * dataset["time"].values, {"units": "ks"}))

    with pytest.raises(DataError, match=r"steps of 1 ks; .* steps of 0\.5 ks$"):
        run(counted, cut(counted, tmp_path, slower), tmp_path / "out.nc")

    def renamed(dataset):
        return dataset.assign_coords(time=("time", dataset["time"].values, {"units": "m"}))

    with pytest.raises(DataError, match=r"steps of 0\.5 m; .* steps of 0\.5 ks$"):
        run(counted, cut(counted, tmp_path, renamed), tmp_path / "out.nc")


def test_a_variable_of_another_name(two, tmp_path):
    path = cut(two, tmp_path, lambda dataset: dataset.rename(v0="a", v1="b"))
    with pytest.raises(DataError, match=r"1 variables \(a\); the plan was made with 2 \(v0, v1\)$"):
        run(two, path, tmp_path / "out.nc", variable=("a",))
    found, _ = run(two, path, tmp_path / "out.nc", variable=("a", "b"))
    whole, _ = run(two, two.path, tmp_path / "whole.nc")
    xr.testing.assert_equal(found, whole)


def test_a_plan_folder_that_is_none(stations, tmp_path):
    broken = tmp_path / "broken.plan"
    broken.mkdir()
    (broken / "plan.json").write_bytes((stations.folder / "plan.json").read_bytes())
    plan = SimpleNamespace(folder=broken)
    with pytest.raises(
        DataError, match=r"forecaster\.safetensors: cannot be read .* sensorplan fit"
    ):
        run(plan, stations.path, tmp_path / "out.nc")
    content = (stations.folder / FORECASTER_FILE).read_bytes()
    (broken / FORECASTER_FILE).write_bytes(content.replace(b'"horizon', b'"orizon', 1)[:-1])
    with pytest.raises(DataError, match=r"no forecaster of sensorplan, or damaged"):
        run(plan, stations.path, tmp_path / "out.nc")


@pytest.mark.parametrize("damage", ["tensor", "shape", "member", "field", "kind"])
def test_a_forecaster_file_that_does_not_hold_together(stations, tmp_path, damage):
    content = (stations.folder / FORECASTER_FILE).read_bytes()
    compact, network, about = from_bytes(content, "x")
    if damage == "tensor":
        del network["usual"]
    elif damage == "shape":
        network["level"] = network["level"][:-1]
    elif damage == "member":
        network["members"][0, 0] = 99
    elif damage == "field":
        del about["harmonics"]
    else:
        about["lookback"] = "four"
    (tmp_path / FORECASTER_FILE).write_bytes(to_bytes("mixer", compact, network, about))
    with pytest.raises(DataError, match=r"safetensors: no forecaster of sensorplan, or damaged \("):
        load_forecaster(tmp_path)


# Reading


def test_a_wide_table(stations, tmp_path):
    frame = xr.load_dataset(stations.path)["v0"].to_pandas()[[*reversed(stations.plan.kept)]]
    frame.to_csv(tmp_path / "new.csv")
    found, _ = run(stations, str(tmp_path / "new.csv"), tmp_path / "out.nc", variable=("value",))
    whole, _ = run(stations, stations.path, tmp_path / "whole.nc")
    xr.testing.assert_allclose(found, whole, rtol=1e-5)


def test_a_table_of_cells_with_a_station_table(patches, tmp_path):
    whole, _ = run(patches, patches.path, tmp_path / "whole.nc")
    cells = xr.load_dataset(patches.path)["t2m"].stack(cell=("lat", "lon")).to_pandas()
    table = "id,lat,lon\n" + "".join(f"c{i},{a},{b}\n" for i, (a, b) in enumerate(cells.columns))
    (tmp_path / "stations.csv").write_text(table)
    cells.columns = [f"c{i}" for i in range(cells.shape[1])]
    cells.to_csv(tmp_path / "new.csv")
    found, _ = run(
        patches,
        str(tmp_path / "new.csv"),
        tmp_path / "out.nc",
        variable=("value",),
        stations=str(tmp_path / "stations.csv"),
    )
    xr.testing.assert_allclose(found, whole, rtol=1e-5)


def test_the_plans_own_choices_of_reading(tmp_path):
    whole = xr.load_dataset(write_stations(tmp_path / "net.nc", times=480, gaps=0))
    whole = whole.where(whole["time"].dt.hour != 3, -1)
    level = xr.concat([0 * whole, whole], xr.Variable("level", [1000, 500]))
    level.to_netcdf(tmp_path / "level.nc")
    reading = {"select": {"level": "500"}, "missing": [-1.0], "resample": "2h"}
    plan = make_plan(str(tmp_path / "level.nc"), tmp_path / "level.plan", data=reading)
    found, _ = run(plan, plan.path, tmp_path / "out.nc")
    assert found["lead"].values.tolist() == [2, 4]
    alone = cut(plan, tmp_path, lambda dataset: dataset.sel(level=500))
    same, _ = run(plan, alone, tmp_path / "same.nc")
    xr.testing.assert_equal(same, found)
    other = cut(plan, tmp_path, lambda dataset: dataset.sel(level=1000))
    with pytest.raises(DataError, match=r"select level=500: no such value; expected one of 1000"):
        run(plan, other, tmp_path / "other.nc")


# The file


def test_the_file_is_cf(stations, tmp_path):
    found, result = run(stations, stations.path, tmp_path / "out.nc")
    assert found.attrs.keys() == {"Conventions", "title", "source", "plan", "history"}
    assert found.attrs["Conventions"] == "CF-1.11"
    assert "sensorplan forecast" in found.attrs["history"]
    assert found["v0"].attrs["units"] == "K"
    linked = found["v0"].attrs["ancillary_variables"].split()
    assert set(linked) <= set(found.data_vars)
    assert found["sensor"].attrs["cf_role"] == "timeseries_id"
    assert found["latitude"].attrs["units"] == "degrees_north"
    assert found["longitude"].attrs["standard_name"] == "longitude"
    assert set(found["v0"].coords) == {
        *("forecast_reference_time", "lead", "time", "sensor", "latitude", "longitude"),
    }
    lead = found["lead"]
    assert lead.attrs["standard_name"] == "forecast_period"
    assert (lead.values.tolist(), lead.attrs["units"]) == ([1, 2], "hours")
    assert str(found["forecast_reference_time"].values[0])[:19] == "2020-01-15T23:00:00"
    times = found["time"].values[0].astype("datetime64[s]").astype(str).tolist()
    assert times == ["2020-01-16T00:00:00", "2020-01-16T01:00:00"] == [*result.valid]
    assert result.to_json()["valid"] == {"first": times[0], "last": times[1]}
    assert found["kept"].attrs["flag_meanings"] == "dropped kept"
    with xr.open_dataset(tmp_path / "out.nc", decode_cf=False) as raw:
        assert raw["time"].attrs["units"] == "seconds since 1970-01-01 00:00:00"
        assert set(raw["v0"].attrs["coordinates"].split()) == {"time", "latitude", "longitude"}


def test_numeric_time_goes_on_in_its_unit(counted, tmp_path):
    found, _ = run(counted, counted.path, tmp_path / "out.nc")
    assert found["forecast_reference_time"].values.tolist() == [124.5]
    np.testing.assert_allclose(found["lead"], [0.5, 1.0])
    np.testing.assert_allclose(found["time"], [[125.0, 125.5]])
    assert {found[n].attrs["units"] for n in ("time", "lead")} == {"ks"}
    assert "latitude" not in found


def test_a_grid_with_holes(tmp_path):
    whole = xr.load_dataset(write_grid(tmp_path / "grid.nc"))
    whole["t2m"][:, 1, 2] = np.nan
    whole.to_netcdf(tmp_path / "holes.nc")
    plan = make_plan(str(tmp_path / "holes.nc"), tmp_path / "holes.plan")
    found, _ = run(plan, plan.path, tmp_path / "out.nc")
    assert found["t2m"].shape == (1, 2, 4, 5)
    for name in ("t2m", "t2m_lower", "kept"):
        gone = np.argwhere(np.isnan(found[name].values.reshape(-1, 4, 5)[0]))
        assert gone.tolist() == [[1, 2]]


def test_zarr(stations, tmp_path):
    pytest.importorskip("zarr")
    expected, _ = run(stations, stations.path, tmp_path / "out.nc")
    found, _ = run(stations, stations.path, tmp_path / "out.zarr")
    xr.testing.assert_equal(found, expected)
    with pytest.raises(OutputError, match=r"out\.zarr: exists already; --overwrite replaces it"):
        run(stations, stations.path, tmp_path / "out.zarr")
    run(stations, stations.path, tmp_path / "out.zarr", overwrite=True)
    (tmp_path / "mine.zarr").mkdir()
    with pytest.raises(
        OutputError, match=r"mine\.zarr: is no Zarr store; --overwrite replaces only"
    ):
        run(stations, stations.path, tmp_path / "mine.zarr", overwrite=True)
    assert {file.name for file in tmp_path.iterdir()} == {"out.nc", "out.zarr", "mine.zarr"}


def test_zarr_without_its_package(stations, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(
        OutputError, match=r"needs the package zarr; pip install 'sensorplan\[zarr\]'"
    ):
        run(stations, stations.path, tmp_path / "out.zarr")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("-", r"^-o -: netCDF cannot go to stdout; .* ends in \.nc or \.zarr$"),
        ("out.csv", r"out\.csv: unknown ending"),
        ("out", r"out: unknown ending"),
    ],
)
def test_a_target_of_another_kind(stations, monkeypatch, tmp_path, name, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match=message):
        forecast(stations.folder, DataSettings(path=("none.nc",)), out=Path(name))
    assert not any(tmp_path.iterdir())


def test_origins_that_there_are_not(stations, tmp_path):
    with pytest.raises(RecipeError, match=r"^--origins first; expected last or all$"):
        run(stations, stations.path, tmp_path / "out.nc", origins="first")


def test_nothing_is_overwritten_unasked(stations, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = DataSettings(path=(stations.path,))
    assert forecast(stations.folder, settings).file.name == "net.forecast.nc"
    before = sha("net.forecast.nc")
    with pytest.raises(OutputError, match=r"net\.forecast\.nc: exists already; --overwrite"):
        forecast(stations.folder, settings)
    assert sha("net.forecast.nc") == before
    forecast(stations.folder, settings, origins="all", overwrite=True)
    assert sha("net.forecast.nc") != before


def test_a_write_that_fails_leaves_the_old_file(stations, tmp_path, monkeypatch):
    (tmp_path / "out.nc").write_text("mine")

    def full(*arguments, **options):
        raise RuntimeError("NetCDF: HDF error")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", full)
    with pytest.raises(OutputError, match=r"out\.nc: cannot be written; NetCDF: HDF error$"):
        forecast(
            stations.folder,
            DataSettings(path=(stations.path,)),
            out=tmp_path / "out.nc",
            overwrite=True,
        )
    assert [file.name for file in tmp_path.iterdir()] == ["out.nc"]
    assert (tmp_path / "out.nc").read_text() == "mine"
