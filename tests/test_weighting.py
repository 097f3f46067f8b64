"""What the loss cares for."""

import numpy as np
import pytest
import torch
from factories import cut_windows, make_sensor_data

from sensorplan.errors import DataError, RecipeError
from sensorplan.pipeline.weighing import weigh
from sensorplan.rankers.dynst.cross_validation import CrossValidation
from sensorplan.recipe import TrainingSettings
from sensorplan.regions import nodalize
from sensorplan.training import Trainer
from sensorplan.windows import weigh_extremes, weigh_regions

pytestmark = pytest.mark.usefixtures("no_denormals")


def make_data(**options):
    return make_sensor_data(**{"times": 300, "nodes": 6, "gaps": 0.1, **options})


def loss_by_hand(windows, batch, weight):
    """Of a forecast of 0 everywhere: `weight` ``[window, region, feature]``."""
    squares = (batch.future**2).numpy()
    base = windows.error_scale.numpy().astype(float) ** 2  # [region, channel]
    base = np.tile(base / base.mean(), (1, windows.split.horizon))
    total = weight * base * batch.valid.numpy()
    return (squares * total).sum() / total.sum()


class Nothing(torch.nn.Module):
    """Forecasts 0."""

    learning_rate = 1e-3

    def forward(self, history, seen, calendar, gate, targets=None):
        width = history.shape[1] if targets is None else len(targets)
        return torch.zeros(len(history), width, self.width)


def loss_of(windows, batch):
    trainer = Trainer(windows, TrainingSettings(batch_size=8), 0)
    trainer.forecaster = Nothing()
    trainer.forecaster.width = batch.future.shape[2]
    return trainer.loss(batch, torch.ones(windows.regions)).item()


def test_regions_weigh_as_told():
    data = make_data()
    weight = np.array([4.0, 1, 0, 1, 2, 1])
    windows = weigh_regions(cut_windows(data), weight)
    batch = windows.batch(windows.split.train[:9])
    by_hand = loss_by_hand(windows, batch, weight[:, None])
    assert loss_of(windows, batch) == pytest.approx(by_hand, rel=1e-5)
    assert loss_of(cut_windows(data), batch) != pytest.approx(by_hand, rel=1e-3)


def test_the_tails_count_as_much_as_the_rest():
    """By the quantiles of each series in training, ten values in a hundred are low or high."""
    data = make_data(times=1000, channels=2)
    windows = weigh_extremes(cut_windows(data), data, nodalize(data))
    training = windows.split.bounds[0]
    for node in range(6):
        for channel in range(2):
            values = data.values[:, node, channel].astype(float)
            low, high = np.nanquantile(values[:training], (0.05, 0.95))
            expected = np.where((values < low) | (values > high), 9, 1)
            found = windows.value_weight[:, node, channel].numpy()
            assert (found == expected).mean() > 0.998  # rounding at a quantile
    weight = windows.value_weight[:training][windows.series.valid[:training]]
    tails, rest = weight[weight > 1].sum().item(), weight[weight == 1].sum().item()
    assert tails == pytest.approx(rest, rel=0.06)
    batch = windows.batch(windows.split.train[:9])
    by_hand = loss_by_hand(windows, batch, batch.weight.numpy())
    assert loss_of(windows, batch) == pytest.approx(by_hand, rel=1e-5)


def test_the_second_opinion_follows_the_weights():
    """A mask that serves the weighted region alone is better by the weighted loss only."""
    data = make_data(gaps=0.0, drivers=2)
    windows = cut_windows(data)
    masks = [np.arange(6) == region for region in range(6)]
    alike = [CrossValidation(windows).loss(mask) for mask in masks]
    ones = [CrossValidation(weigh_regions(windows, np.ones(6))).loss(mask) for mask in masks]
    np.testing.assert_allclose(ones, alike, rtol=1e-5)
    for region in range(2):  # drivers, that only they themselves forecast
        weight = np.where(np.arange(6) == region, 1.0, 0.0)
        losses = [CrossValidation(weigh_regions(windows, weight)).loss(mask) for mask in masks]
        assert int(np.argmin(losses)) == region


def test_area_is_what_each_sensor_stands_for():
    data = make_data(nodes=20, grid=(4, 5))
    windows = weigh("area", cut_windows(data), data, nodalize(data))
    rows = windows.region_weight.numpy().reshape(4, 5)
    assert (np.diff(rows, axis=0) < 0).all()  # cells shrink to the north
    np.testing.assert_allclose(rows, rows[:, :1] * np.ones(5), rtol=1e-5)
    flat = make_data(positions=False)
    with pytest.raises(DataError, match=r"--weight area needs positions; the data has none$"):
        weigh("area", cut_windows(flat), flat, nodalize(flat))


def test_declared_weights(tmp_path):
    data, file = make_data(), tmp_path / "w.csv"
    file.write_text("id,weight\nS001,3\nS004,0\n")
    windows = weigh(str(file), cut_windows(data), data, nodalize(data))
    np.testing.assert_allclose(
        windows.region_weight, np.array([1, 3, 1, 1, 0, 1]) * 6 / 7, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("id,weight\nX,3\n", RecipeError, r"w\.csv: X: no sensor of .*; expected some of S000"),
        ("id,weight\nS001,-1\n", DataError, r"line 2, column weight: -1; expected a number of 0"),
        ("id,weight\nS001,1\nS001,2\n", DataError, r"line 3: the sensor S001 stands twice$"),
        ("id,cost\nS001,1\n", DataError, r"has the columns id, cost; expected id and weight$"),
        (
            "id,weight\n" + "".join(f"S00{i},0\n" for i in range(6)),
            RecipeError,
            r"every weight is 0; expected some above$",
        ),
    ],
)
def test_weights_that_are_none(tmp_path, text, kind, message):
    data, file = make_data(), tmp_path / "w.csv"
    file.write_text(text)
    with pytest.raises(kind, match=message):
        weigh(str(file), cut_windows(data), data, nodalize(data))


def test_no_such_weights():
    data = make_data()
    with pytest.raises(RecipeError, match=r"^--weight x: no such file; expected extremes, area or"):
        weigh("x", cut_windows(data), data, nodalize(data))
    assert weigh(None, cut_windows(data), data, nodalize(data)).value_weight is None
