from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import cut_windows, make_sensor_data, make_time_axis
from hypothesis import given
from hypothesis import strategies as st

from sensorplan.errors import DataError
from sensorplan.recipe import WindowSettings
from sensorplan.regions import patchify
from sensorplan.sensors import TimeAxis
from sensorplan.windows import split_record, split_windows, step_default
from sensorplan.windows.climatology import (
    CYCLES,
    calendar_features,
    choose_harmonics,
    fit_climatology,
)

SHARES = st.integers(1, 49).map(lambda percent: percent / 100)
STEPS = st.none() | st.integers(1, 12)


def make_data(values, **axis):
    """A network with the given ``[time, node]`` or ``[time, node, channel]`` values."""
    values = np.asarray(values, np.float32)
    values = values[..., None] if values.ndim == 2 else values
    times, nodes, channels = values.shape
    data = make_sensor_data(times=times, nodes=nodes, channels=channels)
    return replace(data, values=values, time=make_time_axis(times, **axis))


# Splits


@given(
    times=st.integers(1, 300),
    lookback=STEPS,
    horizon=STEPS,
    stride=st.integers(1, 7),
    validation=SHARES,
    test=SHARES,
)
def test_no_window_crosses_a_boundary(times, lookback, horizon, stride, validation, test):
    settings = WindowSettings(
        lookback=lookback, horizon=horizon, stride=stride, validation=validation, test=test
    )
    time = make_time_axis(times, calendar=None)
    try:
        split = split_windows(time, settings, "x.nc")
    except DataError:
        return
    assert split.lookback == (lookback or split.lookback) >= 1
    assert split.horizon == (horizon or split.horizon) >= 1
    length = split.lookback + split.horizon
    edges = [0, *split.bounds, times]
    assert edges[3] - edges[2] == round(test * times)
    assert edges[2] - edges[1] == round(validation * times)
    for starts, first, end, least in zip(
        (split.train, split.validation, split.test), edges, edges[1:], (8, 2, 2), strict=False
    ):
        assert len(starts) >= least
        assert starts[0] == first
        assert set(np.diff(starts)) <= {stride}
        assert end - stride < starts[-1] + length <= end  # to the end, and no further


@given(st.integers(20, 400), st.sampled_from([1 / 12, 1.0, 24.0, 720.0, 8766.0]))
def test_default_windows_fit_into_a_short_history(times, hours):
    time = make_time_axis(times, hours=hours)
    split = split_windows(time, WindowSettings(), "x.nc")
    lookback, horizon = step_default(time)
    assert 1 <= split.horizon <= horizon
    assert split.horizon <= split.lookback <= lookback
    if times >= 350:
        assert (split.lookback, split.horizon) == (lookback, horizon)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (1 / 12, (12, 12)),
        (0.25, (12, 12)),
        (0.5, (12, 6)),
        (1, (12, 6)),
        (3, (12, 6)),
        (6, (8, 4)),
        (24, (7, 3)),
        (5 * 24, (6, 2)),
        (30.4 * 24, (12, 3)),
        (365 * 24, (6, 2)),
    ],
)
def test_lookback_and_horizon_by_step(hours, expected):
    assert step_default(make_time_axis(2, hours=hours)) == expected


def test_numeric_time_has_its_own_default():
    assert step_default(make_time_axis(2, calendar=None)) == (6, 4)


@pytest.mark.parametrize(
    ("times", "settings", "message"),
    [
        (
            40,
            {"lookback": 20, "horizon": 8},
            "40 time steps give 0 training windows of lookback 20",
        ),
        (40, {"lookback": 3, "horizon": 4}, "give 0 validation windows of lookback 3 .horizon 4"),
        (40, {"test": 0.1, "validation": 0.3, "horizon": 4, "lookback": 2}, "0 test windows"),
        (40, {"stride": 9, "lookback": 1, "horizon": 1}, "3 training windows.*at least 8"),
        (1, {}, "1 time steps give 0 training windows"),
    ],
)
def test_too_few_windows(times, settings, message):
    message = message.replace(" .horizon", r" \+ horizon")
    with pytest.raises(DataError, match=rf"^x\.nc: .*{message}.*smaller --lookback"):
        split_windows(make_time_axis(times), WindowSettings(**settings), "x.nc")


