"""`export-map`: a plan's map in the format that another tool wants."""

import json
import sys
from codecs import BOM_UTF8
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal, get_args

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.errors import ShapelyError

from sensorplan.errors import DataError, RecipeError
from sensorplan.exports.files import check_file, write_file
from sensorplan.exports.geojson import geojson
from sensorplan.exports.geopackage import geopackage
from sensorplan.exports.kml import kml
from sensorplan.exports.links import link_lines, link_warnings
from sensorplan.exports.map_figure import map_figure
from sensorplan.exports.style import dataset_stem, render
from sensorplan.exports.tables import (
    COORDINATES,
    PROPERTIES,
    is_planar,
    position_warnings,
    ranking_csv,
)
from sensorplan.plan import Plan, budget_at, check_sparsity

MapFormat = Literal["geojson", "gpkg", "kml", "csv", "png", "svg", "pdf"]

_ON_EARTH: Collection[MapFormat] = ("geojson", "kml")
"""Formats that hold latitude and longitude only."""


def export_map(
    plan_folder: Path,
    target: Path | None,
    format: MapFormat = "geojson",
    sparsity: float | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Write the map of a plan.

    Args:
        plan_folder: The folder that `write_plan` wrote.
        target: The file; None: stdout.
        format: ``geojson`` (RFC 7946), ``gpkg`` or ``kml`` (both with the lines to substitutes),
            ``csv`` (for spreadsheets; polygons as well-known text), or a picture as ``png``,
            ``svg`` or ``pdf``.
        sparsity: Cut the ranking here, in [0, 1), instead of where the plan does.
        overwrite: Replace an older file.

    Returns:
        Warnings for the user, plain sentences.

    Raises:
        RecipeError: The format is unknown, cannot go to stdout or cannot hold this plan's
            positions, or the sparsity is out of range.
        DataError: The plan folder is missing or damaged.
        OutputError: The file exists and `overwrite` is False, or could not be written.
    """
    if format not in get_args(MapFormat):
        raise RecipeError(f"--format {format}; expected one of {', '.join(get_args(MapFormat))}")
    if target is None and format == "gpkg":
        raise RecipeError("--format gpkg cannot go to stdout; name a file with -o")
    if target is not None:
        check_file(target, overwrite)
    plan = Plan.load(plan_folder)
    frame = read_deployment(plan_folder, sparsity)
    _check_positions(frame, plan_folder, format)
    content = _render(frame, plan, format)
    if target is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_file(target, content, overwrite)
    warnings = [] if format in ("csv", "png", "svg", "pdf") else position_warnings(frame)
    return warnings + (link_warnings(frame) if format in ("gpkg", "kml") else [])


def read_deployment(plan_folder: Path, sparsity: float | None = None) -> gpd.GeoDataFrame:
    """The table of a plan's regions, best first, as `tables.deployment` made it.

    Args:
        plan_folder: The folder that `write_plan` wrote.
        sparsity: Cut the ranking here, in [0, 1), instead of where the plan does.

    Raises:
        RecipeError: The sparsity is out of range.
        DataError: `deployment.geojson` or `ranking.csv` is missing, damaged, or of another plan.
    """
    if sparsity is not None:
        check_sparsity(sparsity)
    map_file, table_file = plan_folder / "deployment.geojson", plan_folder / "ranking.csv"
    places, attributes, shapes = _load(map_file, _read_map)
    positions = _load(table_file, _read_positions)
    if places["sensor"].to_list() != positions.pop("sensor").to_list():
        raise DataError(
            f"{map_file}: its sensors are not those of {table_file.name}, in that order"
        )
    on_earth = not is_planar(positions) and any(shapes)
    frame = gpd.GeoDataFrame(
        pd.concat([places, positions, attributes], axis=1),
        geometry=gpd.GeoSeries(np.array(shapes, dtype=object)),
        crs="EPSG:4326" if on_earth else None,
    )
    return frame if sparsity is None else recut(frame, budget_at(sparsity, len(frame)))


def recut(frame: gpd.GeoDataFrame, budget: int) -> gpd.GeoDataFrame:
    """The same ranking with the first `budget` regions kept."""
    return frame.assign(decision=np.where(frame["rank"] <= budget, "keep", "drop"))


def _load(file: Path, read: Any) -> Any:
    try:
        return read(file)
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from error
    except (ValueError, LookupError, TypeError, AttributeError, ShapelyError) as error:
        raise DataError(f"{file}: damaged ({error})") from error


def _read_map(file: Path) -> tuple[pd.DataFrame, pd.DataFrame, list[Any]]:
    """Our own properties of each feature, the further ones, and its shape."""
    features = json.loads(file.read_bytes())["features"]
    properties = pd.DataFrame([feature["properties"] for feature in features])
    shapes = [
        feature["geometry"] and shapely.geometry.shape(feature["geometry"]) for feature in features
    ]
    return properties[[*PROPERTIES]], properties.drop(columns=[*PROPERTIES]), shapes


def _read_positions(file: Path) -> pd.DataFrame:
    """The names and the coordinates in `ranking.csv`."""
    types = {"sensor": str, **dict.fromkeys(COORDINATES, float)}
    table = pd.read_csv(file, dtype=types, keep_default_na=False, na_values=[""])
    return table[["sensor", *(COORDINATES if is_planar(table) else COORDINATES[:2])]]


def _check_positions(frame: gpd.GeoDataFrame, plan_folder: Path, format: MapFormat) -> None:
    formats = get_args(MapFormat)
    if is_planar(frame) and format in _ON_EARTH:
        allowed = ", ".join(name for name in formats if name not in _ON_EARTH)
        raise RecipeError(
            f"--format {format} holds latitude and longitude, the positions of {plan_folder} are "
            f"planar (y, x); expected one of {allowed}"
        )
    if format == "kml" and frame["geometry"].isna().all():
        allowed = ", ".join(name for name in formats if name != format)
        raise RecipeError(
            f"--format {format} shows positions, {plan_folder} has none; expected one of {allowed}"
        )


def _render(frame: gpd.GeoDataFrame, plan: Plan, format: MapFormat) -> bytes:
    if format == "geojson":
        return geojson(frame)
    if format == "gpkg":
        return geopackage(frame, link_lines(frame))
    if format == "kml":
        kept = (frame["decision"] == "keep").sum()
        return kml(
            frame, link_lines(frame), f"{dataset_stem(plan)}: {kept:,} of {len(frame):,} kept"
        )
    if format == "csv":
        return _csv(frame)
    return render(map_figure(frame, plan), format)


def _csv(frame: gpd.GeoDataFrame) -> bytes:
    """`ranking.csv` with a byte order mark, and a column ``wkt`` where there are polygons."""
    polygons = frame.geometry[frame.geom_type.isin(["Polygon", "MultiPolygon"])]
    table = frame if polygons.empty else frame.assign(wkt=polygons.to_wkt())
    return BOM_UTF8 + ranking_csv(table)
