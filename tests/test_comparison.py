"""The rows of a comparison, from errors that are made up."""

import numpy as np
import pytest
import torch

from sensorplan.comparison import best_methods
from sensorplan.evaluation import (
    MARGIN,
    Case,
    JudgedErrors,
    join_folds,
    lead_rows,
    method_rows,
    sensor_rows,
)
from sensorplan.evaluation.comparison import verdict
from sensorplan.metrics import ratio_interval, window_errors

WINDOWS, REGIONS, LEADS = 40, 3, 2


def draw(seed, windows=WINDOWS):
    """``[window, region, lead, channel]`` errors of a forecast."""
    return np.random.default_rng(seed).normal(size=(windows, REGIONS, LEADS, 1))


def sums(error, valid=None):
    valid = np.ones(error.shape, bool) if valid is None else valid
    return window_errors(torch.from_numpy(error), torch.from_numpy(valid))


def judged_of(plans, *, all_sensors=None, persistence=3.0, climatology=2.0):
    """Plans of one sparsity and judge: method to its errors, each scaled from the same draw."""
    base = draw(0)
    return JudgedErrors(
        {"ridge": all_sensors or [sums(base)]},
        {
            Case(method, 0.5, "ridge"): [sums(scale * base) for scale in scales]
            for method, scales in plans.items()
        },
        sums(persistence * base),
        sums(climatology * base),
    )


def rows_of(judged):
    return {row.method: row for row in method_rows(judged, {0.5: 4}, 2, "dynst")}


def test_a_row_by_hand():
    row = rows_of(judged_of({"dynst": [1.1], "qr": [1.2]}))["qr"]
    base = draw(0)
    assert (row.sparsity, row.budget, row.judge) == (0.5, 4, "ridge")
    assert row.rmse == pytest.approx(1.2 * np.sqrt((base**2).mean()))
    assert row.mae == pytest.approx(1.2 * np.abs(base).mean())
    assert row.rmse_ratio == pytest.approx(1.2)
    assert row.skill_persistence == pytest.approx(1 - 1.2 / 3)
    assert row.skill_climatology == pytest.approx(1 - 1.2 / 2)
    assert row.value_kept == pytest.approx((2 - 1.2) / (2 - 1))
    assert row.dynst_ratio == pytest.approx(1.1 / 1.2)
    assert row.verdict == "win"
    assert row.spread is None


def test_the_intervals_are_those_of_the_ratios():
    plan, rival, everything = (sums(draw(seed)) for seed in (1, 2, 3))
    cases = {Case("dynst", 0.5, "ridge"): [plan], Case("qr", 0.5, "ridge"): [rival]}
    judged = JudgedErrors({"ridge": [everything]}, cases, everything, everything)
    row = rows_of(judged)["qr"]
    expected = ratio_interval(rival, everything, 2, seed=0)
    assert (row.ci_low, row.ci_high) == pytest.approx(expected)
    expected = ratio_interval(plan, rival, 2, seed=0)
    assert (row.dynst_low, row.dynst_high) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((0.9, 1 - MARGIN - 1e-9), "win"),
        ((0.9, 1 - MARGIN + 1e-9), "tie"),
        ((0.999, 1.001), "tie"),
        ((1 + MARGIN - 1e-9, 1.1), "tie"),
        ((1 + MARGIN + 1e-9, 1.1), "loss"),
    ],
)
def test_the_limits_of_a_verdict(interval, expected):
    assert verdict(interval) == expected


def test_a_small_difference_is_a_tie_however_certain():
    """The scaled errors differ in every window alike, so that the interval has no width."""
    rows = rows_of(judged_of({"dynst": [1.1], "near": [1.1 * 1.004], "far": [1.1 * 1.006]}))
    assert (rows["near"].verdict, rows["far"].verdict) == ("tie", "win")
    assert (rows["near"].tied_with_best, rows["far"].tied_with_best) == (True, False)


def test_a_loss_and_the_best():
    rows = rows_of(judged_of({"dynst": [1.2], "qr": [1.1]}))
    assert rows["qr"].verdict == "loss"
    assert rows["qr"].tied_with_best
    assert not rows["dynst"].tied_with_best
    assert (rows["dynst"].verdict, rows["dynst"].dynst_ratio) == (None, None)


def test_without_dynst_there_is_no_verdict_but_a_best():
    rows = rows_of(judged_of({"variance": [1.2], "qr": [1.1]}))
    assert {row.verdict for row in rows.values()} == {None}
    assert rows["qr"].tied_with_best


def test_an_uncertain_difference_is_a_tie():
    plan, rival = sums(1.02 * draw(1)), sums(draw(2))
    cases = {Case("dynst", 0.5, "ridge"): [plan], Case("qr", 0.5, "ridge"): [rival]}
    rows = rows_of(JudgedErrors({"ridge": [rival]}, cases, rival, rival))
    assert rows["qr"].dynst_ratio > 1 + MARGIN or rows["qr"].dynst_ratio < 1 - MARGIN
    assert rows["qr"].verdict == "tie"
    assert rows["dynst"].tied_with_best


