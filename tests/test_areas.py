"""The area that each sensor stands for, against points that are scattered evenly."""

import numpy as np
import pytest
from factories import make_sensor_data
from scipy.spatial import ConvexHull, cKDTree

from sensorplan.evaluation import areas as module
from sensorplan.evaluation.areas import node_areas
from sensorplan.regions import on_sphere
from sensorplan.sensors import Geometry

EARTH = "EPSG:4326"


def points(positions, crs=None):
    return Geometry("points", crs, np.array(positions, float))


def cluttered(seed=0):
    """A wide network with a dense place in it."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.random((25, 2)), 0.5 + 0.05 * rng.random((15, 2))])


@pytest.mark.parametrize("looked", [3, 32])
def test_cells_in_the_plane(looked, monkeypatch):
    """However many neighbours are looked at first."""
    monkeypatch.setattr(module, "NEIGHBOURS", looked)
    places = cluttered()
    scattered = 2 * np.random.default_rng(1).random((600_000, 2)) - 0.5
    margin = cKDTree(places).query(places, [2])[0][:, 0] / 2
    owner = cKDTree(places).query(scattered)[1]
    sides = ConvexHull(places).equations
    beyond = (scattered @ sides[:, :2].T + sides[:, 2]).max(1)
    inside = beyond <= margin[owner]
    expected = np.bincount(owner[inside], minlength=len(places)) * 4 / len(scattered)
    np.testing.assert_allclose(node_areas(points(places)), expected, rtol=0.03, atol=2e-4)


def test_cells_all_over_the_earth():
    rng = np.random.default_rng(1)
    places, scattered = (rng.normal(size=(count, 3)) for count in (30, 400_000))
    for directions in (places, scattered):
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    latitude = np.degrees(np.arcsin(places[:, 2]))
    longitude = np.degrees(np.arctan2(places[:, 1], places[:, 0]))
    found = node_areas(points(np.column_stack([latitude, longitude]), EARTH))
    expected = np.bincount(cKDTree(places).query(scattered)[1]) * 4 * np.pi / len(scattered)
    assert found.sum() == pytest.approx(4 * np.pi, rel=1e-3)
    np.testing.assert_allclose(found, expected, rtol=0.03)


def test_a_small_network_on_the_earth_is_one_in_the_plane():
    """Across the dateline, far from the equator."""
    y, x = (cluttered() - 0.5).T
    positions = np.column_stack([60 + y, (180 + 2 * x + 180) % 360 - 180])
    assert np.ptp(positions[:, 1]) > 300
    scale = np.column_stack([y, 2 * x * np.cos(np.radians(60 + y / 2))])
    on_earth, flat = node_areas(points(positions, EARTH)), node_areas(points(scale))
    np.testing.assert_allclose(on_earth / on_earth.sum(), flat / flat.sum(), rtol=0.05, atol=1e-4)


def test_dense_sensors_do_not_outvote_the_countryside():
    city = [[0.01 * i, 0.01 * j] for i in range(5) for j in range(5)]
    country = [[i, j] for i in (-3, 0, 3) for j in (-3, 0, 3) if (i, j) != (0, 0)]
    areas = node_areas(points(city + country))
    assert areas[:25].sum() < 0.2 * areas[25:].sum()


def test_an_even_network_weighs_all_alike():
    areas = node_areas(points([[i, j] for i in range(7) for j in range(7)]))
    np.testing.assert_allclose(areas, 1, rtol=0.05)


def test_cells_of_a_grid_shrink_towards_the_pole():
    geometry = make_sensor_data(times=10, grid=(3, 2)).geometry
    areas = node_areas(geometry)
    latitude = geometry.positions[:, 0]
    edges = np.sin(np.radians(latitude + 0.125)) - np.sin(np.radians(latitude - 0.125))
    np.testing.assert_allclose(areas, np.radians(0.25) * edges)
    assert areas[0] > areas[-1]


def test_cells_of_a_planar_grid():
    corners = np.array([[[0, 0], [3, 0], [3, 2], [0, 2]], [[3, 0], [4, 0], [4, 2], [3, 2]]], float)
    geometry = Geometry("cells", None, corners.mean(1), (1, 2), corners=corners)
    assert node_areas(geometry).tolist() == [6, 2]


@pytest.mark.parametrize("crs", [None, EARTH])
def test_sensors_at_one_place_share_its_area(crs):
    alone = node_areas(points([[0, 0], [0, 1], [1, 0], [3, 3]], crs))
    shared = node_areas(points([[0, 0], [0, 1], [np.nan, 1], [1, 0], [0, 1], [3, 3]], crs))
    assert shared[2] == 0
    expected = alone[[0, 1, 2, 1, 3]] / [1, 2, 1, 2, 1]
    np.testing.assert_allclose(shared[[0, 1, 3, 4, 5]], expected, rtol=1e-6)


def test_one_place_and_none():
    assert node_areas(points([[3, 4]])).tolist() == [1]
    assert node_areas(points([[np.nan, np.nan]])) is None
    assert node_areas(None) is None


@pytest.mark.parametrize("crs", [None, EARTH])
@pytest.mark.parametrize("count", [2, 9])
def test_places_on_a_line(crs, count):
    """They have no hull: a cell ends half-way to the next, and sideways as far as that one is."""
    areas = node_areas(points([[0, 2 * i] for i in range(count)], crs))
    assert areas == pytest.approx(areas[::-1], rel=1e-6)
    assert areas[1:-1] == pytest.approx(np.full(count - 2, areas[count // 2]), rel=1e-3)
    assert areas[0] < 1.5 * areas[count // 2] + 1e-12


def test_the_poles_are_one_place_each():
    twice = node_areas(points([[90, 0], [90, 90], [0, 0], [0, 120], [0, -120]], EARTH))
    assert twice[0] == pytest.approx(twice[1])
    assert on_sphere(np.array([[90.0, 77]]))[0] == pytest.approx([0, 0, 1])
