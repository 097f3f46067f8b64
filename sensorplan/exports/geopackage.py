"""A plan's map as a GeoPackage (OGC 12-128) that QGIS shows in colour."""

import sqlite3
import warnings
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import geopandas as gpd
import pandas as pd
import pyogrio

from sensorplan.exports.qml import links_qml, regions_qml
from sensorplan.exports.tables import is_planar

REGIONS, LINKS = "deployment", "links"  # layers

_DATASET = {"VERSION": "1.2"}  # older readers warn of a newer one
_UNDEFINED_CARTESIAN = -1  # srs_id, table 3 of the standard
_GEOMETRY = "geom"
_STYLES = """
CREATE TABLE layer_styles (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    f_table_catalog TEXT(256),
    f_table_schema TEXT(256),
    f_table_name TEXT(256),
    f_geometry_column TEXT(256),
    styleName TEXT(30),
    styleQML TEXT,
    styleSLD TEXT,
    useAsDefault BOOLEAN,
    description TEXT,
    owner TEXT(30),
    ui TEXT(30),
    update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
INSERT INTO gpkg_contents (table_name, data_type, identifier)
    VALUES ('layer_styles', 'attributes', 'layer_styles');
"""
_STYLE = """
INSERT INTO layer_styles (
    f_table_catalog, f_table_schema, f_table_name, f_geometry_column,
    styleName, styleQML, styleSLD, useAsDefault, description, owner, ui
) VALUES ('', '', ?, ?, ?, ?, '', 1, ?, '', '')
"""


def geopackage(frame: gpd.GeoDataFrame, lines: gpd.GeoDataFrame) -> bytes:
    """The table of a plan's regions as layer ``deployment``, and the lines as ``links``.

    Args:
        frame: The table (`tables.deployment`). Planar positions get the undefined Cartesian
            reference system; without any position the layer is a table.
        lines: `links.link_lines`; no layer where there is none.

    Returns:
        The file. Its table ``layer_styles`` holds a default style of each layer for QGIS.
    """
    with TemporaryDirectory() as folder:
        file = Path(folder) / "map.gpkg"
        styles = {}
        if frame["geometry"].isna().all():
            table = pd.DataFrame(frame.drop(columns="geometry"))
            pyogrio.write_dataframe(table, file, REGIONS, "GPKG", dataset_options=_DATASET)
        else:
            point = (frame.geom_type.dropna() == "Point").all()
            styles[REGIONS] = regions_qml("marker" if point else "fill")
            _write_layer(frame, file, REGIONS, is_planar(frame))
        if len(lines):
            styles[LINKS] = links_qml()
            _write_layer(lines, file, LINKS, is_planar(frame))
        if styles:
            _add_styles(file, styles)
        return file.read_bytes()


def _write_layer(layer: gpd.GeoDataFrame, file: Path, name: str, planar: bool) -> None:
    kinds = set(layer.geom_type.dropna())
    cut = {kind for kind in kinds if kind.startswith("Multi")}  # at the antimeridian
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")  # planar
        pyogrio.write_dataframe(
            layer,
            file,
            name,
            "GPKG",
            dataset_options=_DATASET,
            geometry_type=min(cut or kinds),
            promote_to_multi=bool(cut),
            layer_options={
                "GEOMETRY_NAME": _GEOMETRY,
                **({"SRID": _UNDEFINED_CARTESIAN} if planar else {}),
            },
        )


def _add_styles(file: Path, styles: dict[str, str]) -> None:
    """Add QGIS's table of styles, a default one for each layer."""
    with closing(sqlite3.connect(file)) as database, database:
        database.executescript(_STYLES)
        database.executemany(
            _STYLE,
            [(layer, _GEOMETRY, layer, qml, "by sensorplan") for layer, qml in styles.items()],
        )
