"""Points of a curve, its knee, and what it chooses its baseline by."""

import numpy as np
import pytest
from factories import make_sensor_data, make_trainer
from hypothesis import given
from hypothesis import strategies as st

from sensorplan.curve import CurvePoint
from sensorplan.evaluation import (
    accuracy_curve,
    baseline_losses,
    find_knee,
    limit_curve,
    linear_limit,
    mask_errors,
    plan_curve,
    random_curve,
)
from sensorplan.metrics import ratio_interval
from sensorplan.plan import Ranking, budget_at
from sensorplan.rankers import masks_along, path_parts
from sensorplan.rankers.dynst.path import _sizes
from sensorplan.recipe import MaskSettings

pytestmark = pytest.mark.usefixtures("no_denormals")
QUICK = MaskSettings(round_steps=4, update_every=2, probe=16)


def make_points(highs):
    return [
        CurvePoint(
            method="dynst",
            sparsity=round(0.05 * number, 2),
            budget=100 - 5 * number,
            rmse=1,
            mae=1,
            rmse_ratio=high - 0.01,
            ci_low=high - 0.02,
            ci_high=high,
        )
        for number, high in enumerate(highs, 1)
    ]


@pytest.mark.parametrize(
    ("highs", "sparsity"),
    [
        ([1.01, 1.02, 1.05, 1.07], 0.15),  # the bound itself is within
        ([1.01, 1.06, 1.02, 1.02], 0.05),  # a dip further on does not count
        ([1.01, 1.02], 0.1),
        ([1.06, 1.01], None),
        ([1.01, np.nan, 1.01], 0.05),
        ([], None),
    ],
)
def test_the_knee_is_the_last_before_the_first_that_is_out(highs, sparsity):
    found = find_knee(make_points(highs)[::-1], 0.05, 1000)
    assert (found and found.sparsity) == sparsity


def test_to_switch_nothing_off_is_no_knee():
    """In a small network the first sparsities keep every region."""
    everything, one_off = make_points([1.0, 1.2])
    everything = everything.model_copy(update={"budget": 10})
    for high, expected in ((1.2, None), (1.04, 9)):
        one_off = one_off.model_copy(update={"budget": 9, "ci_high": high})
        knee = find_knee([everything, one_off], 0.05, 10)
        assert (knee and knee.budget) == expected


@given(st.lists(st.floats(0.9, 1.5), max_size=19), st.floats(0.01, 0.5))
def test_a_larger_loss_never_allows_less(highs, loss):
    points = make_points(highs)
    tight, loose = (find_knee(points, share, 1000) for share in (loss, loss + 0.1))
    assert (tight.sparsity if tight else 0) <= (loose.sparsity if loose else 0)


@pytest.fixture(scope="module")
def trainer():
    data = make_sensor_data(times=400, nodes=12, calendar=None)
    trainer = make_trainer(data, batch_size=32, lookback=6)
    trainer.train(60, 3e-3, trainer.random_masks)
    return trainer


def ranking_of(seed):
    return Ranking(np.random.default_rng(seed).permutation(12), np.ones(12))


def test_points_are_those_of_the_masks(trainer):
    everything = mask_errors(trainer, np.ones(12, bool))
    masks = {6: ranking_of(0).keep(6), 3: ranking_of(1).keep(3)}
    told = []
    points = plan_curve(trainer, masks, "x", everything, (0.5, 0.75), told.append)
    assert told == [1, 2]
    for point, (budget, mask) in zip(points, masks.items(), strict=True):
        cut = mask_errors(trainer, mask)
        assert (point.method, point.budget, point.rmse, point.mae) == (
            *("x", budget, cut.rmse, cut.mae),
        )
        assert point.rmse_ratio == cut.rmse / everything.rmse
        interval = ratio_interval(cut, everything, trainer.windows.split.overlap, 0)
        assert (point.ci_low, point.ci_high) == interval


def test_the_curve_of_a_ranking_is_that_of_its_cuts(trainer):
    everything, told = mask_errors(trainer, np.ones(12, bool)), []
    points = accuracy_curve(trainer, ranking_of(0), "x", everything, told.append)
    assert [point.sparsity for point in points] == [k / 10 for k in range(1, 10)]
    assert told == list(range(1, 10))
    assert points[4].rmse == mask_errors(trainer, ranking_of(0).keep(6)).rmse


