"""The map and the curve, as figures that Bokeh draws in the page.

Colours are those of the page: its script sets them by the names given here, for light and for dark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from bokeh.models import (
    BasicTicker,
    CDSView,
    ColumnDataSource,
    DataRange1d,
    HoverTool,
    IndexFilter,
    Range1d,
)
from bokeh.models.renderers import DataRenderer
from bokeh.plotting import figure

from sensorplan.curve import CurvePoint
from sensorplan.exports.land import LEAST_EXTENT, land_parts
from sensorplan.exports.report.columns import Column
from sensorplan.exports.sphere import Shapes, rejoined, squeeze
from sensorplan.exports.tables import is_planar
from sensorplan.plan import Plan, RandomPlans
from sensorplan.sensors import Ints

TICKS = 4  # along the map: as many labels as a phone is wide enough for
DECIMALS = 5  # of degrees
TOOLTIP = """<div style="max-width:15rem">
<b>@{column:sensor}</b><br>rank @{column:rank}, $name<br>@why</div>"""
LAND: dict[str, Any] = {"level": "underlay", "line_width": 0.8, "name": "land"}
COAST: dict[str, Any] = {"fill_alpha": 0, "line_width": 0.8, "name": "coast"}  # over cells
FRAME: dict[str, Any] = {
    "sizing_mode": "stretch_both",
    "toolbar_location": None,
    "min_border_right": 12,
    "lod_threshold": None,
}


@dataclass(frozen=True)
class MapFigure:
    """The map, or the ranks where nothing has a position.

    Attributes:
        plot: The Bokeh figure.
        located: How many regions are on it; 0 where it shows ranks.
        aspect: Width / height that suits what it shows.
        land: Whether the outline of land is on it.
    """

    plot: figure
    located: int
    aspect: float
    land: bool


def map_figure(frame: gpd.GeoDataFrame, columns: Sequence[Column], budget: int) -> MapFigure:
    """The regions, kept and dropped, on a map that can be panned and zoomed.

    Args:
        frame: The table of the plan's regions, best first.
        columns: What the hover and the page's script read of it.
        budget: How many of the first are kept.
    """
    shapes = frame["geometry"].to_numpy()
    located = ~shapely.is_missing(shapes)
    data: dict[str, Any] = {column.key: column.values for column in columns}
    if not located.any():
        plot = figure(tools="", y_axis_label="importance", x_axis_label="rank", **FRAME)
        data |= {"x": frame["rank"].to_numpy(float), "y": frame["importance"].to_numpy()}
        _add_regions(plot, data, budget, {"size": _size(len(frame))})
        return MapFigure(plot, 0, 1.8, False)
    geographic = not is_planar(frame)
    parts, of = shapely.get_parts(shapes, return_index=True)
    if geographic:
        parts = rejoined(parts)
    west, south, east, north = shapely.total_bounds(parts)
    scale = squeeze(south, north) if geographic else 1.0
    across, along = DataRange1d(range_padding=0.06), DataRange1d(range_padding=0.06)
    plot = figure(
        tools="pan,wheel_zoom",
        active_drag="pan",
        active_scroll="wheel_zoom",
        match_aspect=True,
        aspect_scale=scale,
        x_range=across,
        y_range=along,
        x_axis_label="longitude (°E)" if geographic else "x",
        y_axis_label="latitude (°N)" if geographic else "y",
        **FRAME,
    )
    plot.xaxis.update(ticker=BasicTicker(desired_num_ticks=TICKS))
    wide = geographic and max(east - west, north - south) >= LEAST_EXTENT
    land = _land(beyond=east > 180) if wide else []
    for source in land:
        plot.multi_polygons("xs", "ys", source=source, **LAND)
    if east > 180:
        plot.xaxis.update(
            major_label_overrides={degrees: f"{degrees - 360}" for degrees in range(181, 541)}
        )
    centres = shapely.get_coordinates(shapely.centroid(parts))
    x, y = np.full((2, len(frame)), np.nan)
    x[of], y[of] = centres.T
    data |= {"x": x, "y": y}
    style: dict[str, Any] = {"size": _size(len(frame))}
    if (shapely.area(parts) > 0).any():
        xs, ys = _rings(parts, of, len(frame), DECIMALS if geographic else None)
        data |= {"xs": xs, "ys": ys}
        style = {"line_width": float(np.clip(300 / len(parts), 0.1, 0.8))}
    regions = _add_regions(plot, data, budget, style)
    across.renderers = along.renderers = [*regions]
    for source in land if "xs" in data else []:
        plot.multi_polygons("xs", "ys", source=source, **COAST)
    _add_chosen(plot, 26)
    aspect = (east - west) * scale / max(north - south, 1e-12)
    return MapFigure(plot, int(located.sum()), float(np.clip(aspect, 0.8, 2.2)), wide)


def curve_figure(curve: Sequence[CurvePoint], plan: Plan) -> figure | None:
    """Error over the number kept, with its band, the plan and a marker; None without any point."""
    points = sorted((p for p in curve if p.method == plan.method), key=lambda p: p.budget)
    if not points:
        return None
    plot = figure(
        tools="",
        x_axis_label="sensors kept",
        y_axis_label="error above the full network (%)",
        x_range=Range1d(start=0, end=plan.data.regions),
        **FRAME,
    )
    kept = [point.budget for point in points]
    low, loss, high = (
        [100 * (getattr(point, name) - 1) for point in points]
        for name in ("ci_low", "rmse_ratio", "ci_high")
    )
    source = ColumnDataSource({"kept": kept, "low": low, "loss": loss, "high": high})
    plot.varea("kept", "low", "high", source=source, fill_alpha=0.2, name="band")
    plot.line("kept", "loss", source=source, line_width=2, name="line")
    dots = plot.scatter("kept", "loss", source=source, size=7, name="line")
    own = ColumnDataSource({"x": [plan.budget], "y": [100 * (plan.metrics.rmse_ratio - 1)]})
    plot.scatter("x", "y", source=own, marker="star", size=20, name="plan")
    if plan.metrics.random is not None:
        _add_random(plot, plan.budget, plan.metrics.random)
    _add_chosen(plot, 16)
    shown = [("kept", "@kept"), ("error", "@loss{+0.0} % (@low{+0.0} to @high{+0.0} %)")]
    plot.add_tools(HoverTool(renderers=[dots], tooltips=shown))
    return plot


def _add_random(plot: figure, kept: int, random: RandomPlans) -> None:
    """The mean of random plans, from the best to the worst of them."""
    loss, best, worst = (
        100 * (ratio - 1) for ratio in (random.rmse_ratio, random.best, random.worst)
    )
    source = ColumnDataSource(
        {"kept": [float(kept)], "loss": [loss], "low": [best], "high": [worst]}
    )
    plot.segment("kept", "low", "kept", "high", source=source, line_width=2, name="random")
    plot.scatter("kept", "loss", source=source, marker="diamond", size=12, name="random")


def _add_regions(
    plot: figure, data: dict[str, Any], budget: int, style: dict[str, Any]
) -> list[DataRenderer]:
    """The dropped regions and, on top, the kept ones; the script moves the cut between them."""
    source, count = ColumnDataSource(data), len(data["x"])
    renderers: list[DataRenderer] = []
    for name, indices in (("dropped", [*range(budget, count)]), ("kept", [*range(budget)])):
        view = CDSView(filter=IndexFilter(indices=indices))
        common = {"source": source, "view": view, "name": name, **style}
        if "xs" in data:
            renderers.append(plot.multi_polygons("xs", "ys", **common))
        else:
            renderers.append(plot.scatter("x", "y", **common))
    plot.add_tools(HoverTool(renderers=renderers, tooltips=TOOLTIP))
    return renderers


def _add_chosen(plot: figure, size: float) -> None:
    """A ring that the script puts where it is wanted."""
    empty = ColumnDataSource({"x": [], "y": []})
    plot.scatter("x", "y", source=empty, size=size, fill_alpha=0, line_width=3, name="chosen")


def _land(beyond: bool) -> list[ColumnDataSource]:
    """Natural Earth's land; a second time east of 180 degrees where the map goes beyond."""
    parts = land_parts()
    sources = []
    for turn in (0, 360) if beyond else (0,):
        turned = shapely.transform(parts, lambda xy, turn=turn: xy + np.array([turn, 0]))
        xs, ys = _rings(turned, np.arange(len(parts)), len(parts), 2)
        sources.append(ColumnDataSource({"xs": xs, "ys": ys}))
    return sources


def _rings(
    parts: Shapes, of: Ints, count: int, decimals: int | None
) -> tuple[list[list[list[list[float]]]], list[list[list[list[float]]]]]:
    """``[region][polygon][ring][corner]`` x and y, the exterior first; none without a position."""
    xs: list[list[list[list[float]]]] = [[] for _ in range(count)]
    ys: list[list[list[list[float]]]] = [[] for _ in range(count)]
    for part, region in zip(parts, of, strict=True):
        rings = [shapely.get_coordinates(ring)[:-1] for ring in shapely.get_rings(part)]
        if decimals is not None:
            rings = [np.round(ring, decimals) for ring in rings]
        xs[region].append([ring[:, 0].tolist() for ring in rings])
        ys[region].append([ring[:, 1].tolist() for ring in rings])
    return xs, ys


def _size(count: int) -> float:
    """Of a point, in pixels."""
    return float(np.clip(160 / np.sqrt(count), 4, 13))
