"""The sketch against the SVD of the whole history, which these are small enough for."""

import tracemalloc

import numpy as np
import pytest
from scipy.linalg import subspace_angles

from sensorplan import sketch as sketching
from sensorplan.forecasters import Network
from sensorplan.forecasters.network import mode_loadings
from sensorplan.regions import Topology
from sensorplan.sketch import leading_modes, sketch_loadings
from sensorplan.stretch import Stretch

MODES = 4


def planted(steps=1500, regions=60, channels=1, gaps=0.0, outages=0.0, seed=0):
    """Anomalies of a few sources and noise, ``[step, region, channel]``, and where they are valid.

    Gaps are single values; with outages, most regions miss one run of so large a share of time.
    """
    rng = np.random.default_rng(seed)
    shapes = rng.normal(size=(MODES, regions * channels)) * [[1.0], [0.8], [0.6], [0.5]]
    series = rng.normal(size=(steps, MODES)) @ shapes
    series = series + 0.5 * rng.normal(size=series.shape)
    series = (series / series.std(0)).reshape(steps, regions, channels).astype(np.float32)
    valid = rng.random(series.shape) >= gaps
    length = int(outages * steps)
    for region in np.flatnonzero(rng.random(regions) < 0.7):
        first = rng.integers(0, steps - length + 1)
        valid[first : first + length, region] = False
    return series, valid


def on_disk(series, valid, most_values=60 * 100, reads=None, **options):
    """As if it were read from a file, a hundred steps at a time."""

    def read(steps):
        if reads is not None:
            reads.append(len(steps))
        return np.where(valid[steps], series[steps], 0), valid[steps]

    return Stretch(series.shape, most_values, read, **options)


def in_memory(series, valid, modes=MODES):
    network = Network(1, 1, np.where(valid, series, 0), valid, 0, Topology())
    return mode_loadings(network, modes, 0)


def svd_shapes(series):
    return np.linalg.svd(series.reshape(len(series), -1), full_matrices=False)[2][:MODES].T


def degrees_between(one, other):
    """The largest principal angle."""
    return np.degrees(subspace_angles(one.astype(float), other.astype(float))[0])


@pytest.mark.parametrize("options", [{}, {"steps": 40, "regions": 200}, {"channels": 2}])
def test_without_gaps_it_is_the_svd_of_the_whole(options):
    series, valid = planted(**options)
    flat = series.reshape(len(series), -1)
    _, lengths, shapes = np.linalg.svd(flat, full_matrices=False)
    found = leading_modes(on_disk(series, valid), MODES)
    expected = shapes[:MODES].T * lengths[:MODES] / np.sqrt(len(series))
    np.testing.assert_allclose(np.abs((found * expected).sum(0)), (expected**2).sum(0), rtol=1e-3)
    assert degrees_between(found, expected) < 1


@pytest.mark.parametrize("options", [{}, {"channels": 2}, {"steps": 300, "regions": 7}])
def test_without_gaps_loadings_are_those_in_memory(options):
    history = planted(**options)
    found, expected = sketch_loadings(on_disk(*history), MODES), in_memory(*history)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=2e-3)


@pytest.mark.parametrize(
    ("options", "most"),
    [({"gaps": 0.4}, 4), ({"outages": 0.6}, 8), ({"gaps": 0.3, "outages": 0.5}, 8)],
)
def test_with_gaps_it_is_near_the_svd_of_what_was_there(options, most):
    series, valid = planted(**options)
    exact = svd_shapes(series)
    found = degrees_between(sketch_loadings(on_disk(series, valid), MODES), exact)
    assert found < most
    assert found < 1.2 * degrees_between(in_memory(series, valid), exact)
    assert found < degrees_between(leading_modes(on_disk(series, valid), MODES), exact) / 2


