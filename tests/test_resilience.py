"""What failures of kept regions cost: who judges, how much is judged, and what comes out."""

import numpy as np
import pytest
import torch
from factories import make_sensor_data, make_trainer
from hypothesis import given
from hypothesis import strategies as st

from sensorplan.evaluation import (
    Panel,
    climatology_errors,
    forecast_errors,
    judge_failures,
    make_linear,
    mask_errors,
    panel,
    resilience,
    tune_linear,
)
from sensorplan.evaluation.panel import observed_spread, removal_estimates, spread
from sensorplan.evaluation.resilience import DRAWS, FEWEST_WINDOWS, failure_effort
from sensorplan.forecasters.linear import PENALTIES
from sensorplan.metrics import ratio_interval

pytestmark = pytest.mark.usefixtures("no_denormals")
NODES = 12
NAMES = tuple(f"S{i:03d}" for i in range(NODES))


@pytest.fixture(scope="module")
def trainer():
    """Trained on a network whose first three nodes foretell all others."""
    torch.set_flush_denormal(True)
    trainer = make_trainer(
        make_sensor_data(times=400, nodes=NODES, calendar=None), batch_size=32, lookback=6
    )
    trainer.train(80, 3e-3, trainer.random_masks)
    return trainer


@pytest.fixture(scope="module")
def members(trainer):
    linear = make_linear(trainer)
    tune_linear(linear, keep(0, 1, 2, 5, 8))
    return [trainer, linear]


def keep(*regions):
    mask = np.zeros(NODES, bool)
    mask[list(regions)] = True
    return mask


@pytest.fixture(scope="module")
def failures(members):
    return judge_failures(members, keep(0, 1, 2, 5, 8), NAMES, seed=0)


# Effort


@given(st.integers(2, 100_000), st.data())
def test_the_effort_is_bounded_by_the_size_of_the_network(regions, data):
    kept = data.draw(st.integers(1, regions))
    effort = failure_effort(regions, kept)
    assert 1 <= effort.single <= kept
    assert effort.second < kept
    allowed = resilience.forecasts_affordable(regions)
    fewest = resilience.fewest_windows(regions)
    assert FEWEST_WINDOWS // 4 <= fewest <= effort.windows
    assert effort.masks * effort.windows <= max(allowed, effort.masks * fewest)
    assert effort.masks * fewest <= allowed + effort.masks


def test_small_networks_are_judged_whole_and_large_ones_in_part():
    assert failure_effort(207, 83).single == 83
    assert failure_effort(207, 83).windows == 77
    assert failure_effort(20_000, 8_000).single == 28
    assert failure_effort(20_000, 8_000).windows == 16
    assert failure_effort(5, 1).second == 0


@given(st.integers(1, 500), st.integers(1, 600))
def test_windows_are_spread_evenly_and_not_too_many(windows, count):
    chosen = spread(np.arange(windows), count)
    assert 1 <= len(chosen) <= count
    assert len(set(np.diff(chosen))) <= 1


def test_windows_without_anything_to_judge_are_left_out():
    data = make_sensor_data(times=240, nodes=4)
    data.values[200:215] = np.nan
    windows = make_trainer(data).windows
    chosen = observed_spread(windows, windows.split.test, 1000)
    ahead = windows.split.lookback + np.arange(windows.split.horizon)
    blank = [
        start for start in windows.split.test if all(200 <= step < 215 for step in start + ahead)
    ]
    assert blank
    assert set(chosen) == set(windows.split.test) - set(blank)


# The panel


def test_a_panel_gives_each_member_the_same_say(members):
    mask, left = keep(0, 1, 2, 5, 8), keep(1, 2, 5, 8)
    test = members[0].windows.split.test
    found = Panel(members, mask, test).errors(left)
    ratios = [mask_errors(one, left).rmse / mask_errors(one, mask).rmse for one in members]
    assert found.rmse == pytest.approx(np.sqrt(np.mean(np.square(ratios))))
    assert ratios[0] != pytest.approx(ratios[1], rel=1e-3)


def test_the_plan_itself_has_an_error_of_one(members):
    mask = keep(0, 4)
    assert Panel(members, mask, members[0].windows.split.test).errors(mask).rmse == pytest.approx(1)


def test_when_nothing_is_left_the_calendar_is(trainer):
    windows, mask = trainer.windows, keep(0)
    found = Panel([trainer], mask, windows.split.test).errors(keep())
    without = climatology_errors(windows, windows.split.test).rmse
    assert found.rmse == pytest.approx(without / mask_errors(trainer, mask).rmse)


def test_the_regression_takes_the_penalty_that_suits_the_plan(trainer):
    linear, mask = make_linear(trainer), keep(0, 1, 2)
    tune_linear(linear, mask)
    tuned = float(linear.forecaster.penalty)
    split = trainer.windows.split

    def loss(penalty):
        linear.forecaster.penalty.fill_(penalty)
        return linear.mask_loss(mask, split.validation)

    assert tuned == pytest.approx(min(PENALTIES, key=loss))
    assert max(PENALTIES, key=loss) != pytest.approx(tuned)


def test_drivers_are_estimated_to_cost_most_and_the_trainer_stays(trainer):
    stream = trainer.rng.bit_generator.state
    estimates = removal_estimates(trainer, keep(0, 1, 2, 5, 8), trainer.windows.split.test, 0)
    assert set(np.argsort(-estimates)[:3]) == {0, 1, 2}
    assert np.isneginf(estimates[[3, 4, 6, 7, 9, 10, 11]]).all()
    assert trainer.rng.bit_generator.state == stream


