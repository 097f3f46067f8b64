"""The lines from dropped sensors to their substitutes."""

from dataclasses import replace

import numpy as np
import pytest
import rfc7946
import shapely
from factories import make_sensor_data
from pyproj import Geod
from test_exports import frame_of, planar

from sensorplan.exports.links import STEP, link_lines, link_warnings
from sensorplan.exports.maps import recut

EARTH = Geod(ellps="WGS84")


def placed(*positions):
    """Sensors at these latitudes and longitudes."""
    data = make_sensor_data(nodes=len(positions))
    return replace(data, geometry=replace(data.geometry, positions=np.array(positions, float)))


def between(start, end, **change):
    """The one line from the first sensor to the second."""
    frame = frame_of(placed(start, end)).sort_values("sensor").reset_index(drop=True)
    frame = frame.assign(decision=["drop", "keep"], substitute=["S001", None], **change)
    return link_lines(frame)


def test_each_dropped_sensor_has_a_line_to_its_substitute():
    frame = frame_of(make_sensor_data())
    lines = link_lines(frame)
    dropped = frame[frame["decision"] == "drop"]
    assert list(lines.columns) == [
        *("sensor", "substitute", "substitute_r2", "substitute_km", "geometry")
    ]
    assert lines.crs == "EPSG:4326"
    assert lines["sensor"].tolist() == dropped["sensor"].tolist()
    places = frame.set_index("sensor").geometry
    for sensor, substitute, shape in zip(
        lines["sensor"], lines["substitute"], lines.geometry, strict=True
    ):
        assert shapely.get_point(shape, 0).equals(places[sensor])
        assert shapely.get_point(shape, -1).equals(places[substitute])
    lengths = [EARTH.geometry_length(shape) / 1000 for shape in lines.geometry]
    np.testing.assert_allclose(lengths, lines["substitute_km"], atol=0.002)
    assert link_warnings(frame) == []


def test_a_long_line_is_a_geodesic():
    (line,) = between((40, -100), (50, 20)).geometry
    metres = EARTH.inv(-100, 40, 20, 50)[2]
    assert EARTH.geometry_length(line) == pytest.approx(metres, abs=1)
    assert line.bounds[3] > 60  # the great circle bends to the north
    steps = [EARTH.inv(*a, *b)[2] for a, b in zip(line.coords, list(line.coords)[1:], strict=False)]
    assert max(steps) <= STEP


@pytest.mark.parametrize(("start", "end"), [((-18, 177), (-16, -178)), ((60, -170), (55, 160))])
def test_a_line_across_the_antimeridian_is_cut_there(start, end):
    (line,) = between(start, end).geometry
    assert line.geom_type == "MultiLineString"
    rfc7946.check_geometry(shapely.geometry.mapping(line))
    metres = EARTH.inv(*start[::-1], *end[::-1])[2]
    assert EARTH.geometry_length(line) == pytest.approx(metres, rel=1e-6)
    seams = sorted(x for part in line.geoms for x, _ in part.coords if abs(x) == 180)
    assert seams == [-180, 180]


def test_a_line_over_the_pole_stays_on_the_map():
    (line,) = between((80, 10), (80, -170)).geometry
    rfc7946.check_geometry(shapely.geometry.mapping(line))
    assert line.bounds[3] > 89


def test_no_line_between_sensors_at_one_place_or_without_one():
    assert len(between((50, 8), (50, 8))) == 0
    assert len(between((50, 8), (np.nan, np.nan))) == 0


def test_planar_lines_are_straight():
    data = planar(make_sensor_data(grid=(3, 4)))
    frame = frame_of(data)
    lines = link_lines(frame)
    assert lines.crs is None
    assert "substitute_distance" in lines
    np.testing.assert_allclose(lines.length, lines["substitute_distance"], rtol=1e-5)
    assert set(shapely.get_num_coordinates(lines.geometry)) == {2}


def test_a_cut_elsewhere_loses_the_lines_to_what_it_drops():
    frame = frame_of(make_sensor_data())
    substitute = frame["substitute"].dropna().iloc[0]
    rank = int(frame.loc[frame["sensor"] == substitute, "rank"].iloc[0])
    kept, gone = recut(frame, rank), recut(frame, rank - 1)
    assert len(link_lines(kept)) == 12 - rank
    assert link_warnings(kept) == []
    named = int(((gone["decision"] == "drop") & gone["substitute"].notna()).sum())
    assert [warning.split(":")[0] for warning in link_warnings(gone)] == [
        f"{named} of {named} dropped sensors have no line to their substitute"
    ]


def test_an_older_plan_has_no_lines():
    frame = frame_of(make_sensor_data()).drop(columns="substitute")
    assert len(link_lines(frame)) == 0
    assert link_warnings(frame) == []
