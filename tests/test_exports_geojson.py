"""RFC 7946: the boxes of `deployment.geojson`, and the checks that the other tests rely on."""

import json
from dataclasses import replace

import numpy as np
import pytest
import rfc7946
import shapely
from factories import make_sensor_data
from test_exports import frame_of, shapes_of, shifted
from test_exports_sphere import polar_grid

from sensorplan.exports.geojson import geojson


def over_the_pole():
    """A grid of 6 x 6 cells around the north pole, one of them with the pole inside."""
    data = make_sensor_data(grid=(6, 6))
    corners, _ = polar_grid((0.5, 0.5))
    return replace(data, geometry=replace(data.geometry, corners=corners))


@pytest.mark.parametrize("patch", [None, (2, 2), (2, 3)])
def test_a_grid_over_the_pole(patch):
    content = geojson(frame_of(over_the_pole(), patch))
    collection = rfc7946.check(content)
    west, south, east, north = collection["bbox"]
    assert (west, east, north) == (-180, 180, 90)
    assert south == pytest.approx(90 - 3.5 * np.sqrt(2), abs=1e-6)
    shapes = shapes_of(content)
    assert all(shape.is_valid for shape in shapes)
    assert sum(shape.area for shape in shapes) == pytest.approx(shapely.union_all(shapes).area)


@pytest.mark.parametrize("patch", [None, (2, 2)])
def test_the_boxes_across_the_antimeridian(patch):
    data = shifted(make_sensor_data(grid=(2, 6)), 171.25)
    collection = rfc7946.check(geojson(frame_of(data, patch)))
    assert collection["bbox"] == [179.125, 49.875, -179.375, 50.375]
    for feature in collection["features"]:
        split = feature["geometry"]["type"] == "MultiPolygon"
        assert ("bbox" in feature) == split
        if split:
            assert feature["bbox"][0] > feature["bbox"][2]
    assert any("bbox" in feature for feature in collection["features"])


def test_a_patch_in_two_pieces_has_no_box_of_its_own():
    data = make_sensor_data(grid=(2, 3))
    corners = data.geometry.corners.copy()
    corners[[1, 4]] += 50  # the middle column elsewhere
    data = replace(data, geometry=replace(data.geometry, corners=corners))
    (feature,) = rfc7946.check(geojson(frame_of(data, (2, 3))))["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"
    assert "bbox" not in feature


def test_stations_on_both_sides_and_at_the_pole():
    data = make_sensor_data(nodes=3)
    data.geometry.positions[:] = [[-18, 177], [-16, -178], [np.nan, np.nan]]
    assert rfc7946.check(geojson(frame_of(data)))["bbox"] == [177, -18, -178, -16]
    data.geometry.positions[2] = [-90, 0]
    assert rfc7946.check(geojson(frame_of(data)))["bbox"] == [-180, -90, 180, -16]


def test_without_positions_there_is_no_box():
    collection = rfc7946.check(geojson(frame_of(make_sensor_data(positions=False))))
    assert "bbox" not in collection


def collection_of(geometry, **members):
    feature = {"type": "Feature", "geometry": geometry, "properties": None}
    return json.dumps({"type": "FeatureCollection", "features": [feature], **members})


def polygon(*rings):
    return {"type": "Polygon", "coordinates": rings}


RING = [[0, 0], [4, 0], [4, 4], [0, 0]]
HOLE = [[2, 1], [3, 2], [3, 1], [2, 1]]
POINT = {"type": "Point", "coordinates": [1, 2]}


def test_the_check_lets_good_files_pass():
    rfc7946.check(collection_of(polygon(RING, HOLE), bbox=[0, 0, 4, 4]))
    rfc7946.check(collection_of(None))


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (collection_of(POINT, crs={"type": "name"}), "crs"),
        (collection_of({**POINT, "crs": None}), "crs"),
        (collection_of(POINT, properties={}), "a member of another type"),
        (collection_of({"type": "point", "coordinates": [1, 2]}), "type point"),
        (collection_of({"type": "Point"}), "a member is missing"),
        (collection_of({"type": "Point", "coordinates": [1]}), "position"),
        (collection_of({"type": "Point", "coordinates": [1, float("nan")]}), "NaN is no number"),
        (collection_of({"type": "Point", "coordinates": [181, 2]}), "longitude 181"),
        (collection_of({"type": "Point", "coordinates": [1, -91]}), "latitude -91"),
        (collection_of(polygon(RING[1:])), "ring of less than four"),
        (collection_of(polygon([*RING[:-1], [1, 1]])), "open ring"),
        (collection_of(polygon(RING[::-1])), "wrong way round"),
        (collection_of(polygon(RING, HOLE[::-1])), "wrong way round"),
        (collection_of(polygon([[-170, 0], [170, 0], [170, 5], [-170, 0]])), "antimeridian"),
        (collection_of(POINT, bbox=[1, 2, 1, 3]), "latitudes of the bbox"),
        (collection_of(POINT, bbox=[1, 2, 181, 2]), "longitudes of the bbox"),
        (collection_of(POINT, bbox=[-180, 2, 180, 2]), "wider than it must be"),
        (collection_of(polygon(RING), bbox=[0, 0, 3, 4]), "not around everything"),
        (collection_of(polygon(RING), bbox=[4, 0, 0, 4]), "not around everything"),
        (collection_of({"type": "Point", "coordinates": [7, 90]}, bbox=[7, 90, 7, 90]), "a pole"),
    ],
)
def test_the_check_finds_what_is_wrong(content, wrong):
    with pytest.raises(AssertionError, match=wrong):
        rfc7946.check(content)