# Failures


def test_single_failures_are_those_of_the_panel_the_most_costly_first(members, failures):
    mask, windows = keep(0, 1, 2, 5, 8), members[0].windows
    judge = Panel(members, mask, windows.split.test)
    assert failures.summary.windows == len(windows.split.test)
    for failure in failures.single:
        region = NAMES.index(failure.sensors[0])
        errors = judge.errors(mask & (np.arange(NODES) != region))
        low, high = ratio_interval(errors, judge.errors(mask), windows.split.overlap, 0)
        assert failure.rmse_ratio == pytest.approx(errors.rmse, abs=1e-6)
        assert (failure.ci_low, failure.ci_high) == pytest.approx((low, high), abs=1e-6)
        assert failures.penalty[region] == pytest.approx(errors.rmse - 1, abs=1e-6)
    ratios = [failure.rmse_ratio for failure in failures.single]
    assert ratios == sorted(ratios, reverse=True)
    assert {failure.sensors[0] for failure in failures.single[:3]} == {"S000", "S001", "S002"}
    assert failures.summary.worst == failures.single[0]
    assert np.isnan(failures.penalty[~mask]).all()


def test_the_worst_pair_is_the_worst_one_and_what_costs_most_beside_it(members, failures):
    mask, pair = keep(0, 1, 2, 5, 8), failures.summary.worst_pair
    judge = Panel(members, mask, members[0].windows.split.test)
    worst = NAMES.index(failures.summary.worst.sensors[0])
    ratios = {}
    for second in set(np.flatnonzero(mask)) - {worst}:
        left = mask.copy()
        left[[worst, second]] = False
        ratios[NAMES[second]] = judge.errors(left).rmse
    assert pair.sensors == (NAMES[worst], max(ratios, key=ratios.get))
    assert pair.rmse_ratio == pytest.approx(max(ratios.values()), abs=1e-6)


def test_random_failures_are_drawn_by_the_seed(members, failures):
    mask = keep(0, 1, 2, 5, 8)
    judge = Panel(members, mask, members[0].windows.split.test)
    drawn = np.random.default_rng(0).permuted(np.tile(np.flatnonzero(mask), (DRAWS, 1)), axis=1)
    ratios = [judge.errors(mask & (np.arange(NODES) != first)).rmse for first in drawn[:, 0]]
    for share in ("0.05", "0.1", "0.2"):  # all of them one of five
        random = failures.summary.random[share]
        assert (random.failed, random.draws) == (1, DRAWS)
        assert random.mean == pytest.approx(np.mean(ratios), abs=1e-6)
        assert random.p95 == pytest.approx(np.quantile(ratios, 0.95), abs=1e-6)
    again = judge_failures(members, mask, NAMES, seed=0)
    assert again.summary == failures.summary
    assert judge_failures(members, mask, NAMES, seed=1).summary.random != again.summary.random


def test_more_failures_cost_more(members):
    random = judge_failures(members, np.ones(NODES, bool), NAMES, seed=0).summary.random
    assert [drawn.failed for drawn in random.values()] == [1, 1, 2]
    assert random["0.2"].mean > random["0.1"].mean == random["0.05"].mean


def test_progress_counts_every_mask(members):
    told = []
    judge_failures(members, keep(0, 3, 5), NAMES, 0, told.append)
    assert told == list(range(1, failure_effort(NODES, 3).masks + 1))


def test_a_plan_of_one_has_no_pair_and_falls_back_on_the_calendar(trainer):
    found = judge_failures([trainer], keep(0), NAMES, seed=0)
    without = climatology_errors(trainer.windows, trainer.windows.split.test).rmse
    assert found.summary.worst_pair is None
    expected = without / mask_errors(trainer, keep(0)).rmse
    assert found.summary.worst.rmse_ratio == pytest.approx(expected, abs=1e-6)


def test_in_a_large_network_those_are_judged_that_seem_to_cost_most(trainer, monkeypatch):
    monkeypatch.setattr(resilience, "failure_effort", lambda *sizes: resilience.Effort(3, 1, 40))
    mask = keep(0, 1, 2, 5, 8, 9)
    found = judge_failures([trainer], mask, NAMES, seed=0)
    starts = spread(trainer.windows.split.test, 40)
    estimates = removal_estimates(trainer, mask, starts, 0)
    assert set(np.flatnonzero(np.isfinite(found.penalty))) == set(np.argsort(-estimates)[:3])
    assert (found.summary.judged, len(found.single)) == (3, 3)
    assert found.summary.windows == len(starts) <= 40


def test_the_members_are_left_as_they_were(members):
    before = [(one.snapshot(), one.rng.bit_generator.state) for one in members]
    judge_failures(members, keep(0, 1, 2), NAMES, seed=0)
    for one, (snapshot, stream) in zip(members, before, strict=True):
        assert one.rng.bit_generator.state == stream
        assert torch.equal(one.theta, snapshot.theta)
        for name, tensor in one.forecaster.state_dict().items():
            assert torch.equal(tensor, snapshot.forecaster[name])


def test_the_calendar_alone_has_no_anomaly(trainer):
    windows = trainer.windows
    found = forecast_errors(windows, windows.split.test, panel._calendar_alone)
    assert found.rmse == climatology_errors(windows, windows.split.test).rmse
