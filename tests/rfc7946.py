"""The rules of RFC 7946 that a file can break, written down once more for the tests."""

import itertools
import json
import math

DEPTH = {  # of the lists in `coordinates` above a position
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}


def check(content):
    """Read a FeatureCollection; fail where it breaks a rule."""
    collection = json.loads(content, parse_constant=not_a_number)
    check_members(collection, "FeatureCollection", {"features"})
    for feature in collection["features"]:
        check_members(feature, "Feature", {"geometry", "properties"})
        assert isinstance(feature["properties"], dict | None), "properties (3.2)"
        if feature["geometry"] is not None:
            check_geometry(feature["geometry"])
    located = [f["geometry"] for f in collection["features"] if f["geometry"] is not None]
    check_box(collection, located)
    for feature in collection["features"]:
        check_box(feature, [feature["geometry"]])
    return collection


def not_a_number(name):
    raise AssertionError(f"{name} is no number")


def check_members(value, kind, members):
    others = {"features", "geometry", "properties", "coordinates", "geometries"} - members
    assert value["type"] == kind, f"type {value['type']} (1.4)"
    assert members <= set(value), "a member is missing (3)"
    assert not others & set(value), "a member of another type (7.1)"
    assert "crs" not in value, "crs (4)"


def check_geometry(geometry):
    assert geometry["type"] in DEPTH, f"type {geometry['type']} (1.4)"
    check_members(geometry, geometry["type"], {"coordinates"})
    for position in positions(geometry):
        assert len(position) in (2, 3), "position (3.1.1)"
        assert all(type(number) in (int, float) for number in position), "position (3.1.1)"
        assert -180 <= position[0] <= 180, f"longitude {position[0]} (4)"
        assert -90 <= position[1] <= 90, f"latitude {position[1]} (4)"
    for rings in polygons(geometry):
        for number, ring in enumerate(rings):
            assert len(ring) >= 4, "ring of less than four (3.1.6)"
            assert ring[0] == ring[-1], "open ring (3.1.6)"
            assert (doubled_area(ring) > 0) == (number == 0), "ring wrong way round (3.1.6)"
    for line in lines(geometry):
        for (x1, y1), (x2, y2) in itertools.pairwise(line):
            on_edge = abs(y1) == abs(y2) == 90
            assert abs(x1 - x2) <= 180 or on_edge, "across the antimeridian (3.1.9)"


def flat(coordinates, depth):
    for _ in range(depth):
        coordinates = [inner for outer in coordinates for inner in outer]
    return coordinates


def positions(geometry):
    wrapped = [geometry["coordinates"]]
    return flat(wrapped, DEPTH[geometry["type"]])


def polygons(geometry):
    kind, coordinates = geometry["type"], geometry["coordinates"]
    return {"Polygon": [coordinates], "MultiPolygon": coordinates}.get(kind, [])


def lines(geometry):
    kind, coordinates = geometry["type"], geometry["coordinates"]
    if kind == "LineString":
        return [coordinates]
    return coordinates if kind == "MultiLineString" else flat(polygons(geometry), 1)


def doubled_area(ring):
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in itertools.pairwise(ring))


def check_box(value, geometries):
    """Section 5: around everything, no wider than it must be, and all round a pole in it."""
    if "bbox" not in value:
        return
    west, south, east, north = value["bbox"]
    latitudes = [p[1] for geometry in geometries for p in positions(geometry)]
    assert (south, north) == (min(latitudes), max(latitudes)), "latitudes of the bbox (5)"
    assert -180 <= min(west, east) <= max(west, east) <= 180, "longitudes of the bbox (5)"
    if any(g["type"] == "Point" and abs(g["coordinates"][1]) == 90 for g in geometries):
        assert (west, east) == (-180, 180), "bbox around a pole (5.3)"
        return
    spans = [span for geometry in geometries for span in spans_of(geometry)]
    width = east - west if west <= east else east - west + 360
    assert reach(spans, west) <= width + 1e-5, "bbox not around everything (5)"
    least = min(360, *(reach(spans, start) for start in [-180, *(first for first, _ in spans)]))
    assert math.isclose(width, least, abs_tol=1e-5), "bbox wider than it must be (5.2)"
    assert width < 360 - 1e-5 or (west, east) == (-180, 180), "bbox round the world (5)"


def spans_of(geometry):
    """West and east of each part."""
    if geometry["type"].endswith("Point"):
        parts = [[position] for position in positions(geometry)]
    else:
        parts = lines(geometry)
    return [(min(p[0] for p in part), max(p[0] for p in part)) for part in parts]


def reach(spans, start):
    """Degrees that one must go east from `start` to have passed all spans whole."""
    return max((west - start) % 360 + east - west for west, east in spans)
