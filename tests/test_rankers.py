from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from factories import cut_windows, make_sensor_data, make_trainer
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from sensorplan.constraints import free_rules
from sensorplan.linear import lag_features
from sensorplan.masking import budgets, regrown
from sensorplan.pipeline.planning import challengers_of
from sensorplan.plan import Ranking
from sensorplan.rankers import RANKERS, make_history, rank_by_dynst, search_parts
from sensorplan.rankers.dynst.cross_validation import CrossValidation
from sensorplan.rankers.dynst.jury import WEIGHTS, Jury, practise
from sensorplan.rankers.dynst.moves import keep_better, prune, swap
from sensorplan.rankers.dynst.probing import draw_stretches, probe, relative_loss
from sensorplan.recipe import MaskSettings

pytestmark = pytest.mark.usefixtures("no_denormals")
QUICK = MaskSettings(rounds=2, refinements=1, round_steps=4, update_every=2, probe=16, practice=4)
PLANTED = MaskSettings(
    rounds=4, refinements=1, round_steps=10, update_every=5, probe=64, practice=20
)


def make_data(nodes=12, seed=0, **options):
    return make_sensor_data(times=400, nodes=nodes, seed=seed, calendar=None, **options)


def trained(data, steps, seed=0):
    trainer = make_trainer(data, seed=seed, batch_size=32, lookback=6)
    trainer.train(steps, 3e-3, trainer.random_masks)
    return trainer


def keep(network, budget):
    """So many of a trainer's regions, or of the nodes of data, and nothing else asked."""
    regions = len(network.sensors) if hasattr(network, "sensors") else network.windows.regions
    return free_rules(regions, budget)


def rank(data, budget, settings=QUICK, steps=10, seed=0):
    return rank_by_dynst(trained(data, steps, seed), settings, keep(data, budget))


def loss_of(trainer, mask):
    return trainer.validation_loss(trainer.mask_tensor(mask))


def random_mask(regions, budget, seed):
    return np.isin(np.arange(regions), np.random.default_rng(seed).permutation(regions)[:budget])


def test_the_rounds_lead_from_all_to_the_plan():
    trainer = trained(make_data(), 20)
    settings = QUICK.model_copy(update={"rounds": 3, "refinements": 2})
    found = rank_by_dynst(trainer, settings, keep(trainer, 4))
    stages = [one.stage for one in found.rounds]
    assert stages == ["start", *["prune"] * 3, *["refine"] * 2, "jury", "plan"]
    sizes = [int(one.mask.sum()) for one in found.rounds]
    assert sizes == [12, *budgets(12, 4, 3), 4, 4, 4, 4]
    np.testing.assert_array_equal(found.rounds[-1].mask, found.mask)
    assert found.rounds[0].swapped == 0
    for before, after in pairwise(found.rounds[4:6]):  # no pruning there
        assert after.swapped >= regrown(before.mask, after.mask)


def test_dynst_finds_the_planted_drivers():
    """Over three networks: chance would find 2.25 of the 9."""
    found_drivers = 0
    for seed in (0, 1, 3):
        trainer = trained(make_data(seed=seed), 150, seed)
        found = rank_by_dynst(trainer, PLANTED, keep(trainer, 3))
        found_drivers += found.mask[:3].sum()
        loss = loss_of(trainer, found.mask)
        others = [loss_of(trainer, random_mask(12, 3, s)) for s in range(20)]
        assert loss < np.mean(others) - 0.8 * np.std(others)
        assert loss < 1.5 * loss_of(trainer, np.arange(12) < 3)
    assert found_drivers >= 5


def challengers(data, **window):
    history = make_history(cut_windows(data, **window), seed=0)
    return {name: RANKERS[name](history) for name in challengers_of(history)}


def standardised(data):
    """Every series of the same variance: it tells nothing of the drivers."""
    values = data.values
    return replace(data, values=(values - values.mean(0)) / values.std(0))


@pytest.mark.parametrize(
    ("steps", "settings"),
    [(100, PLANTED), pytest.param(400, MaskSettings(), marks=pytest.mark.slow)],
)
def test_nine_in_ten_planted_drivers_are_found_among_forty(steps, settings):
    """A fifth of the nodes foretells the others; what a jury takes for them it must find."""
    found = 0
    for seed in (0, 1):
        data = standardised(
            make_sensor_data(times=1000, nodes=40, drivers=8, seed=seed, calendar=None)
        )
        trainer = trained(data, steps, seed)
        ranked = rank_by_dynst(
            trainer, settings, keep(trainer, 8), challengers=challengers(data, lookback=6)
        )
        found += ranked.mask[:8].sum()
    assert found >= 0.9 * 16


