"""The table of a plan's regions, and `ranking.csv` and `curve.csv`."""

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from sensorplan.curve import CurvePoint
from sensorplan.exports.reasons import COLUMNS, DECIMALS, reason_columns
from sensorplan.exports.shapes import decimals, region_shapes
from sensorplan.plan import Plan, Ranking
from sensorplan.reasons import Reasons
from sensorplan.regions import Regions
from sensorplan.sensors import Floats, SensorData

PROPERTIES = ("rank", "sensor", "decision", "importance")
COORDINATES = ("latitude", "longitude", "y", "x")
FREQUENCY = "keep_frequency"
PHASE, STATUS = "phase", "status"
_TAKEN = {
    *PROPERTIES,
    *COORDINATES,
    FREQUENCY,
    PHASE,
    STATUS,
    *COLUMNS,
    "geometry",
    "wkt",
    "fid",
    "geom",
}


def deployment(
    plan: Plan,
    ranking: Ranking,
    keep_frequency: Floats,
    reasons: Reasons,
    regions: Regions,
    data: SensorData,
) -> gpd.GeoDataFrame:
    """The regions of a plan as a table, best first.

    Args:
        plan: The plan.
        ranking: The order of the regions that the plan cuts.
        keep_frequency: ``[region]`` share of the resampled histories that keep it.
        reasons: What is known of each region.
        regions: The regions.
        data: The history they come from.

    Returns:
        One row a region: ``rank`` from 1, ``sensor`` (the region's name), ``decision`` (``keep`` or
        ``drop``), ``importance``, ``latitude`` and ``longitude`` in degrees (NaN without a position
        on the earth), for planar data ``y`` and ``x`` in the file's unit, ``keep_frequency``, the
        ``status`` (``required``, ``excluded`` or none; only where either was asked), the
        ``phase`` in which it is switched off (only of a plan in phases; none for kept ones), the
        reasons (`reasons.COLUMNS`), the sensors' attributes (none of patches), and ``geometry``.
        The CRS is None for planar data or no positions.
    """
    order = ranking.order
    kept = set(plan.kept)
    names = [regions.names[i] for i in order]
    further = reason_columns(reasons, regions, data) | dict(_attributes(regions, data))
    columns = {
        "rank": np.arange(1, len(order) + 1),
        "sensor": names,
        "decision": ["keep" if name in kept else "drop" for name in names],
        "importance": np.round(ranking.importance[order].astype(float), 6),
        **{name: column[order] for name, column in _positions(regions, data).items()},
        FREQUENCY: np.round(keep_frequency[order].astype(float), 3),
        **_status(plan, names),
        **_phases(plan, names),
        **{name: [column[i] for i in order] for name, column in further.items()},
    }
    shapes = region_shapes(regions, data.geometry)[order]
    return gpd.GeoDataFrame(
        columns, geometry=gpd.GeoSeries(shapes), crs=data.geometry and data.geometry.crs
    )


def is_planar(frame: pd.DataFrame) -> bool:
    """True when the positions in the table of a plan's regions are no latitudes and longitudes."""
    return "y" in frame and "x" in frame


def position_warnings(frame: gpd.GeoDataFrame) -> list[str]:
    """What a map cannot show, as sentences for the user."""
    lost = int(frame["geometry"].isna().sum())
    if lost == len(frame):
        return ["the data holds no positions: the map shows the ranking only"]
    if lost:
        return [f"{lost} of {len(frame)} sensors have no position and are not on the map"]
    return []


def map_warnings(frame: gpd.GeoDataFrame) -> list[str]:
    """What `deployment.geojson` cannot show, as sentences for the user."""
    planar = (
        "the positions are planar (y, x), not latitude and longitude: "
        "GeoJSON readers will put them in the wrong place on the earth"
    )
    shown = is_planar(frame) and frame["geometry"].notna().any()
    return position_warnings(frame) + ([planar] if shown else [])


def ranking_csv(frame: gpd.GeoDataFrame) -> bytes:
    """`ranking.csv` from the table of a plan's regions; the same table gives the same bytes."""
    table = pd.DataFrame(frame.drop(columns="geometry"))
    for name, digits in {"importance": 6, FREQUENCY: 3, **DECIMALS}.items():
        if name in table and pd.api.types.is_float_dtype(table[name]):  # not in older plans
            table[name] = table[name].map(f"{{:.{digits}f}}".format, na_action="ignore")
    return table.to_csv(index=False, lineterminator="\n").encode()


def curve_csv(curve: Sequence[CurvePoint]) -> bytes:
    """`curve.csv`: one row a point, in the order given; errors in the data's unit."""
    table = pd.DataFrame(
        [point.model_dump() for point in curve], columns=list(CurvePoint.model_fields)
    )
    return table.to_csv(index=False, lineterminator="\n", float_format="%.6g").encode()


def _status(plan: Plan, names: Sequence[str]) -> dict[str, Any]:
    """Which regions constraints settled; none where they settled none."""
    if not (plan.required or plan.excluded):
        return {}
    status = dict.fromkeys(plan.required, "required") | dict.fromkeys(plan.excluded, "excluded")
    return {STATUS: [status.get(name) for name in names]}


def _phases(plan: Plan, names: Sequence[str]) -> dict[str, Any]:
    """In which phase each region goes, from 1; none where the plan is made at once."""
    if not plan.phases:
        return {}
    number = {name: n for n, phase in enumerate(plan.phases, 1) for name in phase.switched_off}
    return {PHASE: pd.array([number.get(name) for name in names], dtype="Int64")}


def _positions(regions: Regions, data: SensorData) -> dict[str, Any]:
    """Columns ``[region]`` of coordinates; the planar ones only where the data is planar."""
    nowhere = np.full(len(regions), np.nan)
    if data.geometry is None or regions.positions is None:
        return {"latitude": nowhere, "longitude": nowhere}
    first, second = np.round(regions.positions.astype(float), decimals(data.geometry)).T + 0.0
    if data.geometry.crs is not None:
        return {"latitude": first, "longitude": second}
    return {"latitude": nowhere, "longitude": nowhere, "y": first, "x": second}


def _attributes(regions: Regions, data: SensorData) -> Mapping[str, tuple[object, ...]]:
    """The file's own columns ``[region]``; one whose name is taken gets a ``_`` behind.

    Upper and lower case are one: so they are in the databases that maps are written to.
    """
    if regions.patched:
        return {}
    columns: dict[str, tuple[object, ...]] = {}
    taken = set(_TAKEN)
    for name, column in data.attributes.items():
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        columns[name] = column
    return columns