def test_split_record():
    time = make_time_axis(100)
    split = split_windows(time, WindowSettings(lookback=4, horizon=2), "x.nc")
    assert split_record(time, split) == {
        "train": {"first": time.labels[0], "last": time.labels[64], "windows": 60},
        "validation": {"first": time.labels[65], "last": time.labels[79], "windows": 10},
        "test": {"first": time.labels[80], "last": time.labels[99], "windows": 15},
    }


# Calendar and climatology


@pytest.mark.parametrize(
    ("times", "hours", "expected"),
    [
        (47, 1, 0),
        (48, 1, 8),  # two days
        (14 * 24, 1, 8 + 6),  # two weeks
        (60, 6, 2 + 6),  # a day of four steps has one harmonic
        (60, 12, 6),
        (60, 24, 6),  # no day in daily steps
        (740, 24, 6 + 6),
        (36, 24 * 30.4, 6),  # months: the year alone
        (36, 24 * 365.25, 0),
    ],
)
def test_calendar_holds_the_cycles_seen_twice(times, hours, expected):
    time = make_time_axis(times, hours=hours)
    features = calendar_features(time, choose_harmonics(time, times))
    assert features.shape == (times, expected)
    assert features.dtype == np.float32


def test_calendar_goes_by_the_training_stretch():
    assert choose_harmonics(make_time_axis(100), 47) == {}
    assert choose_harmonics(make_time_axis(100), 48) == {"day": 4}


def test_the_chosen_calendar_serves_a_short_axis():
    long, short = make_time_axis(800), make_time_axis(3)
    harmonics = choose_harmonics(long, 800)
    assert harmonics == {"day": 4, "week": 3}
    assert list(CYCLES) == ["day", "week", "year"]
    features = calendar_features(short, harmonics)
    np.testing.assert_array_equal(features, calendar_features(long, harmonics)[:3])
    backwards = dict(reversed(harmonics.items()))
    np.testing.assert_array_equal(features, calendar_features(short, backwards))


def test_360_day_calendar_has_no_weeks():
    times = 1200
    days = np.arange(times)
    time = TimeAxis(
        tuple(map(str, days)),
        86400.0,
        "1 day",
        "s",
        "360_day",
        np.zeros(times, np.float32),
        None,
        (days % 360 / 360).astype(np.float32),
    )
    features = calendar_features(time, choose_harmonics(time, times))
    assert features.shape == (times, 6)
    np.testing.assert_allclose(features[360:720], features[:360], atol=1e-6)
    values = 5 + np.cos(2 * np.pi * days / 360)[:, None]
    windows = cut_windows(replace(make_data(values), time=time))
    np.testing.assert_allclose(
        windows.climatology(torch.arange(times))[:, 0, 0], values[:, 0], atol=0.05
    )


def test_numeric_time_has_no_calendar():
    windows = cut_windows(make_sensor_data(calendar=None))
    assert windows.calendar.shape == (240, 0)
    assert windows.batch(windows.split.test).calendar.shape == (len(windows.split.test), 0)
    level = windows.climatology(torch.arange(3))
    np.testing.assert_array_equal(level, windows.level.expand(3, -1, -1))


