"""How the mask came about: the rounds, their table and their figure."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from test_exports import make_plan, make_ranking, make_rounds

from sensorplan.exports.mask_history import mask_history_csv, mask_history_figure
from sensorplan.exports.style import render
from sensorplan.masking import MaskRound, regrown
from sensorplan.regions import Regions, Topology


def make_regions(count, prefix="S"):
    return Regions(
        tuple(f"{prefix}{i}" for i in range(count)), np.arange(count)[:, None], Topology()
    )


def draw(count, budget, best="dynst", prefix="S"):
    regions = make_regions(count, prefix)
    ranking = make_ranking(regions)
    plan = make_plan(regions, ranking, budget)
    plan = plan.model_copy(update={"candidates": {**plan.candidates, best: -1.0}})
    return mask_history_figure(make_rounds(ranking, budget), ranking.order, plan), ranking


def rows_of(content):
    return list(csv.DictReader(io.StringIO(content.decode())))


@given(arrays(bool, st.tuples(st.integers(1, 6), st.just(5))))
def test_the_table_holds_every_mask(masks):
    names = tuple("abcde")
    content = mask_history_csv([MaskRound("prune", mask, 0) for mask in masks], names)
    mask = np.ones(5, bool)
    for row, expected in zip(rows_of(content), masks, strict=True):
        mask[[names.index(name) for name in row["dropped"].split(";") if name]] = False
        mask[[names.index(name) for name in row["regrown"].split(";") if name]] = True
        np.testing.assert_array_equal(mask, expected)
        assert int(row["kept"]) == expected.sum()
        assert float(row["density"]) == pytest.approx(expected.mean())


def test_a_round_has_its_number_and_stage():
    ranking = make_ranking(make_regions(12))
    rows = rows_of(mask_history_csv(make_rounds(ranking, 4), make_regions(12).names))
    assert [(row["round"], row["stage"], row["swapped"]) for row in rows] == [
        *(("0", "start", "0"), ("1", "prune", "0"), ("2", "refine", "0")),
        *(("3", "jury", "0"), ("4", "plan", "1")),
    ]


def test_regrown_are_those_that_were_not_kept():
    before, after = np.array([[True, True, False, False], [True, False, True, True]])
    assert regrown(before, after) == 2
    assert regrown(after, before) == 1


@pytest.mark.parametrize("regions", [4, 12, 70, 71, 400])
def test_the_raster_has_a_row_a_region_best_first(regions):
    figure, ranking = draw(regions, 1)
    (image,) = figure.axes[1].images
    shade = image.get_array()
    assert shade.shape == (regions, 5)
    last = np.where(ranking.keep(1)[ranking.order], 0.5, 0.0)  # came back in the last round
    np.testing.assert_array_equal(shade[:, -1], last)
    np.testing.assert_array_equal(shade[:, 0], 1.0)
    named = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert ("S0" in named) == (regions <= 70)
    assert render(figure, "png").startswith(b"\x89PNG")


def test_long_names_leave_room_for_the_rounds():
    figure, _ = draw(4, 1, prefix="S" * 90)
    render(figure, "png")
    assert figure.axes[1].get_position().width > 0.6


def test_many_regions_share_rows():
    figure, _ = draw(3001, 900)
    (image,) = figure.axes[1].images
    assert image.get_array().shape == (200, 5)
    assert image.get_array()[:, -1].sum() == pytest.approx(200 * 900 / 3001, abs=1)


def test_the_figure_says_whose_mask_was_taken():
    for best, said in (("dynst", "trained mask"), ("backward", "mask of backward")):
        figure, _ = draw(12, 4, best)
        texts = [text.get_text() for text in figure.axes[0].texts]
        assert f"made: the jury took the {said}" in texts
