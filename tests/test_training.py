import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import cut_windows, make_sensor_data, make_trainer

from sensorplan.devices import choose_device, prepare_torch
from sensorplan.errors import TrainingError
from sensorplan.journal import Journal, UnderWay
from sensorplan.packing import fingerprint, pack, unpack
from sensorplan.recipe import TrainingSettings
from sensorplan.sampling import fitting_windows, random_masks
from sensorplan.training import Trainer

pytestmark = pytest.mark.usefixtures("no_denormals")


def full(trainer):
    return lambda batch: torch.ones(batch, trainer.windows.regions)


def planted(**options):
    return make_sensor_data(times=300, nodes=8, calendar=None, **options)


# Masks


@pytest.mark.parametrize("regions", [2, 7, 100, 1000])
def test_random_masks_are_of_all_sizes(regions):
    masks = random_masks(np.random.default_rng(0), 2000, regions)
    assert masks.shape == (2000, regions)
    assert masks.dtype == np.float32
    assert set(np.unique(masks)) <= {0, 1}
    sizes = masks.sum(1)
    assert sizes.min() >= max(1, math.floor(0.02 * regions))
    share_full = (sizes == regions).mean()
    assert share_full > 0.13
    if regions >= 100:
        assert share_full < 0.19
        assert sizes.min() < 0.03 * regions
        # Log-uniform: as many between 2 % and 14 % as between 14 % and 100 %.
        partial = sizes[sizes < regions]
        assert (partial < math.sqrt(0.02) * regions).mean() == pytest.approx(0.5, abs=0.05)
    np.testing.assert_allclose(masks.mean(0), masks.mean(), atol=0.06)  # no region is favoured


