"""Histories on disk: the same plans as in memory, from the same files."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from factories import make_sensor_data, network_of
from reading_samples import grid, stations, write
from test_pipeline import quick, write_stations
from typer.testing import CliRunner

import sensorplan
from sensorplan import memory as bounds
from sensorplan.cli import app
from sensorplan.errors import DataError, OutputError, RecipeError
from sensorplan.evaluation import condition_rows, persistence_errors
from sensorplan.forecasters.linear import window_starts
from sensorplan.gating import GatedForecaster
from sensorplan.memory import Memory
from sensorplan.pipeline import compare, draw_curve, fit
from sensorplan.rankers import RANKERS, forecast_aware, make_history, moments
from sensorplan.reading import read
from sensorplan.recipe import DataSettings, TrainingSettings, WindowSettings
from sensorplan.regions import nodalize, patchify
from sensorplan.spool import Spool
from sensorplan.windows import Held, make_windows, weigh_extremes

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def nothing_fits(monkeypatch):
    """Whatever has a bound goes to disk, and is read in many parts."""
    monkeypatch.setattr(bounds, "WORK", 1e12)


def on_disk(data, folder, most_values=10**6):
    spool = Spool(folder, data.values.shape, most_values)
    spool.append(data.values)
    return replace(data, values=spool)


def both(folder, *, patch=None, most_values=10**6, **options):
    """Windows of the same history in memory and on disk, and the histories."""
    settings = WindowSettings(lookback=4, horizon=2)
    found = []
    held = make_sensor_data(**{"times": 400, **options})
    for data in (held, on_disk(held, folder, most_values)):
        regions = patchify(data, patch) if patch else nodalize(data)
        found.append((make_windows(data, regions, settings, CPU), data, regions))
    return found


CASES = [
    {},
    {"gaps": 0.3},
    {"channels": 2, "gaps": 0.1},
    {"grid": (5, 4), "patch": (2, 2), "gaps": 0.1},
    {"hours": 24.0, "times": 1200, "gaps": 0.2},
]


@pytest.mark.parametrize("options", CASES)
def test_batches_are_those_in_memory(options, tmp_path):
    (held, *_), (spooled, *_) = both(tmp_path, most_values=2000, **options)
    starts = np.array([9, 7, 100, 8])
    some = torch.tensor([1]), torch.tensor([2, 0])  # targets, sources
    for name in ("history", "seen", "future", "valid"):
        torch.testing.assert_close(
            getattr(spooled.batch(starts, *some), name),
            getattr(held.batch(starts, *some), name),
            atol=2e-3,
            rtol=0,
        )
    for name in ("history", "seen", "calendar", "future", "valid"):
        torch.testing.assert_close(
            getattr(spooled.batch(starts), name),
            getattr(held.batch(starts), name),
            atol=2e-3,
            rtol=0,
            msg=lambda text, name=name: f"{name}: {text}",
        )
    for name in ("level", "cycles", "error_scale", "unit", "loss_weight"):
        torch.testing.assert_close(
            getattr(spooled, name), getattr(held, name), atol=1e-4, rtol=1e-3
        )
    assert (spooled.observed == held.observed).all()


def test_samples_are_blocks_of_the_history(tmp_path):
    (held, *_), (spooled, *_) = both(tmp_path, most_values=12 * 200)
    anomalies, valid = spooled.sample(300)
    steps = spooled.series.sampled(300, 6)
    assert len(anomalies) == len(steps) <= 200
    np.testing.assert_allclose(anomalies, held.sample(300)[0][steps], atol=2e-3)
    np.testing.assert_array_equal(valid, held.sample(300)[1][steps])
    breaks = spooled.breaks(300)
    assert len(breaks) == (np.diff(steps) > 1).sum() > 1
    assert np.diff([0, *breaks, len(steps)]).min() >= 24
    assert not len(held.breaks(300))


def test_windows_of_the_regression_do_not_leap(tmp_path):
    (_, spooled) = (found[0] for found in both(tmp_path, most_values=12 * 200))
    steps = spooled.series.sampled(300, 6)
    network = replace(network_of(held_of(spooled, 300)), breaks=spooled.breaks(300))
    starts = window_starts(network, 1000)
    ends = steps[starts + 5]
    assert (ends - steps[starts] == 5).all()
    assert len(starts) == len(steps) - 5 * (len(spooled.breaks(300)) + 1)


def held_of(windows, end):
    anomalies, valid = map(torch.from_numpy, windows.sample(end))
    split = replace(windows.split, bounds=(len(anomalies), len(anomalies)))
    return replace(windows, series=Held(anomalies, valid), split=split)


def test_histories_are_those_in_memory_where_the_sample_is_all(tmp_path):
    assert all(found[0].whole(390) is None for found in both(tmp_path))
    held, spooled = (make_history(found[0], seed=0) for found in both(tmp_path, gaps=0.2))
    np.testing.assert_allclose(spooled.anomalies, held.anomalies, atol=2e-3)
    np.testing.assert_array_equal(spooled.valid, held.valid)


PLACED_ALONE = ("k-centre", "removal-bias", "voronoi", "virtual-force", "random")


def ranked(name, history):
    ranking = RANKERS[name](history)
    return ranking.importance / ranking.importance.max(), ranking.order


def of_few(monkeypatch, regions):
    """As if more regions than so few had no matrix of all pairs."""
    monkeypatch.setattr(moments, "ALL_PAIRS", regions)
    monkeypatch.setattr(forecast_aware, "ALL_PAIRS", regions)
    monkeypatch.setattr(moments, "MODES_OF_LARGE", 6)


@pytest.mark.parametrize("name", sorted(set(RANKERS) - set(PLACED_ALONE)))
@pytest.mark.parametrize("options", [{"gaps": 0.1}, {"channels": 2}])
def test_rankings_are_those_in_memory_though_the_sample_is_small(name, options, tmp_path):
    (held, *_), (spooled, *_) = both(tmp_path, most_values=60 * 24, **options)
    history = make_history(spooled, seed=0)
    assert len(history.anomalies) <= 120
    found, order = ranked(name, history)
    expected, wanted = ranked(name, make_history(held, seed=0))
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert order[:3].tolist() == wanted[:3].tolist()


@pytest.mark.parametrize("options", [{"gaps": 0.1}, {"channels": 2}])
def test_modes_of_large_networks_are_those_in_memory(options, tmp_path, monkeypatch):
    of_few(monkeypatch, 5)
    (held, *_), (spooled, *_) = both(tmp_path, most_values=60 * 24, **options)
    found, expected = (
        moments.network_modes(make_history(windows, seed=0)) for windows in (spooled, held)
    )
    np.testing.assert_allclose(
        found.loadings @ found.loadings.T, expected.loadings @ expected.loadings.T, atol=0.05
    )
    np.testing.assert_allclose(found.noise, expected.noise, atol=0.03)
    ahead = [
        forecast_aware._future_on_loadings(make_history(windows, seed=0), expected, 2)
        for windows in (spooled, held)
    ]
    np.testing.assert_allclose(*ahead, atol=0.01)


@pytest.fixture
def event(tmp_path):
    """A network of which two sensors do something, together, where the sample does not look."""
    data, when = make_sensor_data(times=400, calendar=None), np.arange(100, 150)
    data.values[:, [8, 9]] = 0.1 * np.random.default_rng(0).normal(size=(400, 2, 1))
    data.values[when[:, None], [8, 9]] += 9 * np.sin(when)[:, None, None]
    settings = WindowSettings(lookback=4, horizon=2)
    windows = make_windows(on_disk(data, tmp_path, 12 * 60), nodalize(data), settings, CPU)
    for end in windows.split.bounds:
        assert not np.isin(when, windows.series.sampled(end, 6)).any()
    return windows


@pytest.mark.parametrize("name", ["qr", "posterior-variance", "forecast-aware", "variance"])
@pytest.mark.parametrize("all_pairs", [2000, 5])
def test_what_happened_outside_the_sample_counts(name, all_pairs, event, monkeypatch):
    of_few(monkeypatch, all_pairs)
    history = make_history(event, seed=0)
    places = [
        np.flatnonzero(np.isin(RANKERS[name](seen).order, [8, 9]))
        for seen in (history, replace(history, whole=None))
    ]
    assert places[0][0] < 6
    assert places[1].tolist() == [10, 11]


def test_backbones_begin_with_the_modes_of_all_steps(event):
    network = GatedForecaster(event, TrainingSettings(), 0)._network
    sample = replace(network, whole=None)
    assert network.loadings.shape == sample.loadings.shape
    assert network.loadings[8] @ network.loadings[9] > 0.8
    assert sample.loadings[8] @ sample.loadings[9] < 0.1


def test_scores_and_conditions_are_those_in_memory(tmp_path):
    rows = []
    for windows, data, regions in both(tmp_path, channels=2, gaps=0.1):
        zero = lambda batch: torch.zeros_like(batch.future)  # noqa: E731
        rows.append(condition_rows(windows, data, regions, zero, zero))
        rows[-1].append(persistence_errors(windows, windows.split.test).rmse)
    for held, spooled in zip(rows[0][:-1], rows[1][:-1], strict=True):
        assert (held.condition, held.value) == (spooled.condition, spooled.value)
        assert spooled.targets == pytest.approx(held.targets, rel=0.01)
        assert spooled.rmse_all == pytest.approx(held.rmse_all, rel=0.01)
    assert rows[1][-1] == pytest.approx(rows[0][-1], rel=1e-3)


def test_the_weights_of_extremes_are_those_in_memory(tmp_path):
    weights = [
        weigh_extremes(*found).batch(np.arange(0, 390, 7)).weight
        for found in both(tmp_path, gaps=0.1)
    ]
    assert torch.equal(*weights)
    assert set(weights[0].unique().tolist()) == {1.0, 9.0}


def test_a_stretch_without_values_is_refused(tmp_path):
    data = make_sensor_data(times=400)
    data.values[320:] = np.nan
    spooled = on_disk(data, tmp_path)
    with pytest.raises(DataError, match="no value to forecast is observed in the test stretch"):
        make_windows(spooled, nodalize(data), WindowSettings(lookback=4, horizon=2), CPU)


def test_constant_sensors_are_refused(tmp_path):
    data = make_sensor_data(times=400)
    data.values[:] = 3
    with pytest.raises(DataError, match="every sensor is constant in the training stretch"):
        make_windows(on_disk(data, tmp_path), nodalize(data), WindowSettings(), CPU)


def test_windows_that_do_not_fit_are_refused_with_what_is_needed(tmp_path):
    data = on_disk(make_sensor_data(times=400), tmp_path, most_values=500)
    with pytest.raises(RecipeError, match=r"8 windows of 6 steps x 12 values .* at least 1.0GB"):
        make_windows(data, nodalize(data), WindowSettings(lookback=4, horizon=2), CPU)


def read_both(*paths, folder, **settings):
    asked = DataSettings(path=paths, **settings)
    held, spooled = read(asked), read(asked, memory=Memory.of("1GB", folder))
    assert isinstance(spooled.values, Spool)
    np.testing.assert_allclose(spooled.at(np.arange(len(spooled.time))), held.values, rtol=1e-6)
    assert replace(spooled, values=held.values).time.labels == held.time.labels
    assert (spooled.sensors, spooled.findings, spooled.warnings) == (
        held.sensors,
        held.findings,
        held.warnings,
    )
    assert spooled.share_observed == held.share_observed
    return spooled


def test_a_grid_is_read_in_the_order_of_its_cells(tmp_path):
    dataset = grid(latitude=(51.0, 50.5, 50.0))
    dataset["t2m"][:, 1, 2] = np.nan
    read_both(write(dataset, tmp_path), folder=tmp_path)


def test_a_zarr_store_is_read(tmp_path):
    dataset = grid()
    dataset.to_zarr(
        tmp_path / "a.zarr", encoding={"t2m": {"chunks": (3, 2, 2)}}, consolidated=False
    )
    read_both(str(tmp_path / "a.zarr"), folder=tmp_path)


def test_many_files_are_read(tmp_path):
    dataset = stations()
    paths = [write(dataset.isel(time=slice(k, k + 3)), tmp_path, f"{k}.nc") for k in (0, 3, 6)]
    read_both(*paths, folder=tmp_path)


def test_gaps_in_time_duplicates_and_disorder_are_read(tmp_path):
    dataset = stations().isel(time=[0, 3, 1, 1, 6, 7])
    spooled = read_both(write(dataset, tmp_path), folder=tmp_path)
    assert len(spooled.time) == 8
    assert np.isnan(spooled.at(np.array([2, 4, 5]))).all()


def test_different_values_at_one_time_are_refused(tmp_path):
    dataset = stations()
    double = xr.concat([dataset, dataset.isel(time=[2]) + 1], "time")
    path = write(double.assign_attrs(dataset.attrs), tmp_path)
    with pytest.raises(DataError, match="stands twice with different values"):
        read(DataSettings(path=(path,)), memory=Memory.of("1GB", tmp_path))


@pytest.mark.parametrize("bins", ["3h", "30min"])
def test_means_over_bins_are_those_in_memory(bins, tmp_path):
    dataset = stations()
    dataset["speed"][2:4, 1] = np.nan
    read_both(write(dataset, tmp_path), folder=tmp_path, resample=bins)


def test_sentinels_are_counted_over_all_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "SHARE", 1e8)  # two values at a time
    dataset = stations()
    dataset["speed"][[1, 5], 0] = -999
    dataset["speed"][[2, 3, 6], 1] = 9999
    dataset["speed"][7, 2] = np.inf
    dataset["speed"].encoding["_FillValue"] = None
    spooled = read_both(write(dataset, tmp_path), folder=tmp_path, missing=(9999.0,))
    assert any("-999 stands 2 times" in warning for warning in spooled.warnings)


def test_what_fits_stays_in_memory_and_is_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "WORK", 0.0)
    settings = DataSettings(path=(write(stations(), tmp_path),))
    bounded = read(settings, memory=Memory.of("1GB", tmp_path))
    assert isinstance(bounded.values, np.ndarray)
    np.testing.assert_array_equal(bounded.values, read(settings).values)


def test_a_disk_without_room_is_told(tmp_path):
    path = write(stations(), tmp_path)
    with pytest.raises(OutputError, match="gone: no temporary file can be made there"):
        read(DataSettings(path=(path,)), memory=Memory.of("1GB", tmp_path / "gone"))


@pytest.fixture
def net(tmp_path):
    return write_stations(tmp_path / "net.nc", times=300)


def test_a_plan_is_that_of_a_run_in_memory(net, tmp_path):
    """All but rounding is the same; where the sample holds everything, so is the ranking."""
    plans = {}
    for name, run in (("held", {}), ("on disk", {"memory": "1GB"})):
        result = fit(quick(net, run=run), out=tmp_path / name)
        plans[name] = result.plan
        assert (tmp_path / name / "recipe.toml").exists()
    held, on_disk = plans["held"], plans["on disk"]
    assert on_disk.kept == held.kept
    assert on_disk.dropped == held.dropped
    assert on_disk.metrics.plan.rmse == pytest.approx(held.metrics.plan.rmse, rel=1e-3)
    assert on_disk.warnings == held.warnings
    assert {path.name for path in tmp_path.iterdir()} == {"net.nc", "held", "on disk"}


def test_a_plan_from_a_sample_says_so(net, tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "SHARE", 0.25e9 / (8 * 100))  # a hundred steps of eight stations
    result = fit(quick(net, run={"memory": "1GB"}, mask={"method": "qr"}), out=tmp_path / "plan")
    (note,) = (text for text in result.plan.warnings if "--memory" in text)
    assert note.startswith("--memory 1GB: the history is on disk; what needs much of it at once")
    assert "saw 96 of 195 training steps" in note
    assert note.endswith("modes, neighbours and covariances are those of all steps")


def test_a_patched_grid_of_two_variables_is_planned(tmp_path):
    dataset = grid(time=np.datetime64("2020-01-06") + np.arange(120) * np.timedelta64(1, "h"))
    rng = np.random.default_rng(0)
    dataset["t2m"][:] = rng.normal(size=dataset["t2m"].shape)
    dataset["d2m"] = dataset["t2m"] + rng.normal(size=dataset["t2m"].shape)
    recipe = quick(
        write(dataset, tmp_path),
        data={"variable": ["t2m", "d2m"]},
        window={"patch": "2x2"},
        training={"weight": "extremes"},
        run={"memory": "1GB"},
    )
    plan = fit(recipe, out=tmp_path / "plan").plan
    assert len(plan.kept) + len(plan.dropped) == 4


def test_a_curve_leaves_the_limit_out(net, tmp_path):
    recipe = quick(net, run={"memory": "1GB"})
    result = draw_curve(recipe, max_loss=0.05, out=tmp_path / "curve")
    assert "limit" not in {point.method for point in result.points}
    assert any("limit is left out: it needs all" in text for text in result.record.warnings)


def test_the_command_refuses_less_than_the_program_needs(net, tmp_path):
    result = CliRunner().invoke(app, ["fit", net, "--memory", "10MB", "--out", str(tmp_path / "p")])
    assert result.exit_code == 2
    assert "the program itself needs 750 MB before any data; expected at least 1GB" in result.stderr


def test_compare_refuses_a_bound(net, tmp_path):
    with pytest.raises(RecipeError, match=r"\[run\] memory = 2GB: compare holds the history in"):
        compare(quick(net, run={"memory": "2GB"}), out=tmp_path / "compared")


def test_data_in_memory_takes_no_bound():
    with pytest.raises(RecipeError, match="memory = 2GB: bounds what is read of files"):
        sensorplan.fit(stations(), memory="2GB")
