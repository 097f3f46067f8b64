"""What holds for every baseline ranker."""

import re
import tracemalloc
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from factories import make_history_of

from sensorplan.errors import DataError
from sensorplan.rankers import RANKERS, History
from sensorplan.rankers import moments as moments_module
from sensorplan.recipe.settings import Method

BY_PLACE = ("k-centre", "removal-bias", "voronoi", "virtual-force")

every_ranker = pytest.mark.parametrize("name", RANKERS)
LIMITED = ("backward", "mutual-information")  # hold a matrix of all pairs


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
    assert_ranks(RANKERS[name](make_history_of(channels=channels, gaps=gaps, change=change)), 12)


@every_ranker
def test_the_same_history_gives_the_same_ranking(name):
    one, same = (RANKERS[name](make_history_of(gaps=0.2)) for _ in range(2))
    np.testing.assert_array_equal(one.order, same.order)
    np.testing.assert_array_equal(one.importance, same.importance)


@every_ranker
def test_regions_never_observed_come_last_in_index_order(name):
    def never(values):
        values[:, [7, 2, 5]] = np.nan

    ranking = RANKERS[name](make_history_of(change=never))
    assert_ranks(ranking, 12)
    assert ranking.order[-3:].tolist() == [2, 5, 7]
    assert (ranking.importance[[2, 5, 7]] == 0).all()


@pytest.mark.parametrize("name", sorted(set(RANKERS) - {"random", *BY_PLACE}))
@pytest.mark.parametrize("seed", range(4))
def test_of_regions_with_the_same_series_the_lowest_index_comes_first(name, seed):
    def copied(values):
        values[:, [5, 9]] = values[:, [1]]

    order = RANKERS[name](make_history_of(seed=seed, change=copied)).order.tolist()
    assert order.index(1) < min(order.index(5), order.index(9))


@every_ranker
@pytest.mark.parametrize("nodes", [2, 3])
def test_the_smallest_networks_are_ranked(name, nodes):
    assert_ranks(RANKERS[name](make_history_of(nodes, drivers=1)), nodes)


@every_ranker
def test_the_test_stretch_is_not_seen(name):
    def later(values):
        values[320:] = np.random.default_rng(9).normal(size=values[320:].shape)

    one, other = RANKERS[name](make_history_of()), RANKERS[name](make_history_of(change=later))
    np.testing.assert_array_equal(one.order, other.order)
    np.testing.assert_array_equal(one.importance, other.importance)


@pytest.mark.parametrize("name", [name for name in RANKERS if name not in LIMITED])
def test_a_large_network_is_ranked_without_a_matrix_of_all_pairs(name, monkeypatch):
    """By leading modes; as if 20 regions were many."""
    monkeypatch.setattr(moments_module, "ALL_PAIRS", 20)
    monkeypatch.setattr("sensorplan.rankers.forecast_aware.ALL_PAIRS", 20)
    monkeypatch.setattr(moments_module, "MODES_OF_LARGE", 6)
    monkeypatch.setattr(
        moments_module, "covariance", lambda history: pytest.fail("a matrix of all pairs")
    )
    assert_ranks(RANKERS[name](make_history_of(40, gaps=0.1)), 40)


def large_history(regions, times=8):
    """Of a few sources, with gaps, somewhere on the globe."""
    rng = np.random.default_rng(0)
    series = rng.normal(size=(times, 4)) @ rng.normal(size=(4, regions))
    valid = rng.random((times, regions, 1)) > 0.1
    anomalies = np.where(valid, (series + rng.normal(size=series.shape))[..., None], 0)
    places = np.column_stack([rng.uniform(40, 60, regions), rng.uniform(0, 20, regions)])
    scale = np.ones((regions, 1))
    return History(anomalies.astype(np.float32), valid, scale, places, True, 2, 0)


@pytest.mark.parametrize("regions", [2100, pytest.param(20_500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [name for name in RANKERS if name not in LIMITED])
def test_a_large_network_never_takes_the_memory_of_a_matrix_of_all_pairs(name, regions):
    """Not even that of one byte a pair."""
    history = large_history(regions)
    tracemalloc.start()
    try:
        ranking = RANKERS[name](history)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sorted(ranking.order.tolist()) == list(range(regions))
    assert peak < regions**2


@pytest.mark.parametrize("name", LIMITED)
def test_a_limit_is_named_before_there_is_a_matrix(name):
    expected = rf"--method {name} takes up to 3,000 sensors .*; the data has 20,500"
    with pytest.raises(DataError, match=expected):
        RANKERS[name](large_history(20_500))


def test_the_recipe_knows_every_ranker():
    assert get_args(Method) == ("dynst", *RANKERS)


def test_the_documentation_has_every_ranker():
    table = (Path(__file__).parents[1] / "docs/rankers.md").read_text(encoding="utf-8")
    assert tuple(re.findall(r"^\| `([a-z-]+)`", table, re.MULTILINE)) == get_args(Method)