def test_random_masks_are_settled_by_the_seed():
    one, same, other = (random_masks(np.random.default_rng(s), 9, 30) for s in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


# Loss


def test_loss_is_the_weighted_mean_over_valid_targets():
    trainer = make_trainer(planted(gaps=0.3, channels=2))
    windows = trainer.windows
    batch = windows.batch(windows.split.train[:5])
    gate = torch.ones(8)
    forecast = trainer.forecaster(batch.history, batch.seen, batch.calendar, gate).detach().numpy()
    total = weights = 0.0
    for window, region, feature in np.ndindex(*forecast.shape):
        if batch.valid[window, region, feature]:
            weight = float(windows.loss_weight[region, feature % 2])
            error = forecast[window, region, feature] - float(batch.future[window, region, feature])
            total += weight * error**2
            weights += weight
    assert trainer.loss(batch, gate).item() == pytest.approx(total / weights, rel=1e-5)


def test_invalid_targets_do_not_count():
    trainer = make_trainer(planted(gaps=0.3))
    batch = trainer.windows.batch(trainer.windows.split.train[:5])
    future = torch.where(batch.valid, batch.future, 1e6)
    assert torch.equal(
        trainer.loss(batch, torch.ones(8)),
        trainer.loss(replace(batch, future=future), torch.ones(8)),
    )
    wrong = batch.future + batch.valid
    assert trainer.loss(replace(batch, future=wrong), torch.ones(8)) != trainer.loss(
        batch, torch.ones(8)
    )


def test_loss_of_some_targets_is_that_of_these_alone():
    trainer = make_trainer(planted(gaps=0.3))
    batch = trainer.windows.batch(trainer.windows.split.train[:5])
    targets = torch.tensor([6, 2])
    alone = torch.zeros_like(batch.valid)
    alone[:, targets] = batch.valid[:, targets]
    expected = trainer.loss(replace(batch, valid=alone), torch.ones(8))
    cut = trainer.windows.batch(trainer.windows.split.train[:5], targets)
    found = trainer.loss(cut, torch.ones(8), targets)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_loss_without_a_valid_target_is_zero():
    trainer = make_trainer(planted())
    batch = trainer.windows.batch(trainer.windows.split.train[:5])
    nothing = replace(batch, valid=torch.zeros_like(batch.valid))
    assert trainer.loss(nothing, torch.ones(8)).item() == 0


def test_validation_loss_is_the_mean_over_windows_each_under_its_mask():
    trainer = make_trainer(planted(), batch_size=3)
    starts = trainer.windows.split.validation
    masks = torch.from_numpy(random_masks(np.random.default_rng(0), len(starts), 8))
    each = [
        trainer.loss(trainer.windows.batch(starts[i : i + 1]), masks[i]).item()
        for i in range(len(starts))
    ]
    assert trainer.validation_loss(masks) == pytest.approx(np.mean(each), rel=1e-4)
    assert trainer.validation_loss(torch.ones(8)) == pytest.approx(
        trainer.validation_loss(torch.ones(len(starts), 8)), rel=1e-5
    )


# Training


def test_training_learns_what_the_drivers_foretell():
    trainer = make_trainer(planted())
    windows = trainer.windows
    masks = full(trainer)(len(windows.split.validation))
    before = trainer.validation_loss(masks)
    after = trainer.train(120, 5e-3, full(trainer))
    assert after == pytest.approx(trainer.validation_loss(masks))
    batch = windows.batch(windows.split.validation)
    weight = windows.loss_weight.repeat(1, 2) * batch.valid
    climatology = ((batch.future**2 * weight).sum() / weight.sum()).item()
    assert after < 0.6 * climatology < before


def test_training_goes_back_to_the_best_state():
    """A learning rate far too large only makes it worse, so it ends where it began."""
    trainer = make_trainer(planted())
    trainer.train(60, 5e-3, full(trainer))
    before, loss = trainer.snapshot(), trainer.validation_loss(torch.ones(8))
    assert trainer.train(20, 3.0, full(trainer)) == pytest.approx(loss)
    after = trainer.snapshot()
    assert torch.equal(before.theta, after.theta)
    for name, tensor in before.forecaster.items():
        assert torch.equal(tensor, after.forecaster[name])
    trainer.train(20, 3.0, full(trainer), keep_best=False)
    assert trainer.validation_loss(torch.ones(8)) > loss


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 7, 14])
def test_any_number_of_steps(steps):
    trainer = make_trainer(planted())
    done = []
    loss = trainer.train(steps, 1e-3, trainer.random_masks, each_step=done.append)
    assert done == list(range(1, steps + 1))
    assert np.isfinite(loss)


def test_a_batch_is_never_larger_than_the_training_stretch():
    trainer = make_trainer(planted(), batch_size=10_000)
    sizes = []

    def masks(batch):
        sizes.append(batch)
        return torch.ones(batch, 8)

    trainer.train(2, 1e-3, masks)
    assert sizes[1:] == [len(trainer.windows.split.train)] * 2


def test_the_same_seed_gives_the_same_weights():
    states = []
    for seed in (0, 0, 1):
        trainer = make_trainer(planted(gaps=0.1), seed=seed)
        trainer.train(10, 1e-3, trainer.random_masks)
        states.append(trainer.snapshot())
    one, same, other = states
    assert torch.equal(one.theta, same.theta)
    assert all(torch.equal(one.forecaster[k], same.forecaster[k]) for k in one.forecaster)
    assert not all(torch.equal(one.forecaster[k], other.forecaster[k]) for k in one.forecaster)


def test_the_penalty_lowers_theta_of_kept_regions():
    sizes = []
    for penalty in (0.0, 5.0):
        trainer = make_trainer(planted())
        mask = torch.tensor([1.0, 0, 1, 1, 1, 1, 1, 1])
        trainer.train(
            15,
            1e-2,
            lambda batch, mask=mask: mask.expand(batch, -1),
            penalty=penalty,
            keep_best=False,
        )
        sizes.append(trainer.theta.detach())
    assert sizes[1][mask == 1].mean() < sizes[0][mask == 1].mean() - 0.01
    assert sizes[1][1] == pytest.approx(sizes[0][1].item())  # off: only weight decay


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number(value):
    trainer = make_trainer(planted())
    with torch.no_grad():
        next(iter(trainer.forecaster.parameters())).fill_(value)
    with pytest.raises(TrainingError, match=r"the training loss is (nan|inf) at step 1; .*finite"):
        trainer.train(5, 1e-3, trainer.random_masks)


