from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import cut_windows, make_sensor_data, make_trainer

from sensorplan.evaluation import (
    accuracy_curve,
    climatology_errors,
    evidence,
    forecast_errors,
    gather_evidence,
    persistence_errors,
    train_judge,
)
from sensorplan.evaluation.evidence import _warnings
from sensorplan.plan import Metrics, Ranking, Score, budget_at
from sensorplan.recipe import TrainingSettings
from sensorplan.training import Trainer
from sensorplan.windows import Split

pytestmark = pytest.mark.usefixtures("no_denormals")
CASES = pytest.mark.parametrize(
    ("channels", "gaps", "patch"),
    [(1, 0.0, None), (1, 0.6, None), (2, 0.6, None), (2, 0.3, (2, 2))],
)


def make_case(channels, gaps, patch):
    """Windows, and values and climatology ``[time, region, channel]`` in the errors' unit."""
    windows = cut_windows(
        make_sensor_data(times=200, grid=(2, 4), channels=channels, gaps=gaps), patch=patch
    )
    climatology = windows.climatology(torch.arange(200)).numpy().astype(float)
    values = windows.series.anomalies.numpy() * windows.error_scale.numpy() + climatology
    return windows, np.where(windows.series.valid, values, np.nan), climatology


def brute_force(windows, values, forecast):
    """RMSE and MAE over all valid targets of the test windows, by loops."""
    errors = []
    for start in windows.split.test:
        for lead in range(windows.split.horizon):
            step = start + windows.split.lookback + lead
            for region, channel in np.ndindex(*values.shape[1:]):
                if np.isfinite(values[step, region, channel]):
                    error = forecast(start, step, region, channel) - values[step, region, channel]
                    errors.append(error)
    return np.sqrt(np.mean(np.square(errors))), np.mean(np.abs(errors)), len(errors)


def assert_agree(found, expected):
    rmse, mae, count = expected
    assert found.rmse == pytest.approx(rmse, rel=1e-4)
    assert found.mae == pytest.approx(mae, rel=1e-4)
    assert found.by_window.count.sum() == count


@CASES
def test_persistence_carries_the_last_observed_value_on(channels, gaps, patch):
    windows, values, climatology = make_case(channels, gaps, patch)

    def forecast(start, step, region, channel):
        past = values[start : start + windows.split.lookback, region, channel]
        seen = past[np.isfinite(past)]
        return seen[-1] if len(seen) else climatology[step, region, channel]

    assert_agree(
        persistence_errors(windows, windows.split.test), brute_force(windows, values, forecast)
    )


@CASES
def test_climatology_is_the_calendar_alone(channels, gaps, patch):
    windows, values, climatology = make_case(channels, gaps, patch)

    def forecast(start, step, region, channel):
        return climatology[step, region, channel]

    assert_agree(
        climatology_errors(windows, windows.split.test), brute_force(windows, values, forecast)
    )


def test_one_variable_is_scored_in_its_own_unit():
    data = make_sensor_data(times=200, nodes=5)
    windows = cut_windows(data)

    def forecast(start, step, region, channel):
        return data.values[start + 3, region, channel]

    expected = brute_force(windows, data.values.astype(float), forecast)
    assert_agree(persistence_errors(windows, windows.split.test), expected)
    times_100 = cut_windows(replace(data, values=100 * data.values))
    again = persistence_errors(times_100, times_100.split.test)
    assert again.rmse == pytest.approx(100 * expected[0], rel=1e-3)


@CASES
def test_errors_by_lead_and_by_region(channels, gaps, patch):
    windows, values, climatology = make_case(channels, gaps, patch)
    found = climatology_errors(windows, windows.split.test)
    error = climatology - values
    steps = windows.split.test[:, None] + windows.split.lookback + np.arange(2)  # [window, lead]
    by_lead = np.sqrt([np.nanmean(error[steps[:, lead]] ** 2) for lead in range(2)])
    np.testing.assert_allclose(found.by_lead.rmse, by_lead, rtol=1e-4)
    by_region = [
        np.nanmean(np.abs(error[steps][:, :, region])) for region in range(values.shape[1])
    ]
    np.testing.assert_allclose(found.by_region.mae, by_region, rtol=1e-4)
    carried = persistence_errors(windows, windows.split.test)
    assert carried.by_lead.count.tolist() == found.by_lead.count.tolist()
    assert carried.by_region.count.tolist() == found.by_region.count.tolist()


@CASES
def test_a_perfect_forecast_has_no_error(channels, gaps, patch):
    windows, _, _ = make_case(channels, gaps, patch)
    perfect = forecast_errors(windows, windows.split.test, lambda batch: batch.future)
    assert (perfect.rmse, perfect.mae) == (0, 0)
    assert len(perfect.by_window.count) == len(windows.split.test)
    off = forecast_errors(
        windows, windows.split.test, lambda batch: torch.where(batch.valid, batch.future, 1e9)
    )
    assert off.rmse == 0
    worse = forecast_errors(windows, windows.split.test, lambda batch: batch.future + 1)
    scale = windows.error_scale.numpy()
    weight = windows.series.valid.numpy()
    expected = (
        sum((weight[s + 4 : s + 6] * scale**2).sum() for s in windows.split.test)
        / worse.by_window.count.sum()
    )
    assert worse.rmse == pytest.approx(np.sqrt(expected), rel=1e-4)


