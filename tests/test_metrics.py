from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sensorplan.metrics import (
    average,
    in_units_of,
    join,
    ratio_interval,
    skill,
    value_kept,
    window_errors,
)

GROUPS = {"by_window": (1, 2, 3), "by_lead": (0, 1, 3), "by_region": (0, 2, 3)}


def make_errors(windows=40, scale=1.0, seed=0, regions=6):
    rng = np.random.default_rng(seed)
    error = torch.from_numpy(scale * rng.normal(size=(windows, regions, 2, 1)))
    return window_errors(error, torch.ones_like(error, dtype=torch.bool))


def with_squares(errors, squares):
    return replace(errors, by_window=replace(errors.by_window, squares=squares))


@given(st.integers(0, 10_000), st.floats(0, 0.9))
def test_every_metric_against_brute_force(seed, gaps):
    rng = np.random.default_rng(seed)
    error = rng.normal(size=(5, 3, 4, 2)).astype(np.float32)  # window, region, lead, channel
    valid = rng.random(error.shape) >= gaps
    valid[0, 0, 0, 0] = True
    found = window_errors(torch.from_numpy(error), torch.from_numpy(valid))
    observed = error[valid].astype(float)
    assert found.rmse == pytest.approx(np.sqrt(np.mean(observed**2)))
    assert found.mae == pytest.approx(np.mean(np.abs(observed)))
    for group, axis in (("by_window", 0), ("by_region", 1), ("by_lead", 2)):
        sums = getattr(found, group)
        for member in range(error.shape[axis]):
            own = error.take(member, axis)[valid.take(member, axis)].astype(float)
            assert sums.count[member] == len(own)
            rmse, mae = (
                (np.sqrt(np.mean(own**2)), np.mean(np.abs(own))) if len(own) else (np.nan,) * 2
            )
            assert sums.rmse[member] == pytest.approx(rmse, nan_ok=True)
            assert sums.mae[member] == pytest.approx(mae, nan_ok=True)


def test_what_stands_at_an_invalid_target_does_not_count():
    valid = torch.tensor([[[[True, False]]]])
    for junk in (0.0, 1e9, np.inf, np.nan):
        found = window_errors(torch.tensor([[[[3.0, junk]]]]), valid)
        assert (found.rmse, found.mae) == (3, 3)


def test_without_a_valid_target_there_is_no_error():
    nothing = window_errors(torch.ones(2, 3, 4, 1), torch.zeros(2, 3, 4, 1, dtype=torch.bool))
    assert np.isnan(nothing.rmse)
    assert np.isnan(nothing.mae)


def test_join_is_the_same_as_all_at_once():
    error = torch.from_numpy(np.random.default_rng(0).normal(size=(9, 6, 2, 1)))
    valid = error > -1
    whole = window_errors(error, valid)
    joined = join([window_errors(error[a:b], valid[a:b]) for a, b in ((0, 4), (4, 5), (5, 9))])
    for group in GROUPS:
        for name in ("squares", "absolutes", "count"):
            np.testing.assert_allclose(
                getattr(getattr(joined, group), name), getattr(getattr(whole, group), name)
            )
    assert (joined.rmse, joined.mae) == pytest.approx((whole.rmse, whole.mae))


def test_average_of_forecasts_is_their_mean_squared_error():
    first, second = make_errors(seed=0), make_errors(scale=3, seed=1)
    both = average([first, second])
    assert both.rmse == pytest.approx(np.sqrt((first.rmse**2 + second.rmse**2) / 2))
    assert both.mae == pytest.approx((first.mae + second.mae) / 2)
    for group in GROUPS:
        np.testing.assert_array_equal(getattr(both, group).count, getattr(first, group).count)
        np.testing.assert_allclose(
            getattr(both, group).rmse ** 2,
            (getattr(first, group).rmse ** 2 + getattr(second, group).rmse ** 2) / 2,
        )


def test_another_unit_divides_every_error():
    errors = make_errors(scale=3.0)
    larger = in_units_of(errors, 4.0)
    assert larger.rmse == pytest.approx(errors.rmse / 4)
    assert larger.mae == pytest.approx(errors.mae / 4)
    for group in ("by_window", "by_lead", "by_region"):
        found, before = getattr(larger, group), getattr(errors, group)
        np.testing.assert_allclose(found.rmse, before.rmse / 4)
        np.testing.assert_array_equal(found.count, before.count)
    assert np.isfinite(in_units_of(errors, 0.0).rmse)


def test_skill():
    assert skill(make_errors(scale=0.25), make_errors()) == pytest.approx(0.75)
    assert skill(make_errors(scale=3), make_errors()) == pytest.approx(-2)
    assert np.isnan(skill(make_errors(), make_errors(scale=0)))