def test_loadings_are_the_correlations_however_many_gaps_there_are():
    series, valid = planted(gaps=0.4, outages=0.4)
    loadings = sketch_loadings(on_disk(series, valid), MODES)
    exact = in_memory(series, np.ones_like(valid))
    off = ~np.eye(60, dtype=bool)
    assert np.abs(loadings @ loadings.T - exact @ exact.T)[off].mean() < 0.04


def test_pooled_channels_are_further_samples():
    series, valid = planted(channels=3, gaps=0.2)
    rows = [array.transpose(0, 2, 1).reshape(-1, 60, 1) for array in (series, valid)]
    found = sketch_loadings(on_disk(series, valid, pooled=True), MODES)
    expected = sketch_loadings(on_disk(*rows), MODES)
    assert found.shape == (60, MODES)
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-3)


def test_a_series_never_observed_has_no_loadings_and_is_no_gap():
    series, valid = planted()
    valid[:, 3] = False
    reads = []
    loadings = sketch_loadings(on_disk(series, valid, reads=reads), MODES)
    assert np.isfinite(loadings).all()
    assert np.abs(loadings[3]).max() < 1e-5
    assert sum(reads) == (sketching.PASSES + 1) * len(series)


def test_a_series_that_begins_late_is_fitted_where_it_was_observed():
    """Whole parts without it, and no part with a gap."""
    series, valid = planted()
    valid[:1000, 3] = False
    loadings = sketch_loadings(on_disk(series, valid), MODES)
    exact = in_memory(series, np.ones_like(valid))
    products = loadings[3] @ np.delete(loadings, 3, 0).T
    np.testing.assert_allclose(products, exact[3] @ np.delete(exact, 3, 0).T, atol=0.1)


def test_sums_of_some_series_at_a_time_are_the_same(monkeypatch):
    history, reads = planted(300, gaps=0.2), []
    whole = sketch_loadings(on_disk(*history), MODES)
    monkeypatch.setattr(sketching, "VALUES_A_SUM", 1)  # ten products for each of 17 series
    parted = sketch_loadings(on_disk(*history, most_values=170, reads=reads), MODES)
    np.testing.assert_allclose(parted @ parted.T, whole @ whole.T, atol=1e-4)
    assert sum(reads) == (sketching.PASSES + 4 * sketching.SWEEPS) * 300


def test_the_same_history_has_the_same_sketch_and_is_read_once():
    history, reads = planted(gaps=0.2), []
    stretch = on_disk(*history, reads=reads)
    first = sketch_loadings(stretch, MODES)
    passes = len(reads)
    np.testing.assert_array_equal(sketch_loadings(stretch, MODES), first)
    assert len(reads) == passes
    np.testing.assert_array_equal(sketch_loadings(on_disk(*history), MODES), first)


def test_more_modes_than_there_are_do_no_harm():
    rng = np.random.default_rng(0)
    series = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 20))
    series = (series / series.std(0))[..., None].astype(np.float32)
    history = series, rng.random(series.shape) > 0.1
    exact = series[..., 0].T @ series[..., 0] / 300
    errors = [
        np.abs(loadings @ loadings.T - exact).mean()
        for loadings in (sketch_loadings(on_disk(*history), 16), in_memory(*history, 16))
    ]
    assert errors[0] < 1.1 * errors[1]


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_nothing_as_long_as_the_history_is_held(gaps):
    """Of 40 MB; the scores of all steps on the modes, with oversamples, would be 11 MB alone."""
    steps, regions = 200_000, 50
    rng = np.random.default_rng(0)
    block = rng.normal(size=(1000, regions, 1)).astype(np.float32)
    valid = rng.random(block.shape) >= gaps

    def read(asked):
        here = np.asarray(asked) % 1000
        return np.where(valid[here], block[here], 0), valid[here]

    stretch = Stretch((steps, regions, 1), 100_000, read)
    sketch_loadings(on_disk(*planted(100)), MODES)  # what Dask takes to load is not measured
    tracemalloc.start()
    try:
        sketch_loadings(stretch, MODES)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 9e6