def test_windows_are_scored_in_parts_and_in_order(monkeypatch):
    windows, _, _ = make_case(1, 0.3, None)
    whole = persistence_errors(windows, windows.split.test)
    monkeypatch.setattr("sensorplan.evaluation.forecasts.BATCH_VALUES", 3 * 800)
    sizes = []

    def forecast(batch):
        sizes.append(len(batch))
        return torch.zeros_like(batch.future)

    forecast_errors(windows, windows.split.test, forecast)
    assert max(sizes) == 3
    assert sum(sizes) == len(windows.split.test)
    parts = persistence_errors(windows, windows.split.test)
    np.testing.assert_allclose(parts.by_window.squares, whole.by_window.squares, rtol=1e-6)


# Curve and evidence


@pytest.fixture(scope="module")
def trainer():
    trainer = make_trainer(
        make_sensor_data(times=400, nodes=12, calendar=None), batch_size=32, lookback=6
    )
    trainer.settings = trainer.settings.model_copy(update={"fine_tune": 15})
    trainer.train(120, 3e-3, trainer.random_masks)
    return trainer


def test_the_curve_cuts_one_ranking(trainer):
    ranking = Ranking(np.arange(12), np.linspace(1, 0, 12))
    everything = forecast_errors(
        trainer.windows, trainer.windows.split.test, trainer.forecast(np.ones(12, bool))
    )
    done = []
    points = accuracy_curve(trainer, ranking, "dynst", everything, done.append)
    assert done == list(range(1, 10))
    assert [point.sparsity for point in points] == [k / 10 for k in range(1, 10)]
    assert [point.budget for point in points] == [budget_at(k / 10, 12) for k in range(1, 10)]
    for point in points:
        cut = forecast_errors(
            trainer.windows,
            trainer.windows.split.test,
            trainer.forecast(np.arange(12) < point.budget),
        )
        assert (point.method, point.rmse, point.mae) == ("dynst", cut.rmse, cut.mae)
        assert point.rmse_ratio == pytest.approx(cut.rmse / everything.rmse)
        assert point.ci_low <= point.rmse_ratio <= point.ci_high
    assert points[-1].rmse > points[0].rmse


def test_evidence(trainer):
    mask = np.arange(12) < 3
    before = trainer.snapshot()
    found = gather_evidence(trainer, mask, 0.0, "K")
    after = trainer.snapshot()
    assert torch.equal(before.theta, after.theta)
    assert all(torch.equal(before.forecaster[k], after.forecaster[k]) for k in before.forecaster)

    windows, metrics = trainer.windows, found.metrics
    test = windows.split.test
    assert metrics.unit == "K"
    assert metrics.climatology.rmse == climatology_errors(windows, test).rmse
    assert metrics.climatology.mae == climatology_errors(windows, test).mae
    assert metrics.persistence.rmse == persistence_errors(windows, test).rmse
    assert metrics.all_sensors.rmse == found.all_sensors.rmse
    assert metrics.rmse_ratio == metrics.plan.rmse / metrics.all_sensors.rmse
    room = metrics.climatology.rmse - metrics.all_sensors.rmse
    assert room > 0
    assert metrics.value_kept == pytest.approx(
        (metrics.climatology.rmse - metrics.plan.rmse) / room
    )
    # The drivers foretell the rest; the compact forecaster is what was scored.
    assert metrics.all_sensors.rmse < 0.8 * metrics.climatology.rmse
    assert metrics.value_kept > 0.5
    compact = forecast_errors(
        windows,
        test,
        lambda batch: found.shipped.compact(
            batch.history[:, :3], batch.seen[:, :3], batch.calendar
        ),
    )
    assert compact.rmse == pytest.approx(metrics.plan.rmse)
    assert found.warnings == tuple(_warnings(metrics, 0.0, windows.split))


def test_a_plan_of_all_sensors_loses_nothing():
    trainer = make_trainer(make_sensor_data(calendar=None))
    trainer.settings = trainer.settings.model_copy(update={"fine_tune": 3})
    found = gather_evidence(trainer, np.ones(12, bool), 0.0, "K").metrics
    assert found.rmse_ratio == 1
    assert found.plan == found.all_sensors


def test_without_fine_tuning_the_shared_forecaster_and_theta_are_scored(monkeypatch):
    monkeypatch.setattr(evidence, "make_linear", lambda trainer: None)
    trainer = make_trainer(make_sensor_data(calendar=None))
    trainer.settings = trainer.settings.model_copy(update={"fine_tune": 0})
    with torch.no_grad():
        trainer.theta.copy_(torch.linspace(0.3, 2, 12))
    mask = np.arange(12) % 2 == 0
    found = gather_evidence(trainer, mask, 0.0, "K")
    test = trainer.windows.split.test
    for score, kept in ((found.metrics.plan, mask), (found.metrics.all_sensors, np.ones(12, bool))):
        expected = forecast_errors(trainer.windows, test, trainer.forecast(kept))
        assert score.rmse == pytest.approx(expected.rmse, rel=1e-5)
        assert score.mae == pytest.approx(expected.mae, rel=1e-5)