@pytest.mark.parametrize(
    ("times", "hours", "period"), [(720, 1, 24), (720, 1, 168), (1200, 24, 365.25 * 24)]
)
def test_climatology_recovers_a_planted_cycle(times, hours, period):
    rng = np.random.default_rng(0)
    phase = 2 * np.pi * np.arange(times) * hours / period
    truth = np.column_stack([20 + 3 * np.sin(phase), -5 + np.cos(phase) + 0.5 * np.sin(2 * phase)])
    values = (truth + 0.2 * rng.normal(size=truth.shape)).astype(np.float32)
    time = make_time_axis(times, hours=hours)
    features = calendar_features(time, choose_harmonics(time, times))
    fitted = fit_climatology(values, np.isfinite(values), features)
    np.testing.assert_allclose(fitted.at(features), truth, atol=0.2)
    np.testing.assert_allclose(fitted.scale, 0.2, rtol=0.1)


def test_a_short_history_borrows_the_cycles_of_the_network():
    rng = np.random.default_rng(0)
    times = 480
    phase = 2 * np.pi * np.arange(times) / 24
    truth = 10 + np.arange(6) + 4 * np.sin(phase)[:, None]
    values = (truth + 0.1 * rng.normal(size=truth.shape)).astype(np.float32)
    values[6:, 5] = np.nan  # only the first six hours, all on the rise
    features = calendar_features(make_time_axis(times), {"day": 4, "week": 3})
    fitted = fit_climatology(values, np.isfinite(values), features)
    np.testing.assert_allclose(fitted.at(features)[:, 5], truth[:, 5], atol=1.2)


@pytest.mark.parametrize("constant", [0.0, 10.1, 101325.3, 1e-12])
def test_a_constant_sensor_does_not_blow_up(constant):
    rng = np.random.default_rng(0)
    values = np.full((200, 3), constant)
    values[:, 0] += 2 * max(constant, 1) * rng.normal(size=200)
    windows = cut_windows(make_data(values))
    assert windows.error_scale.min() >= 0.05 * windows.error_scale.max()
    assert windows.series.anomalies[:, 1:].abs().max() < 2


@pytest.mark.parametrize("constant", [0.0, 10.1])
def test_a_network_of_constant_sensors_is_refused(constant):
    values = constant + np.tile(np.arange(3.0), (200, 1))
    values[:20, 1] = np.nan
    with pytest.raises(DataError, match=r"^made\.nc: every sensor is constant in the training"):
        cut_windows(make_data(values))
    values[129, 0] += 1  # the last step of training
    cut_windows(make_data(values))


@pytest.mark.parametrize("constant", [0.0, 10.1, 101325.3, -1e-3])
def test_the_climatology_of_a_constant_network_does_not_blow_up(constant):
    values = np.full((200, 3), constant, np.float32)
    features = calendar_features(make_time_axis(200), {"day": 4})
    fitted = fit_climatology(values, np.isfinite(values), features)
    assert fitted.scale.min() > 0
    np.testing.assert_allclose(fitted.at(features), values, rtol=1e-5, atol=1e-6)


def test_a_constant_that_jumps_after_training_stays_finite():
    values = np.full((200, 3), 7.0)
    values[:, 0] = np.arange(200) % 5
    values[160:, 1:] = 9
    assert torch.isfinite(cut_windows(make_data(values)).series.anomalies).all()


@pytest.mark.parametrize(
    ("name", "first", "end"), [("training", 0, 130), ("validation", 130, 160), ("test", 160, 200)]
)
def test_nothing_observed_in_a_stretch(name, first, end):
    values = np.random.default_rng(0).normal(size=(200, 3))
    values[first:end] = np.nan
    data = make_data(values)
    time = rf"\({data.time.labels[first]} to {data.time.labels[end - 1]}\)$"
    with pytest.raises(DataError, match=rf"^made\.nc: no value .* in the {name} stretch {time}"):
        cut_windows(data)
    values[end - 2 : end] = [[1], [2]]  # a target or two are enough
    cut_windows(make_data(values))
    values[end - 2 : end] = np.nan
    values[first + 2 : first + 4] = [[1], [2]]  # the first lookback is never a target
    with pytest.raises(DataError, match=f"in the {name} stretch"):
        cut_windows(make_data(values))


