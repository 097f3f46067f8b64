"""How often each region is kept over resampled histories."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from factories import make_history_of, make_sensor_data, make_trainer
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorplan.constraints import free_rules
from sensorplan.pipeline import stability
from sensorplan.pipeline.stability import resample_plan, stability_note
from sensorplan.plan import Ranking, Stability
from sensorplan.rankers import RANKERS, mask_frequency, ranker_frequency
from sensorplan.rankers.dynst.stability import (
    closed_gate_gradients,
    gradients_by_window,
    mean_over,
)
from sensorplan.rankers.history import draw_blocks, resample
from sensorplan.recipe import Recipe
from sensorplan.regions import nodalize

FREE = free_rules(12, 4)
pytestmark = pytest.mark.usefixtures("no_denormals")


def make_data(**options):
    return make_sensor_data(**{"times": 400, "calendar": None, **options})


def size(budget):
    return free_rules(12, budget)


def flat_loss(gradient):
    """Gradients of windows that are all alike, in place of the forecaster's."""
    return lambda masks, starts: (np.tile(gradient, (len(starts), 1)).astype(np.float32), 1.0)


# Blocks


@settings(max_examples=60)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 9))
def test_blocks_are_whole_and_fill_the_length(length, block, seed):
    block = min(block, length)
    drawn = draw_blocks(length, block, np.random.default_rng(seed))
    assert drawn.shape == (length,)
    assert 0 <= drawn.min() <= drawn.max() < length
    for first in range(0, length, block):
        part = drawn[first : first + block]
        np.testing.assert_array_equal(part, part[0] + np.arange(len(part)))
        assert part[0] <= length - block


def test_every_block_is_drawn_as_often():
    rng = np.random.default_rng(0)
    first = np.concatenate([draw_blocks(12, 4, rng)[::4] for _ in range(3000)])
    np.testing.assert_allclose(np.bincount(first) / len(first), 1 / 9, atol=0.01)


def test_a_resampled_history_holds_whole_steps_and_keeps_the_rest():
    history = make_history_of(gaps=0.2, channels=2)
    drawn = resample(history, 7, np.random.default_rng(3))
    steps = draw_blocks(len(history.anomalies), 7, np.random.default_rng(3))
    np.testing.assert_array_equal(drawn.anomalies, history.anomalies[steps])
    np.testing.assert_array_equal(drawn.valid, history.valid[steps])
    assert replace(drawn, anomalies=history.anomalies, valid=history.valid) == history


# Baselines