def test_random_is_the_mean_of_its_squares_and_its_band_their_deviation():
    scales = [1.1, 1.3, 1.2]
    row = rows_of(judged_of({"random": scales}))["random"]
    assert row.rmse_ratio == pytest.approx(np.sqrt(np.mean(np.square(scales))))
    assert row.mae == pytest.approx(1.2 * np.abs(draw(0)).mean())
    assert row.spread == pytest.approx(np.std(scales, ddof=1))


def test_each_plan_is_held_against_all_sensors_of_its_own_seed():
    """Two seeds of two plans; the judge of the second is twice as bad throughout."""
    base = draw(0)
    everything = [sums(base), sums(2 * base)]
    judged = judged_of({"random": [1.1, 1.2, 2 * 1.3, 2 * 1.4]}, all_sensors=everything)
    row = rows_of(judged)["random"]
    assert row.spread == pytest.approx(np.std([1.1, 1.2, 1.3, 1.4], ddof=1))


def test_sparsities_and_judges_are_apart():
    base = draw(0)
    scales = {("qr", 0.5, "a"): 1.1, ("dynst", 0.5, "a"): 1.2, ("qr", 0.5, "b"): 1.4}
    scales |= {("dynst", 0.5, "b"): 1.3, ("dynst", 0.8, "a"): 1.5, ("qr", 0.8, "a"): 1.7}
    judged = JudgedErrors(
        {"a": [sums(base)], "b": [sums(1.1 * base)]},
        {Case(*case): [sums(scale * base)] for case, scale in scales.items()},
        sums(base),
        sums(base),
    )
    rows = method_rows(judged, {0.5: 4, 0.8: 2}, 2, "dynst")
    found = {(row.method, row.sparsity, row.judge): row for row in rows}
    assert list(found) == list(scales)
    assert [row.verdict for row in rows if row.method == "qr"] == ["loss", "win", "win"]
    assert found["qr", 0.5, "b"].rmse_ratio == pytest.approx(1.4 / 1.1)
    assert found["dynst", 0.8, "a"].budget == 2
    assert best_methods(tuple(rows), "a") == ["dynst", "qr"]
    assert best_methods(tuple(rows), "b") == ["dynst", "qr"]


def test_folds_are_joined_window_by_window():
    """A region that one fold never observed is scored in the other alone."""
    first, second = draw(1, 10), draw(2, 12)
    valid = np.ones(first.shape, bool)
    valid[:, 2] = False
    folds = [
        JudgedErrors(
            {"ridge": [sums(error, seen)]},
            {Case("qr", 0.5, "ridge"): [sums(2 * error, seen)]},
            sums(3 * error, seen),
            sums(4 * error, seen),
        )
        for error, seen in ((first, valid), (second, np.ones(second.shape, bool)))
    ]
    judged = join_folds(folds)
    squares = np.concatenate([first[:, :2].ravel(), second.ravel()]) ** 2
    (row,) = method_rows(judged, {0.5: 4}, 2, "dynst")
    assert row.rmse == pytest.approx(2 * np.sqrt(squares.mean()))
    assert row.skill_climatology == pytest.approx(0.5)
    by_sensor = {row.sensor: row for row in sensor_rows(judged, ["a", "b", "c"])}
    assert by_sensor["c"].rmse == pytest.approx(2 * np.sqrt((second[:, 2] ** 2).mean()))
    both = np.concatenate([first[:, 0], second[:, 0]])
    assert by_sensor["a"].mae == pytest.approx(2 * np.abs(both).mean())


def test_a_case_that_a_fold_lacks_is_left_out():
    whole = judged_of({"dynst": [1.1], "qr": [1.2]})
    part = judged_of({"dynst": [1.1]})
    for folds in ([whole, part], [part, whole]):
        assert [case.method for case in join_folds(folds).plans] == ["dynst"]


def test_leads_have_a_ratio_of_their_own():
    base = draw(0)
    plan = base * np.array([1.1, 1.3])[:, None]
    judged = JudgedErrors(
        {"ridge": [sums(base)]}, {Case("qr", 0.5, "ridge"): [sums(plan)]}, sums(base), sums(base)
    )
    rows = lead_rows(judged)
    assert [row.lead for row in rows] == [1, 2]
    assert [row.rmse_ratio for row in rows] == pytest.approx([1.1, 1.3])
    assert rows[1].rmse == pytest.approx(1.3 * np.sqrt((base[:, :, 1] ** 2).mean()))


def test_a_perfect_judge_divides_by_nothing():
    perfect = sums(0 * draw(0))
    cases = {Case("dynst", 0.5, "ridge"): [perfect], Case("qr", 0.5, "ridge"): [sums(draw(0))]}
    rows = rows_of(JudgedErrors({"ridge": [perfect]}, cases, perfect, perfect))
    assert np.isnan(rows["qr"].rmse_ratio)
    assert rows["qr"].verdict == "win"
    assert rows["dynst"].tied_with_best
