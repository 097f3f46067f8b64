"""Each baseline ranker against brute force or by hand."""

from dataclasses import replace

import numpy as np
import pytest
from factories import cut_windows, make_history_of, make_sensor_data
from pysensors import SSPOR
from pysensors.basis import SVD
from pysensors.optimizers import QR
from scipy.linalg import qr

from sensorplan.errors import DataError
from sensorplan.rankers import RANKERS, History, make_history
from sensorplan.rankers import moments as moments_module
from sensorplan.rankers import selection as selection_module
from sensorplan.rankers.moments import NUGGET, covariance, network_modes
from sensorplan.rankers.nearest import NearestLeft
from sensorplan.rankers.qr_pivoting import leading_shapes, qr_pivots
from sensorplan.rankers.selection import select_forward


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


def test_random_goes_by_the_seed():
    history = make_plain(mixed())
    orders = {tuple(RANKERS["random"](replace(history, seed=seed)).order) for seed in range(5)}
    assert len(orders) == 5


def test_variance_is_in_the_unit_of_the_data():
    """Standardised, all vary alike; the last two have few values, which must not count as calm."""
    series = np.tile([[1.0, 1, 1, 1], [-1, -1, -1, -1]], (20, 1))
    series[4:, 2:] = np.nan
    history = make_plain(series, scale=np.array([[2.0], [1], [3], [0.5]]))
    ranking = RANKERS["variance"](history)
    assert ranking.order.tolist() == [2, 0, 1, 3]
    np.testing.assert_allclose(ranking.importance, [4 / 9, 1 / 9, 1, 0.25 / 9])


def test_variance_is_the_mean_of_the_channels_that_were_observed():
    series = np.tile([[1.0], [-1]], (20, 2))[..., None] * [2, 3]
    series[:, 0, 1] = 0
    valid = np.ones(series.shape, bool)
    valid[:, 0, 1] = False
    history = History(series, valid, np.ones((2, 2)), None, False, 2, 0)
    np.testing.assert_allclose(RANKERS["variance"](history).importance, [4 / 6.5, 1])


def test_the_history_ends_with_validation():
    windows = cut_windows(make_sensor_data(times=400, gaps=0.2))
    history = make_history(windows, seed=3)
    assert len(history.anomalies) == windows.split.bounds[1] == 320
    np.testing.assert_array_equal(history.anomalies, windows.series.anomalies[:320].numpy())
    np.testing.assert_array_equal(history.valid, windows.series.valid[:320].numpy())
    np.testing.assert_array_equal(history.scale, windows.error_scale.numpy())
    assert (history.horizon, history.geographic, history.seed) == (2, True, 3)


def test_qr_takes_the_pivots_of_the_leading_modes():
    history = make_plain(mixed())
    strength, shapes = np.linalg.eigh(covariance(history))
    leading = shapes[:, strength > strength.mean() + NUGGET][:, ::-1].round(9)
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


@pytest.mark.parametrize("all_pairs", [2000, 20])
@pytest.mark.parametrize("seed", range(3))
def test_qr_is_pysensors_up_to_the_number_of_modes(seed, all_pairs, monkeypatch):
    """By all modes of the covariance, and by the leading ones of a large network.

    PySensors shuffles what comes after the pivots. It takes the series to be centred; here they are
    also of the same variance to the last digit, where shrunk covariances have the same modes.
    """
    monkeypatch.setattr(moments_module, "ALL_PAIRS", all_pairs)
    series = mixed(regions=40, sources=6, seed=seed)
    series -= series.mean(0)
    series /= np.sqrt((series**2).mean(0))
    history = make_plain(series.astype(np.float32))
    count = leading_shapes(network_modes(history)).shape[1]
    assert count == 6
    basis = SVD(n_basis_modes=count, algorithm="arpack", random_state=0)
    model = SSPOR(basis=basis, optimizer=QR()).fit(history.pooled()[0].astype(float), seed=0)
    np.testing.assert_array_equal(
        RANKERS["qr"](history).order[:count], model.get_selected_sensors()[:count]
    )


