"""Styles of the map's layers for QGIS (QML): what is kept and what is dropped, in colour."""

from collections.abc import Mapping
from typing import Literal
from xml.etree import ElementTree as ET

from matplotlib.colors import to_rgb

from sensorplan.exports.style import DROPPED, KEPT, LINK

Symbol = Literal["marker", "fill", "line"]

_LAYERS = {"marker": "SimpleMarker", "fill": "SimpleFill", "line": "SimpleLine"}


def regions_qml(symbol: Literal["marker", "fill"]) -> str:
    """Kept and dropped regions by ``decision``, the kept ones on top."""
    root, renderer = _document("categorizedSymbol", attr="decision", symbollevels="1")
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    for number, (decision, label, colour, size) in enumerate(
        (("keep", "kept", KEPT, "3"), ("drop", "dropped", DROPPED, "2"))
    ):
        ET.SubElement(
            categories,
            "category",
            {"value": decision, "symbol": str(number), "label": label, "render": "true"},
        )
        options = {"color": _colour(colour), "outline_color": "255,255,255,255"}
        if symbol == "marker":
            options |= {"name": "circle", "size": size, "outline_width": "0.2"}
        else:
            options |= {"style": "solid", "outline_width": "0.1"}
        _add_symbol(symbols, str(number), symbol, options, drawn=1 - number)
    return _text(root)


def links_qml() -> str:
    """Thin dark lines."""
    root, renderer = _document("singleSymbol")
    options = {"line_color": _colour(LINK), "line_width": "0.3", "line_style": "solid"}
    _add_symbol(ET.SubElement(renderer, "symbols"), "0", "line", options)
    return _text(root)


def _document(renderer: str, **options: str) -> tuple[ET.Element, ET.Element]:
    root = ET.Element("qgis", version="3.22", styleCategories="Symbology")
    return root, ET.SubElement(root, "renderer-v2", {"type": renderer, **options})


def _add_symbol(
    symbols: ET.Element, name: str, symbol: Symbol, options: Mapping[str, str], drawn: int = 0
) -> None:
    alpha = "0.8" if symbol == "fill" else "1"
    element = ET.SubElement(symbols, "symbol", type=symbol, name=name, alpha=alpha)
    layer = ET.SubElement(
        element, "layer", {"class": _LAYERS[symbol], "pass": str(drawn), "enabled": "1"}
    )
    properties = ET.SubElement(layer, "Option", type="Map")
    for key, value in options.items():
        ET.SubElement(properties, "Option", name=key, type="QString", value=value)


def _colour(colour: str) -> str:
    return ",".join(str(round(255 * part)) for part in (*to_rgb(colour), 1))


def _text(root: ET.Element) -> str:
    return "<!DOCTYPE qgis>\n" + ET.tostring(root, encoding="unicode")