@pytest.mark.parametrize("name", RANKERS)
def test_each_resample_keeps_the_budget_and_the_seed_settles_it(name):
    history = make_history_of(9, gaps=0.3)
    one, same = (ranker_frequency(RANKERS[name], history, size(4), 6, 5) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert one.sum() == pytest.approx(4)
    np.testing.assert_allclose(one * 5, np.round(one * 5))


@pytest.mark.parametrize("name", RANKERS)
def test_regions_that_a_resample_does_not_observe_are_no_trouble(name):
    """Each is observed in one short stretch of its own; one of them never."""

    def change(values):
        seen = np.zeros(values.shape, bool)
        for node in range(8):
            seen[40 * node : 40 * node + 12, node] = True
        seen[:, 0] = True
        values[~seen] = np.nan

    history = make_history_of(9, change=change)
    frequency = ranker_frequency(RANKERS[name], history, size(3), 6, 20)
    assert frequency.sum() == pytest.approx(3)
    assert frequency[8] < 0.2


@pytest.mark.parametrize("name", RANKERS)
def test_a_history_of_one_short_stretch_is_drawn_until_it_is_seen(name):
    history = make_history_of(6)
    valid = np.zeros_like(history.valid)
    valid[100:103] = True
    valid[:, 0] = True
    positions = history.positions.copy()
    positions[0] = np.nan
    for part in (valid, valid & (np.arange(6) > 0)[:, None]):
        sparse = replace(
            history, valid=part, anomalies=history.anomalies * part, positions=positions
        )
        assert ranker_frequency(RANKERS[name], sparse, size(2), 6, 20).sum() == pytest.approx(2)


def test_located_regions_that_are_never_observed_are_not_waited_for():
    history = make_history_of(6)
    valid = history.valid & (np.arange(6) < 1)[:, None]
    positions = np.where(np.arange(6)[:, None] < 1, np.nan, history.positions)
    sparse = replace(history, valid=valid, anomalies=history.anomalies * valid, positions=positions)
    frequency = ranker_frequency(RANKERS["variance"], sparse, size(1), 6, 5)
    np.testing.assert_array_equal(frequency, np.arange(6) < 1)


def test_drivers_far_ahead_are_always_kept():
    def change(values):
        values[:, :3] *= 5

    history = make_history_of(change=change)
    frequency = ranker_frequency(RANKERS["variance"], history, size(3), 6, 20)
    np.testing.assert_allclose(frequency[:3], 1, atol=0.1)


def test_twins_share_a_place():
    def change(values):
        rng = np.random.default_rng(0)
        values[:, 0] *= 9
        values[:, 1] = 5 * values[:, 1]
        values[:, 2] = values[:, 1] + 0.01 * rng.normal(size=values[:, 1].shape)

    frequency = ranker_frequency(
        RANKERS["variance"], make_history_of(change=change), size(2), 6, 40
    )
    assert frequency[0] == 1
    assert frequency[1] + frequency[2] == pytest.approx(1)
    assert 0.1 < frequency[1] < 0.9


def test_chance_is_seen_as_such():
    frequency = ranker_frequency(RANKERS["random"], make_history_of(10), size(4), 6, 300)
    np.testing.assert_allclose(frequency, 0.4, atol=0.1)


# DynST


def test_window_gradients_have_the_mean_of_the_gate_gradient():
    trainer = make_trainer(make_data(gaps=0.2), batch_size=4)
    trainer.train(10, 3e-3, trainer.random_masks)
    masks, starts = trainer.random_masks(21), trainer.windows.split.train[:21]
    by_window, loss = trainer.window_gradients(masks, starts)
    mean, mean_loss = trainer.gate_gradient(masks, starts)
    assert by_window.shape == (21, 12)
    np.testing.assert_allclose(by_window.mean(0), mean, rtol=1e-4, atol=1e-7)
    assert loss == mean_loss


def test_a_mean_over_drawn_windows_by_brute_force():
    rng = np.random.default_rng(0)
    gradients, drawn = rng.normal(size=(30, 5)), draw_blocks(30, 4, rng)
    expected = sum(gradients[window] for window in drawn) / 30
    np.testing.assert_allclose(mean_over(gradients, drawn), expected)


@pytest.mark.parametrize("kept", [1, 2, 5, 12])
def test_a_kept_region_is_judged_in_the_turn_when_it_is_out(kept):
    """The forged gradient of each window tells which regions were in."""
    trainer, mask = make_trainer(make_data()), np.arange(12) < kept
    seen = []

    def gradients(masks, starts):
        seen.append(masks.numpy().astype(bool))
        return masks.numpy() * 100 + len(seen), float(len(seen))

    trainer.window_gradients = gradients
    found, loss = closed_gate_gradients(trainer, mask, np.arange(6))
    turns = min(4, kept)
    assert len(seen) == turns
    np.testing.assert_array_equal(sum(~gates for gates in seen)[:, mask], 1)
    assert not np.any([gates[:, ~mask] for gates in seen])
    expected = sum((turn + 1) * ~gates for turn, gates in enumerate(seen))
    np.testing.assert_array_equal(found[:, mask], expected[:, mask])
    np.testing.assert_allclose(found[:, ~mask], (turns + 1) / 2)
    assert loss == (turns + 1) / 2


def test_blocks_cover_windows_that_overlap():
    trainer, mask = make_trainer(make_data()), np.arange(12) < 4
    split = trainer.windows.split
    (_, all_train), (_, all_validation) = gradients_by_window(trainer, mask, 10_000)
    assert split.overlap == 6
    assert all_train == all_validation == 6
    (some, block), (few, short) = gradients_by_window(trainer, mask, 30)
    assert block == -(-6 * len(some) // len(split.train)) == 1
    assert short == -(-6 * len(few) // len(split.validation))


def test_regions_of_fixed_worth_are_kept_always_and_twins_by_index(monkeypatch):
    trainer = make_trainer(make_data())
    worth = np.array([5, 4, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0.0])
    monkeypatch.setattr(trainer, "window_gradients", flat_loss(-worth))
    frequency = mask_frequency(trainer, np.arange(12) < 3, 64, seed=0, rules=FREE)
    np.testing.assert_array_equal(frequency, np.arange(12) < 3)


def test_twins_share_their_place_in_a_mask(monkeypatch):
    """Worth the same but for noise from window to window."""
    trainer = make_trainer(make_data())
    rng = np.random.default_rng(0)

    def gradients(masks, starts):
        worth = np.tile([5, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0.0], (len(starts), 1))
        worth[:, 1:3] += rng.normal(size=(len(starts), 2))
        return -worth.astype(np.float32), 1.0

    monkeypatch.setattr(trainer, "window_gradients", gradients)
    frequency = mask_frequency(trainer, np.arange(12) < 2, 64, seed=0, rules=FREE)
    assert frequency[0] == 1
    assert frequency[1] + frequency[2] == pytest.approx(1)
    assert 0 < frequency[1] < 1


def test_drivers_that_all_others_follow_are_kept_more_often_than_chance():
    data = make_data(times=800, noise=0.02)
    trainer = make_trainer(data, batch_size=32)
    trainer.train(150, 3e-3, trainer.random_masks)
    frequency = mask_frequency(trainer, np.arange(12) < 3, 128, seed=0, rules=FREE)
    assert frequency[:3].mean() > 0.7
    assert frequency.sum() == pytest.approx(3)


@pytest.mark.parametrize("budget", [1, 4, 11, 12])
def test_frequencies_sum_to_the_budget_and_unobserved_regions_come_last(budget):
    data = make_data()
    values = data.values.copy()
    values[:, 5] = np.nan
    trainer = make_trainer(replace(data, values=values))
    mask = np.roll(np.arange(12) < budget, 0 if budget < 5 else 6)
    one, same = (mask_frequency(trainer, mask, 32, seed=1, rules=FREE) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert one.sum() == pytest.approx(budget)
    assert one[5] == (budget == 12)


def test_the_trainer_is_left_as_it_was(monkeypatch):
    monkeypatch.setattr("sensorplan.gating.TARGETS_PER_STEP", 5)  # draws random numbers
    trainer = make_trainer(make_data())
    before, stream = trainer.snapshot(), copy.deepcopy(trainer.rng.bit_generator.state)
    mask_frequency(trainer, np.arange(12) < 4, 32, seed=0, rules=FREE)
    assert trainer.rng.bit_generator.state == stream
    after = trainer.snapshot()
    assert torch.equal(before.theta, after.theta)
    assert all(torch.equal(value, after.forecaster[k]) for k, value in before.forecaster.items())

    def fail(masks, starts):
        raise KeyboardInterrupt

    monkeypatch.setattr(trainer, "window_gradients", fail)
    with pytest.raises(KeyboardInterrupt):
        mask_frequency(trainer, np.arange(12) < 4, 32, seed=0, rules=FREE)
    assert trainer.rng.bit_generator.state == stream


# The plan


def resampled(method, stage, **options):
    data = make_data(**options)
    prepared = SimpleNamespace(
        data=data, regions=nodalize(data), rules=free_rules(12, 4), trainer=make_trainer(data)
    )
    recipe = Recipe.model_validate({"data": {"path": ["x.nc"]}, "mask": {"method": method}})
    return resample_plan(prepared, np.arange(12) < 4, recipe, stage)


def test_a_plan_says_how_it_was_resampled(monkeypatch):
    from sensorplan.pipeline.recording import Stages

    stages = Stages(None)
    frequency, found = resampled("dynst", stages)
    assert (found.resamples, found.block) == (200, 6)
    assert found.mean_kept == pytest.approx(frequency[:4].mean(), abs=1e-6)
    assert stages.seconds.keys() == {"resample the history"}
    assert resampled("variance", stages)[1].resamples == 20
    assert resampled("variance", stages, times=70)[1].block == 5  # a tenth of 56 steps
    monkeypatch.setattr(stability, "MANY", 11)
    assert resampled("variance", stages)[1].resamples == 5


def test_an_unsure_choice_is_named_from_the_least_sure_on():
    names = [f"S{i}" for i in range(12)]
    frequency = np.array([0.9, 0.1, 0.5, 0.2, 0.3, 0.4, *[0.6] * 6])
    ranking = Ranking(np.arange(12), np.linspace(1, 0, 12))
    chance = 0.5
    sure, unsure = (
        Stability(resamples=20, block=6, mean_kept=mean)
        for mean in (chance + 0.1, chance + 0.1 - 1e-6)
    )
    assert stability_note(sure, frequency, ranking, 6, names) == []
    (note,) = stability_note(unsure, frequency, ranking, 6, names)
    assert "over 20 resampled histories a kept sensor is kept 60 % of the time" in note
    assert note.endswith("by chance 50 %; least sure: S1, S3, S4, S5, S2")


def test_a_plan_of_all_is_sure():
    ranking = Ranking(np.arange(3), np.ones(3))
    found = Stability(resamples=20, block=6, mean_kept=1)
    assert stability_note(found, np.ones(3), ranking, 3, ["a", "b", "c"]) == []
