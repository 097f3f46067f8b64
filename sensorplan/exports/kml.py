"""A plan's map as KML 2.2 (OGC 07-147r2) for Google Earth."""

import re
from typing import Any
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from sensorplan.exports.geojson import plain
from sensorplan.exports.style import DROPPED, KEPT, LINK
from sensorplan.exports.tables import COORDINATES

REGIONS, LINKS = "deployment", "links"  # schemas

_DOT = "https://maps.google.com/mapfiles/kml/shapes/placemark_circle.png"
_TAKEN = {
    *("name", "description", "timestamp", "begin", "end", "altitudemode", "tessellate", "extrude"),
    *("visibility", "draworder", "icon"),
}
"""What GDAL, and QGIS with it, calls parts of a placemark itself."""
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def kml(frame: gpd.GeoDataFrame, lines: gpd.GeoDataFrame, title: str) -> bytes:
    """The regions of a plan in the folders ``Keep`` and ``Drop``, and the lines in ``Links``.

    Args:
        frame: The table of the plan's regions (`tables.deployment`), on the earth; a region without
            a position is left out.
        lines: `links.link_lines`; the folder is switched off, and there is none without lines.
        title: Name of the document.

    Returns:
        UTF-8 text. Everything lies on the ground, with the table's columns as extended data.
    """
    root = ET.Element("kml", xmlns="http://www.opengis.net/kml/2.2")
    document = ET.SubElement(root, "Document")
    _add(document, "name", title)
    _add(document, "open", "1")
    _add_region_style(document, "keep", KEPT, scale="1.0")
    _add_region_style(document, "drop", DROPPED, scale="0.7")
    link = ET.SubElement(document, "Style", id="link")
    _add_parts(link, "LineStyle", color=_colour(LINK), width="1.5")
    placed = frame[frame["geometry"].notna()]
    columns = [name for name in frame.columns if name not in {*COORDINATES, "geometry"}]
    layers = [(REGIONS, placed[[*columns, "geometry"]])]
    layers += [(LINKS, lines)] if len(lines) else []
    for schema, table in layers:
        _add_schema(document, schema, table)
    for name, decision in (("Keep", "keep"), ("Drop", "drop")):
        folder = _add_folder(document, name, "1")
        for row in _rows(placed.loc[placed["decision"] == decision, [*columns, "geometry"]]):
            _add_placemark(folder, row["sensor"], decision, REGIONS, row)
    if len(lines):
        folder = _add_folder(document, "Links", "0")
        for row in _rows(lines):
            name = f"{row['sensor']} – {row['substitute']}"
            _add_placemark(folder, name, "link", LINKS, row)
    ET.indent(root)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _rows(table: gpd.GeoDataFrame) -> list[dict[str, Any]]:
    columns = [table[name] for name in table.columns]
    return [dict(zip(table.columns, values, strict=True)) for values in zip(*columns, strict=True)]


def _add(parent: ET.Element, tag: str, text: str) -> ET.Element:
    element = ET.SubElement(parent, tag)
    element.text = _clean(text)
    return element


def _add_parts(parent: ET.Element, tag: str, **parts: str) -> ET.Element:
    element = ET.SubElement(parent, tag)
    for name, text in parts.items():
        _add(element, name, text)
    return element


def _add_region_style(document: ET.Element, name: str, colour: str, scale: str) -> None:
    style = ET.SubElement(document, "Style", id=name)
    icon = _add_parts(style, "IconStyle", color=_colour(colour), scale=scale)
    _add_parts(icon, "Icon", href=_DOT)
    _add_parts(style, "LabelStyle", scale="0.7")
    _add_parts(style, "LineStyle", color=_colour("#FFFFFF"), width="1")
    _add_parts(style, "PolyStyle", color=_colour(colour, 0.6))


def _colour(colour: str, opacity: float = 1) -> str:
    """KML's order: opacity, blue, green, red."""
    red, green, blue = (to_hex(colour)[at : at + 2] for at in (1, 3, 5))
    return f"{round(255 * opacity):02x}{blue}{green}{red}"


def _add_schema(document: ET.Element, name: str, table: gpd.GeoDataFrame) -> None:
    schema = ET.SubElement(document, "Schema", name=name, id=name)
    for column in table.columns.drop("geometry"):
        ET.SubElement(schema, "SimpleField", type=_type(table[column]), name=_field(column))


def _type(column: "pd.Series[Any]") -> str:
    """KML's whole numbers have 32 bits; what has more is text."""
    if pd.api.types.is_bool_dtype(column):
        return "bool"
    if pd.api.types.is_integer_dtype(column):
        return "int" if column.abs().max() < 2**31 else "string"
    return "double" if pd.api.types.is_float_dtype(column) else "string"


def _field(column: str) -> str:
    """A column with a ``_`` behind where its name is taken."""
    return _clean(f"{column}_" if column.lower() in _TAKEN else column)


def _clean(text: str) -> str:
    """Without the control characters that XML 1.0 lacks."""
    return _NO_XML.sub("\ufffd", text)


def _add_folder(document: ET.Element, name: str, visible: str) -> ET.Element:
    folder = _add_parts(document, "Folder", name=name)
    _add(folder, "visibility", visible)
    return folder


def _add_placemark(
    folder: ET.Element, name: str, style: str, schema: str, row: dict[str, Any]
) -> None:
    place = _add_parts(folder, "Placemark", name=name)
    if style == "link":
        _add(place, "visibility", "0")
    _add(place, "styleUrl", f"#{style}")
    data = ET.SubElement(ET.SubElement(place, "ExtendedData"), "SchemaData", schemaUrl=f"#{schema}")
    for column, value in row.items():
        known = None if column == "geometry" else plain(value)
        if known is not None:
            text = str(int(known) if isinstance(known, bool) else known)
            _add(data, "SimpleData", text).set("name", _field(column))
    _add_geometry(place, row["geometry"])


def _add_geometry(parent: ET.Element, shape: Any) -> None:
    if shape.geom_type.startswith("Multi"):
        parts = ET.SubElement(parent, "MultiGeometry")
        for part in shape.geoms:
            _add_geometry(parts, part)
        return
    element = ET.SubElement(parent, shape.geom_type)
    if shape.geom_type != "Point":
        _add(element, "tessellate", "1")
    _add(element, "altitudeMode", "clampToGround")
    if shape.geom_type != "Polygon":
        _add(element, "coordinates", _tuples(shape))
        return
    for tag, rings in (("outerBoundaryIs", [shape.exterior]), ("innerBoundaryIs", shape.interiors)):
        for ring in rings:
            boundary = ET.SubElement(ET.SubElement(element, tag), "LinearRing")
            _add(boundary, "coordinates", _tuples(ring))


def _tuples(line: Any) -> str:
    points: NDArray[np.float64] = shapely.get_coordinates(line)
    return " ".join(f"{float(x)!r},{float(y)!r}" for x, y in points)
