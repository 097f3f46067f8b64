"""`map.png` and `curve.png`."""

import time
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from factories import make_sensor_data
from matplotlib.image import imread
from test_cli_curve import make_points, make_record
from test_exports import (
    make_curve,
    make_frequency,
    make_plan,
    make_ranking,
    make_reasons,
    planar,
    shifted,
    write,
)

from sensorplan.exports.curve_figure import curve_png, methods_png
from sensorplan.exports.map_figure import map_png
from sensorplan.exports.maps import export_map
from sensorplan.exports.tables import deployment
from sensorplan.plan import Ranking
from sensorplan.regions import nodalize, patchify


def draw_map(data, patch=None, budget=4, ranking=None):
    regions = patchify(data, patch) if patch else nodalize(data)
    ranking = ranking or make_ranking(regions)
    plan = make_plan(regions, ranking, budget)
    frequency, reasons = make_frequency(regions), make_reasons(regions)
    return pixels(map_png(deployment(plan, ranking, frequency, reasons, regions, data), plan))


def pixels(png):
    """``[row, column, 3]`` in 0..1."""
    return imread(BytesIO(png))[..., :3]


def share(image, low, high=None):
    """Share of the pixels whose brightness lies between two values."""
    brightness = image.mean(axis=-1)
    return ((brightness >= low) & (brightness <= (high or 1))).mean()


@pytest.mark.parametrize("kind", ["points", "cells", "patches", "planar", "dateline", "nowhere"])
def test_every_kind_of_network_is_drawn(kind):
    grid = make_sensor_data(grid=(6, 8))
    image = {
        "points": lambda: draw_map(make_sensor_data(nodes=40)),
        "cells": lambda: draw_map(grid),
        "patches": lambda: draw_map(grid, (2, 2)),
        "planar": lambda: draw_map(planar(grid)),
        "dateline": lambda: draw_map(shifted(grid, 171.25)),
        "nowhere": lambda: draw_map(make_sensor_data(positions=False)),
    }[kind]()
    assert min(image.shape[:2]) > 400
    assert 0.01 < share(image, 0, 0.9) < 0.95


def test_kept_cells_are_darker_than_dropped_ones_even_in_grey():
    data = make_sensor_data(grid=(10, 10))
    dark = [share(draw_map(data, budget=n), 0, 0.7) for n in (10, 50, 90)]
    pale = [share(draw_map(data, budget=n), 0.8, 0.9) for n in (10, 50, 90)]
    assert dark == sorted(dark)
    assert dark[2] > dark[0] + 0.3
    assert pale == sorted(pale, reverse=True)
    assert pale[0] > pale[2] + 0.3


def test_a_map_across_the_dateline_is_not_torn():
    data = make_sensor_data(grid=(6, 8))
    here, across = draw_map(data), draw_map(shifted(data, 171.25))
    assert abs(share(here, 0.85, 0.88) - share(across, 0.85, 0.88)) < 0.03


def test_a_degree_of_longitude_is_narrower_in_the_north():
    data = make_sensor_data(grid=(10, 10))
    south = replace(data.geometry, corners=data.geometry.corners - np.array([0, 51]))
    wide, narrow = draw_map(replace(data, geometry=south)), draw_map(data)
    assert narrow.shape[0] / narrow.shape[1] > 1.2 * wide.shape[0] / wide.shape[1]


@pytest.mark.parametrize("nodes", [1, 2])
def test_the_smallest_networks_are_drawn(nodes):
    draw_map(make_sensor_data(nodes=nodes, drivers=1), budget=1)


def test_oddities_are_drawn():
    data = make_sensor_data(nodes=6)
    data.geometry.positions[:] = 90.0, 0.0  # all at one place, at the pole
    draw_map(data, budget=6)
    data.geometry.positions[:4] = np.nan  # perhaps no kept one on the map
    order = np.arange(6)
    draw_map(data, budget=2, ranking=Ranking(order, np.zeros(6)))
    names = ("$x", "a$b$", "名前", "_y", "z^2", "")
    draw_map(replace(data, geometry=None, sensors=names))


def test_ten_thousand_cells_are_quick():
    data = make_sensor_data(grid=(100, 100), times=2)
    start = time.perf_counter()
    draw_map(data, budget=2000)
    assert time.perf_counter() - start < 10


def test_the_plan_folder_gets_both_pictures(tmp_path):
    write(tmp_path / "a.plan", make_sensor_data())
    export_map(tmp_path / "a.plan", tmp_path / "map.png", "png")
    assert (tmp_path / "map.png").read_bytes() == (tmp_path / "a.plan" / "map.png").read_bytes()
    assert pixels((tmp_path / "a.plan" / "curve.png").read_bytes()).size > 0


@pytest.mark.parametrize("points", [0, 1, 3])
def test_the_curve_is_drawn_with_any_number_of_points(points):
    regions = nodalize(make_sensor_data())
    plan = make_plan(regions, make_ranking(regions), 6)
    image = pixels(curve_png(make_curve()[:points], plan))
    assert min(image.shape[:2]) > 400
    blue = (np.abs(image - [0, 0x72 / 255, 0xB2 / 255]).max(axis=-1) < 0.05).sum()
    assert (blue > 0) == (points > 0)


def test_a_curve_of_zeros_and_gaps_is_drawn():
    regions = nodalize(make_sensor_data())
    plan = make_plan(regions, make_ranking(regions), 6)
    zero = {"rmse": 0.0, "mae": 0.0}
    metrics = plan.metrics.model_copy(
        update={"all_sensors": plan.metrics.all_sensors.model_copy(update=zero)}
    )
    first, second, _ = make_curve()
    curve = [
        first.model_copy(update={**zero, "rmse_ratio": 0.0}),
        second.model_copy(update={"ci_low": float("nan"), "ci_high": float("nan")}),
    ]
    assert share(pixels(curve_png(curve, plan.model_copy(update={"metrics": metrics}))), 0, 0.9) > 0


@pytest.mark.parametrize("limit", [True, False])
def test_the_curve_of_all_methods_is_drawn(limit):
    """Each method in its own colour, and the knee as a yellow star."""
    image = pixels(methods_png(make_points(limit), make_record()))
    colours = {"dynst": "0072B2", "baseline": "D55E00", "random": "009E73", "limit": "CC79A7"}
    for name, colour in {**colours, "knee": "F0E442"}.items():
        rgb = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        there = (np.abs(image - rgb).max(axis=-1) < 0.05).sum()
        assert (there > 50) == (limit or name != "limit"), name


def test_a_curve_without_a_knee_is_drawn():
    image = pixels(methods_png(make_points(), make_record(knee=None)))
    yellow = [0xF0 / 255, 0xE4 / 255, 0x42 / 255]
    assert (np.abs(image - yellow).max(axis=-1) < 0.05).sum() == 0
