"""The report in a browser."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from browser import chromium, needs_chromium
from factories import make_sensor_data
from test_exports import planar, shifted
from test_report import write_plan_with

from sensorplan.exports import folder
from sensorplan.exports.report import write_report
from sensorplan.plan import ConstraintCheck

pytestmark = needs_chromium

HOSTILE = (
    "<script>window.hurt = 1</script>",
    "<img src=x onerror='window.hurt = 2'>",
    "</script><script>window.hurt = 3</script>",
    "$$\\frac{1}{2}$$",
    '"quoted", & <b>bold</b>',
    "@{column:rank} $name",
)
SHAPES = {
    "points": lambda: make_sensor_data(),
    "cells": lambda: make_sensor_data(grid=(3, 4)),
    "dateline": lambda: shifted(make_sensor_data(grid=(3, 4)), 171.25),
    "planar": lambda: planar(make_sensor_data()),
    "none": lambda: make_sensor_data(positions=False),
}
NAMES = "return [...document.querySelectorAll('#ranking tbody th')].map((cell) => cell.innerText)"
SIDES = "return [...document.querySelectorAll('#ranking td.decision')].map((c) => c.innerText)"
MAP = "const map = Bokeh.documents[0].roots()[0];"
CUT = f"""{MAP} return ['kept', 'dropped'].map(
    (name) => map.renderers.find((one) => one.name === name).view.filter.indices.length)"""


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    monkeypatch.setattr(folder, "draw_plan", lambda *arguments: {})


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("downloads")) as opened:
        yield opened


@pytest.fixture
def page(tmp_path):
    def made(data=None, **changes):
        write_plan_with(tmp_path / "a.plan", data or make_sensor_data(), **changes)
        write_report(tmp_path / "a.plan", tmp_path / "a.html")
        return tmp_path / "a.html"

    return made


def set_value(browser, name, value):
    browser.run(
        f"const one = document.getElementById('{name}'); one.value = arguments[0];"
        "one.dispatchEvent(new Event('input'))",
        str(value),
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_every_kind_of_network_is_drawn(browser, page, shape):
    browser.open(page(SHAPES[shape]()))
    assert browser.problems() == []
    assert browser.run(CUT) == [4, 8]
    size = browser.run(
        "const box = document.querySelector('#map').firstElementChild;"
        "return [box.offsetWidth, box.offsetHeight]"
    )
    assert min(size) > 200


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_the_screen(browser, page, width, dark):
    browser.open(page(), width=width, dark=dark)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    ink, paper, drawn = browser.run(
        f"{MAP} const style = getComputedStyle(document.body);"
        "return [style.color, style.backgroundColor, map.background_fill_color]"
    )
    light = [sum(int(n) for n in rgb[4:-1].split(",")) > 382 for rgb in (ink, paper)]
    assert light == [dark, not dark]
    assert drawn == ("#14171b" if dark else "#ffffff")
    assert all("rank" in hover(browser, row) for row in range(12))
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.problems() == []


def test_the_slider_moves_the_cut_the_marker_and_the_table(browser, page):
    browser.open(page())
    marker = "return Bokeh.documents[1].roots()[0].renderers.find((o) => o.name === 'chosen')"
    assert browser.run(SIDES) == ["keep"] * 4 + ["drop"] * 8
    assert "4 of 12 kept (67\xa0% off): this is the plan" in said(browser)
    set_value(browser, "kept", 9)
    assert browser.run(CUT) == [9, 3]
    assert browser.run(SIDES) == ["keep"] * 9 + ["drop"] * 3
    place = browser.run(f"{marker}.data_source.data")
    assert place["x"] == [9]
    assert place["y"] == pytest.approx([6.25])
    assert "9 of 12 kept (25\xa0% off): error +6.3\xa0% by the curve" in said(browser)
    set_value(browser, "kept-number", 2)
    assert browser.run(CUT) == [2, 10]
    assert browser.run(f"{marker}.data_source.data.x") == []
    assert "does not reach that far" in said(browser)
    set_value(browser, "kept", 12)
    assert browser.run(CUT) == [12, 0]
    assert "the full network" in said(browser)
    browser.run("document.getElementById('back').click()")
    assert browser.run(CUT) == [4, 8]
    assert browser.problems() == []


def said(browser):
    return browser.run("return document.getElementById('said').textContent")


def test_between_points_the_curve_is_a_line(browser, page):
    browser.open(page())
    set_value(browser, "kept", 8)  # two thirds from 6 (+25 %) to 9 (+6.25 %)
    assert "error +12.5\xa0%" in said(browser)
    set_value(browser, "kept", 10)  # a third from 9 to 12 (nothing lost)
    assert "error +4.2\xa0%" in said(browser)


def test_the_search_and_the_sorting(browser, page):
    places = tuple(f"{'Hill' if i % 3 else 'Dale'} {i}" for i in range(12))
    browser.open(page(replace(make_sensor_data(), attributes={"place": places})))
    names = browser.run(NAMES)
    set_value(browser, "search", " dALE ")
    assert sorted(browser.run(NAMES)) == ["S000", "S003", "S006", "S009"]
    assert browser.run("return document.getElementById('found').textContent") == (
        "4 of 12 hold “dALE”"
    )
    set_value(browser, "search", "nowhere")
    assert browser.run(NAMES) == []
    set_value(browser, "search", "")
    heads = "return [...document.querySelectorAll('#ranking thead th')]"
    click = heads.replace("return ", "") + ".find((h) => h.innerText.startsWith('sensor'))"
    browser.run(f"{click}.querySelector('button').click()")
    assert browser.run(NAMES) == sorted(names)
    browser.run(f"{click}.querySelector('button').click()")
    assert browser.run(NAMES) == sorted(names, reverse=True)
    assert browser.run(f"{heads}.map((h) => h.getAttribute('aria-sort')).filter(Boolean)") == [
        "descending"
    ]


def test_numbers_sort_as_numbers_and_missing_ones_last(browser, page):
    values = (10, 9, None, -1, 2.5, 100, 3, 4, 5, 6, 7, None)
    browser.open(page(replace(make_sensor_data(), attributes={"height": values})))
    browser.run("[...document.querySelectorAll('#ranking thead button')].at(-1).click()")
    cells = browser.run(
        "return [...document.querySelectorAll('#ranking td:last-child')].map((c) => c.innerText)"
    )
    assert cells == ["-1", "2.5", "3", "4", "5", "6", "7", "9", "10", "100", "", ""]


def test_long_rankings_come_in_pages(browser, page):
    browser.open(page(make_sensor_data(nodes=120, times=4)))
    assert len(browser.run(NAMES)) == 50
    browser.run("document.getElementById('after').click()")
    browser.run("document.getElementById('after').click()")
    assert len(browser.run(NAMES)) == 20
    assert browser.run("return document.getElementById('after').disabled")
    assert browser.run("return document.getElementById('page').textContent") == (
        "rows 101 to 120 of 120"
    )
    set_value(browser, "kept", 110)
    assert browser.run(SIDES) == ["keep"] * 10 + ["drop"] * 10
    browser.run("document.getElementById('before').click()")
    assert len(browser.run(NAMES)) == 50


def test_the_download_is_the_ranking_at_the_cut(browser, page):
    texts = ('a "quoted" one', "two, with comma", *map(str, range(10)))
    data = replace(
        make_sensor_data(), attributes={"note": texts, "height": (1.5, None, *range(10))}
    )
    file = page(data)
    browser.open(file)
    set_value(browser, "kept", 7)
    browser.run("document.getElementById('download').click()")
    saved, end = browser.downloads / "made-ranking-7.csv", time.monotonic() + 20
    while not saved.exists() and time.monotonic() < end:
        time.sleep(0.05)
    table = pd.read_csv(saved)
    expected = pd.read_csv(file.with_suffix(".plan") / "ranking.csv")
    assert table.pop("decision").tolist() == ["keep"] * 7 + ["drop"] * 5
    pd.testing.assert_frame_equal(table, expected.drop(columns="decision"))


def test_a_name_in_the_table_is_ringed_on_the_map(browser, page):
    browser.open(page())
    browser.run("document.querySelectorAll('#ranking tbody button')[5].click()")
    ring, own = browser.run(
        f"{MAP} const of = (name) => map.renderers.find((o) => o.name === name).data_source.data;"
        "return [[of('chosen').x[0], of('chosen').y[0]], [of('kept').x[5], of('kept').y[5]]]"
    )
    assert ring == own


def test_zooming_keeps_the_shape_of_the_map(browser, page):
    browser.open(page())
    spans = f"{MAP} return [map.x_range, map.y_range].map((range) => range.end - range.start)"
    x, y = browser.run(spans)
    view = f"{MAP} const box = Bokeh.index.get_by_id(map.id).frame.bbox;"
    width, height = browser.run(f"{view} return [box.width, box.height]")
    squeeze = float(np.cos(np.radians(51)))  # amid latitudes from 50 to 52
    assert (x * squeeze / width) / (y / height) == pytest.approx(1, rel=0.01)
    browser.run("document.querySelector('[data-zoom]').click()")
    assert browser.run(spans) == pytest.approx([0.7 * x, 0.7 * y])
    set_value(browser, "kept", 9)
    assert browser.run(spans) == pytest.approx([0.7 * x, 0.7 * y])
    browser.run("document.querySelector('[data-zoom=\"0\"]').click()")
    assert browser.run(spans) == pytest.approx([x, y])


def test_on_paper_the_ranking_is_longer_and_nothing_is_cut_off(browser, page):
    browser.open(page(make_sensor_data(nodes=120, times=4)), width=794, dark=True)
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert len(browser.run(NAMES)) == 120
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)"
    )
    assert browser.run("return getComputedStyle(document.querySelector('.tools')).display") == (
        "none"
    )
    assert browser.run("return document.documentElement.scrollWidth") <= 794
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert len(browser.run(NAMES)) == 50


def test_the_keyboard_reaches_all(browser, page):
    from selenium.webdriver.common.keys import Keys

    browser.open(page())
    reached = []
    for _ in range(60):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(
            browser.run("const a = document.activeElement; return a.id || a.textContent.trim()")
        )
    assert {"kept", "kept-number", "back", "search", "download", "importance"} <= {*reached}
    browser.run("document.getElementById('kept').focus()")
    browser.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert browser.run(CUT) == [5, 7]


def test_a_long_name_stays_in_its_column(browser, page):
    data = make_sensor_data(nodes=6)
    browser.open(page(replace(data, sensors=tuple(letter * 90 for letter in "abcdef"))))
    reach = "return [...document.querySelectorAll('#ranking tbody th')].map((cell) => "
    reach += "cell.getBoundingClientRect().right - "
    reach += "cell.querySelector('button').getBoundingClientRect().right)"
    assert min(browser.run(reach)) >= 0


def test_no_name_becomes_a_script(browser, page):
    data = make_sensor_data(nodes=len(HOSTILE))
    data = replace(data, sensors=HOSTILE, attributes={"<u>x</u>": HOSTILE})
    browser.open(
        page(
            data,
            warnings=HOSTILE,
            constraints=tuple(
                ConstraintCheck(constraint=text, found=text, met=True) for text in HOSTILE
            ),
        )
    )
    assert sorted(browser.run(NAMES)) == sorted(HOSTILE)
    tips = [hover(browser, row) for row in range(len(HOSTILE))]
    ranked = browser.run(NAMES)
    for tip, name in zip(tips, ranked, strict=True):
        assert tip.startswith(name)
    assert browser.run("return window.hurt ?? null") is None
    assert browser.problems() == []


PLACE = (
    MAP
    + """
    document.getElementById('map').scrollIntoView({block: 'center'});
    const frame = Bokeh.index.get_by_id(map.id).frame.bbox;
    const box = document.getElementById('map').firstElementChild.getBoundingClientRect();
    const data = map.renderers.find((one) => one.name === 'kept').data_source.data;
    const part = (range, value) => (value - range.start) / (range.end - range.start);
    return [box.left + frame.left + frame.width * part(map.x_range, data.x[arguments[0]]),
            box.top + frame.bottom - frame.height * part(map.y_range, data.y[arguments[0]])];"""
)
TIP = """const found = []; const walk = (root) => { for (const one of root.querySelectorAll('*')) {
    if (one.matches('.bk-Tooltip')) found.push(one.shadowRoot.querySelector('b'));
    if (one.shadowRoot) walk(one.shadowRoot); } };
    walk(document); return found.map((one) => one && one.parentElement.innerText).join('|');"""


def hover(browser, row):
    """Put the mouse on a region; gives what the tooltip says."""
    x, y = browser.run(PLACE, row)
    for step in (3, 0):
        event = {"type": "mouseMoved", "x": x + step, "y": y}
        browser.driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)
    return browser.run(TIP)


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["points", "cells"])
def test_twenty_thousand_regions_are_there_at_once(browser, page, shape):
    grid = (100, 200) if shape == "cells" else None
    browser.open(page(make_sensor_data(nodes=20_000, times=4, grid=grid)))
    assert browser.run("return performance.getEntriesByName('ready')[0].startTime") < 2000
    began = time.monotonic()
    set_value(browser, "kept", 10_000)
    assert browser.run(CUT) == [10_000, 10_000]
    assert time.monotonic() - began < 2