@pytest.mark.parametrize(
    ("without", "plan", "everything", "expected"),
    [
        (10, 5, 5, 1),
        (10, 10, 5, 0),
        (10, 6, 5, 0.8),
        (10, 12, 5, -0.4),  # worse than no sensor
        (10, 4, 5, 1.2),  # better than all of them
        (5, 6, 5, None),
        (4, 6, 5, None),
    ],
)
def test_value_kept(without, plan, everything, expected):
    found = value_kept(without, plan, everything)
    assert found == (None if expected is None else pytest.approx(expected))


def test_interval_of_the_same_errors_is_one():
    errors = make_errors()
    assert ratio_interval(errors, errors, 5, seed=0) == (1, 1)


@pytest.mark.parametrize(("windows", "block"), [(40, 4), (400, 20), (30, 15)])
def test_interval_covers_the_truth_as_often_as_it_says(windows, block):
    """Both forecasts are as good, with errors in spells half as long as a block."""
    rng = np.random.default_rng(0)
    spell = np.ones(block // 2)

    def errors_in_spells():
        noise = rng.normal(size=windows + len(spell) - 1) / np.sqrt(block)
        squares = np.exp(np.convolve(noise, spell, "valid"))
        return with_squares(make_errors(windows, regions=1), squares)

    covered = 0
    for draw in range(200):
        plan, other = errors_in_spells(), errors_in_spells()
        low, high = ratio_interval(plan, other, block, seed=draw, draws=200)
        covered += low <= 1 <= high
    assert 0.88 <= covered / 200 <= 1


def test_interval_holds_its_own_estimate():
    for seed in range(20):
        plan, other = make_errors(9, seed=seed), make_errors(9, seed=seed + 100)
        low, high = ratio_interval(plan, other, 4, seed=0)
        assert low <= plan.rmse / other.rmse <= high


def test_interval_of_twice_the_errors_is_two():
    low, high = ratio_interval(make_errors(scale=2.0), make_errors(), 5, seed=0)
    assert (low, high) == pytest.approx((2, 2))


def test_interval_holds_one_for_equally_good_forecasts_and_not_for_worse_ones():
    reference = make_errors(200, seed=0)
    low, high = ratio_interval(make_errors(200, seed=1), reference, 10, seed=0)
    assert low < 1 < high
    low, high = ratio_interval(make_errors(200, 1.3, seed=1), reference, 10, seed=0)
    assert 1 < low < 1.3 < high
    low, high = ratio_interval(make_errors(200, 0.7, seed=1), reference, 10, seed=0)
    assert low < 0.7 < high < 1


def test_interval_is_paired():
    """What is hard for both cancels: far narrower than from resampling each on its own."""
    hard = np.exp(2 * np.random.default_rng(2).normal(size=200))
    a, b = make_errors(200, seed=0), make_errors(200, seed=1)
    a, b = (with_squares(e, e.by_window.squares * hard) for e in (a, b))
    low, high = ratio_interval(a, b, 1, seed=0)
    apart = with_squares(b, np.roll(b.by_window.squares, 77))
    apart_low, apart_high = ratio_interval(a, apart, 1, seed=0)
    assert 2 * (high - low) < apart_high - apart_low


def test_blocks_widen_the_interval_of_errors_in_spells():
    spells = np.repeat(np.random.default_rng(3).normal(size=20) > 0, 10)
    everything = make_errors(200)
    plan = with_squares(everything, everything.by_window.squares * (1 + 3.0 * spells))
    widths = [
        np.subtract(*ratio_interval(plan, everything, block, seed=0)[::-1]) for block in (1, 20)
    ]
    assert widths[1] > 1.5 * widths[0]


def test_blocks_are_of_consecutive_windows():
    """Errors that alternate average out in every block of even length."""
    everything = with_squares(make_errors(200), np.ones(200))
    plan = with_squares(everything, 1 + 3.0 * (np.arange(200) % 2))
    low, high = ratio_interval(plan, everything, 20, seed=0)
    assert (low, high) == pytest.approx((np.sqrt(2.5), np.sqrt(2.5)))


def test_interval_is_settled_by_the_seed():
    a, b = make_errors(seed=0), make_errors(seed=1)
    assert ratio_interval(a, b, 5, seed=3) == ratio_interval(a, b, 5, seed=3)
    assert ratio_interval(a, b, 5, seed=3) != ratio_interval(a, b, 5, seed=4)


@pytest.mark.parametrize(("windows", "block"), [(1, 1), (1, 9), (2, 9), (3, 0), (7, 100)])
def test_interval_of_few_windows(windows, block):
    low, high = ratio_interval(make_errors(windows, 1.5), make_errors(windows), block, seed=0)
    assert low == pytest.approx(1.5)
    assert high == pytest.approx(1.5)