def test_random_plans_are_averaged_between_best_and_worst(trainer):
    everything = mask_errors(trainer, np.ones(12, bool))
    rankings = [ranking_of(seed) for seed in range(3)]
    (point,) = random_curve(trainer, rankings, everything, (0.5,), lambda number: None)
    errors = [mask_errors(trainer, ranking.keep(6)) for ranking in rankings]
    assert point.rmse == pytest.approx(np.mean([e.rmse for e in errors]))
    assert point.mae == pytest.approx(np.mean([e.mae for e in errors]))
    ratios = [e.rmse / everything.rmse for e in errors]
    assert (point.ci_low, point.ci_high) == (min(ratios), max(ratios))
    assert point.rmse_ratio == pytest.approx(np.mean(ratios))


def test_the_limit_has_its_own_reference(trainer):
    windows = trainer.windows
    limit = linear_limit(windows, [6, 1])
    points = limit_curve(limit, 12, windows.split.overlap, (0.5, 0.95))
    assert [point.budget for point in points] == [6, 1]
    for point in points:
        assert point.rmse == limit.at[point.budget].rmse
        assert point.rmse_ratio == point.rmse / limit.all_sensors.rmse
        assert point.ci_low <= point.rmse_ratio <= point.ci_high


def test_the_drivers_have_the_lower_loss_of_two_baselines(trainer):
    """On training and validation: what the test stretch holds plays no part."""
    rankings = {
        "drivers": Ranking(np.arange(12), np.ones(12)),
        "others": Ranking(np.arange(12)[::-1].copy(), np.ones(12)),
    }
    losses = baseline_losses(trainer, rankings, [3, 5])
    assert losses["drivers"] < losses["others"]
    end = trainer.windows.split.bounds[1]
    later = trainer.windows.series.anomalies[end:].clone()
    stream = trainer.rng.bit_generator.state
    first = baseline_losses(trainer, rankings, [3])
    trainer.rng.bit_generator.state = stream
    trainer.windows.series.anomalies[end:] = 100
    assert baseline_losses(trainer, rankings, [3]) == first
    trainer.windows.series.anomalies[end:] = later


def masks_of(nodes=12, settings=QUICK, change=None, challengers=None, told=None, steps=20):
    data = make_sensor_data(times=400, nodes=nodes, calendar=None)
    if change:
        change(data.values)
    trainer = make_trainer(data, batch_size=32, lookback=6)
    trainer.train(steps, 3e-3, trainer.random_masks)
    budgets = [budget_at(round(0.05 * k, 2), nodes) for k in range(1, 20)]
    each_step = told.append if told is not None else None
    return trainer, budgets, masks_along(trainer, settings, budgets, each_step, challengers)


def test_masks_along_keep_what_every_budget_says():
    told = []
    _, budgets, masks = masks_of(told=told)
    assert list(masks) == sorted(set(budgets), reverse=True)
    assert all(mask.sum() == budget for budget, mask in masks.items())
    assert told == sorted(set(told))
    assert (told[0], told[-1]) == (1, path_parts(12, QUICK, budgets))


def test_masks_along_are_the_same_again_and_find_drivers():
    settings = MaskSettings(round_steps=10, update_every=5, probe=64)
    _, _, masks = masks_of(settings=settings, steps=150)
    _, _, again = masks_of(settings=settings, steps=150)
    assert all((masks[budget] == again[budget]).all() for budget in masks)
    assert sum(int(masks[budget][:3].sum()) for budget in (2, 4)) >= 3  # chance: 1.5


def test_what_was_never_observed_is_kept_only_when_all_are():
    def change(values):
        values[:, 5] = np.nan

    _, _, masks = masks_of(change=change)
    assert not any(mask[5] for budget, mask in masks.items() if budget < 12)
    masks = masks_of(nodes=4, change=lambda values: values[:, :2].fill(np.nan))[2]
    assert masks[4].all()
    assert masks[2].tolist() == [False, False, True, True]


def test_a_challenger_can_win_at_a_budget():
    """One that knows the drivers, against a mask that was hardly trained."""
    drivers = Ranking(np.arange(12), np.ones(12))
    _, _, masks = masks_of(settings=MaskSettings(round_steps=1, probe=8), steps=150)
    _, _, rivalled = masks_of(
        settings=MaskSettings(round_steps=1, probe=8), steps=150, challengers={"x": drivers}
    )
    assert sum(int(mask[:3].sum()) for mask in rivalled.values()) >= sum(
        int(mask[:3].sum()) for mask in masks.values()
    )
    assert any((rivalled[b] != masks[b]).any() for b in masks)


@given(st.integers(2, 300), st.lists(st.integers(1, 300), min_size=1, max_size=19))
def test_sizes_pass_every_budget_and_fall(regions, budgets):
    sizes = _sizes(regions, budgets)
    assert sizes[0] == regions
    assert sizes == sorted(sizes, reverse=True)
    assert {min(budget, regions) for budget in budgets} <= set(sizes)
