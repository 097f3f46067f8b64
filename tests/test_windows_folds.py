from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import make_sensor_data, make_time_axis
from hypothesis import given
from hypothesis import strategies as st

from sensorplan.errors import DataError
from sensorplan.recipe import WindowSettings
from sensorplan.regions import nodalize
from sensorplan.windows import make_windows, rolling_origins, split_windows


@given(times=st.integers(120, 600), test=st.floats(0.05, 0.2), folds=st.integers(1, 3))
def test_test_stretches_are_as_long_and_never_overlap(times, test, folds):
    data = make_sensor_data(times=times, nodes=3, calendar=None)
    origins = rolling_origins(data, WindowSettings(lookback=3, horizon=2, test=test), folds)
    assert len(origins) == folds
    judged, earlier_end = [], None
    for fold, window in origins:
        split = split_windows(fold.time, window, "made")
        first, end = split.bounds[1], len(fold.time)
        judged.append(end - first)
        assert earlier_end in (None, first)
        assert split.train.max() + 5 <= split.bounds[0]
        assert split.validation.max() + 5 <= first
        assert split.test.min() == first
        np.testing.assert_array_equal(fold.values, data.values[:end])
        assert fold.time.labels == data.time.labels[:end]
        earlier_end = end
    assert earlier_end == times
    assert len(set(judged)) == 1


def test_one_fold_is_the_history_as_it_is():
    data = make_sensor_data(times=300)
    ((fold, window),) = rolling_origins(data, WindowSettings(), 1)
    whole, cut = (
        split_windows(data.time, settings, "made") for settings in (WindowSettings(), window)
    )
    assert whole.bounds == cut.bounds
    assert (whole.lookback, whole.horizon) == (cut.lookback, cut.horizon)
    assert len(fold.time) == 300


def test_later_time_changes_nothing_of_an_earlier_fold():
    """Scaling, calendar and anomalies of a fold know nothing of what comes after it."""
    data = make_sensor_data(times=500)
    values = data.values.copy()
    values[400:] += 1000
    folds = [
        rolling_origins(each, WindowSettings(), 2)[0]
        for each in (data, replace(data, values=values))
    ]
    windows = [
        make_windows(fold, nodalize(fold), settings, torch.device("cpu"))
        for fold, settings in folds
    ]
    assert torch.equal(windows[0].series.anomalies, windows[1].series.anomalies)
    assert torch.equal(windows[0].error_scale, windows[1].error_scale)


def test_a_short_history_has_the_same_windows_in_every_fold():
    data = make_sensor_data(times=100)
    shapes = {
        (window.lookback, window.horizon)
        for _, window in rolling_origins(data, WindowSettings(), 3)
    }
    assert len(shapes) == 1
    assert sum(*shapes) < 12 + 6


def test_too_many_folds():
    data = make_sensor_data(times=300)
    with pytest.raises(DataError, match=r"4 folds with 60 test steps each.*at most 3 folds"):
        rolling_origins(data, WindowSettings(), 4)
    rolling_origins(data, WindowSettings(), 3)


def test_the_calendar_is_cut_with_the_history():
    axis = make_time_axis(50).until(20)
    assert len(axis) == 20
    assert len(axis.time_of_day) == len(axis.day_of_week) == len(axis.time_of_year) == 20
    numeric = make_time_axis(50, calendar=None).until(20)
    assert numeric.time_of_day is None


def test_windows_that_overlap():
    data = make_sensor_data(times=300)
    for stride, overlap in ((1, 7), (3, 3), (7, 1), (8, 1)):
        settings = WindowSettings(lookback=4, horizon=3, stride=stride)
        assert split_windows(data.time, settings, "made").overlap == overlap