@pytest.mark.parametrize("budget", [4, 6, 8])
def test_duplicates_are_never_both_kept_while_a_single_one_goes(budget):
    """Nodes 8 to 11 are the same as 0 to 3; each of 4 to 7 is the only one of its kind."""
    data = make_sensor_data(times=800, nodes=12, drivers=12, lag=1, calendar=None)
    data.values[:, 8:] = data.values[:, :4]
    trainer = trained(data, 100)
    found = rank_by_dynst(
        trainer, PLANTED, keep(trainer, budget), challengers=challengers(data, lookback=6)
    )
    both = (found.mask[:4] & found.mask[8:]).any()
    assert not (both and not found.mask[4:8].all())


@settings(max_examples=8)
@given(st.integers(2, 9), st.integers(1, 9), st.integers(0, 3))
def test_a_ranking_is_a_permutation_whose_first_are_the_mask(nodes, budget, seed):
    budget = min(budget, nodes)
    found = rank(make_data(nodes, drivers=2), budget, steps=2, seed=seed)
    assert found.mask.sum() == budget
    assert sorted(found.ranking.order) == list(range(nodes))
    assert set(found.ranking.order[:budget]) == set(np.flatnonzero(found.mask))
    np.testing.assert_array_equal(found.ranking.keep(budget), found.mask)
    by_rank = found.ranking.importance[found.ranking.order]
    assert (np.diff(by_rank) <= 1e-12).all()
    assert 0 <= by_rank.min() <= by_rank.max() <= 1
    assert 0 <= found.oscillation <= 1


@pytest.mark.parametrize("budget", [1, 7, 39, 40])
def test_regions_of_fixed_worth_are_ranked_by_it(monkeypatch, budget):
    """Pruned, eliminated and grown back in rounds, yet best first from end to end."""
    trainer = make_trainer(make_data(40))
    worth = np.random.default_rng(0).permutation(40) + 1.0

    def gradient(masks, starts):
        return -worth / trainer.theta.detach().numpy(), 1.0

    monkeypatch.setattr(trainer, "gate_gradient", gradient)
    monkeypatch.setattr(trainer, "mask_loss", lambda mask, starts: np.exp(-worth[mask].sum() / 100))
    found = rank_by_dynst(trainer, QUICK, keep(trainer, budget))
    assert found.ranking.order.tolist() == np.argsort(-worth).tolist()


@pytest.mark.parametrize("refinements", [0, 2])
@pytest.mark.parametrize("budget", [1, 5, 9])
def test_smallest_and_largest_budget(budget, refinements):
    settings = QUICK.model_copy(update={"refinements": refinements})
    found = rank(make_data(9), budget, settings)
    assert found.mask.sum() == budget
    if budget == 9:
        assert found.oscillation == 0


def test_the_most_important_region_has_importance_one():
    found = rank(make_data(), 4, PLANTED, 60)
    assert found.ranking.importance[found.ranking.order[0]] == pytest.approx(1)
    assert found.ranking.importance[found.ranking.order[-1]] < 0.5


