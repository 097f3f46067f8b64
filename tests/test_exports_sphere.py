"""Shapes and boxes across the antimeridian and over the poles."""

import numpy as np
import pytest
import rfc7946
import shapely
from hypothesis import given
from hypothesis import strategies as st

from sensorplan.exports.sphere import cells_on_sphere, into_world, narrowest_box
from sensorplan.reading.corners import near


def polar_grid(offset, turn=0.0, side=6, sign=1):
    """``[cell, 4, 2]`` corners of square cells of one degree on a plane around a pole, and their
    middles: of the corner of a cell (offset 0), of an edge, or of a place inside of one.
    """
    along = np.arange(side + 1) - side // 2
    x, y = np.meshgrid(along + offset[0], along + offset[1])
    plane = np.stack([x, y], axis=-1)
    ring = (plane[:-1, :-1], plane[:-1, 1:], plane[1:, 1:], plane[1:, :-1])
    corners = np.stack(ring, axis=-2).reshape(-1, 4, 2)
    middles = corners.mean(axis=1)
    beside = near(on_earth(corners, turn, sign), on_earth(middles, turn, sign)[:, ::-1])
    return np.round(beside, 7), middles


def on_earth(plane, turn, sign):
    """Longitude and latitude, a degree from the pole a unit of the plane."""
    x, y = np.moveaxis(plane, -1, 0)
    longitude = (np.degrees(np.arctan2(y, x)) + turn + 180) % 360 - 180
    return np.stack([longitude, np.round(sign * (90 - np.hypot(x, y)), 7)], axis=-1)


def cap(degrees, sign):
    """All that is so near to the pole, on the map."""
    south, north = sorted((sign * (90 - degrees), sign * 90.0))
    return shapely.box(-180, south, 180, north)


@pytest.mark.parametrize("offset", [(0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5), (0.3, 0.2)])
@pytest.mark.parametrize("turn", [0, 17.3, 180])
@pytest.mark.parametrize("sign", [1, -1])
def test_cells_around_a_pole_lie_where_they_are(offset, turn, sign):
    corners, middles = polar_grid(offset, turn, sign=sign)
    cells = cells_on_sphere(corners)
    assert shapely.is_valid(cells).all()
    near_middles = middles[:, None] + np.array([[0.1, 0.1], [-0.1, 0.1], [0, -0.1]])
    points = shapely.points(on_earth(near_middles, turn, sign))
    for cell in range(len(cells)):
        for point in points[cell]:
            assert np.flatnonzero(shapely.intersects(cells, point)).tolist() == [cell]
    assert shapely.area(cells).sum() == pytest.approx(shapely.union_all(cells).area, rel=1e-6)
    assert shapely.difference(cap(1.5, sign), shapely.union_all(cells)).area < 1e-4


@pytest.mark.parametrize("sign", [1, -1])
def test_a_cell_with_the_pole_inside_reaches_all_round(sign):
    square = on_earth(np.array([[[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]]), 20, sign)
    (cell,) = cells_on_sphere(square)
    assert cell.symmetric_difference(cap(np.sqrt(0.5), sign)).area < 1e-3


def test_the_top_row_of_a_regular_grid_stays_as_it_is():
    corners = np.array(
        [[[x, 85], [x + 60, 85], [x + 60, 90], [x, 90]] for x in range(-180, 180, 60)]
    )
    assert [cell.bounds for cell in cells_on_sphere(corners.astype(float))] == [
        (x, 85, x + 60, 90) for x in range(-180, 180, 60)
    ]


@pytest.mark.parametrize("width", [180, 270, 360])
def test_a_cell_half_round_the_world_is_none_over_a_pole(width):
    corners = np.array([[[-180, 0], [width - 180, 0], [width - 180, 30], [-180, 30]]], float)
    assert cells_on_sphere(corners)[0].bounds == (-180, 0, width - 180, 30)


def test_a_line_across_the_antimeridian_is_cut():
    (line,) = into_world(np.array([shapely.LineString([(170, 10), (190, 20)])]))
    assert line.equals(shapely.from_wkt("MULTILINESTRING ((170 10, 180 15), (-180 15, -170 20))"))


def test_what_ends_at_the_antimeridian_leaves_nothing_beyond():
    (line,) = into_world(np.array([shapely.LineString([(-190, 10), (-180, 20)])]))
    assert line.wkt == "LINESTRING (170 10, 180 20)"


BOXES = [
    (["POINT (177 -18)", "POINT (-178 -16)"], [177, -18, -178, -16]),  # Fiji, section 5.2
    (["POINT (8 50)"], [8, 50, 8, 50]),
    (["POINT (-120 40)", "POINT (100 30)"], [100, 30, -120, 40]),
    (["POINT (-80 40)", "POINT (90 30)"], [-80, 30, 90, 40]),
    (["POINT (10 80)", "POINT (20 90)"], [-180, 80, 180, 90]),  # section 5.3
    (["POINT (139 -66)", "POINT (0 -90)"], [-180, -90, 180, -66]),
    (["POLYGON ((10 85, 30 85, 30 90, 10 90, 10 85))"], [10, 85, 30, 90]),  # a slice of the cap
    (["POLYGON ((-180 85, 180 85, 180 90, -180 90, -180 85))"], [-180, 85, 180, 90]),
    (
        ["MULTIPOLYGON (((170 0, 180 0, 180 5, 170 0)), ((-180 0, -175 0, -180 5, -180 0)))"],
        [170, 0, -175, 5],
    ),
    (["POLYGON ((170 0, 180 0, 180 5, 170 0))", "POINT (10 0)"], [10, 0, 180, 5]),
]


@pytest.mark.parametrize(("shapes", "expected"), BOXES)
def test_the_box_of(shapes, expected):
    assert narrowest_box(shapely.from_wkt(shapes)) == expected


@given(
    st.lists(
        st.tuples(
            st.integers(-1800, 1799),
            st.integers(-899, 880),
            st.integers(0, 900),
            st.integers(0, 10),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_the_box_is_the_narrowest_around_everything(places):
    shapes = into_world(
        np.array(
            [
                shapely.box(x / 10, y / 10, (x + width) / 10, (y + height) / 10)
                if width and height
                else shapely.Point(x / 10, y / 10)
                for x, y, width, height in places
            ]
        )
    )
    geometries = [shapely.geometry.mapping(shape) for shape in shapes]
    box = narrowest_box(shapes)
    rfc7946.check_box({"bbox": box}, geometries)
    east = [(box[0] + 181) % 360 - 180, *box[1:]]
    with pytest.raises(AssertionError, match="bbox"):
        rfc7946.check_box({"bbox": east}, geometries)