def test_validation_and_test_windows_are_not_trained_on():
    data = planted()
    first = make_trainer(data).windows.split.bounds[0]
    later = data.values.copy()
    later[first:] = 500
    states = []
    for values in (data.values, later):
        trainer = make_trainer(replace(data, values=values))
        trainer.train(5, 1e-3, full(trainer), keep_best=False)
        states.append(trainer.snapshot().forecaster)
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


# Gradients and states


def test_gate_gradient_against_finite_differences():
    trainer = make_trainer(planted(), batch_size=4)  # several parts
    trainer.train(20, 3e-3, trainer.random_masks)
    trainer.forecaster.double()
    windows = trainer.windows
    windows = replace(
        windows,
        series=replace(windows.series, anomalies=windows.series.anomalies.double()),
        calendar=windows.calendar.double(),
        loss_weight=windows.loss_weight.double(),
    )
    trainer.windows, trainer._weight = windows, trainer._weight.double()
    starts = windows.split.train[:20]
    mask = torch.tensor([1.0, 0, 1, 0, 1, 1, 0, 1], dtype=torch.float64)
    theta = trainer.theta.detach().double()
    found, mean_loss = trainer.gate_gradient(mask.expand(20, -1), starts)

    def loss(gate):
        batch = windows.batch(starts)
        batch = replace(batch, seen=batch.seen.double())
        return trainer.loss(batch, gate).item()

    for region in range(8):
        step = torch.zeros(8, dtype=torch.float64)
        step[region] = 1e-4
        expected = (loss(theta * mask + step) - loss(theta * mask - step)) / 2e-4
        assert found[region] == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert (np.abs(found) > 1e-6).all()
    assert mean_loss == pytest.approx(loss(theta * mask), rel=1e-6)


def test_gate_gradient_changes_nothing():
    trainer = make_trainer(planted())
    before = trainer.snapshot()
    trainer.gate_gradient(torch.ones(5, 8), trainer.windows.split.train[:5])
    after = trainer.snapshot()
    assert torch.equal(before.theta, after.theta)
    assert all(p.grad is None for p in [*trainer.forecaster.parameters(), trainer.theta])


def test_a_snapshot_is_a_copy_that_restores():
    trainer = make_trainer(planted())
    masks = torch.ones(8)
    before, loss = trainer.snapshot(), trainer.validation_loss(masks)
    trainer.train(5, 1e-2, full(trainer), keep_best=False)
    assert trainer.validation_loss(masks) != loss
    trainer.restore(before)
    assert trainer.validation_loss(masks) == loss


class KilledError(Exception):
    pass


class Count:
    """A companion: how many steps there were."""

    def __init__(self):
        self.steps = 0

    def state(self):
        return {"steps": self.steps}

    def restore(self, state):
        self.steps = state["steps"]


class Stopping(Journal):
    """Keeps the state after some step, as a checkpoint does, and stops there."""

    def __init__(self, stop=None, state=None):
        super().__init__()
        self.stop, self.kept = stop, state

    def step(self, name, compute):
        def offer(number, state):
            if number == self.stop:
                self.kept = pack(state())
                raise KilledError

        state = None if self.kept is None else unpack(self.kept)
        return compute(UnderWay(state, offer))


