from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from factories import cut_windows, make_sensor_data
from scipy.linalg import qr

from sensorplan.errors import DataError
from sensorplan.rankers import RANKERS, History, make_history
from sensorplan.rankers import moments as moments_module
from sensorplan.rankers.moments import NUGGET, covariance, network_modes
from sensorplan.rankers.selection import select_forward
from sensorplan.recipe.settings import Method

every_ranker = pytest.mark.parametrize("name", RANKERS)


def make(nodes=12, *, seed=0, change=None, **options):
    """The history of a planted network; `change` edits its values ``[time, node, channel]``."""
    data = make_sensor_data(times=400, nodes=nodes, seed=seed, calendar=None, **options)
    values = data.values.copy()
    if change:
        change(values)
    windows = cut_windows(replace(data, values=values))
    return make_history(windows, geographic=True, seed=seed)


def make_plain(series, **changes):
    """The history of ``[time, region]`` series, as they are; NaN is missing."""
    valid = np.isfinite(series)[..., None]
    anomalies = np.where(valid, series[..., None], 0).astype(np.float32)
    history = History(anomalies, valid, np.ones((series.shape[1], 1)), None, False, 2, 0)
    return replace(history, **changes)


def mixed(times=300, regions=9, sources=4, seed=0):
    """Series of a few shared sources and some noise, of unit variance."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(sources, regions))
    series = rng.normal(size=(times, sources)) @ mixing + 0.5 * rng.normal(size=(times, regions))
    return series / series.std(0)


def assert_ranks(ranking, regions):
    assert sorted(ranking.order.tolist()) == list(range(regions))
    by_rank = ranking.importance[ranking.order]
    assert np.isfinite(by_rank).all()
    assert (np.diff(by_rank) <= 0).all()
    assert by_rank[0] == 1
    assert by_rank[-1] >= 0
    for budget in range(regions):
        assert not (ranking.keep(budget) & ~ranking.keep(budget + 1)).any()


def constant(values):
    values[:, 4] = 7


def no_change(values):
    pass


@every_ranker
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("gaps", [0.0, 0.3])
@pytest.mark.parametrize("change", [no_change, constant])
def test_a_ranking_is_a_permutation_with_falling_importance(name, channels, gaps, change):
    assert_ranks(RANKERS[name](make(channels=channels, gaps=gaps, change=change)), 12)


@every_ranker
def test_the_same_history_gives_the_same_ranking(name):
    one, same = (RANKERS[name](make(gaps=0.2)) for _ in range(2))
    np.testing.assert_array_equal(one.order, same.order)
    np.testing.assert_array_equal(one.importance, same.importance)


@every_ranker
def test_regions_never_observed_come_last_in_index_order(name):
    def never(values):
        values[:, [7, 2, 5]] = np.nan

    ranking = RANKERS[name](make(change=never))
    assert_ranks(ranking, 12)
    assert ranking.order[-3:].tolist() == [2, 5, 7]
    assert (ranking.importance[[2, 5, 7]] == 0).all()


@every_ranker
@pytest.mark.parametrize("nodes", [2, 3])
def test_the_smallest_networks_are_ranked(name, nodes):
    assert_ranks(RANKERS[name](make(nodes, drivers=1)), nodes)


@every_ranker
def test_the_test_stretch_is_not_seen(name):
    def later(values):
        values[320:] = np.random.default_rng(9).normal(size=values[320:].shape)

    one, other = RANKERS[name](make()), RANKERS[name](make(change=later))
    np.testing.assert_array_equal(one.order, other.order)
    np.testing.assert_array_equal(one.importance, other.importance)


@every_ranker
def test_a_large_network_is_ranked_without_a_matrix_of_all_pairs(name, monkeypatch):
    """By leading modes; as if 20 regions were many."""
    monkeypatch.setattr(moments_module, "ALL_PAIRS", 20)
    monkeypatch.setattr("sensorplan.rankers.forecast_aware.ALL_PAIRS", 20)
    monkeypatch.setattr(moments_module, "MODES_OF_LARGE", 6)
    monkeypatch.setattr(
        moments_module, "covariance", lambda history: pytest.fail("a matrix of all pairs")
    )
    assert_ranks(RANKERS[name](make(40, gaps=0.1)), 40)


def test_the_recipe_knows_every_ranker():
    assert get_args(Method) == ("dynst", *RANKERS)


def test_random_goes_by_the_seed():
    history = make_plain(mixed())
    orders = {tuple(RANKERS["random"](replace(history, seed=seed)).order) for seed in range(5)}
    assert len(orders) == 5


def test_variance_is_in_the_unit_of_the_data():
    """Standardised, all have much the same; the third has few values, the fourth few and large."""
    series = np.tile([[1.0, 1, 1, 1], [-1, -1, -1, -1]], (20, 1))
    series[4:, 2:] = np.nan
    history = make_plain(series, scale=np.array([[2.0], [1], [3], [0.5]]))
    ranking = RANKERS["variance"](history)
    assert ranking.order.tolist() == [2, 0, 1, 3]
    np.testing.assert_allclose(ranking.importance, [4 / 9, 1 / 9, 1, 0.25 / 9])


def test_qr_takes_the_pivots_of_the_leading_modes():
    history = make_plain(mixed())
    strength, shapes = np.linalg.eigh(covariance(history))
    leading = shapes[:, strength > strength.mean() + NUGGET]
    count = leading.shape[1]
    assert 1 < count < 9
    ranking = RANKERS["qr"](history)
    upper, pivots = qr(leading.T, mode="r", pivoting=True)
    assert ranking.order[:count].tolist() == pivots[:count].tolist()
    sizes = np.abs(np.diag(upper)) / abs(upper[0, 0])
    np.testing.assert_allclose(ranking.importance[ranking.order[:count]], sizes)
    left = np.setdiff1d(np.arange(9), pivots[:count])
    again = left[qr(leading[left].T, mode="r", pivoting=True)[1][:count]]
    assert ranking.order[count : 2 * count].tolist() == again.tolist()


def test_k_centre_by_hand():
    """On a line 0, 4, 5, 9, 2 the middle is 4, then the far ends, then what is left between."""
    places = np.column_stack([np.zeros(5), [0.0, 4, 5, 9, 2]])
    ranking = RANKERS["k-centre"](make_plain(mixed(regions=5), positions=places))
    assert ranking.order.tolist() == [1, 3, 0, 4, 2]
    np.testing.assert_allclose(ranking.importance[ranking.order], [1, 1, 0.8, 0.4, 0.2])


def test_k_centre_goes_round_the_globe():
    """170 and -170 degrees are neighbours: the far one of the three is at 100."""
    places = np.array([[0.0, 170], [0, -170], [0, 100]])
    history = make_plain(mixed(regions=3), positions=places)
    assert RANKERS["k-centre"](replace(history, geographic=True)).order.tolist() == [0, 2, 1]
    assert RANKERS["k-centre"](history).order.tolist() == [2, 1, 0]


def test_k_centre_puts_regions_without_a_position_last():
    places = np.array([[0.0, 0], [np.nan, np.nan], [0, 3], [0, 1]])
    ranking = RANKERS["k-centre"](make_plain(mixed(regions=4), positions=places))
    assert ranking.order.tolist() == [3, 2, 0, 1]
    assert ranking.importance[1] == 0


@pytest.mark.parametrize("places", [None, np.full((9, 2), np.nan)])
def test_k_centre_needs_positions(places):
    with pytest.raises(DataError, match=r"--method k-centre needs positions .*the data has none"):
        RANKERS["k-centre"](make_plain(mixed(), positions=places))


def greedy(regions, left_of):
    """Order that brute force finds: each time the region that leaves the least."""
    chosen, left = [], [left_of([])]
    while len(chosen) < regions:
        rest = [j for j in range(regions) if j not in chosen]
        chosen.append(min(rest, key=lambda j: left_of([*chosen, j])))
        left.append(left_of(chosen))
    return chosen, -np.diff(left)


def unexplained(cross, among, chosen):
    """Of cross-covariances ``[target, region]``, less what the chosen regions explain."""
    noisy = among[np.ix_(chosen, chosen)] + NUGGET * np.eye(len(chosen))
    return -np.trace(cross[:, chosen] @ np.linalg.solve(noisy, cross[:, chosen].T))


def test_posterior_variance_is_brute_force_greedy():
    history = make_plain(mixed())
    whole = covariance(history)
    order, gains = greedy(9, lambda chosen: unexplained(whole, whole, chosen))
    ranking = RANKERS["posterior-variance"](history)
    assert ranking.order.tolist() == order
    np.testing.assert_allclose(
        ranking.importance[order], np.minimum.accumulate(gains) / gains[0], rtol=1e-6
    )


def test_forward_selection_of_targets_is_brute_force_greedy():
    """Targets other than the regions themselves."""
    modes = network_modes(make_plain(mixed()))
    targets = np.random.default_rng(1).normal(size=(5, modes.loadings.shape[1]))
    among, cross = modes.loadings @ modes.loadings.T, targets @ modes.loadings.T
    order, gains = greedy(9, lambda chosen: unexplained(cross, among, chosen))
    found, found_gains = select_forward(modes, targets.T @ targets)
    assert found.tolist() == order
    np.testing.assert_allclose(found_gains, gains, rtol=1e-6)


def test_forecast_aware_finds_the_planted_drivers():
    """One mix may come before them; what explains the present best are other mixes."""
    for seed in range(5):
        history = make(seed=seed)
        assert RANKERS["forecast-aware"](history).keep(4)[:3].all()
        assert not RANKERS["posterior-variance"](history).keep(4)[:3].all()


def test_forecast_aware_finds_the_drivers_of_a_large_network_too(monkeypatch):
    """Exactly, and by leading modes."""
    history = make(60, gaps=0.2)
    assert RANKERS["forecast-aware"](history).keep(5)[:3].all()
    monkeypatch.setattr(moments_module, "ALL_PAIRS", 20)
    monkeypatch.setattr("sensorplan.rankers.forecast_aware.ALL_PAIRS", 20)
    monkeypatch.setattr(moments_module, "MODES_OF_LARGE", 6)
    assert RANKERS["forecast-aware"](history).keep(5)[:3].all()


def test_facility_location_is_brute_force_greedy():
    history = make_plain(mixed())
    whole = covariance(history)
    deviation = np.sqrt(np.diag(whole) + NUGGET)
    likeness = (whole / deviation[:, None] / deviation) ** 2
    np.fill_diagonal(likeness, 1)
    order, gains = greedy(9, lambda chosen: round(-likeness[chosen].max(0, initial=0).sum(), 5))
    ranking = RANKERS["facility-location"](history)
    assert ranking.order.tolist() == order
    np.testing.assert_allclose(ranking.importance[order], gains / gains[0], atol=1e-4)


def test_a_gappy_region_is_not_taken_for_uninformative():
    """Half of the first region is missing: its covariances must not halve."""
    series = mixed(times=2000)
    gappy = series.copy()
    gappy[np.random.default_rng(1).random(2000) < 0.5, 0] = np.nan
    full, found = covariance(make_plain(series)), covariance(make_plain(gappy))
    np.testing.assert_allclose(found[0], full[0], atol=0.1)
    assert np.linalg.eigvalsh(found).min() > 0


def test_a_covariance_of_few_pairs_is_repaired():
    series = mixed(times=30, regions=15)
    series[np.random.default_rng(0).random(series.shape) < 0.7] = np.nan
    found = covariance(make_plain(series))
    assert np.linalg.eigvalsh(found).min() > 0
    np.testing.assert_allclose(found, found.T)
