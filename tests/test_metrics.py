from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sensorplan.metrics import Errors, join, ratio_interval, value_kept, window_errors


def make_errors(windows=40, scale=1.0, seed=0, regions=6):
    rng = np.random.default_rng(seed)
    error = torch.from_numpy(scale * rng.normal(size=(windows, regions, 2)))
    return window_errors(error, torch.ones_like(error, dtype=torch.bool))


@given(st.integers(0, 10_000), st.floats(0, 0.9))
def test_rmse_and_mae_against_brute_force(seed, gaps):
    rng = np.random.default_rng(seed)
    error = rng.normal(size=(5, 3, 4)).astype(np.float32)
    valid = rng.random(error.shape) >= gaps
    valid[0, 0, 0] = True
    found = window_errors(torch.from_numpy(error), torch.from_numpy(valid))
    observed = error[valid].astype(float)
    assert found.rmse == pytest.approx(np.sqrt(np.mean(observed**2)))
    assert found.mae == pytest.approx(np.mean(np.abs(observed)))
    assert found.count.tolist() == valid.sum((1, 2)).tolist()
    np.testing.assert_allclose(found.squares, (error**2 * valid).sum((1, 2)), rtol=1e-5)


def test_what_stands_at_an_invalid_target_does_not_count():
    valid = torch.tensor([[[True, False]]])
    for junk in (0.0, 1e9, np.inf, np.nan):
        found = window_errors(torch.tensor([[[3.0, junk]]]), valid)
        assert (found.rmse, found.mae) == (3, 3)


def test_without_a_valid_target_there_is_no_error():
    nothing = window_errors(torch.ones(2, 3, 4), torch.zeros(2, 3, 4, dtype=torch.bool))
    assert np.isnan(nothing.rmse)
    assert np.isnan(nothing.mae)


def test_join_is_the_same_as_all_at_once():
    whole = make_errors(9)
    parts = [
        Errors(whole.squares[a:b], whole.absolutes[a:b], whole.count[a:b])
        for a, b in ((0, 4), (4, 5), (5, 9))
    ]
    joined = join(parts)
    for name in ("squares", "absolutes", "count"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
    assert (joined.rmse, joined.mae) == (whole.rmse, whole.mae)


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
    a, b = (replace(e, squares=e.squares * hard) for e in (a, b))
    low, high = ratio_interval(a, b, 1, seed=0)
    apart = replace(b, squares=np.roll(b.squares, 77))
    apart_low, apart_high = ratio_interval(a, apart, 1, seed=0)
    assert 2 * (high - low) < apart_high - apart_low


def test_blocks_widen_the_interval_of_errors_in_spells():
    spells = np.repeat(np.random.default_rng(3).normal(size=20) > 0, 10)
    ones = np.ones(200)
    plan = Errors(1 + 3.0 * spells, ones, ones.astype(int))
    everything = Errors(ones, ones, ones.astype(int))
    widths = [
        np.subtract(*ratio_interval(plan, everything, block, seed=0)[::-1]) for block in (1, 20)
    ]
    assert widths[1] > 1.5 * widths[0]


def test_blocks_are_of_consecutive_windows():
    """Errors that alternate average out in every block of even length."""
    ones = np.ones(200)
    plan = Errors(ones + 3 * (np.arange(200) % 2), ones, ones.astype(int))
    low, high = ratio_interval(plan, Errors(ones, ones, ones.astype(int)), 20, seed=0)
    assert low == high == pytest.approx(np.sqrt(2.5))


def test_interval_is_settled_by_the_seed():
    a, b = make_errors(seed=0), make_errors(seed=1)
    assert ratio_interval(a, b, 5, seed=3) == ratio_interval(a, b, 5, seed=3)
    assert ratio_interval(a, b, 5, seed=3) != ratio_interval(a, b, 5, seed=4)


@pytest.mark.parametrize(("windows", "block"), [(1, 1), (1, 9), (2, 9), (3, 0), (7, 100)])
def test_interval_of_few_windows(windows, block):
    low, high = ratio_interval(make_errors(windows, 1.5), make_errors(windows), block, seed=0)
    assert low == pytest.approx(1.5)
    assert high == pytest.approx(1.5)
