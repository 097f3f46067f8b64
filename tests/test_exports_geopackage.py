"""GeoPackages, and their styles for QGIS."""

import sqlite3
from contextlib import closing
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
from factories import make_sensor_data
from test_exports import frame_of, planar, shifted

from sensorplan.exports.geopackage import geopackage
from sensorplan.exports.links import link_lines
from sensorplan.exports.style import DROPPED, KEPT


@pytest.fixture
def write(tmp_path):
    def write_data(data, patch=None):
        frame = frame_of(data, patch)
        file = tmp_path / "map.gpkg"
        file.write_bytes(geopackage(frame, link_lines(frame)))
        return file

    return write_data


def select(file, query):
    with closing(sqlite3.connect(file)) as database:
        return database.execute(query).fetchall()


def layers(file):
    return [(name, kind) for name, kind in pyogrio.list_layers(file)]


@pytest.mark.parametrize(("grid", "kind"), [(None, "Point"), ((3, 4), "Polygon")])
def test_both_layers_have_one_kind_of_shape(write, grid, kind):
    file = write(make_sensor_data(grid=grid))
    expected = [("deployment", kind), ("links", "LineString"), ("layer_styles", None)]
    assert layers(file) == expected


def test_what_the_antimeridian_cuts_is_multi_throughout(write):
    file = write(shifted(make_sensor_data(grid=(2, 6)), 171.25))
    assert layers(file)[:2] == [("deployment", "MultiPolygon"), ("links", "MultiLineString")]
    links = gpd.read_file(file, layer="links")
    assert links.total_bounds[[0, 2]].tolist() == [-180, 180]


def test_the_file_is_a_whole_database_in_order(write):
    file = write(make_sensor_data())
    assert select(file, "PRAGMA integrity_check") == [("ok",)]
    assert select(file, "PRAGMA foreign_key_check") == []
    contents = select(file, "SELECT table_name, data_type, srs_id FROM gpkg_contents")
    assert sorted(contents) == [
        ("deployment", "features", 4326),
        ("layer_styles", "attributes", None),
        ("links", "features", 4326),
    ]


def test_planar_layers_have_the_undefined_cartesian_system(write):
    data = planar(make_sensor_data(grid=(3, 4)))
    file = write(data)
    for table in ("gpkg_contents", "gpkg_geometry_columns"):
        found = select(file, f"SELECT srs_id FROM {table} WHERE table_name != 'layer_styles'")
        assert found == [(-1,), (-1,)]
    blobs = select(file, "SELECT geom FROM deployment")
    assert {int.from_bytes(blob[4:8], "little", signed=True) for (blob,) in blobs} == {-1}
    frame = gpd.read_file(file, layer="deployment")
    assert frame.crs.name == "Undefined Cartesian SRS"
    np.testing.assert_allclose(frame.geometry.centroid.x, frame["x"])
    assert len(gpd.read_file(file, layer="links")) > 0


def test_without_positions_it_is_a_table(write):
    file = write(make_sensor_data(positions=False))
    assert layers(file) == [("deployment", None)]
    assert gpd.read_file(file)["rank"].tolist() == list(range(1, 13))


def test_a_sensor_without_a_position_stays_in_the_table(write):
    data = make_sensor_data()
    data.geometry.positions[5] = np.nan
    frame = gpd.read_file(write(data), layer="deployment")
    assert frame.loc[frame.geometry.isna(), "sensor"].tolist() == ["S005"]


def styles_of(file):
    """As QGIS asks for the style of a layer that it opens."""
    rows = select(
        file,
        "SELECT f_table_name, styleQML FROM layer_styles WHERE f_table_schema = '' AND "
        "f_geometry_column = 'geom' AND useAsDefault ORDER BY f_table_name",
    )
    return {layer: ET.fromstring(qml) for layer, qml in rows}


@pytest.mark.parametrize(
    ("grid", "symbol", "drawn"), [(None, "marker", "SimpleMarker"), ((3, 4), "fill", "SimpleFill")]
)
def test_qgis_finds_kept_and_dropped_in_colour(write, grid, symbol, drawn):
    styles = styles_of(write(make_sensor_data(grid=grid)))
    assert list(styles) == ["deployment", "links"]
    renderer = styles["deployment"].find("renderer-v2")
    assert (renderer.get("type"), renderer.get("attr")) == ("categorizedSymbol", "decision")
    symbols = {element.get("name"): element for element in renderer.find("symbols")}
    colours = {}
    for category in renderer.find("categories"):
        element = symbols[category.get("symbol")]
        assert element.get("type") == symbol
        assert element.find("layer").get("class") == drawn
        option = element.find("layer/Option/Option[@name='color']").get("value")
        assert option.endswith(",255")
        channels = [int(part) for part in option.split(",")[:3]]
        colours[category.get("value")] = "#{:02X}{:02X}{:02X}".format(*channels)
    assert colours == {"keep": KEPT, "drop": DROPPED}
    assert styles["links"].find("renderer-v2/symbols/symbol").get("type") == "line"


def test_the_table_of_styles_is_as_qgis_makes_it(write):
    file = write(make_sensor_data())
    columns = [row[1] for row in select(file, "PRAGMA table_info(layer_styles)")]
    assert columns == [
        *("id", "f_table_catalog", "f_table_schema", "f_table_name", "f_geometry_column"),
        *("styleName", "styleQML", "styleSLD", "useAsDefault", "description", "owner", "ui"),
        "update_time",
    ]
    (stamp,) = select(file, "SELECT DISTINCT update_time FROM layer_styles")[0]
    assert stamp.endswith("Z")
