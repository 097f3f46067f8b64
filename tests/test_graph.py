"""The diffusion graph: which regions it links, sums over links, and its options."""

import numpy as np
import pytest
import torch
from factories import cut_windows, make_sensor_data
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from test_forecasters import assert_same, compacted, masked, network_of

from sensorplan.errors import DataError, RecipeError
from sensorplan.forecasters import build_backbone
from sensorplan.forecasters.graph_links import (
    OWN_WEIGHT,
    AllLinks,
    Links,
    graph_of_adjacency,
    graph_of_positions,
    make_graph,
)
from sensorplan.recipe import TrainingSettings
from sensorplan.regions import Topology
from sensorplan.training import Trainer

pytestmark = pytest.mark.usefixtures("no_denormals")
RING = np.roll(np.eye(6), 1, axis=1)  # from each region to the next


def scattered(regions, seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack([50 + 2 * rng.random(regions), 8 + 3 * rng.random(regions)])


def neighbours_of(matrix, region):
    return set(matrix.indices[matrix.indptr[region] : matrix.indptr[region + 1]].tolist())


def make(windows, seed=0, **options):
    torch.manual_seed(seed)
    forecaster = build_backbone("graph", options, network_of(windows))
    with torch.no_grad():
        for parameter in forecaster.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return forecaster.eval()


# Which regions are linked


def great_circle(positions):
    latitude, longitude = np.radians(positions).T
    between = np.sin(latitude[:, None]) * np.sin(latitude) + np.cos(latitude[:, None]) * np.cos(
        latitude
    ) * np.cos(longitude[:, None] - longitude)
    return np.arccos(np.clip(between, -1, 1))


@pytest.mark.parametrize("geographic", [True, False])
def test_regions_are_linked_with_their_nearest(geographic):
    positions = scattered(40)
    if geographic:
        positions[:, 1] = (positions[:, 1] + 360 * 20 + 170) % 360 - 180  # across the dateline
        distance = great_circle(positions)
    else:
        distance = np.linalg.norm(positions[:, None] - positions, axis=-1)
    np.fill_diagonal(distance, np.inf)
    order = np.argsort(distance, axis=1)
    graph = graph_of_positions(positions, geographic, 4)
    (near,) = graph.transitions
    for region in range(40):
        assert neighbours_of(near, region) == set(order[region, :4])
        assert neighbours_of(graph.reach, region) == {region, *order[region, :8]}
    assert (graph.reach.diagonal() == OWN_WEIGHT).all()
    scale = np.take_along_axis(distance, order, 1)[:, 3]
    a, b = 7, order[7, 2]
    assert near[a, b] == pytest.approx(np.exp(-(distance[a, b] ** 2) / (scale[a] * scale[b])))


def test_a_region_without_position_is_alone():
    positions = scattered(10)
    positions[3, 1] = np.nan
    graph = graph_of_positions(positions, True, 20)
    (near,) = graph.transitions
    assert neighbours_of(near, 3) == set()
    assert neighbours_of(graph.reach, 3) == {3}
    assert near[:, [3]].nnz == 0
    assert neighbours_of(near, 0) == set(range(10)) - {0, 3}


def test_a_region_far_from_all_others_weighs_next_to_nothing():
    positions = np.vstack([scattered(20), [-50, -120]])
    (near,) = graph_of_positions(positions, True, 4).transitions
    assert near.nnz == 84
    assert near[[20], :].sum() < 1e-9
    assert near.sum(axis=1)[:20].min() > 0.1


def test_regions_in_one_place():
    graph = graph_of_positions(np.ones((5, 2)), True, 2)
    assert graph.transitions[0].data.tolist() == [1] * 10


def test_an_adjacency_without_direction_gives_one_way():
    both = RING + RING.T - 2 * np.eye(6)  # weights below 0 and loops are no links
    (way,) = graph_of_adjacency(both, 4).transitions
    np.testing.assert_array_equal(way.toarray(), RING + RING.T)


def test_an_adjacency_with_direction_gives_a_way_back():
    there, back = graph_of_adjacency(RING, 4).transitions
    np.testing.assert_array_equal(there.toarray(), RING)
    np.testing.assert_array_equal(back.toarray(), RING.T)


def test_the_strongest_links_of_an_adjacency_are_kept():
    weights = np.arange(36.0).reshape(6, 6)
    there, back = graph_of_adjacency(weights, 2).transitions
    assert [neighbours_of(there, region) for region in (0, 5)] == [{4, 5}, {3, 4}]
    assert [neighbours_of(back, region) for region in (0, 5)] == [{4, 5}, {3, 4}]
    assert there[0, 5] == 5
    assert back[0, 5] == 30


def test_a_region_reaches_the_ends_of_two_steps():
    reach = graph_of_adjacency(RING, 4).reach
    assert neighbours_of(reach, 0) == {0, 1, 2, 4, 5}
    assert reach[0, 0] == OWN_WEIGHT
    assert reach[0, 1] == reach[0, 5] == 1  # the nearest
    assert 0 < reach[0, 2] < 1


def test_an_adjacency_goes_before_positions():
    topology = Topology(scattered(6), geographic=True, adjacency=RING)
    assert len(make_graph(topology, 2).transitions) == 2


@pytest.mark.parametrize(
    "topology",
    [
        Topology(),
        Topology(np.full((4, 2), np.nan)),
        Topology(np.array([[1, 2], [np.nan, 3]])),
        Topology(scattered(4), adjacency=np.eye(4)),
    ],
)
def test_no_graph(topology):
    assert make_graph(topology, 8) is None


# Sums over links


@given(
    rows=st.integers(1, 6),
    sources=st.integers(1, 6),
    density=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 100),
)
def test_links_sum_as_their_matrix_does(rows, sources, density, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.random((rows, sources)) * (rng.random((rows, sources)) < density)
    links = Links.from_matrix(sparse.csr_array(matrix))
    every = AllLinks(torch.from_numpy(matrix.astype(np.float32)))
    chosen = torch.from_numpy(rng.integers(rows, size=3))
    kept = torch.from_numpy(rng.random(sources) < 0.5)
    table = torch.randn(sources, 2, 3)

    def product(matrix, table):
        return np.einsum("rs,sbw->rbw", matrix, table.numpy())

    for either in (links, every):
        for part, expected in (
            (either.spread(table), product(matrix, table)),
            (either.to_rows(chosen).spread(table), product(matrix[chosen.numpy()], table)),
            (
                either.from_sources(kept).spread(table[kept]),
                product(matrix[:, kept.numpy()], table[kept]),
            ),
        ):
            np.testing.assert_allclose(part, expected, rtol=1e-5, atol=1e-6)


# The backbone


@pytest.mark.parametrize("positions", [True, False])
def test_an_adaptive_graph_is_exact_too(positions):
    windows = cut_windows(make_sensor_data(nodes=9, gaps=0.2, positions=positions))
    forecaster = make(windows, adaptive=True)
    batch = windows.batch(windows.split.train[:4])
    gate = torch.tensor([1.0, 0, 0.7, 0, 1.3, 0, 1, 0, 0])
    whole = masked(forecaster, batch, gate)
    assert_same(compacted(forecaster, batch, gate), whole)
    targets = torch.tensor([5, 0, 8])
    assert_same(masked(forecaster, batch, gate, targets), whole[:, targets])
    batch.history[:, gate == 0] += 3
    assert torch.equal(masked(forecaster, batch, gate), whole)


def test_without_any_graph_the_error_says_what_to_do():
    windows = cut_windows(make_sensor_data(positions=False))
    with pytest.raises(DataError, match=r"neither .* nor positions; give --adjacency FILE .*, --b"):
        build_backbone("graph", {}, network_of(windows))


def test_neighbours_are_at_least_one():
    windows = cut_windows(make_sensor_data())
    with pytest.raises(
        RecipeError, match=r"graph: option neighbours = 0; expected neighbours >= 1$"
    ):
        build_backbone("graph", {"neighbours": "0"}, network_of(windows))


def test_whether_to_learn_a_graph_is_true_or_false():
    windows = cut_windows(make_sensor_data())
    with pytest.raises(RecipeError, match=r"option adaptive = perhaps; expected true or false$"):
        build_backbone("graph", {"adaptive": "perhaps"}, network_of(windows))


def test_work_is_for_links_between_kept_regions_alone():
    windows = cut_windows(make_sensor_data(nodes=60))
    forecaster = make(windows, neighbours="5")
    whole, half = (
        forecaster.compact((torch.arange(60) < kept).float()).config()["links"] for kept in (60, 30)
    )
    assert whole == [5 * 60, 11 * 60]
    assert half[0] < 0.4 * whole[0]
    assert half[1] < 0.7 * whole[1]


def test_a_region_whose_neighbours_are_all_dropped_hears_of_the_others():
    windows = cut_windows(make_sensor_data(nodes=40))
    forecaster = make(windows, neighbours=2)
    reached = neighbours_of(graph_of_positions(windows.topology.positions, True, 2).reach, 0)
    gate = torch.ones(40)
    gate[list(reached)] = 0
    batch = windows.batch(windows.split.train[:4])
    before = masked(forecaster, batch, gate)[:, 0]
    batch.history[:, gate > 0] += 1
    change = (masked(forecaster, batch, gate)[:, 0] - before).abs()
    assert change.min() > 1e-3


@pytest.mark.parametrize("positions", [True, False])
def test_it_learns(positions):
    windows = cut_windows(make_sensor_data(times=600, nodes=12, positions=positions))
    options = {"adaptive": not positions}
    trainer = Trainer(windows, TrainingSettings(backbone="graph", options=options), seed=0)
    masks = trainer.validation_masks(trainer.random_masks)
    untrained = trainer.validation_loss(masks)
    trainer.train(40, trainer.rate, trainer.random_masks)
    assert trainer.validation_loss(masks) < 0.7 * untrained


def test_the_compact_form_can_be_exported():
    windows = cut_windows(make_sensor_data(nodes=9))
    compact = make(windows).compact((torch.arange(9) % 2).float())
    batch = windows.batch(windows.split.train[:3])
    given = batch.history[:, 1::2], batch.seen[:, 1::2], batch.calendar
    exported = torch.export.export(compact, given).module()
    assert_same(exported(*given).detach(), compact(*given).detach())
