"""How places lie on a printed map."""

import numpy as np
import pytest
import shapely
from matplotlib.figure import Figure

from sensorplan.exports.map_sheet import label_sheet, lay_out
from sensorplan.exports.sphere import into_world


def points(*places):
    """From (latitude, longitude) each."""
    return shapely.points([(longitude, latitude) for latitude, longitude in places])


def around(latitude, step=30):
    return points(*[(latitude, longitude) for longitude in range(-180, 180, step)])


def dry(sheet, x, y):
    return bool(shapely.contains_xy(sheet.land, x, y).any())


def test_land_lies_where_it_is():
    sheet = lay_out(points((52.5, 13.4), (55, 6), (48, 2)), planar=False)
    assert sheet.kind == "plain"
    assert dry(sheet, 13, 52)
    assert not dry(sheet, 5, 54.5)
    _, south, _, north = sheet.bounds
    assert sheet.ratio == pytest.approx(1 / np.cos(np.radians((south + north) / 2)))


@pytest.mark.parametrize("size", [0.5, 1.9])
def test_the_outline_is_left_out_where_it_is_too_coarse(size):
    assert not len(lay_out(points((52, 13), (52 + size, 13)), planar=False).land)


def test_planar_positions_have_no_land_and_one_ratio():
    sheet = lay_out(points((0, 0), (50, 100)), planar=True)
    assert (sheet.kind, len(sheet.land), sheet.ratio) == ("planar", 0, 1)
    assert sheet.aspect == pytest.approx(60 / 110)


@pytest.mark.parametrize("longitudes", [(177, -178), (110, -75)])
def test_a_network_across_the_dateline_is_one(longitudes):
    sheet = lay_out(points(*[(-17, longitude) for longitude in longitudes]), planar=False)
    west, _, east, _ = shapely.total_bounds(sheet.parts)
    assert (west, east) == (longitudes[0], longitudes[1] + 360)


def test_land_across_the_dateline_has_no_seam():
    """Chukotka, which the file holds in two pieces."""
    sheet = lay_out(points((68, 178), (66, -178)), planar=False)
    (mainland,) = sheet.land[shapely.contains_xy(sheet.land, 179.9, 68)]
    assert shapely.contains_xy(mainland, 180.1, 68)


def test_a_network_across_the_atlantic_stays_as_it_is():
    sheet = lay_out(points((40, -120), (50, 15)), planar=False)
    west, _, east, _ = shapely.total_bounds(sheet.parts)
    assert (west, east) == (-120, 15)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_network_around_a_pole_is_seen_from_above(sign):
    sheet = lay_out(around(sign * 70), planar=False)
    assert (sheet.kind, sheet.pole) == ("polar", sign * 90)
    distance = np.hypot(*shapely.get_coordinates(sheet.parts).T)
    np.testing.assert_allclose(distance, 2 * np.sin(np.radians(20) / 2), rtol=1e-3)
    assert dry(sheet, 0.01, 0.01) == (sign < 0)  # Antarctica
    assert sheet.land.size


def test_cells_around_a_pole_keep_their_area():
    boxes = into_world(np.array([shapely.box(x, 60, x + 30, 90) for x in range(-180, 180, 30)]))
    sheet = lay_out(boxes, planar=False)
    np.testing.assert_allclose(
        shapely.area(sheet.parts), np.pi / 6 * (1 - np.sin(np.radians(60))), rtol=2e-3
    )


@pytest.mark.parametrize(
    "places", [around(40), around(0), points((80, 0), (80, 90)), points((80, 10), (-80, 10))]
)
def test_other_networks_are_not(places):
    assert lay_out(places, planar=False).kind == "plain"


@pytest.mark.parametrize("planar", [True, False])
def test_a_single_place_has_paper_around_it(planar):
    west, south, east, north = lay_out(points((90, 0)), planar=planar).bounds
    assert west < 0 < east
    assert south < 90 < north


def test_degrees_beyond_the_dateline_are_west():
    axes = Figure().add_subplot()
    sheet = lay_out(points((0, 170), (5, -170)), planar=False)
    axes.set_xlim(sheet.bounds[0], sheet.bounds[2])
    label_sheet(axes, sheet)
    shown = {label.get_text() for label in axes.get_xticklabels()}
    assert {"175", "180", "−175"} <= shown