@pytest.mark.parametrize("keep_best", [True, False])
@pytest.mark.parametrize("backbone", ["mixer", "graph", "vit"])
@pytest.mark.parametrize("stop", [1, 9, 14])
def test_a_training_goes_on_from_its_state(backbone, stop, keep_best):
    """With another trainer, whose weights and random stream were others."""
    windows = cut_windows(planted(gaps=0.1))
    settings = TrainingSettings(batch_size=8, backbone=backbone)

    def train(journal, seed):
        trainer, count = Trainer(windows, settings, seed, journal=journal), Count()
        steps = []

        def each_step(step):
            steps.append(step)
            count.steps += 1

        def run():
            return trainer.train(
                14,
                3e-3,
                trainer.random_masks,
                penalty=1e-3,
                each_step=each_step,
                keep_best=keep_best,
                companion=count,
            )

        return trainer, count, steps, run

    trainer, count, steps, run = train(Journal(), seed=0)
    loss = run()
    stopping = Stopping(stop)
    with pytest.raises(KilledError):
        train(stopping, seed=0)[-1]()
    other, other_count, other_steps, run = train(Stopping(state=stopping.kept), seed=7)
    assert run() == loss
    assert other_steps == steps[stop:]
    assert other_count.steps == count.steps == 14
    assert fingerprint(other.state()) == fingerprint(trainer.state())


def test_what_is_remembered_leaves_the_stream_as_it_was_after_it(tmp_path):
    drawn = []
    for _ in range(2):
        with Journal(tmp_path, 1e-9) as journal:
            journal.open(lambda: {"run": "a"})
            trainer = Trainer(cut_windows(planted()), TrainingSettings(), 0, journal=journal)
            first = trainer.remember("draw", lambda trainer=trainer: trainer.rng.random(3))
            drawn.append([*first, trainer.rng.random()])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 4


def test_forecast_takes_the_kept_regions_by_theta():
    trainer = make_trainer(planted())
    with torch.no_grad():
        trainer.theta.mul_(torch.linspace(0.5, 1.5, 8))
    mask = np.arange(8) % 3 == 0
    batch = trainer.windows.batch(trainer.windows.split.test)
    expected = trainer.forecaster(
        batch.history, batch.seen, batch.calendar, trainer.theta * torch.from_numpy(mask)
    )
    torch.testing.assert_close(trainer.forecast(mask)(batch), expected)


def sample_regions(monkeypatch, most, targets):
    """Let networks of more than so many regions be large, and steps judge so many."""
    monkeypatch.setattr("sensorplan.gating.MANY", most)
    monkeypatch.setattr("sensorplan.gating.TARGETS_PER_STEP", targets)


def test_a_step_on_a_large_network_reads_a_sample_of_it(monkeypatch):
    sample_regions(monkeypatch, 12, 2)
    trainer = make_trainer(make_sensor_data(times=200, nodes=60, gaps=0.2))
    mask = torch.zeros(4, 60)
    mask[0, ::2], mask[1:, ::4] = 1, 1
    targets = trainer._some_targets()
    regions, share = trainer._sources(mask, targets, trainer.rng)
    needed = {*targets.tolist(), *trainer.neighbours[targets].flatten().tolist()}
    drawn = set(regions[share > 0].tolist())
    assert regions.tolist() == sorted(needed | drawn)
    assert len(drawn) == 12
    assert not any(region % 2 for region in drawn)  # those that no mask keeps are left out
    assert share[share > 0].tolist() == [30 / 12] * 12
    other = trainer._sources(mask, targets, trainer.rng)
    assert set(other.regions[other.share > 0].tolist()) != drawn


def test_small_networks_and_other_backbones_are_read_whole(monkeypatch):
    data = make_sensor_data(times=200, nodes=40)
    sample_regions(monkeypatch, 40, 2)
    trainer = make_trainer(data)
    assert trainer._sources(torch.ones(1, 40), trainer._some_targets(), trainer.rng) is None
    sample_regions(monkeypatch, 12, 2)
    trainer = make_trainer(data, backbone="vit")
    assert trainer._sources(torch.ones(1, 40), trainer._some_targets(), trainer.rng) is None