def test_qr_counts_a_later_round_less():
    """Of sensors all alike the j-th measures the one mode for the j-th time."""
    history = make_plain(np.repeat(mixed(regions=1), 5, axis=1))
    ranking = RANKERS["qr"](history)
    assert ranking.order.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(ranking.importance, [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5], rtol=1e-6)


def test_qr_takes_turns_on_blocks_of_a_large_network(monkeypatch):
    """After the first QR of all 40 regions, each turn takes as many pivots of one block."""
    history = make_plain(mixed(regions=40, sources=6))
    shapes = leading_shapes(network_modes(history))
    whole = RANKERS["qr"](history).order
    monkeypatch.setattr("sensorplan.rankers.qr_pivoting.BLOCK", 12)
    order = RANKERS["qr"](history).order
    assert order[:6].tolist() == whole[:6].tolist()
    left = np.setdiff1d(np.arange(40), order[:6])
    for turn, block in enumerate([left[0::3], left[1::3], left[2::3]]):
        turn_of_block = order[6 * (turn + 1) :][:6]
        assert turn_of_block.tolist() == block[qr_pivots(shapes[block])[0]].tolist()
    assert sorted(order) == list(range(40))


def test_k_centre_by_hand():
    """On a line 0, 4, 5, 9, 2 the middle is 4, then the far ends, then what is left between."""
    places = np.column_stack([np.zeros(5), [0.0, 4, 5, 9, 2]])
    ranking = RANKERS["k-centre"](make_plain(mixed(regions=5), positions=places))
    assert ranking.order.tolist() == [1, 3, 0, 4, 2]
    np.testing.assert_allclose(ranking.importance[ranking.order], [1, 1, 0.8, 0.4, 0.2])


def plain_farthest_points(places):
    """Farthest-point traversal with a full pass over all distances a step."""
    order = [int(np.argmin(np.linalg.norm(places - places.mean(0), axis=1)))]
    nearest = np.full(len(places), np.inf)
    while len(order) < len(places):
        nearest = np.minimum(nearest, ((places - places[order[-1]]) ** 2).sum(1))
        nearest[order] = -1
        order.append(int(np.argmax(nearest)))
    return order


def grid_of(rows, columns):
    return np.array([[y, x] for y in range(rows) for x in range(columns)], float)


@pytest.mark.parametrize(
    "places",
    [
        np.random.default_rng(0).random((400, 2)),
        grid_of(15, 20),  # many ties
        np.repeat(grid_of(6, 7), 3, axis=0),  # three at each place
        np.zeros((5, 2)),
    ],
)
def test_k_centre_is_the_plain_traversal(places):
    series = np.random.default_rng(1).normal(size=(10, len(places)))
    ranking = RANKERS["k-centre"](make_plain(series, positions=places))
    assert ranking.order.tolist() == plain_farthest_points(places)
    assert ranking.importance[ranking.order[0]] == 1


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


@pytest.mark.parametrize("name", ["k-centre", "removal-bias", "voronoi", "virtual-force"])
@pytest.mark.parametrize("places", [None, np.full((9, 2), np.nan)])
def test_positions_are_asked_for(name, places):
    with pytest.raises(DataError, match=f"--method {name} needs positions .*the data has none"):
        RANKERS[name](make_plain(mixed(), positions=places))


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