def test_a_region_never_observed_in_training_is_no_target():
    values = np.random.default_rng(0).normal(size=(200, 3))
    values[:130, 1] = np.nan
    windows = cut_windows(make_data(values))
    assert windows.observed.tolist() == [True, False, True]
    assert not windows.series.valid[:, 1].any()
    assert (windows.series.anomalies[:, 1] == 0).all()


# Streams


def brute_force(windows, array, first, count):
    """``[batch, region, step * channel]`` by loops."""
    array = array.numpy()
    return np.stack(
        [
            [array[s : s + count, region].reshape(-1) for region in range(windows.regions)]
            for s in first
        ]
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_batches_are_slices(channels):
    windows = cut_windows(make_sensor_data(gaps=0.2, channels=channels), stride=3)
    starts = np.array([5, 0, 17, 17])
    batch = windows.batch(starts)
    assert len(batch) == 4
    np.testing.assert_array_equal(
        batch.history, brute_force(windows, windows.series.anomalies, starts, 4)
    )
    np.testing.assert_array_equal(batch.seen, brute_force(windows, windows.series.valid, starts, 4))
    ahead = starts + 4
    np.testing.assert_array_equal(
        batch.future, brute_force(windows, windows.series.anomalies, ahead, 2)
    )
    np.testing.assert_array_equal(batch.valid, brute_force(windows, windows.series.valid, ahead, 2))
    np.testing.assert_array_equal(batch.calendar, windows.calendar[ahead + 1])
    assert batch.seen.dtype == torch.float32
    assert batch.valid.dtype == torch.bool


@pytest.mark.parametrize("sources", [None, [4, 0, 2]])
@pytest.mark.parametrize("targets", [None, [1], [5, 3]])
def test_a_batch_is_cut_to_some_regions(sources, targets):
    windows = cut_windows(make_sensor_data(gaps=0.2, channels=2))
    weight = torch.rand(windows.series.shape)
    windows = replace(windows, value_weight=weight)
    starts = np.array([5, 0, 17])
    whole = windows.batch(starts)
    cut = windows.batch(starts, *(part and torch.tensor(part) for part in (targets, sources)))
    past, ahead = (slice(None) if part is None else part for part in (sources, targets))
    for name, regions in (("history", past), ("seen", past), ("future", ahead), ("valid", ahead)):
        assert torch.equal(getattr(cut, name), getattr(whole, name)[:, regions])
    assert torch.equal(cut.weight, whole.weight[:, ahead])
    assert torch.equal(cut.calendar, whole.calendar)


@pytest.mark.parametrize("patch", [None, (2, 2)])
def test_valid_is_what_was_observed_and_nothing_is_imputed(patch):
    data = make_sensor_data(grid=(3, 4), gaps=0.3, channels=2)
    windows = cut_windows(data, patch=patch)
    values = patchify(data, patch or (1, 1)).gather(data.values)
    np.testing.assert_array_equal(windows.series.valid, np.isfinite(values))
    assert (windows.series.anomalies[~windows.series.valid] == 0).all()
    assert (windows.series.anomalies[windows.series.valid] != 0).float().mean() > 0.99


@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("patch", [None, (2, 3)])
def test_anomalies_turn_into_values_again(gaps, patch):
    data = make_sensor_data(times=400, grid=(3, 4), gaps=gaps)
    windows = cut_windows(data, patch=patch)
    values = patchify(data, patch or (1, 1)).gather(data.values)
    again = windows.series.anomalies * windows.error_scale + windows.climatology(torch.arange(400))
    np.testing.assert_allclose(again[windows.series.valid], values[windows.series.valid], rtol=1e-5)


@pytest.mark.parametrize("patch", [None, (2, 3)])
def test_several_variables_are_scored_in_standard_deviations(patch):
    data = make_sensor_data(times=400, grid=(4, 6), channels=3)
    factor = np.array([1.0, 100.0, 0.01], np.float32)
    windows = cut_windows(replace(data, values=data.values * factor), patch=patch)
    values = patchify(data, patch or (1, 1)).gather(data.values * factor)
    again = windows.series.anomalies * windows.error_scale + windows.climatology(torch.arange(400))
    ratio = (again.numpy() / values).reshape(400, windows.regions, -1, 3)  # slot, variable
    for variable in range(3):  # one factor for all sensors, so that they weigh by their spread
        unit = np.nanmedian(ratio[..., variable])
        np.testing.assert_allclose(ratio[..., variable], unit, rtol=1e-4)
        scale = windows.error_scale.reshape(windows.regions, -1, 3)[..., variable]
        assert (scale**2).mean() == pytest.approx(1, rel=1e-4)
    units = np.nanmedian(ratio, axis=(0, 1, 2))
    np.testing.assert_allclose(units * factor / units[0], 1, rtol=0.3)


def test_channels_of_a_patch_are_scaled_by_their_own_variable():
    """Each slot's variable gets the level and scale it has as a sensor of its own."""
    data = make_sensor_data(times=400, grid=(2, 4), channels=2)
    data = replace(data, values=data.values * np.array([1, 50], np.float32) + [0, 300])
    data = replace(data, values=data.values.astype(np.float32))
    whole, patched = cut_windows(data), cut_windows(data, patch=(2, 2))
    members = patchify(data, (2, 2)).members
    for name in ("error_scale", "level", "loss_weight"):
        split = getattr(patched, name).reshape(2, 4, 2)  # [region, slot, variable]
        np.testing.assert_allclose(split, getattr(whole, name)[members], rtol=1e-5)


def test_an_empty_slot_is_missing_at_all_times():
    windows = cut_windows(make_sensor_data(grid=(3, 3)), patch=(2, 2))
    assert windows.channels == 4
    assert windows.series.valid[0].sum(1).tolist() == [4, 2, 2, 1]
    assert torch.isfinite(windows.error_scale).all()


@pytest.mark.parametrize("channels", [1, 2])
def test_scaling_and_training_know_nothing_of_later_time(channels):
    data = make_sensor_data(times=400, channels=channels, gaps=0.1)
    windows = cut_windows(data)
    first = windows.split.bounds[0]
    later = data.values.copy()
    later[first:] = 7 * later[first:] + 1000
    other = cut_windows(replace(data, values=later))
    assert torch.equal(windows.series.anomalies[:first], other.series.anomalies[:first])
    assert not torch.equal(windows.series.anomalies[first:], other.series.anomalies[first:])
    for name in ("level", "cycles", "error_scale", "loss_weight"):
        assert torch.equal(getattr(windows, name), getattr(other, name))


def test_loss_weights_are_squared_spreads_of_mean_one():
    data = make_sensor_data(times=400, nodes=3, calendar=None)
    values = data.values.copy()
    values[..., 0] = (values[..., 0] - 10) * [1, 2, 4]
    windows = cut_windows(replace(data, values=values))
    weight = windows.loss_weight[:, 0]
    assert weight.mean() == pytest.approx(1)
    np.testing.assert_allclose(
        weight / weight[0], (windows.error_scale / windows.error_scale[0])[:, 0] ** 2, rtol=1e-5
    )
    assert weight[2] > weight[1] > weight[0]


def test_making_windows_leaves_the_history_alone():
    data = make_sensor_data(gaps=0.1)
    before = data.values.copy()
    cut_windows(data)
    np.testing.assert_array_equal(data.values, before)


def test_a_batch_is_cut_when_asked_for():
    """Memory goes with times x sensors, not with windows x lookback."""
    windows = cut_windows(make_sensor_data(times=2000, nodes=4), lookback=50, horizon=10)
    held = [v for v in vars(windows).values() if isinstance(v, torch.Tensor)]
    held_values = sum(tensor.numel() for tensor in held)
    assert held_values < 2000 * (4 * 2 + windows.calendar.shape[1]) + 1000
    assert windows.batch(windows.split.train[:3]).history.shape == (3, 4, 50)
