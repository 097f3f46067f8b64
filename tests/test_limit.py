from itertools import combinations

import numpy as np
import pytest
from factories import cut_windows, make_sensor_data

from sensorplan.evaluation import limit, ridge_errors
from sensorplan.evaluation.forecasts import forecast_errors
from sensorplan.evaluation.limit import ReducedRank, linear_limit, why_no_limit
from sensorplan.evaluation.ridge import PENALTIES
from sensorplan.linear import RidgePath, RidgeTraining, lag_features

TINY = 1e-7  # a penalty that only keeps the regression solvable


def make_windows_of(nodes=5, **options):
    return cut_windows(make_sensor_data(times=300, nodes=nodes, calendar=None, **options))


def subset_rmse(windows, mask, starts):
    """In-sample RMSE of least squares on some regions alone, in the unit of the errors."""
    batch = windows.batch(starts)
    inputs = np.column_stack([np.ones(len(starts)), lag_features(batch, mask, windows.channels)])
    targets = batch.future.flatten(1).double().numpy()
    scale = windows.error_scale.repeat(1, windows.split.horizon).flatten().numpy()
    error = (inputs @ np.linalg.lstsq(inputs, targets, rcond=None)[0] - targets) * scale
    return np.sqrt((error**2).mean())


@pytest.mark.parametrize(("nodes", "channels"), [(5, 1), (4, 2)])
def test_no_subset_fits_better_than_the_limit(nodes, channels):
    windows = make_windows_of(nodes, channels=channels, noise=0.5)
    train = windows.split.train
    regressions = ReducedRank(windows, train)
    for budget in range(1, nodes):
        forecast = regressions.at(TINY).of_rank(regressions.rank_of(budget))
        bound = forecast_errors(windows, train, forecast).rmse
        fits = [
            subset_rmse(windows, np.isin(np.arange(nodes), kept), train)
            for kept in combinations(range(nodes), budget)
        ]
        assert bound <= min(fits) * (1 + 1e-6)
        assert bound > 0.2 * min(fits)


def test_the_limit_is_the_best_of_its_rank():
    """Against the truncated singular value decomposition of the least-squares fit."""
    windows = make_windows_of(noise=0.5)
    train = windows.split.train
    batch = windows.batch(train)
    inputs = lag_features(batch, np.ones(5, bool), 1)
    inputs = inputs - inputs.mean(0)
    targets = batch.future.flatten(1).double().numpy()
    level = targets.mean(0)
    scale = windows.error_scale.repeat(1, windows.split.horizon).flatten().numpy()
    fitted = inputs @ np.linalg.lstsq(inputs, targets - level, rcond=None)[0] * scale
    left, strength, right = np.linalg.svd(fitted, full_matrices=False)
    for rank in (1, 3, 6):
        expected = (left[:, :rank] * strength[:rank]) @ right[:rank] / scale + level
        forecast = ReducedRank(windows, train).at(TINY).of_rank(rank)(batch)
        np.testing.assert_allclose(forecast.flatten(1), expected, atol=1e-4)


@pytest.mark.parametrize("options", [{}, {"gaps": 0.3}, {"channels": 2, "gaps": 0.1}])
@pytest.mark.parametrize("count", [12, 150])  # fewer windows than features, and more
def test_the_full_rank_is_ridge_regression_on_all_sensors(options, count):
    windows = make_windows_of(8, **options)
    starts = windows.split.train[:count]
    batch = windows.batch(starts)
    regressions = ReducedRank(windows, starts)
    ridge = RidgePath(RidgeTraining(batch, windows.channels), np.ones(8, bool))
    later = windows.batch(windows.split.test)
    for penalty in PENALTIES:
        forecast = regressions.at(penalty).of_rank(regressions.full_rank)(later)
        np.testing.assert_allclose(forecast, ridge.at(penalty)(later), atol=1e-4)


def test_the_limit_of_all_sensors_is_the_ridge_judge():
    windows = make_windows_of(8, gaps=0.2)
    found = linear_limit(windows, [8, 1])
    judged = ridge_errors(windows, np.ones(8, bool))
    assert found.all_sensors.rmse == pytest.approx(judged.rmse, rel=1e-6)
    assert found.at[8].rmse == found.all_sensors.rmse
    assert found.at[1].rmse > found.at[8].rmse


def test_a_region_brings_as_many_combinations_as_it_has_features_that_vary():
    whole, gappy = regressions_of(gaps=0.0), regressions_of(gaps=0.7)
    assert [whole.rank_of(budget) for budget in (1, 2, 8)] == [2, 4, 16]
    assert [gappy.rank_of(budget) for budget in (1, 2)] == [3, 6]


def regressions_of(gaps):
    windows = make_windows_of(8, gaps=gaps, seed=1)
    return ReducedRank(windows, windows.split.train)


def test_a_target_that_was_never_observed_keeps_the_calendar():
    data = make_sensor_data(times=400, nodes=6, drivers=2, calendar=None)
    data.values[:260, 4] = np.nan
    windows = cut_windows(data)
    regressions = ReducedRank(windows, windows.split.train[:100])
    batch = windows.batch(windows.split.train[:100])
    forecast = regressions.at(1.0).of_rank(2)(batch)
    np.testing.assert_allclose(forecast[:, 4], 0, atol=1e-6)
    assert (forecast[:, 0] != 0).any()


def test_the_penalty_is_chosen_on_validation_for_each_rank(monkeypatch):
    windows = make_windows_of(6, gaps=0.2)
    alone = []
    for penalty in (1e-3, 1e6):
        monkeypatch.setattr(limit, "PENALTIES", (penalty,))
        alone.append(linear_limit(windows, [2]).at[2].rmse)
    monkeypatch.setattr(limit, "PENALTIES", (1e6, 1e-3))
    assert linear_limit(windows, [2]).at[2].rmse == pytest.approx(alone[0])
    assert alone[0] < alone[1]


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        ("MOST_REGIONS", "there are 5 regions to choose from"),
        ("MOST_WEIGHTS", "targets take too much memory"),
        ("MOST_WORK", "patterns of missing values"),
    ],
)
def test_what_is_too_large_is_left_out_with_a_reason(monkeypatch, bound, said):
    windows = make_windows_of(gaps=0.2)
    assert why_no_limit(windows) is None
    monkeypatch.setattr(limit, bound, 2)
    assert said in why_no_limit(windows)
