import numpy as np
import pytest
from factories import cut_windows, make_sensor_data

from sensorplan.evaluation import climatology_errors, ridge_errors
from sensorplan.evaluation.ridge import PENALTIES
from sensorplan.linear import RidgePath, RidgeTraining, lag_features


def make_windows_of(**options):
    return cut_windows(make_sensor_data(times=400, nodes=6, drivers=2, calendar=None, **options))


@pytest.mark.parametrize(("channels", "gaps"), [(1, 0.0), (1, 0.5), (2, 0.5)])
def test_lag_features_by_loops(channels, gaps):
    windows = make_windows_of(channels=channels, gaps=gaps)
    mask, starts = np.array([1, 0, 0, 1, 1, 0], bool), windows.split.train[:30]
    found = lag_features(windows.batch(starts), mask, channels).reshape(30, 3, 3, channels)
    values, valid = windows.series.anomalies.numpy(), windows.series.valid.numpy()
    for number, start in enumerate(starts):
        for place, region in enumerate(np.flatnonzero(mask)):
            for channel in range(channels):
                steps = range(start, start + windows.split.lookback)
                seen = [values[t, region, channel] for t in steps if valid[t, region, channel]]
                expected = (seen[-1], np.mean(seen), 1) if seen else (0, 0, 0)
                np.testing.assert_allclose(found[number, :, place, channel], expected, atol=1e-6)


@pytest.mark.parametrize("count", [8, 200])  # fewer windows than features, and more
def test_every_target_is_fitted_on_the_windows_that_observed_it(count):
    """Against the normal equations, target by target."""
    windows = make_windows_of(gaps=0.3)
    mask = np.array([1, 1, 0, 0, 1, 0], bool)
    batch = windows.batch(windows.split.train[:count])
    inputs = lag_features(batch, mask, 1)
    targets, valid = batch.future.flatten(1).double().numpy(), batch.valid.flatten(1).numpy()
    fitted = RidgePath(RidgeTraining(batch, 1), mask).at(5.0)
    assert (fitted.axes is None) == (count > inputs.shape[1])
    found = fitted.weights if fitted.axes is None else fitted.axes @ fitted.weights
    for target in range(targets.shape[1]):
        rows = valid[:, target]
        if rows.sum() < 2:
            continue
        x, y = inputs[rows], targets[rows, target]
        centred = x - x.mean(0)
        weights = np.linalg.solve(
            centred.T @ centred + 5 * np.eye(x.shape[1]), centred.T @ (y - y.mean())
        )
        np.testing.assert_allclose(found[:, target], weights, atol=1e-6)
        expected = y.mean() - x.mean(0) @ weights
        assert fitted.intercept[target] == pytest.approx(expected, abs=1e-6)


def test_a_target_never_observed_in_training_has_the_calendar():
    data = make_sensor_data(times=400, nodes=6, drivers=2, calendar=None)
    data.values[:260, 4] = np.nan
    windows = cut_windows(data)
    batch = windows.batch(windows.split.train[:100])
    fitted = RidgePath(RidgeTraining(batch, 1), np.ones(6, bool)).at(1.0)
    forecast = fitted(batch)
    assert (forecast[:, 4] == 0).all()
    assert (forecast[:, 0] != 0).any()


def test_the_drivers_serve_better_than_the_driven():
    """Two drivers foretell all; four mixes of the past do less."""
    windows = make_windows_of()
    drivers = np.arange(6) < 2
    everything, kept, others = (
        ridge_errors(windows, mask).rmse for mask in (np.ones(6, bool), drivers, ~drivers)
    )
    without = climatology_errors(windows, windows.split.test).rmse
    assert everything < without
    assert kept < 1.15 * everything
    assert kept < others


def test_the_penalty_is_chosen_on_validation(monkeypatch):
    """Of two penalties, the better one on validation gives the errors, whatever the test says."""
    windows, mask = make_windows_of(gaps=0.2), np.ones(6, bool)
    alone = []
    for penalty in (1e-3, 1e6):
        monkeypatch.setattr("sensorplan.evaluation.ridge.PENALTIES", (penalty,))
        alone.append(ridge_errors(windows, mask).rmse)
    monkeypatch.setattr("sensorplan.evaluation.ridge.PENALTIES", (1e6, 1e-3))
    assert ridge_errors(windows, mask).rmse == pytest.approx(alone[0])
    assert alone[0] < alone[1]
    assert len(PENALTIES) > 1