def test_masks_that_are_nearly_the_same_are_judged_on_nearly_the_same_sample(monkeypatch):
    sample_regions(monkeypatch, 12, 2)
    trainer = make_trainer(make_sensor_data(times=200, nodes=60))
    targets, one = trainer._fixed_targets(), torch.ones(60)
    other = one.clone()
    drawn = []
    for mask in (one, other):
        regions, share = trainer._sources(mask, targets, np.random.default_rng(0))
        drawn.append(set(regions[share > 0].tolist()))
        other[next(iter(drawn[0]))] = 0
    assert len(drawn[0] & drawn[1]) == 11
    assert len(drawn[1]) == 12


def test_the_loss_of_a_small_mask_reads_all_that_it_keeps(monkeypatch):
    data = make_sensor_data(times=200, nodes=60, gaps=0.2)
    whole = make_trainer(data)
    mask, starts = np.arange(60) % 3 == 0, whole.windows.split.validation
    monkeypatch.setattr("sensorplan.gating.TARGETS_PER_STEP", 2)
    expected = whole.mask_loss(mask, starts)
    assert whole.mask_loss(np.zeros(60, bool), starts) != expected
    sample_regions(monkeypatch, 20, 2)
    trainer, read = make_trainer(data), []
    cut = trainer.windows.series.at
    monkeypatch.setattr(
        type(trainer.windows.series),
        "at",
        lambda self, steps, regions=None: read.append(regions) or cut(steps, regions),
    )
    assert trainer.mask_loss(mask, starts) == pytest.approx(expected, rel=1e-5)
    sources = read[0]
    assert set(np.flatnonzero(mask)) <= set(sources.tolist())
    assert len(sources) < 60


def test_training_on_samples_learns_as_training_on_all(monkeypatch):
    data = make_sensor_data(times=400, nodes=60, calendar=None)
    losses = []
    for most in (1000, 16):
        sample_regions(monkeypatch, most, 12)
        trainer = make_trainer(data)
        masks = torch.ones(len(trainer._validation_sample()), 60)
        before = trainer.validation_loss(masks)
        trainer.train(150, trainer.rate, trainer.random_masks)
        losses.append(trainer.validation_loss(masks) / before)
    assert losses[0] < 0.9
    assert losses[1] < losses[0] + 0.3 * (1 - losses[0])


def test_many_regions_are_sampled(monkeypatch):
    monkeypatch.setattr("sensorplan.gating.TARGETS_PER_STEP", 3)
    trainer = make_trainer(planted())
    targets = trainer._some_targets()
    assert len(set(targets.tolist())) == 3
    fixed = trainer._fixed_targets()
    assert len(set(fixed.tolist())) == 6
    assert torch.equal(fixed, trainer._fixed_targets())
    assert np.isfinite(trainer.train(10, 1e-3, trainer.random_masks))
    assert np.isfinite(trainer.gate_gradient(torch.ones(4, 8), np.arange(4))[0]).all()


# Machine


def test_fitting_windows_fall_with_the_regions():
    sizes = [fitting_windows(32, regions) for regions in (2, 1024, 2048, 10**6)]
    assert sizes == [32, 32, 16, 8]
    assert fitting_windows(256, 4096, 64) == 64


def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == torch.device("cpu")
    for name in ("cuda", "mps"):
        with pytest.raises(
            TrainingError, match=rf"^--device {name}: not on this machine; available: auto, cpu$"
        ):
            choose_device(name)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("mps")
    with pytest.raises(TrainingError, match=r"available: auto, mps, cpu$"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("cuda")


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (3, 3), (64, 8)])
def test_threads_are_the_cores_that_are_there(monkeypatch, cores, threads):
    chosen = []
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(cores)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    prepare_torch()
    assert chosen == [threads]
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    prepare_torch()
    assert chosen == [threads]
    assert torch.tensor(1e-40) * 1 == 0  # denormals are flushed
