"""KML for Google Earth."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import pytest
import shapely
from factories import make_sensor_data
from test_exports import frame_of, shifted
from test_exports_geojson import over_the_pole

from sensorplan.exports.geojson import plain
from sensorplan.exports.kml import kml
from sensorplan.exports.links import link_lines
from sensorplan.exports.style import DROPPED, KEPT, LINK

NAMES = {"": "http://www.opengis.net/kml/2.2"}


def document_of(frame, title="made"):
    root = ET.fromstring(kml(frame, link_lines(frame), title))
    assert root.tag == "{http://www.opengis.net/kml/2.2}kml"
    return root.find("Document", NAMES)


def folders_of(document):
    return {
        folder.findtext("name", namespaces=NAMES): folder
        for folder in document.findall("Folder", NAMES)
    }


def names_in(folder):
    return [
        place.findtext("name", namespaces=NAMES) for place in folder.iterfind("Placemark", NAMES)
    ]


def test_kept_and_dropped_have_their_folders_and_links_are_off():
    frame = frame_of(make_sensor_data())
    folders = folders_of(document_of(frame))
    assert list(folders) == ["Keep", "Drop", "Links"]
    for name, decision in (("Keep", "keep"), ("Drop", "drop")):
        assert (
            names_in(folders[name]) == frame.loc[frame["decision"] == decision, "sensor"].tolist()
        )
        assert {v.text for v in folders[name].iterfind(".//visibility", NAMES)} == {"1"}
    lines = link_lines(frame)
    expected = [f"{a} – {b}" for a, b in zip(lines["sensor"], lines["substitute"], strict=True)]
    assert names_in(folders["Links"]) == expected
    assert [v.text for v in folders["Links"].iterfind(".//visibility", NAMES)] == ["0"] * (
        1 + len(lines)
    )


def test_colours_are_opacity_blue_green_red():
    document = document_of(frame_of(make_sensor_data()))
    styles = {style.get("id"): style for style in document.findall("Style", NAMES)}
    for name, part, colour in (
        ("keep", "IconStyle", KEPT),
        ("drop", "IconStyle", DROPPED),
        ("link", "LineStyle", LINK),
    ):
        red, green, blue = (colour[at : at + 2].lower() for at in (1, 3, 5))
        found = styles[name].findtext(f"{part}/color", namespaces=NAMES)
        assert found == f"ff{blue}{green}{red}"
    used = {url.text for url in document.iterfind(".//styleUrl", NAMES)}
    assert used == {f"#{name}" for name in styles}


@pytest.mark.parametrize(("grid", "patch"), [(None, None), ((4, 6), None), ((4, 6), (2, 2))])
def test_everything_lies_on_the_ground(grid, patch):
    document = document_of(frame_of(make_sensor_data(grid=grid), patch))
    shapes = [
        shape
        for tag in ("Point", "Polygon", "LineString")
        for shape in document.iterfind(f".//{tag}", NAMES)
    ]
    modes = [shape.findtext("altitudeMode", namespaces=NAMES) for shape in shapes]
    assert modes == ["clampToGround"] * len(shapes)
    kinds = {shape.tag.split("}")[1] for shape in shapes}
    assert kinds == {"Polygon" if grid else "Point", "LineString"}


def test_properties_have_a_type_and_missing_ones_are_left_out():
    odd = {
        "count": (7,) * 12,
        "long": (2**40,) * 12,
        "on": (True, False) * 6,
        "height": (1.5, np.nan) * 6,
        "name": ("a", None) * 6,
    }
    frame = frame_of(replace(make_sensor_data(), attributes=odd))
    document = document_of(frame)
    fields = document.findall("Schema[@id='deployment']/SimpleField", NAMES)
    types = {field.get("name"): field.get("type") for field in fields}
    assert types["rank"] == "int"
    assert types["importance"] == "double"
    found = [types[name] for name in ("count", "long", "on", "height", "name_")]
    assert found == ["int", "string", "bool", "double", "string"]
    first = frame.iloc[0]
    data = document.findall("Folder/Placemark/ExtendedData", NAMES)[0]
    values = {value.get("name"): value.text for value in data.iterfind(".//SimpleData", NAMES)}
    assert values["long"] == str(2**40)
    assert values["on"] == str(int(first["on"]))
    assert ("height" in values) == (first["height"] == 1.5)
    assert values.get("name_") == plain(first["name"])  # GDAL's name is the placemark's
    assert "name" not in values
    assert values["rank"] == "1"
    assert not {"latitude", "longitude", "geometry"} & set(values)


def test_odd_names_are_escaped():
    names = ("a<b", "A&B", "]]>", 'q"', "ü", "\x07bell", "\ud83d", "line\nbreak")
    frame = frame_of(replace(make_sensor_data(nodes=8), sensors=names))
    document = document_of(frame, title="a & <b>")
    assert document.findtext("name", namespaces=NAMES) == "a & <b>"
    folders = folders_of(document)
    found = names_in(folders["Keep"]) + names_in(folders["Drop"])
    assert sorted(found) == sorted([*names[:5], "\ufffdbell", "\ufffd", "line\nbreak"])


def test_sensors_without_a_position_are_left_out():
    data = make_sensor_data()
    data.geometry.positions[5] = np.nan
    folders = folders_of(document_of(frame_of(data)))
    names = names_in(folders["Keep"]) + names_in(folders["Drop"])
    assert sorted(names) == sorted(set(data.sensors) - {"S005"})


def test_without_links_there_is_no_folder_of_them():
    frame = frame_of(make_sensor_data()).drop(columns="substitute")
    assert list(folders_of(document_of(frame))) == ["Keep", "Drop"]


def with_a_hole():
    """A patch without its middle cell."""
    whole = make_sensor_data(grid=(3, 3))
    corners = whole.geometry.corners.copy()
    corners[4] = corners[3]
    return replace(whole, geometry=replace(whole.geometry, corners=corners))


CASES = [
    (make_sensor_data(), None),
    (shifted(make_sensor_data(grid=(2, 6)), 171.25), None),
    (shifted(make_sensor_data(grid=(2, 6)), 171.25), (2, 2)),
    (over_the_pole(), None),
    (with_a_hole(), (3, 3)),
]


@pytest.mark.parametrize(("data", "patch"), CASES)
def test_geopandas_reads_the_same_places(data, patch, tmp_path):
    frame = frame_of(data, patch)
    lines = link_lines(frame)
    (tmp_path / "map.kml").write_bytes(kml(frame, lines, "made"))
    expected = {
        "Keep": frame[frame["decision"] == "keep"],
        "Drop": frame[frame["decision"] == "drop"],
        "Links": lines,
    }
    for layer, rows in expected.items():
        if len(rows):
            found = gpd.read_file(tmp_path / "map.kml", layer=layer)
            assert found["sensor"].tolist() == rows["sensor"].tolist()
            assert shapely.equals(found.geometry.to_numpy(), rows.geometry.to_numpy()).all()


@pytest.mark.parametrize(("data", "patch"), CASES)
def test_it_follows_the_schema_of_the_standard(data, patch, tmp_path):
    pytest.importorskip("lxml", reason="needs lxml, to check by the schema of KML")
    validator = pytest.importorskip(
        "fastkml.validator", reason="needs fastkml, which brings the schema of KML along"
    )
    frame = frame_of(data, patch)
    (tmp_path / "map.kml").write_bytes(kml(frame, link_lines(frame), "made"))
    assert validator.validate(file_to_validate=tmp_path / "map.kml")
    broken = (tmp_path / "map.kml").read_text().replace("altitudeMode", "altitude")
    (tmp_path / "broken.kml").write_text(broken)
    with pytest.raises(AssertionError, match="altitude"):
        validator.validate(file_to_validate=tmp_path / "broken.kml")