def test_fine_tuning_never_ends_worse_on_validation(trainer):
    mask = np.arange(12) < 3
    shared = trainer.validation_loss(trainer.mask_tensor(mask))
    windows = trainer.windows
    losses = []
    train = trainer.train

    def watched(*arguments, **options):
        losses.append(train(*arguments, **options))

    trainer.train = watched
    try:
        gather_evidence(trainer, mask, 0.0, "K")
    finally:
        trainer.train = train
    assert len(losses) == 2
    assert losses[1] <= shared + 1e-9
    assert len(windows.split.validation) > 1


def make_split(windows, test):
    starts = [np.arange(count) for count in (windows, 50, test)]
    return Split(6, 4, (windows + 9, windows + 68), *starts)


def warn(oscillation=0.0, windows=1000, test=100, **scores):
    rmse = {"all_sensors": 5.0, "plan": 5.5, "persistence": 9.0, "climatology": 10.0, **scores}
    metrics = Metrics(
        **{name: Score(rmse=value, mae=value) for name, value in rmse.items()},
        unit="K",
        rmse_ratio=rmse["plan"] / rmse["all_sensors"],
        value_kept=None,
    )
    return _warnings(metrics, oscillation, make_split(windows, test))


def test_a_good_plan_has_no_warning():
    assert warn() == []


@pytest.mark.parametrize(
    ("case", "limit", "parts"),
    [
        (
            {"all_sensors": 9.3, "plan": 9.4, "persistence": 12},
            {"all_sensors": 8.9},
            ["add little to the calendar", "by -7.0 %"],
        ),
        (
            {"all_sensors": 8.0, "plan": 8, "persistence": 7.5},
            {"persistence": 8.1},
            ["did not learn", "RMSE is 8", "7.5 of persistence", "do not trust"],
        ),
        ({"plan": 6.5}, {"plan": 6.2}, ["1.30 times that of all sensors", "keep more sensors"]),
        ({"oscillation": 0.25}, {"oscillation": 0.1}, ["did not settle", "25 %", "uncertain"]),
        ({"windows": 99}, {"windows": 100}, ["history is short", "99 training windows"]),
        ({"test": 39}, {"test": 40}, ["test stretch is short: 39 windows, 3.9 of them"]),
    ],
)
def test_each_warning_alone_and_its_limit(case, limit, parts):
    (warning,) = warn(**case)
    assert all(part in warning for part in parts), warning
    assert warn(**{**case, **limit}) == []


def test_a_forecaster_worse_than_the_calendar():
    learned, little = warn(all_sensors=11.0, plan=11.0, persistence=12.0)
    assert "no better than 10 of the calendar alone" in learned
    assert "by +10.0 %" in little


def test_a_calendar_without_error():
    (learned, little) = warn(all_sensors=1.0, plan=1.0, climatology=0.0)
    assert "no better than 0 of the calendar alone" in learned
    assert "by +0.0 %" in little


# The neural judge


def test_the_judge_is_trained_afresh_and_then_on_the_plans(monkeypatch):
    windows = cut_windows(make_sensor_data(times=300, calendar=None))
    settings = TrainingSettings(steps=5, fine_tune=6, batch_size=9)
    plans = [np.arange(12) < kept for kept in (3, 5, 12)]
    seen, train = [], Trainer.train

    def watched(self, steps, rate, masks, **options):
        seen.append((steps, rate, masks(9).numpy()))
        return train(self, steps, rate, masks, **options)

    monkeypatch.setattr(Trainer, "train", watched)
    told = []
    judge = train_judge(windows, settings, 3, plans, told.append)
    (first, fast, _), (second, slow, on_plans) = seen
    assert (first, second) == (5, 6)
    assert slow == pytest.approx(fast / 3)
    assert sorted(on_plans.sum(1).tolist()) == [3, 3, 3, 5, 5, 5, 12, 12, 12]
    assert told == list(range(1, 12))
    planner = Trainer(windows, settings, 3)
    planner.train(5, planner.rate, planner.random_masks)
    assert not torch.equal(planner.forecaster.identity, judge.forecaster.identity)


def test_the_judge_repeats_itself():
    windows = cut_windows(make_sensor_data(times=300, calendar=None))
    settings = TrainingSettings(steps=5, fine_tune=5)
    plans = [np.arange(12) < kept for kept in (3, 12)]
    first, second = (train_judge(windows, settings, 0, plans) for _ in range(2))
    batch = windows.batch(windows.split.test[:3])
    assert torch.equal(first.forecast(plans[0])(batch), second.forecast(plans[0])(batch))
