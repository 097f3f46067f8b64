"""Intervals from validation errors, and how far they hold."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import cut_windows, make_sensor_data
from hypothesis import given
from hypothesis import strategies as st

from sensorplan.evaluation import (
    LEVELS,
    Coverage,
    Intervals,
    calibrate,
    interval_coverage,
    widening,
)
from sensorplan.evaluation.conformal import SHRINKAGE, held_quantiles, usual_errors
from sensorplan.evaluation.recent import MEMORY, PRIOR, recent_scale
from sensorplan.evaluation.tracking import GAIN, LOOK_BACK, share_outside
from sensorplan.pipeline.calibrating import coverage_by_level, interval_notes
from sensorplan.windows import Split


def errors_of(windows=400, regions=6, features=2, seed=0):
    rng = np.random.default_rng(seed)
    return np.abs(rng.normal(size=(windows, regions, features)))


def everywhere(errors):
    return np.ones(errors.shape, bool)


# Quantiles


def test_quantiles_of_like_errors_are_order_statistics():
    errors = np.tile(np.random.default_rng(0).permutation(100), 4)[:, None, None] + 1.0
    found = held_quantiles(errors, everywhere(errors), 10 * np.arange(400), 4, 2)
    expected = [np.sort(errors[:, 0, 0])[int(np.ceil(401 * level)) - 1] for level in LEVELS]
    np.testing.assert_allclose(found[:, 0], expected, rtol=0.03)
    assert (found[:, 0] >= np.float32(expected)).all()


def test_few_windows_take_the_largest_error():
    errors = np.array([1.0, 3, 2])[:, None, None]
    found = held_quantiles(errors, everywhere(errors), np.arange(3), 1, 1)
    assert found[2, 0] >= 3


@pytest.mark.parametrize("level", range(len(LEVELS)))
def test_quantiles_hold_on_fresh_errors(level):
    known, fresh = errors_of(seed=0), errors_of(4000, seed=1)
    found = held_quantiles(known, everywhere(known), np.arange(400), 4, 2)
    assert (fresh <= found[level]).mean() == pytest.approx(LEVELS[level], abs=0.015)


def test_parts_that_differ_widen_the_quantiles():
    errors = errors_of()
    shifting = errors * np.repeat([1.0, 4, 0.5, 2], 100)[:, None, None]
    starts = np.arange(400)
    alike = held_quantiles(
        np.random.default_rng(0).permuted(shifting, axis=0), everywhere(errors), starts, 4, 2
    )
    apart = held_quantiles(shifting, everywhere(errors), starts, 4, 2)
    assert (apart[1:] > 1.2 * alike[1:]).all()


@given(st.integers(2, 30), st.integers(1, 4), st.integers(0, 99))
def test_levels_nest(windows, horizon, seed):
    errors = errors_of(windows, 3, horizon, seed)
    valid = np.random.default_rng(seed).random(errors.shape) < 0.8
    found = held_quantiles(np.where(valid, errors, 1e9), valid, np.arange(windows), 3, horizon)
    assert np.isfinite(found).all()
    assert found.max() < 1e3  # what was not observed plays no part
    assert (np.diff(found, axis=0) >= 0).all()


# Usual errors


def test_usual_errors_lie_between_a_sensors_own_and_those_of_all():
    errors = np.ones((100, 2, 1)) * np.array([1.0, 3])[:, None]
    found = usual_errors(errors, everywhere(errors), np.arange(100), 2)[:, 0]
    apart, pooled = 100 / 2, 5.0
    for own, usual in zip((1.0, 9.0), found, strict=True):
        expected = (apart * own + SHRINKAGE * pooled) / (apart + SHRINKAGE)
        assert usual**2 == pytest.approx(expected)


def test_a_sensor_never_observed_has_the_usual_errors_of_all():
    errors = 2 * np.ones((50, 3, 2))
    valid = everywhere(errors)
    valid[:, 1] = False
    errors[:, 1] = 1e9
    np.testing.assert_allclose(usual_errors(errors, valid, np.arange(50), 2), 2, rtol=1e-6)


def test_errors_of_zero_stay_usable():
    errors = np.zeros((20, 3, 2))
    assert usual_errors(errors, everywhere(errors), np.arange(20), 2).min() > 0
    assert (held_quantiles(errors, everywhere(errors), np.arange(20), 2, 2) > 0).all()


# Recent errors


@pytest.mark.parametrize("stride", [1, 2, 5])
def test_recent_scale_is_what_a_loop_gives(stride):
    rng, horizon = np.random.default_rng(0), 3
    starts = stride * np.arange(30)
    squares = rng.exponential(size=30)
    squares[[4, 9]] = np.nan
    at = np.array([0, 7, 20, starts[-1] + 6])
    found = recent_scale(squares, starts, at, horizon)
    for place, scale in zip(at, found, strict=True):
        weight = total = 0.0
        for start, square in zip(starts, squares, strict=True):
            if start + horizon <= place and np.isfinite(square):
                faded = np.exp(-(place - start - horizon) / (MEMORY * horizon))
                weight += faded * min(1, stride / horizon)
                total += faded * min(1, stride / horizon) * square
        assert scale == pytest.approx(np.sqrt((PRIOR + total) / (PRIOR + weight)), rel=1e-5)


def test_recent_scale_knows_no_later_error():
    squares, at = np.ones(30), np.array([12])
    later = np.where(np.arange(30) > 12 - 3, 1e6, squares)
    assert recent_scale(later, np.arange(30), at, 3) == 1
    assert recent_scale(later, np.arange(30), at + 1, 3) > 1


# On windows


def forecast_zero(batch):
    return torch.zeros_like(batch.future)


@pytest.fixture(scope="module")
def windows():
    return cut_windows(make_sensor_data(times=900, nodes=5, gaps=0.1))


def test_coverage_is_what_a_loop_gives(windows):
    kept = np.array([True, False, True, False, False])
    intervals = calibrate(windows, forecast_zero, kept)
    split = windows.split
    covered = interval_coverage(
        windows, split.test, forecast_zero, kept, intervals, since=split.bounds[1]
    )
    wider = widening(windows, split.test, forecast_zero, kept, intervals, since=split.bounds[1])
    batch = windows.batch(split.test)
    for level in range(len(LEVELS)):
        half = intervals.half_width(level, wider)
        assert half.shape == batch.future.shape
        inside = (batch.future.abs() <= half) & batch.valid
        lead = inside.view(len(batch), 5, 2, 1).sum((0, 1, 3)) / batch.valid.view(
            len(batch), 5, 2, 1
        ).sum((0, 1, 3))
        np.testing.assert_allclose(covered.by_lead[level], lead, rtol=1e-6)
        assert covered.total[level] == pytest.approx(
            (inside.sum() / batch.valid.sum()).item(), rel=1e-6
        )
    assert covered.total[2] == pytest.approx(0.9, abs=0.06)
    assert (wider[:, 0] == 1).all()  # nothing of the test stretch is known yet


def test_widening_looks_at_kept_sensors_and_earlier_time(windows):
    kept = np.array([True, True, False, False, False])
    intervals = Intervals(torch.ones(5, 2), torch.ones(4, 2))
    at = np.array([700])

    def ask(change):
        changed = windows.series.anomalies.clone()
        change(changed)
        other = replace(windows, series=replace(windows.series, anomalies=changed))
        return widening(other, at, forecast_zero, kept, intervals, since=0)[:, 0].numpy()

    usual = ask(lambda anomalies: None)
    assert (ask(lambda anomalies: anomalies[:704, :2].mul_(5)) > 2 * usual).all()
    np.testing.assert_array_equal(ask(lambda anomalies: anomalies[:, 2:].mul_(5)), usual)
    np.testing.assert_array_equal(ask(lambda anomalies: anomalies[704:].mul_(5)), usual)
    none = widening(windows, at, forecast_zero, kept, intervals, since=699)
    assert (none == 1).all()


def test_widening_is_what_a_loop_gives(windows):
    kept, horizon = np.array([True, True, False, False, False]), windows.split.horizon
    quantiles = [0.4, 0.9, 1.0, 1.5]
    intervals = Intervals(torch.full((5, 2), 0.7), torch.tensor(quantiles)[:, None].expand(4, 2))
    at = np.array([700, 703, 760])
    found = widening(windows, at, forecast_zero, kept, intervals, since=650).numpy()
    first = max(650, 700 - LOOK_BACK * horizon)
    batch = windows.batch(np.arange(first, 761))
    errors, valid = batch.future.abs().numpy()[:, kept] / 0.7, batch.valid.numpy()[:, kept]
    count = valid.sum((1, 2))
    squares = np.where(count, (errors**2 * valid).sum((1, 2)) / np.maximum(count, 1), np.nan)
    starts, missed = np.arange(first, 761), []
    for window in range(len(errors)):
        learnt = missed[: max(0, window - horizon + 1)]
        logarithm = GAIN / horizon * np.sum(learnt, axis=0) if learnt else np.zeros(4)
        factor = recent_scale(squares, starts, starts[[window]], horizon)[0] * np.exp(logarithm)
        for place in np.flatnonzero(at == starts[window]):
            np.testing.assert_allclose(found[:, place], factor, rtol=1e-5)
        half = [max((factor * quantiles)[: level + 1]) for level in range(4)]
        outside = [(errors[window] > reach)[valid[window]].mean() for reach in half]
        missed.append(np.array(outside) - (1 - np.array(LEVELS)) if count[window] else np.zeros(4))


def test_nothing_observed_corrects_nothing():
    nothing = np.zeros((2, 3), bool)
    assert np.isnan(share_outside(np.ones((2, 3)), nothing, np.ones((4, 3)))).all()


def test_each_level_comes_to_hold_its_share_after_errors_have_grown(windows):
    kept = np.ones(5, bool)
    quantiles = torch.tensor([0.5, 0.8, 0.9, 1.0])[:, None].expand(4, 2)
    intervals = Intervals(torch.full((5, 2), 0.5), quantiles)
    later = np.arange(400, 860)  # usual errors are far too small, and the quantiles are wrong
    covered = interval_coverage(windows, later, forecast_zero, kept, intervals, since=200)
    np.testing.assert_allclose(covered.total, LEVELS, atol=0.02)


def test_a_lower_level_lies_within_a_higher_one():
    intervals = Intervals(torch.ones(3, 2), torch.tensor([[1.0], [1.2], [1.3], [2.0]]).expand(4, 2))
    wider = torch.tensor([[2.0], [1.0], [1.0], [1.0]])
    widths = [intervals.half_width(level, wider)[0, 0, 0].item() for level in range(4)]
    assert widths == [2.0, 2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("windows", "held", "said"),
    [
        (100, 0.9, []),
        (100, 0.8, ["the 90 % intervals of forecasts held 80 % of the test stretch"]),
        (20, 0.9, ["intervals of forecasts rest on 20 validation windows, 3.3 of them"]),
        (20, 0.8, ["rest on 20 validation windows", "held 80 %"]),
    ],
)
def test_what_intervals_make_one_warn_of(windows, held, said):
    starts = np.arange(windows)
    split = Split(4, 2, (500, 700), starts, starts, starts)
    covered = Coverage(np.full((4, 2), round(100 * held)), np.full(2, 100))
    notes = interval_notes(split, covered)
    assert len(notes) == len(said)
    assert all(part in note for part, note in zip(said, notes, strict=True))
    assert coverage_by_level(covered) == dict.fromkeys(("0.5", "0.8", "0.9", "0.95"), held)
