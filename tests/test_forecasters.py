import functools
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import cut_windows, make_sensor_data, network_of
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorplan.errors import DataError
from sensorplan.forecasters import (
    FORECASTERS,
    Backbone,
    Sources,
    build_backbone,
    from_bytes,
    mixer,
    to_bytes,
)
from sensorplan.forecasters.network import identity_features, mode_loadings, nearest_by_correlation

pytestmark = pytest.mark.usefixtures("no_denormals")
WITHOUT_POSITIONS = {"graph": {"adaptive": True}}  # options that a backbone then needs
every_backbone = pytest.mark.parametrize("name", FORECASTERS)
every_network = pytest.mark.parametrize(
    "name", [name for name, backbone in FORECASTERS.items() if not backbone.closed_form]
)


def as_stations(nodes):
    return {"nodes": nodes}


def as_grid(nodes):
    rows = max(n for n in range(1, nodes) if nodes % n == 0 and n * n <= nodes)
    return {"grid": (rows, nodes // rows), "positions": True}


MADE_AS = {"conv": as_grid}


def make_data(name, nodes, **options):
    """Data of the kind that a backbone takes: stations, where it does not need another."""
    return make_sensor_data(**{**options, **MADE_AS.get(name, as_stations)(nodes)})


@functools.cache
def make_forecaster(name, nodes=7, channels=1, gaps=0.2, positions=True, times=160):
    """A forecaster with random weights, and the windows it was built for."""
    data = make_data(name, nodes, times=times, channels=channels, gaps=gaps, positions=positions)
    windows = cut_windows(data)
    torch.manual_seed(1)
    options = {} if positions else WITHOUT_POSITIONS.get(name, {})
    forecaster = build_backbone(name, options, network_of(windows, 1))
    with torch.no_grad():  # as after training: no weight is left at zero
        for parameter in forecaster.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return forecaster.eval(), windows


def masked(forecaster, batch, gate, targets=None):
    with torch.no_grad():
        return forecaster(batch.history, batch.seen, batch.calendar, gate, targets)


def compacted(forecaster, batch, gate):
    kept = torch.nonzero(gate)[:, 0]
    with torch.no_grad():
        return forecaster.compact(gate)(batch.history[:, kept], batch.seen[:, kept], batch.calendar)


def assert_same(found, expected):
    """Equal to float tolerance, relative to the size of the forecast."""
    assert found.shape == expected.shape
    scale = expected.abs().max()
    assert scale > 0.01
    assert (found - expected).abs().max() <= 1e-5 * scale


@every_backbone
@settings(max_examples=40)
@given(
    nodes=st.sampled_from([2, 3, 7, 30]),
    channels=st.sampled_from([1, 3]),
    gaps=st.sampled_from([0.0, 0.2, 0.9]),
    positions=st.booleans(),
    batch=st.sampled_from([1, 5]),
    seed=st.integers(0, 1000),
)
def test_compact_is_the_same_as_masked(name, nodes, channels, gaps, positions, batch, seed):
    forecaster, windows = make_forecaster(name, nodes, channels, gaps, positions)
    rng = torch.Generator().manual_seed(seed)
    gate = 2 * torch.rand(nodes, generator=rng) * (torch.rand(nodes, generator=rng) < 0.6)
    starts = windows.split.train[seed % 50 :][:batch]
    cut = windows.batch(starts)
    expected = masked(forecaster, cut, gate)
    assert expected.shape == (batch, nodes, 2 * channels)
    assert_same(compacted(forecaster, cut, gate), expected)
    assert_same(masked(forecaster, cut, gate.expand(batch, -1)), expected)


def test_some_windows_at_a_time_are_the_same(monkeypatch):
    forecaster, windows = make_forecaster("mixer")
    batch = windows.batch(windows.split.train[:5])
    gate = torch.tensor([1.0, 0, 0.7, 0, 1.3, 0, 1])
    together = compacted(forecaster, batch, gate)
    monkeypatch.setattr(mixer, "CACHED", 14)  # two windows
    assert_same(compacted(forecaster, batch, gate), together)


@every_backbone
def test_each_window_has_its_own_gate(name):
    forecaster, windows = make_forecaster(name)
    batch = windows.batch(windows.split.train[:3])
    gates = torch.tensor([[1.0] * 7, [0, 0, 0.5, 0, 1, 0, 0], [0.0] * 7])
    together = masked(forecaster, batch, gates)
    for window, gate in enumerate(gates):
        assert_same(together[window], masked(forecaster, batch, gate)[window])


@every_backbone
def test_a_pruned_region_has_no_influence_and_a_kept_one_has(name):
    forecaster, windows = make_forecaster(name, gaps=0.0)
    batch = windows.batch(windows.split.train[:4])
    gate = torch.tensor([1.0, 0, 0.7, 0, 1.3, 0, 1])
    before = masked(forecaster, batch, gate)
    for region in range(7):
        history, seen = batch.history.clone(), batch.seen.clone()
        history[:, region] += 3
        seen[:, region, ::2] = 0
        with torch.no_grad():
            after = forecaster(history, seen, batch.calendar, gate)
        if gate[region]:
            assert (after - before).abs().amax((0, 2)).min() > 1e-6  # on every target
        else:
            rounding = 1e-6 if name == "vit" else 0  # its softmax has seen the region
            assert (after - before).abs().max() <= rounding * before.abs().max()


@every_backbone
def test_targets_are_slices_of_the_whole_forecast(name):
    forecaster, windows = make_forecaster(name, channels=3)
    batch = windows.batch(windows.split.train[:4])
    gate = torch.tensor([1.0, 0, 0.7, 0, 1.3, 0, 1])
    targets = torch.tensor([5, 0, 6])
    assert_same(
        masked(forecaster, batch, gate, targets), masked(forecaster, batch, gate)[:, targets]
    )


reading_a_part = pytest.mark.parametrize(
    "name",
    [name for name in FORECASTERS if FORECASTERS[name].reads is not Backbone.reads],
)


@reading_a_part
@pytest.mark.parametrize("gaps", [0, 0.3])
def test_a_part_with_all_that_is_kept_forecasts_like_the_whole(name, gaps):
    forecaster, windows = make_forecaster(name, nodes=40, gaps=gaps)
    targets = torch.tensor([31, 2, 17])
    gate = torch.linspace(0.5, 1.5, 40) * (torch.arange(40) % 2)
    regions = torch.cat([forecaster.reads(targets), torch.nonzero(gate)[:, 0]]).unique()
    assert len(regions) < 40
    expected = masked(forecaster, windows.batch(windows.split.test[:5]), gate, targets)
    sources = Sources(regions, torch.ones(len(regions)))
    batch = windows.batch(windows.split.test[:5], targets, regions)
    with torch.no_grad():
        found = forecaster.forecast_from(
            sources, batch.history, batch.seen, batch.calendar, gate[regions], targets
        )
    assert_same(found, expected)


@reading_a_part
def test_a_region_counts_in_means_by_its_share(name):
    forecaster, windows = make_forecaster(name, nodes=40)
    targets, regions, batch = torch.tensor([31, 2, 17]), torch.arange(40), windows.batch([3, 9])
    far = next(region for region in range(40) if region not in forecaster.reads(targets))
    history = batch.history.clone()
    history[:, far] += 1
    changes = []
    for stands_for in (0.0, 1.0, 4.0):
        share = torch.ones(40)
        share[far] = stands_for
        with torch.no_grad():
            before, after = (
                forecaster.forecast_from(
                    Sources(regions, share),
                    seen,
                    batch.seen,
                    batch.calendar,
                    torch.ones(40),
                    targets,
                )
                for seen in (batch.history, history)
            )
        changes.append(float((after - before).abs().mean()))
    assert changes[0] == 0 < changes[1] < changes[2]


@every_backbone
@pytest.mark.parametrize("nodes", [2, 30])
def test_without_any_region_the_forecast_is_finite(name, nodes):
    forecaster, windows = make_forecaster(name, nodes)
    batch = windows.batch(windows.split.train[:4])
    nothing = torch.zeros(nodes)
    forecast = masked(forecaster, batch, nothing)
    assert torch.isfinite(forecast).all()
    assert_same(compacted(forecaster, batch, nothing), forecast)


@every_backbone
def test_a_network_with_nothing_seen_gives_a_finite_forecast(name):
    forecaster, windows = make_forecaster(name)
    batch = windows.batch(windows.split.train[:2])
    blank = torch.zeros_like(batch.history)
    forecast = forecaster(blank, blank, batch.calendar, torch.ones(7))
    assert torch.isfinite(forecast).all()
    if FORECASTERS[name].closed_form:
        return
    forecast.sum().backward()
    gradients = [p.grad for p in forecaster.parameters() if p.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    forecaster.zero_grad()


@every_backbone
def test_a_region_never_seen_gives_no_nan(name):
    data = make_data(name, 6)
    data.values[:, 4] = np.nan
    data.values[:, 1] = 5  # constant
    windows = cut_windows(data)
    torch.manual_seed(0)
    forecaster = build_backbone(name, {}, network_of(windows))
    batch = windows.batch(windows.split.train[:4])
    for gate in (torch.ones(6), torch.eye(6)[4], torch.eye(6)[1]):
        assert torch.isfinite(masked(forecaster, batch, gate)).all()


@every_backbone
def test_pruned_regions_have_a_gradient(name):
    """What regrowth goes by."""
    forecaster, windows = make_forecaster(name, gaps=0.0)
    batch = windows.batch(windows.split.train[:4])
    gate = torch.tensor([1.0, 0, 1, 0, 0, 0, 1], requires_grad=True)
    forecast = forecaster(batch.history, batch.seen, batch.calendar, gate)
    (gradient,) = torch.autograd.grad((forecast**2).mean(), gate)
    assert torch.isfinite(gradient).all()
    assert (gradient.abs() > 1e-8).all()


@every_network
@pytest.mark.parametrize("compact", [False, True])
def test_size_is_linear_in_the_regions(name, compact):
    sizes = []
    for nodes in (20, 40, 60):
        forecaster, _ = make_forecaster(name, nodes, gaps=0.0)
        module = forecaster.compact(torch.ones(nodes)) if compact else forecaster
        sizes.append(sum(tensor.numel() for tensor in module.state_dict().values()))
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0] > 0


@every_backbone
def test_a_compact_forecaster_is_smaller(name):
    forecaster, _ = make_forecaster(name, 60, gaps=0.0)
    gate = (torch.arange(60) < 6).float()
    few, all_ = (
        sum(tensor.numel() for tensor in forecaster.compact(g).state_dict().values())
        for g in (gate, torch.ones(60))
    )
    assert few < all_


@every_network
def test_the_seed_settles_a_forecaster(name):
    windows = cut_windows(make_data(name, 12, gaps=0.1))
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(build_backbone(name, {}, network_of(windows, seed)).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not all(torch.equal(states[0][key], states[2][key]) for key in states[0])


# The file


@functools.cache
def make_file(name="mixer"):
    forecaster, windows = make_forecaster(name)
    gate = torch.tensor([1.0, 0, 0.7, 0, 1.3, 0, 1])
    about = {"kept": ["S000", "Größe"], "lookback": 4}
    return to_bytes(name, forecaster.compact(gate), windows.scaling(), about), gate


@every_backbone
def test_the_file_gives_back_what_was_put_in(name):
    forecaster, windows = make_forecaster(name)
    content, gate = make_file(name)
    loaded, network, about = from_bytes(content, "x")
    assert about == {"kept": ["S000", "Größe"], "lookback": 4}
    assert network.keys() == {"observed", "level", "cycles", "error_scale", "unit"}
    for key, tensor in windows.scaling().items():
        assert torch.equal(network[key], tensor)
    batch = windows.batch(windows.split.test)
    kept = torch.nonzero(gate)[:, 0]
    with torch.no_grad():
        forecast = loaded(batch.history[:, kept], batch.seen[:, kept], batch.calendar)
    assert torch.equal(forecast, compacted(forecaster, batch, gate))


def with_header(text=None, **changes):
    """A file whose own header is another; None leaves a key out, or all of it."""
    content, _ = make_file()
    length = int.from_bytes(content[:8], "little")
    outer = json.loads(content[8 : 8 + length])
    if changes:
        header = {**json.loads(outer["__metadata__"]["sensorplan"]), **changes}
        text = json.dumps({key: value for key, value in header.items() if value is not None})
    outer["__metadata__"] = {} if text is None else {"sensorplan": text}
    new = json.dumps(outer).encode()
    return len(new).to_bytes(8, "little") + new + content[8 + length :]


def config(**changes):
    return {**make_forecaster("mixer")[0].compact(torch.ones(7)).config(), **changes}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no tensors at all",
        (2**60).to_bytes(8, "little"),
        make_file()[0][:-100],
        make_file()[0][:300],
        with_header(),
        with_header("{"),
        with_header("[]"),
        with_header(format=None),
        with_header(about=None),
        with_header(backbone="other"),
        with_header(config=[]),
        with_header(config=config(kept=3)),
        with_header(config=config(kept=-3)),
        with_header(config=config(kept="3")),
        with_header(config=config(colour=3)),
        with_header(config=config(sizes={"history": 4})),
        with_header(config=config(sizes=None)),
    ],
    ids=range(18),
)
def test_damaged_files(content):
    with pytest.raises(DataError, match=r"^model\[/x\]: no forecaster of sensorplan, or damaged"):
        from_bytes(content, "model[/x]")


def test_a_file_of_another_format():
    with pytest.raises(DataError, match=r"^x: format 3 is of another sensorplan; expected 2$"):
        from_bytes(with_header(format=3), "x")
    with pytest.raises(DataError, match=r"^x: format 1 is of an older .*; fit the plan again$"):
        from_bytes(with_header(format=1), "x")


def test_the_same_forecaster_gives_the_same_bytes():
    assert len({make_file()[0] for _ in range(5)}) == 1


@settings(max_examples=150)
@given(st.data())
def test_damage_to_the_header_is_noticed_or_harmless(data):
    content, _ = make_file()
    length = int.from_bytes(content[:8], "little")
    at = data.draw(st.integers(0, 8 + length - 1))
    damaged = bytearray(content)
    damaged[at] ^= data.draw(st.integers(1, 255))
    try:
        loaded, _, _ = from_bytes(bytes(damaged), "x")
    except DataError:
        return
    assert isinstance(loaded, torch.nn.Module)


# What a backbone knows of the network


def make_network(times=600, nodes=10, gaps=0.0, channels=1, seed=0):
    return network_of(
        cut_windows(
            make_sensor_data(times=times, nodes=nodes, gaps=gaps, channels=channels, seed=seed)
        )
    )


@pytest.mark.parametrize("channels", [1, 2])
def test_loadings_give_the_correlations(channels):
    network = make_network(nodes=8, channels=channels)
    loadings = mode_loadings(network, 16, 0)
    assert loadings.shape[0] == 8
    expected = sum(np.corrcoef(network.anomalies[..., channel].T) for channel in range(channels))
    found = loadings @ loadings.T
    off = ~np.eye(8, dtype=bool)
    assert np.abs(found - expected)[off].max() < 0.15 * channels
    assert np.corrcoef(found[off], expected[off])[0, 1] > 0.97


def test_loadings_with_gaps_are_close_to_those_without():
    whole, gappy = make_network(times=1500), make_network(times=1500, gaps=0.4)
    with_gaps, without = (mode_loadings(network, 4, 0) for network in (gappy, whole))
    difference = with_gaps @ with_gaps.T - without @ without.T
    assert np.abs(difference).mean() < 0.08
    # Gaps taken as zeros would let correlations fall far more.
    taken_as_seen = replace(gappy, valid=np.ones_like(gappy.valid))
    zeros = mode_loadings(taken_as_seen, 4, 0)
    assert np.abs(zeros @ zeros.T - without @ without.T).mean() > 3 * np.abs(difference).mean()


def test_loadings_are_settled_by_the_seed():
    network = make_network(gaps=0.2)
    np.testing.assert_array_equal(mode_loadings(network, 4, 3), mode_loadings(network, 4, 3))


def test_loadings_of_a_region_never_seen_are_zero():
    network = make_network()
    network.valid[:, 2], network.anomalies[:, 2] = False, 0
    loadings = mode_loadings(network, 4, 0)
    assert np.isfinite(loadings).all()
    assert np.abs(loadings[2]).max() < 1e-6


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(("regions", "count"), [(2, 8), (5, 8), (9, 8), (40, 8), (40, 1)])
def test_neighbours_are_those_of_the_largest_products(regions, count, large, monkeypatch):
    if large:
        monkeypatch.setattr("sensorplan.forecasters.network.TOGETHER", 1)
    loadings = np.random.default_rng(regions).normal(size=(regions, 5)).astype(np.float32)
    found, correlation = nearest_by_correlation(loadings, count)
    products = loadings @ loadings.T
    np.fill_diagonal(products, -np.inf)
    expected = np.argsort(-products, axis=1)[:, : min(count, regions - 1)]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(
        correlation, np.take_along_axis(products, expected, 1), rtol=1e-4, atol=1e-5
    )


def test_a_region_is_never_its_own_neighbour():
    same = np.tile(np.float32([[1, 2, 0]]), (12, 1))  # duplicates: everything ties
    same[3] *= 0.01  # own row is not among the nearest
    same[4] = 0  # never seen
    found, _ = nearest_by_correlation(same, 4)
    assert found.shape == (12, 4)
    assert not (found == np.arange(12)[:, None]).any()
    assert all(len(set(row)) == 4 for row in found.tolist())


def test_identity_features():
    loadings = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    alone = identity_features(loadings, None)
    assert alone.shape == (5, 3)
    assert np.abs(alone).max() == pytest.approx(1)
    positions = np.column_stack([np.arange(5.0), 10 * np.arange(5.0)])
    positions[2] = np.nan
    placed = identity_features(loadings, positions)
    assert placed.shape == (5, 3 + 2 + 8)
    assert np.isfinite(placed).all()
    assert np.abs(placed).max() <= 1 + 1e-6
    assert len({tuple(row) for row in placed[:, 3:].round(5).tolist()}) == 5
    np.testing.assert_array_equal(identity_features(loadings, np.full((5, 2), np.nan)), alone)
    assert np.isfinite(identity_features(0 * loadings, np.ones((5, 2)))).all()
