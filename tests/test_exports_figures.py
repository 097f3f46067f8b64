"""The figures of a plan, a curve and their files."""

import hashlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from factories import make_sensor_data
from matplotlib.image import imread
from test_cli_curve import make_points, make_record
from test_exports import (
    make_curve,
    make_frequency,
    make_leads,
    make_plan,
    make_ranking,
    make_reasons,
    planar,
    shifted,
    write,
)

from sensorplan.exports.curve_figure import curve_figure, methods_figure
from sensorplan.exports.error_map_figure import error_map_figure
from sensorplan.exports.lead_figure import lead_figure
from sensorplan.exports.map_figure import map_figure
from sensorplan.exports.maps import export_map
from sensorplan.exports.style import names_of, render
from sensorplan.exports.tables import deployment
from sensorplan.plan import Ranking
from sensorplan.regions import nodalize, patchify


def make_frame(data, patch=None, budget=4, ranking=None, **reasons):
    """The table of a made-up plan, and the plan."""
    regions = patchify(data, patch) if patch else nodalize(data)
    ranking = ranking or make_ranking(regions)
    plan = make_plan(regions, ranking, budget)
    given = replace(make_reasons(regions), **reasons)
    return deployment(plan, ranking, make_frequency(regions), given, regions, data), plan


def draw_map(data, patch=None, budget=4, ranking=None):
    return pixels(map_figure(*make_frame(data, patch, budget, ranking)))


def pixels(figure):
    """``[row, column, 3]`` in 0..1."""
    return imread(BytesIO(render(figure, "png")))[..., :3]


def share(image, low, high=None):
    """Share of the pixels whose brightness lies between two values."""
    brightness = image.mean(axis=-1)
    return ((brightness >= low) & (brightness <= (high or 1))).mean()


@pytest.mark.parametrize("draw", [map_figure, error_map_figure])
@pytest.mark.parametrize("kind", ["points", "cells", "patches", "planar", "dateline", "nowhere"])
def test_every_kind_of_network_is_drawn(kind, draw):
    grid = make_sensor_data(grid=(6, 8))
    figure = draw(
        *{
            "points": lambda: make_frame(make_sensor_data(nodes=40)),
            "cells": lambda: make_frame(grid),
            "patches": lambda: make_frame(grid, (2, 2)),
            "planar": lambda: make_frame(planar(grid)),
            "dateline": lambda: make_frame(shifted(grid, 171.25)),
            "nowhere": lambda: make_frame(make_sensor_data(positions=False)),
        }[kind]()
    )
    if kind == "nowhere" and draw is error_map_figure:
        assert figure is None
        return
    image = pixels(figure)
    assert min(image.shape[:2]) > 400
    assert 0.01 < share(image, 0, 0.9) < 0.95


@pytest.mark.parametrize("draw", [map_figure, error_map_figure])
def test_kept_and_dropped_sensors_differ_in_shape(draw):
    """Without colour too one tells which is which."""
    figure = draw(*make_frame(make_sensor_data(nodes=20), budget=8))
    shapes = {
        len(drawn.get_offsets()): len(drawn.get_paths()[0].vertices)
        for drawn in figure.axes[0].collections
        if drawn.get_zorder() > 1  # above the land
    }
    assert shapes.keys() == {8, 12}
    assert shapes[8] != shapes[12]


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


def test_long_names_leave_room_for_the_drawing():
    names = [f"urn:ogc:object:feature:Sensor:{'x' * 80}:{node}" for node in range(6)]
    data = replace(make_sensor_data(nodes=6), geometry=None, sensors=tuple(names))
    figure = map_figure(*make_frame(data))
    render(figure, "png")
    assert figure.axes[0].get_position().height > 0.4
    shown = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert len(set(shown)) == 6
    assert all(len(label) == 24 and label.startswith("urn:ogc:obj…xxx") for label in shown)


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


def test_the_plan_folder_gets_every_picture(tmp_path):
    write(tmp_path / "a.plan", make_sensor_data())
    export_map(tmp_path / "a.plan", tmp_path / "map.png", "png")
    assert (tmp_path / "map.png").read_bytes() == (tmp_path / "a.plan" / "map.png").read_bytes()
    for name in ("curve", "error_by_lead", "error_map", "map", "mask_history"):
        image = imread(tmp_path / "a.plan" / f"{name}.png")
        assert min(image.shape[:2]) > 400


@pytest.mark.parametrize("points", [0, 1, 3])
def test_the_curve_is_drawn_with_any_number_of_points(points):
    regions = nodalize(make_sensor_data())
    plan = make_plan(regions, make_ranking(regions), 6)
    image = pixels(curve_figure(make_curve()[:points], plan))
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
    assert (
        share(pixels(curve_figure(curve, plan.model_copy(update={"metrics": metrics}))), 0, 0.9) > 0
    )


