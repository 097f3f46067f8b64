from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import cut_windows, make_sensor_data, make_trainer

from sensorplan.evaluation import compact_forecast, forecast_errors, make_linear, ship
from sensorplan.evaluation.shipping import CLEAR_GAIN, _best_share, _fitted
from sensorplan.forecasters import BLEND, LINEAR, from_bytes, to_bytes
from sensorplan.forecasters import linear as linear_module
from sensorplan.recipe import TrainingSettings
from sensorplan.training import Trainer

MASK = np.arange(12) < 5


@pytest.fixture(scope="module")
def trainer():
    return make_trainer(make_sensor_data(times=400, gaps=0.05, calendar=None))


def validation_rmse(trainer, compact):
    windows = trainer.windows
    forecast = compact_forecast(compact, MASK)
    return forecast_errors(windows, windows.split.validation, forecast).rmse


def test_what_is_shipped_is_best_on_validation(trainer):
    before = trainer.snapshot()
    linear = make_linear(trainer)
    shipped = ship(trainer, linear, MASK)
    after = trainer.snapshot()
    assert all(torch.equal(before.forecaster[k], after.forecaster[k]) for k in before.forecaster)
    network, regression = _fitted(trainer, MASK), _fitted(linear, MASK)
    rivals = [validation_rmse(trainer, rival) for rival in (network, regression)]
    found = validation_rmse(trainer, shipped.compact)
    assert found <= min(rivals) / (1 - CLEAR_GAIN)
    assert validation_rmse(trainer, shipped.linear) == pytest.approx(rivals[1])


def test_linear_data_take_the_regression(trainer):
    """An untrained network forecasts nothing that the regression does not do better."""
    untrained = Trainer(trainer.windows, TrainingSettings(fine_tune=0), 0)
    shipped = ship(untrained, make_linear(untrained), MASK)
    assert shipped.backbone in (LINEAR, BLEND)
    assert shipped.linear_share > 0.8
    assert (shipped.linear_share == 1) == (shipped.backbone == LINEAR)


def test_the_share_has_the_least_squared_error_at_each_lead(trainer):
    windows, linear = trainer.windows, make_linear(trainer)
    network, regression = _fitted(trainer, MASK), _fitted(linear, MASK)
    share = _best_share(windows, MASK, network, regression)
    assert share.shape == (2,)
    assert ((share >= 0) & (share <= 1)).all()
    batch = windows.batch(windows.split.validation)
    weight = windows.loss_weight.repeat(1, 2) * batch.valid

    def squares(shares):
        first, second = (compact_forecast(part, MASK)(batch) for part in (network, regression))
        error = first + shares * (second - first) - batch.future
        return (weight * error**2).sum((0, 1))

    for step in (-0.05, 0.05):
        other = (share + step).clamp(0, 1)
        assert (squares(share) <= squares(other) + 1e-6).all()


def test_a_network_too_large_for_regression_ships_alone(trainer, monkeypatch):
    monkeypatch.setattr(linear_module, "MOST_WEIGHTS", 10)
    assert make_linear(trainer) is None
    shipped = ship(trainer, None, MASK)
    assert (shipped.backbone, shipped.linear_share, shipped.linear) == ("mixer", 0.0, None)


def test_linear_as_the_network_is_not_blended_with_itself():
    windows = cut_windows(make_sensor_data(calendar=None))
    trainer = Trainer(windows, TrainingSettings(backbone=LINEAR), 0)
    assert make_linear(trainer) is None
    shipped = ship(trainer, None, MASK)
    assert (shipped.backbone, shipped.linear_share, shipped.linear) == (LINEAR, 1.0, None)


def test_a_blend_comes_back_from_its_file(trainer, monkeypatch):
    from sensorplan.evaluation import shipping

    monkeypatch.setattr(shipping, "CLEAR_GAIN", -1.0)  # the last choice is always taken
    shipped = ship(trainer, make_linear(trainer), MASK)
    assert shipped.backbone == BLEND
    content = to_bytes(BLEND, shipped.compact, {}, {})
    loaded, _, _ = from_bytes(content, "x")
    batch = trainer.windows.batch(trainer.windows.split.test[:5])
    with torch.no_grad():
        expected = shipped.forecast(batch)
        found = replace(shipped, compact=loaded).forecast(batch)
    assert torch.equal(found, expected)