@pytest.mark.parametrize("block", [4, 5, 11])
def test_forward_selection_in_turns_knows_all_choices_before(monkeypatch, block):
    """Brute force over the regions of the block whose turn it is."""
    monkeypatch.setattr(selection_module, "BLOCK", block)
    modes = network_modes(make_plain(mixed(regions=11)))
    wanted = modes.gram
    among = modes.loadings @ modes.loadings.T + np.diag(modes.noise)
    cross = modes.loadings @ modes.loadings.T

    def left_of(chosen):
        part = among[np.ix_(chosen, chosen)]
        return -np.trace(cross[:, chosen] @ np.linalg.solve(part, cross[:, chosen].T))

    turns, chosen = -(-11 // block), []
    while len(chosen) < 11:
        rest = [j for j in range(len(chosen) % turns, 11, turns) if j not in chosen]
        chosen.append(min(rest, key=lambda j: left_of([*chosen, j])))
    found, gains = select_forward(modes, wanted)
    assert found.tolist() == chosen
    losses = [left_of(chosen[:k]) for k in range(12)]
    np.testing.assert_allclose(gains, -np.diff(losses), rtol=1e-6)


def test_forecast_aware_finds_the_planted_drivers():
    """One mix may come before them; what explains the present best are other mixes."""
    for seed in range(5):
        history = make_history_of(seed=seed)
        assert RANKERS["forecast-aware"](history).keep(4)[:3].all()
        assert not RANKERS["posterior-variance"](history).keep(4)[:3].all()


def test_forecast_aware_finds_the_drivers_of_a_large_network_too(monkeypatch):
    """Exactly, and by leading modes."""
    history = make_history_of(60, gaps=0.2)
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
    np.fill_diagonal(likeness, np.diag(whole) / deviation**2)
    order, gains = greedy(9, lambda chosen: round(-likeness[chosen].max(0, initial=0).sum(), 5))
    ranking = RANKERS["facility-location"](history)
    assert ranking.order.tolist() == order
    np.testing.assert_allclose(ranking.importance[order], gains / gains[0], atol=1e-4)


def test_facility_location_puts_a_sensor_that_never_changes_last():
    series = mixed()
    series[:, 4] = 0
    ranking = RANKERS["facility-location"](make_plain(series))
    assert ranking.order[-1] == 4
    assert ranking.importance[4] < 1e-4


def test_mutual_information_is_brute_force_greedy():
    history = make_plain(mixed())
    noisy = covariance(history) + NUGGET * np.eye(9)

    def entropy(j, given):
        """Of region j given others, up to a constant."""
        told = noisy[j, given] @ np.linalg.solve(noisy[np.ix_(given, given)], noisy[given, j])
        return np.log(noisy[j, j] - told) / 2

    order, gains, rest = [], [], list(range(9))
    while rest:
        gain = [entropy(j, order) - entropy(j, [i for i in rest if i != j]) for j in rest]
        best = int(np.argmax(np.round(gain, 9)))
        gains.append(gain[best])
        order.append(rest.pop(best))
    ranking = RANKERS["mutual-information"](history)
    assert ranking.order.tolist() == order
    falling = np.minimum.accumulate(np.maximum(gains, 0)) / gains[0]
    np.testing.assert_allclose(ranking.importance[order], falling, atol=1e-9)
    assert falling[3] > 0


def test_mutual_information_names_its_limit(monkeypatch):
    monkeypatch.setattr("sensorplan.rankers.mutual_information.MOST", 8)
    message = r"--method mutual-information takes up to 8 sensors .*; the data has 9"
    with pytest.raises(DataError, match=message):
        RANKERS["mutual-information"](make_plain(mixed()))


def test_removal_bias_is_brute_force_elimination():
    """With gaps, more regions than neighbours, and a scale of each region."""
    rng = np.random.default_rng(0)
    series, places, scale = mixed(times=60, regions=10), rng.random((10, 2)), rng.random((10, 1))
    series[rng.random(series.shape) < 0.4] = np.nan
    observed = series * scale[:, 0]
    left, removed, errors = list(range(10)), [], []
    while left:
        own = []
        for j in left:
            distance = np.linalg.norm(places - places[j], axis=1)
            near = sorted((i for i in left if i != j), key=lambda i: distance[i])[:5]
            misses = []
            for row in observed[np.isfinite(observed[:, j])]:
                weight = {i: distance[i] ** -2 for i in near if np.isfinite(row[i])}
                guess = sum(w * row[i] for i, w in weight.items()) / (sum(weight.values()) or 1)
                misses.append(row[j] - guess)
            own.append(np.sqrt(np.mean(np.square(misses))))
        errors.append(min(own))
        removed.append(left.pop(int(np.argmin(own))))
    ranking = RANKERS["removal-bias"](make_plain(series, positions=places, scale=scale))
    assert ranking.order.tolist() == removed[::-1]
    held = np.maximum.accumulate(errors) / max(errors)
    np.testing.assert_allclose(ranking.importance[removed], held, rtol=1e-5)


@pytest.mark.parametrize("places", [grid_of(5, 6), np.repeat(grid_of(3, 5), 2, axis=0)])
def test_the_nearest_left_are_those_of_a_full_pass(places):
    """On grids and pairs of sensors at one place, with ties throughout."""
    rng = np.random.default_rng(0)
    places[[4, 17]] = np.nan
    nearest = NearestLeft(places)
    left = np.isfinite(places[:, 0])
    known = np.flatnonzero(left)
    for gone in rng.permutation(known):
        found, squares = nearest.of(known, 5)
        for row, region in enumerate(known):
            others = np.flatnonzero(left & (np.arange(len(places)) != region))
            square = ((places[others] - places[region]) ** 2).sum(1)
            near = np.argsort(square, kind="stable")[:5]
            fewer = 5 - len(near)
            assert found[row].tolist() == [*others[near], *[-1] * fewer]
            np.testing.assert_array_equal(squares[row], [*square[near], *[np.inf] * fewer])
        nearest.remove(gone)
        left[gone] = False
        np.testing.assert_array_equal(nearest.left, left)


def test_removal_bias_drops_the_middle_of_a_gradient_first():
    """Region 2 is the mean of 1 and 3, region 4 like none, region 5 nowhere.

    At the end two are left that stand in for each other equally badly: the lower index ranks first.
    """
    rng = np.random.default_rng(0)
    ends = rng.normal(size=(500, 2))
    series = np.column_stack([ends @ [1 - x, x] for x in (0, 0.4, 0.5, 0.6)])
    series = np.column_stack([series, 3 * rng.normal(size=(500, 2))])
    places = np.array([[0, 0], [0, 0.4], [0, 0.5], [0, 0.6], [0, 1], [np.nan, np.nan]])
    ranking = RANKERS["removal-bias"](make_plain(series, positions=places))
    assert ranking.order[1] == 4
    assert ranking.order[-2:].tolist() == [2, 5]
    assert ranking.importance[5] == 0


def test_voronoi_is_brute_force_merging():
    """With gaps, and a scale of each region."""
    rng = np.random.default_rng(0)
    series, places, scale = mixed(times=60, regions=14), rng.random((14, 2)), rng.random((14, 1))
    series[rng.random(series.shape) < 0.4] = np.nan
    observed = series * scale[:, 0]
    distance = np.linalg.norm(places[:, None] - places, axis=2)

    def error(kept):
        """Squared error of all regions, each served by its nearest kept one or the calendar."""
        total = 0
        for i in range(14):
            estimate = np.zeros(60)
            if kept:
                estimate = np.nan_to_num(observed[:, min(kept, key=lambda j: distance[i, j])])
            total += np.nanmean((observed[:, i] - estimate) ** 2)
        return total

    left, removed, costs = list(range(14)), [], []
    while left:
        cost = [error([i for i in left if i != j]) - error(left) for j in left]
        costs.append(min(cost))
        removed.append(left.pop(int(np.argmin(cost))))
    ranking = RANKERS["voronoi"](make_plain(series, positions=places, scale=scale))
    assert ranking.order.tolist() == removed[::-1]
    held = np.maximum(np.maximum.accumulate(costs), 0) / max(costs)
    np.testing.assert_allclose(ranking.importance[removed], held, rtol=1e-5, atol=1e-9)


def test_voronoi_keeps_one_on_either_side_of_a_front():
    """Along a line four regions share one series and four another: two are enough."""
    series = np.repeat(np.random.default_rng(0).normal(size=(50, 2)), 4, axis=1)
    places = np.column_stack([np.zeros(8), np.arange(8.0)])
    ranking = RANKERS["voronoi"](make_plain(series, positions=places))
    assert ranking.keep(2).tolist() == [False, False, True, False, True, False, False, False]
    assert (ranking.importance[ranking.order[2:]] == 0).all()


def test_voronoi_tells_sensors_at_one_place_apart():
    """Regions 0 and 1 stand together and agree, 2 and 3 stand together and do not."""
    rng = np.random.default_rng(0)
    series = rng.normal(size=(100, 5))
    series[:, 1] = series[:, 0]
    places = np.array([[0.0, 0], [0, 0], [0, 9], [0, 9], [np.nan, np.nan]])
    ranking = RANKERS["voronoi"](make_plain(series, positions=places))
    assert ranking.order[3:].tolist() == [1, 4]
    assert (ranking.importance[[1, 4]] == 0).all()
    assert ranking.importance[3] > 0


def test_virtual_force_is_brute_force_elimination():
    """More regions than neighbours; importance is the spacing."""
    places = np.random.default_rng(0).random((14, 2))
    distance = np.linalg.norm(places[:, None] - places, axis=2)
    left, removed, spacings = list(range(14)), [], []
    while len(left) > 1:
        own = []
        for j in left:
            near = np.sort([distance[i, j] for i in left if i != j])[:6]
            own.append(len(near) / (1 / near).sum())
        spacings.append(min(own))
        gone = max(j for j, spacing in enumerate(own) if np.isclose(spacing, min(own)))
        removed.append(left.pop(gone))
    ranking = RANKERS["virtual-force"](make_plain(mixed(regions=14), positions=places))
    assert ranking.order.tolist() == [*left, *removed[::-1]]
    held = np.maximum.accumulate(spacings) / max(spacings)
    np.testing.assert_allclose(ranking.importance[removed], held)
    assert ranking.importance[left[0]] == 1


def test_virtual_force_leaves_the_corners():
    """Of a square with a clump of three in its middle; one more region is nowhere."""
    corners, clump = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0.5, 0.5], [0.5, 0.52], [0.52, 0.5]]
    places = np.array([*clump, [np.nan, np.nan], *corners])
    ranking = RANKERS["virtual-force"](make_plain(mixed(regions=8), positions=places))
    assert sorted(ranking.order[:4]) == [4, 5, 6, 7]
    assert ranking.order[-1] == 3
    assert ranking.importance[3] == 0


def test_virtual_force_drops_what_stands_at_the_place_of_another():
    places = np.array([[0.0, 0], [0, 1], [0, 0], [0, 2], [0, 1]])
    ranking = RANKERS["virtual-force"](make_plain(mixed(regions=5), positions=places))
    assert ranking.order[-2:].tolist() == [2, 4]
    assert (ranking.importance[[2, 4]] == 0).all()


@pytest.mark.parametrize("name", ["removal-bias", "voronoi", "virtual-force"])
def test_neighbours_are_found_across_the_date_line(name):
    """The two at 179.9 and -179.9 degrees are nearest to each other, and one of them goes first."""
    series = np.random.default_rng(0).normal(size=(200, 4))
    series[:, 2] = series[:, 0]
    places = np.array([[0, 179.9], [0, 100.0], [0, -179.9], [0, -100.0]])
    history = make_plain(series, positions=places, geographic=True)
    assert RANKERS[name](history).order[-1] in (0, 2)


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