def test_the_seed_settles_a_ranking():
    one, same, other = (rank(make_data(), 4, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.mask, same.mask)
    np.testing.assert_array_equal(one.ranking.order, same.ranking.order)
    np.testing.assert_array_equal(one.ranking.importance, same.ranking.importance)
    assert (one.ranking.importance != other.ranking.importance).any()


def test_each_step_is_told_and_what_comes_after_them():
    done = []
    rank_by_dynst(make_trainer(make_data()), QUICK, free_rules(12, 4), done.append)
    steps = QUICK.steps + QUICK.practice
    assert done[:steps] == list(range(1, steps + 1))
    assert done[steps:] == sorted(done[steps:])
    assert steps < done[steps] < done[-1] < search_parts(QUICK)


def test_pruning_goes_in_rounds_and_keeps_the_count_between(monkeypatch):
    """The masks that training sees: all regions first, then the budget of each round."""
    trainer, sizes = make_trainer(make_data(16), batch_size=8), []
    squares = trainer.squares

    def watched(batch, gate, *part):
        if torch.is_grad_enabled() and gate.grad_fn is not None:
            sizes.append(int((gate[0] != 0).sum()))
        return squares(batch, gate, *part)

    monkeypatch.setattr(trainer, "squares", watched)
    rank_by_dynst(trainer, QUICK.model_copy(update={"practice": 0}), keep(trainer, 4))
    assert sizes == [16] * 4 + [8] * 4 + [4] * 4


def test_without_swaps_pruned_regions_stay_away(monkeypatch):
    trainer, masks = make_trainer(make_data(16), batch_size=8), []
    squares = trainer.squares

    def watched(batch, gate, *part):
        if torch.is_grad_enabled() and gate.grad_fn is not None:
            masks.append((gate[0] != 0).numpy())
        return squares(batch, gate, *part)

    monkeypatch.setattr(trainer, "squares", watched)
    found = rank_by_dynst(
        trainer, QUICK.model_copy(update={"swap_fraction": 0.0, "practice": 0}), keep(trainer, 4)
    )
    assert len(masks) == 12
    assert all(not (later & ~earlier).any() for earlier, later in pairwise(masks))
    assert found.oscillation == 0


@pytest.mark.parametrize(
    ("good", "expected"), [(4, [4, 5, 6, 7]), (2, [2, 3, 4, 5]), (0, [0, 1, 2, 3])]
)
def test_the_loss_decides_on_swaps(monkeypatch, good, expected):
    """Four regions are proposed to be swapped, then two, then one."""
    trainer = make_trainer(make_data(8))
    mask, worth = np.arange(8) < 4, np.array([1.0, 2, 3, 4, 9, 8, 7, 6])
    theta = trainer.theta.detach().numpy()
    monkeypatch.setattr(trainer, "gate_gradient", lambda masks, starts: (-worth / theta, 1.0))

    def mask_loss(proposed, starts):
        swapped = int((mask & ~proposed).sum())
        return {0: 1.0, good: 0.5 if good else 1.0}.get(swapped, 1.5)

    monkeypatch.setattr(trainer, "mask_loss", mask_loss)
    found = swap(trainer, mask, 4, 16, keep(trainer, 4), last=True)
    assert np.flatnonzero(found).tolist() == expected


def test_the_loss_decides_on_prunings(monkeypatch):
    """Equal scores would leave a hole; the loss asks for every second region."""
    trainer = make_trainer(make_data(12))
    ring = np.column_stack([np.roll(np.arange(12), s) for s in (1, -1)])
    monkeypatch.setattr(type(trainer), "neighbours", ring)
    flat = -np.ones(12) / trainer.theta.detach().numpy()
    monkeypatch.setattr(trainer, "gate_gradient", lambda masks, starts: (flat, 1.0))

    def together(mask):
        return int((mask & mask[ring[:, 0]]).sum())

    monkeypatch.setattr(trainer, "mask_loss", lambda mask, starts: 1.0 + together(mask))
    assert together(prune(trainer, np.ones(12, bool), 6, 16, keep(trainer, 6), last=True)) == 0


def favouring(trainer, monkeypatch, wanted, loss):
    """Every mask has the loss 1 but one."""

    def loss_of(mask):
        return loss if (mask == wanted).all() else 1.0

    monkeypatch.setattr(trainer, "mask_loss", lambda mask, starts: loss_of(mask))
    monkeypatch.setattr(CrossValidation, "loss", lambda self, mask: loss_of(mask))


def challenger(*first):
    rest = [region for region in range(12) if region not in first]
    return Ranking(np.array([*first, *rest]), np.linspace(1, 0, 12))


@pytest.mark.parametrize(("loss", "taken"), [(0.5, True), (2.0, False)])
def test_a_challenger_is_taken_if_its_loss_is_lower(monkeypatch, loss, taken):
    trainer = make_trainer(make_data())
    theirs = np.isin(np.arange(12), [9, 5, 11])
    favouring(trainer, monkeypatch, theirs, loss)
    monkeypatch.setattr("sensorplan.masking.oscillation", lambda settled: 0.7)
    found = rank_by_dynst(
        trainer, QUICK, keep(trainer, 3), challengers={"other": challenger(9, 5, 11)}
    )
    assert (found.mask == theirs).all() == taken
    assert set(found.ranking.order[:3]) == set(np.flatnonzero(found.mask))
    assert found.oscillation == (0 if taken else 0.7)  # of the trained mask, not of theirs
    assert found.candidates == pytest.approx({"dynst": 0.0, "other": np.log(loss)})
    assert found.loss == pytest.approx(min(0.0, np.log(loss)))


def test_what_the_jury_does_leaves_the_trained_forecaster_as_it_was(monkeypatch):
    kept = []
    data = make_data()
    for practice in (0, 6):
        trainer = make_trainer(data)
        settings = QUICK.model_copy(update={"practice": practice})
        rank_by_dynst(
            trainer, settings, keep(trainer, 3), challengers={"other": challenger(9, 5, 11)}
        )
        kept.append(trainer.snapshot())
    assert torch.equal(kept[0].theta, kept[1].theta)
    assert all(
        torch.equal(kept[0].forecaster[k], kept[1].forecaster[k]) for k in kept[0].forecaster
    )


def test_candidates_are_practised_on_as_often_and_random_masks_too(monkeypatch):
    trainer = make_trainer(make_data())
    masks = [np.arange(12) < kept for kept in (3, 5, 12)]
    seen = []
    monkeypatch.setattr(
        trainer, "train", lambda steps, rate, drawn, **_: seen.append((steps, drawn(16)))
    )
    practise(trainer, 7, masks)
    ((steps, drawn),) = seen
    assert steps == 7
    sizes = drawn.sum(1).tolist()
    assert sorted(sizes[:12]) == [3] * 4 + [5] * 4 + [12] * 4
    assert len(sizes) == 16


def make_jury(trainer, windows=64):
    return Jury(trainer, CrossValidation(trainer.windows), windows)


def test_the_jury_weighs_training_validation_and_regression(monkeypatch):
    trainer = make_trainer(make_data())
    split = trainer.windows.split

    def mask_loss(mask, starts):
        assert len(starts) <= 64
        return (2.0 if starts[0] < split.bounds[0] else 3.0) if mask.sum() < 12 else 1.0

    monkeypatch.setattr(trainer, "mask_loss", mask_loss)
    monkeypatch.setattr(CrossValidation, "loss", lambda self, mask: 5.0 if mask.sum() < 12 else 1.0)
    jury = make_jury(trainer)
    assert jury.loss(np.ones(12, bool)) == 0
    assert jury.loss(np.arange(12) < 4) == pytest.approx(WEIGHTS @ np.log([2, 3, 5]))


@pytest.mark.parametrize("gain", [0.1, -0.1, 0.0])
def test_a_mask_is_refined_only_while_its_loss_falls(monkeypatch, gain):
    """The gradient always asks for region 11; the loss decides."""
    trainer = make_trainer(make_data())
    wish = np.arange(12, dtype=float)
    monkeypatch.setattr(trainer, "gate_gradient", lambda masks, starts: (-wish, 1.0))
    monkeypatch.setattr(CrossValidation, "loss", lambda self, mask: 1.0)
    monkeypatch.setattr(trainer, "mask_loss", lambda mask, starts: np.exp(-gain * mask[11]))
    jury, mask = make_jury(trainer), np.arange(12) < 4
    found, loss = jury.refine(mask, 16, keep(trainer, int(mask.sum())))
    assert found.sum() == 4
    assert found[11] == (gain > 0)
    assert loss == pytest.approx(gain / 2 - (gain / 2) * found[11])
    if gain <= 0:
        assert (found == mask).all()


def regressions(windows, mask, penalty):
    """The cross-validated squared error, by scikit-learn, block by block and target by target."""
    starts = np.concatenate([windows.split.train, windows.split.validation])
    batch = windows.batch(starts)
    inputs = lag_features(batch, mask, 1)
    future, valid = batch.future.numpy()[:, :, [0, -1]], batch.valid.numpy()[:, :, [0, -1]]
    targets = (future * windows.error_scale.numpy()).reshape(len(starts), -1)
    valid = valid.reshape(len(starts), -1)
    total = 0.0
    for block in np.array_split(np.arange(len(starts)), 4):
        first, last = starts[block[0]], starts[block[-1]]
        apart = (starts <= first - 6) | (starts >= last + 6)
        for target in range(targets.shape[1]):
            fitted, judged = apart & valid[:, target], block[valid[block, target]]
            model = Ridge(alpha=penalty).fit(inputs[fitted], targets[fitted, target])
            total += ((model.predict(inputs[judged]) - targets[judged, target]) ** 2).sum()
    return total / valid.sum()


@pytest.mark.parametrize(("gaps", "tolerance"), [(0.0, 1e-3), (0.3, 0.01)])
def test_cross_validation_against_regressions_one_by_one(monkeypatch, gaps, tolerance):
    """With gaps the inputs keep the windows in which a target is missing: nearly the same."""
    windows = cut_windows(make_data(8, gaps=gaps))
    mask = np.isin(np.arange(8), [0, 3, 5])
    for penalty in (1.0, 100.0):
        monkeypatch.setattr("sensorplan.rankers.dynst.cross_validation.PENALTIES", (penalty,))
        found = CrossValidation(windows).loss(mask)
        assert found == pytest.approx(regressions(windows, mask, penalty), rel=tolerance)


def test_cross_validation_with_more_features_than_windows():
    windows = cut_windows(make_sensor_data(times=70, nodes=40, calendar=None))
    validation = CrossValidation(windows)
    assert len(windows.split.train) < 2 * 40
    assert 0 < validation.loss(np.ones(40, bool)) < np.inf
    drivers, others = np.arange(40) < 3, np.arange(40) >= 37
    assert validation.loss(drivers) < validation.loss(others)


def test_a_challenger_keeps_none_that_training_never_observed():
    data = make_data(12)
    data.values[:300, 9] = np.nan
    trainer = make_trainer(data)
    found = rank_by_dynst(
        trainer, QUICK, keep(trainer, 3), challengers={"other": challenger(9, 5, 11)}
    )
    assert not found.mask[9]
    assert found.mask.sum() == 3


def test_stretches_are_drawn_by_their_share():
    trainer = make_trainer(make_data())
    split = trainer.windows.split
    training, validation = draw_stretches(trainer, 50)
    assert set(training.starts) <= set(split.train)
    assert set(validation.starts) <= set(split.validation)
    assert len(training.starts) + len(validation.starts) == 50
    share = len(split.validation) / (len(split.train) + len(split.validation))
    assert len(validation.starts) == round(50 * share)
    assert (training.weight, validation.weight) == pytest.approx((1 - share, share / 2))
    everything = draw_stretches(trainer, 10_000)
    assert [len(part.starts) for part in everything] == [len(split.train), len(split.validation)]


def test_the_relative_loss_does_not_depend_on_the_level_of_a_stretch(monkeypatch):
    """Where the loss is a hundred times larger, a rise by half still counts as a rise by half."""
    trainer = make_trainer(make_data())
    level = {False: 0.01, True: 1.0}  # validation or not

    def mask_loss(mask, starts):
        return level[starts[0] >= trainer.windows.split.bounds[0]] * (2 - mask.mean())

    monkeypatch.setattr(trainer, "mask_loss", mask_loss)
    stretches = draw_stretches(trainer, 40)
    all_kept, none = np.ones(12, bool), np.zeros(12, bool)
    rise = relative_loss(trainer, none, stretches) - relative_loss(trainer, all_kept, stretches)
    assert rise == pytest.approx(np.log(2) * sum(stretch.weight for stretch in stretches))


def test_a_probe_is_the_gradient_of_the_relative_loss(monkeypatch):
    trainer = make_trainer(make_data())
    ones = np.ones(12, np.float32)
    answers = iter([(3 * ones, 0.5), (8 * ones, 4.0)])
    monkeypatch.setattr(trainer, "gate_gradient", lambda masks, starts: next(answers))
    training, validation = draw_stretches(trainer, 40)
    gradient, theta = probe(trainer, np.ones(12, bool), 40)
    np.testing.assert_allclose(gradient, training.weight * 6 + validation.weight * 2, rtol=1e-6)
    np.testing.assert_array_equal(theta, ones)


def test_mask_training_that_made_it_worse_is_undone():
    trainer = trained(make_data(), 40)
    good = trainer.snapshot()
    trainer.train(10, 1.0, trainer.random_masks, keep_best=False)
    bad = trainer.snapshot()
    keep_better(trainer, good)
    assert torch.equal(trainer.snapshot().theta, good.theta)
    keep_better(trainer, bad)
    assert torch.equal(trainer.snapshot().theta, good.theta)
    assert not torch.equal(good.theta, bad.theta)


@pytest.mark.parametrize("budget", [2, 5])
def test_regions_never_observed_in_training_come_last(budget):
    data = make_data(6)
    data.values[:300, [1, 4, 5]] = np.nan
    found = rank(data, budget)
    assert found.ranking.order[3:].tolist() == [1, 4, 5]
    assert found.mask.sum() == budget
    assert np.isfinite(found.ranking.importance).all()