@pytest.mark.parametrize("limit", [True, False])
def test_the_curve_of_all_methods_is_drawn(limit):
    """Each method in its own colour, and the knee as a yellow star."""
    image = pixels(methods_figure(make_points(limit), make_record()))
    colours = {"dynst": "0072B2", "baseline": "D55E00", "random": "009E73", "limit": "CC79A7"}
    for name, colour in {**colours, "knee": "F0E442"}.items():
        rgb = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        there = (np.abs(image - rgb).max(axis=-1) < 0.05).sum()
        assert (there > 50) == (limit or name != "limit"), name


def test_a_curve_without_a_knee_is_drawn():
    image = pixels(methods_figure(make_points(), make_record(knee=None)))
    yellow = [0xF0 / 255, 0xE4 / 255, 0x42 / 255]
    assert (np.abs(image - yellow).max(axis=-1) < 0.05).sum() == 0


def test_the_error_map_shows_both_errors_of_each_region():
    """In the order of the table, the best last; a region without observed values is pale."""
    data, own = make_sensor_data(grid=(3, 4)), np.arange(1.0, 13)
    own[5] = np.nan
    frame, plan = make_frame(data, own_rmse=own, own_rmse_ratio=own / 10)
    first, second = (
        next(drawn for drawn in axes.collections if drawn.get_array() is not None)
        for axes in error_map_figure(frame, plan).axes[:2]
    )
    for drawn, column in ((first, "own_rmse"), (second, "own_rmse_ratio")):
        shown = np.ma.filled(drawn.get_array(), np.nan)
        np.testing.assert_array_equal(shown, frame[column].to_numpy()[::-1])
    assert second.norm.vmin <= 1 <= second.norm.vmax
    missing = int(np.flatnonzero(np.isnan(shown))[0])
    first.update_scalarmappable()
    np.testing.assert_allclose(first.get_facecolors()[missing, :3], 0xDE / 255)


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_errors_that_are_all_alike_or_unknown_are_drawn(value):
    same = np.full(12, value)
    frame, plan = make_frame(make_sensor_data(), own_rmse=same, own_rmse_ratio=same)
    assert pixels(error_map_figure(frame, plan)).size > 0


@pytest.mark.parametrize("leads", [1, 2, 12, 100])
def test_the_error_by_lead_has_its_units(leads):
    _, plan = make_frame(make_sensor_data())
    figure = lead_figure(make_leads(leads), plan)
    above, below = figure.axes
    assert above.get_ylabel() == "RMSE (ug m-3)"
    assert below.get_xlabel() == "time ahead (hours)"
    labels = [text.get_text() for text in figure.legends[0].texts]
    assert labels == [
        *("persistence", "the calendar alone", "all sensors", "this plan", "95 % interval"),
    ]
    plain = {line.get_label(): line.get_ydata() for line in above.lines}
    assert plain["this plan"] == pytest.approx([row.rmse_plan for row in make_leads(leads)])
    assert below.lines[-1].get_ydata() == pytest.approx([10.0] * leads)
    assert pixels(figure).size > 0


def draw_vectors():
    """A map and a curve, each as SVG and as PDF."""
    frame, plan = make_frame(make_sensor_data())
    figures = map_figure(frame, plan), lead_figure(make_leads(), plan)
    return [render(figure, format) for format in ("svg", "pdf") for figure in figures]


def test_the_same_figure_gives_the_same_bytes_in_another_process():
    code = (
        "import hashlib; from test_exports_figures import draw_vectors\n"
        "print(*[hashlib.sha256(content).hexdigest() for content in draw_vectors()])"
    )
    other = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        cwd=Path(__file__).parent,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    here = draw_vectors()
    assert [hashlib.sha256(content).hexdigest() for content in here] == other
    svg, pdf = here[0], here[-1]
    assert svg.startswith(b"<?xml")
    assert b"<text" not in svg  # outlines: no font is needed
    assert b"dc:date" not in svg
    assert pdf.startswith(b"%PDF")
    assert b"CreationDate" not in pdf


def test_very_many_cells_are_an_image_in_a_vector_figure():
    frame, plan = make_frame(make_sensor_data(grid=(70, 70), times=2), budget=2100)
    assert len(render(map_figure(frame, plan), "svg")) < 1_000_000


@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
def test_a_character_that_the_font_lacks_is_no_fault(format):
    data = replace(make_sensor_data(nodes=3), geometry=None, sensors=("名前", "b", "c"))
    frame, plan = make_frame(data, budget=2)
    assert render(map_figure(frame, plan), format)


def test_the_names_of_figures():
    assert names_of("map") == {"map.png", "map.svg", "map.pdf"}
