"""`map.png` and `curve.png`, legible in grey print and to the colour-blind."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import geopandas as gpd
import matplotlib
import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.path import Path as Outline

from sensorplan.exports.shapes import Shapes
from sensorplan.exports.tables import is_planar
from sensorplan.plan import CurvePoint, Plan
from sensorplan.sensors import Bools, Floats

# Okabe and Ito, "Color Universal Design" (2008)
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = "osD^vP"
_GREY, _PALE = "#707070", "#DEDEDE"
# Without its light end, so that every kept region is darker than a dropped one.
_IMPORTANCE = ListedColormap(matplotlib.colormaps["viridis_r"](np.linspace(0.25, 1, 256)))


def map_png(frame: gpd.GeoDataFrame, plan: Plan) -> bytes:
    """The kept and the dropped regions with their importance, on the map.

    Without any position the importance is drawn by rank instead.

    Args:
        frame: The table of the plan's regions (`tables.deployment`).
        plan: The plan, for the title.

    Returns:
        A PNG.
    """
    shapes = frame["geometry"].to_numpy()
    kept = (frame["decision"] == "keep").to_numpy()
    importance = frame["importance"].to_numpy()
    located = ~shapely.is_missing(shapes)
    title = f"{kept.sum():,} of {len(kept):,} {_noun(shapes, plan)} kept"
    if not located.any():
        figure = _figure(9, 4.5)
        axes = figure.add_subplot()
        _draw_ranks(axes, list(frame["sensor"]), kept, importance)
        _title(axes, title, f"{_stem(plan)}: no positions in the data")
        return _png(figure)
    parts, row = shapely.get_parts(shapes[located], return_index=True)
    if not is_planar(frame):
        parts = _rejoined(parts)
    figure = _figure(*_map_size(parts, is_planar(frame)))
    axes = figure.add_subplot()
    _draw_regions(figure, axes, parts, kept[located][row], importance[located][row])
    _label_map(axes, is_planar(frame))
    lost = f" ({(~located).sum()} without a position not shown)" if not located.all() else ""
    _title(axes, title, f"{_stem(plan)}{lost}")
    return _png(figure)


def curve_png(curve: Sequence[CurvePoint], plan: Plan) -> bytes:
    """RMSE against the share of regions switched off, beside what is to be had without a plan.

    Args:
        curve: Points of one method or several; the band is the 95 % interval of the RMSE ratio.
        plan: The plan, marked with a star, and its reference forecasts.

    Returns:
        A PNG.
    """
    figure = _figure(8, 5)
    axes = figure.add_subplot()
    methods = sorted(
        {point.method for point in curve}, key=lambda name: (name != plan.method, name)
    )
    for i, method in enumerate(methods):
        points = sorted((p for p in curve if p.method == method), key=lambda p: p.sparsity)
        _draw_method(axes, points, _COLOURS[i % 6], _MARKERS[i % 6])
    metrics = plan.metrics
    axes.plot(
        100 * plan.sparsity,
        metrics.plan.rmse,
        "*",
        markersize=18,
        color="#F0E442",
        markeredgecolor="black",
        zorder=5,
        label=f"this plan: {plan.budget:,} kept, {metrics.rmse_ratio:.3f} × all",
    )
    _draw_references(axes, plan)
    axes.set_xlim(0, 100)
    axes.set_xlabel("switched off (%)")
    units = {unit for unit in plan.data.units if unit}
    axes.set_ylabel(f"RMSE ({units.pop()})" if len(units) == 1 else "RMSE")
    _add_ratio_axis(axes, metrics.all_sensors.rmse)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    _title(axes, "What switching sensors off costs the forecast", _stem(plan))
    return _png(figure)


def _add_ratio_axis(axes: Axes, reference: float) -> None:
    if reference > 0:
        ratio = axes.secondary_yaxis(
            "right",
            functions=(lambda y: np.divide(y, reference), lambda y: np.multiply(y, reference)),
        )
        ratio.set_ylabel("RMSE / RMSE from all sensors")


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def _stem(plan: Plan) -> str:
    return Path(plan.data.path.split(",")[0]).stem


def _noun(shapes: Shapes, plan: Plan) -> str:
    if not np.isin(shapely.get_type_id(shapes), (3, 6)).any():  # polygon, multi-polygon
        return "sensors"
    return "grid cells" if plan.data.regions == plan.data.sensors else "patches"


def _title(axes: Axes, title: str, subtitle: str) -> None:
    axes.set_title(title, loc="left", fontsize=14, fontweight="bold", pad=22)
    axes.annotate(
        subtitle, (0, 1), (0, 6), xycoords="axes fraction", textcoords="offset points", color=_GREY
    )


def _rejoined(parts: Shapes) -> Shapes:
    """The shapes of a network across the dateline side by side, with longitudes beyond 180."""
    west = shapely.bounds(parts)[:, 0]
    ordered = np.sort(west)
    gaps = np.diff(ordered)
    if not len(gaps) or gaps.max() <= 180:
        return parts
    joined = parts.copy()
    torn = west <= ordered[gaps.argmax()]
    joined[torn] = shapely.transform(parts[torn], lambda xy: xy + np.array([360, 0]))
    return joined


def _map_size(parts: Shapes, planar: bool) -> tuple[float, float]:
    """Width and height (inches) that suit the extent of the map."""
    west, south, east, north = shapely.total_bounds(parts)
    stretch = 1 if planar else np.cos(np.radians((south + north) / 2))
    aspect = (north - south) / max((east - west) * stretch, 1e-12)
    return (9, float(np.clip(7.2 * aspect, 2, 7) + 1.3)) if aspect < 1 else (7.5, 7.5)


def _draw_regions(
    figure: Figure, axes: Axes, parts: Shapes, kept: Bools, importance: Floats
) -> None:
    norm = Normalize(importance[kept].min(initial=1), importance[kept].max(initial=0))
    polygons = shapely.get_type_id(parts) == 3
    draw = _draw_polygons if polygons.all() else _draw_points
    drawn = draw(axes, parts, kept, importance)
    drawn.set(cmap=_IMPORTANCE, norm=norm)
    figure.colorbar(drawn, ax=axes, label="importance of the kept", shrink=0.8, pad=0.02)
    axes.autoscale_view()
    figure.legend(
        handles=_legend(bool(polygons.all()), int(kept.sum()), int((~kept).sum())),
        loc="outside lower center",
        ncols=2,
        frameon=False,
    )


def _draw_points(axes: Axes, parts: Shapes, kept: Bools, importance: Floats) -> PathCollection:
    xy = shapely.get_coordinates(parts)
    size = float(np.clip(9000 / len(xy), 8, 90))
    x, y = xy[~kept].T
    axes.scatter(x, y, s=0.6 * size, facecolors="white", edgecolors=_GREY, linewidths=1)
    x, y = xy[kept].T
    return axes.scatter(
        x, y, s=size, c=importance[kept], edgecolors="black", linewidths=0.6, zorder=3
    )


def _draw_polygons(axes: Axes, parts: Shapes, kept: Bools, importance: Floats) -> PathCollection:
    line = float(np.clip(300 / len(parts), 0.1, 0.8))
    outlines = np.array([_outline(polygon) for polygon in parts], dtype=object)
    style: dict[str, Any] = {"edgecolors": "white", "linewidths": line}
    axes.add_collection(PathCollection(outlines[~kept].tolist(), facecolors=_PALE, **style))
    drawn = PathCollection(outlines[kept].tolist(), array=importance[kept], **style)
    axes.add_collection(drawn)
    return drawn


def _outline(polygon: Any) -> Outline:
    rings = shapely.get_rings(polygon)
    return Outline.make_compound_path(
        *(Outline(shapely.get_coordinates(ring), closed=True) for ring in rings)
    )


def _legend(polygons: bool, kept: int, dropped: int) -> list[Any]:
    labels = f"kept ({kept:,})", f"dropped ({dropped:,})"
    if polygons:
        colours = _IMPORTANCE(0.6), _PALE
        return [Patch(fc=c, label=text) for c, text in zip(colours, labels, strict=True)]
    styles = (_IMPORTANCE(0.6), "black", 8), ("white", _GREY, 6)
    return [
        Line2D([], [], marker="o", ls="none", mfc=fill, mec=edge, ms=size, label=text)
        for (fill, edge, size), text in zip(styles, labels, strict=True)
    ]


def _label_map(axes: Axes, planar: bool) -> None:
    if planar:
        axes.set(aspect="equal", xlabel="x", ylabel="y")
        return
    latitude = np.radians(np.mean(axes.get_ylim()))
    axes.set(aspect=1 / np.cos(latitude), xlabel="longitude (°E)", ylabel="latitude (°N)")
    axes.xaxis.set_major_formatter(lambda degrees, _: f"{(degrees + 180) % 360 - 180:g}")


def _draw_ranks(axes: Axes, names: list[str], kept: Bools, importance: Floats) -> None:
    """Importance by rank, with names where there is room."""
    rank = np.arange(1, len(names) + 1)
    for chosen, colour, fill, label in (
        (kept, _COLOURS[0], _COLOURS[0], "kept"),
        (~kept, _GREY, "white", "dropped"),
    ):
        axes.vlines(rank[chosen], 0, importance[chosen], color=colour, lw=1)
        axes.plot(
            rank[chosen],
            importance[chosen],
            "o",
            color=colour,
            markerfacecolor=fill,
            markersize=6 if len(rank) <= 100 else 3,
            label=f"{label} ({chosen.sum():,})",
        )
    axes.set(ylim=(0, None), xlabel="rank", ylabel="importance")
    axes.legend(frameon=False)
    if len(names) <= 60:
        axes.set_xticks(rank, names, rotation=90, fontsize=7)
        axes.set_xlabel("sensor, best first")


def _draw_method(axes: Axes, points: Sequence[CurvePoint], colour: str, marker: str) -> None:
    percent = [100 * p.sparsity for p in points]
    axes.plot(
        percent, [p.rmse for p in points], color=colour, marker=marker, ms=5, label=points[0].method
    )
    scale = [p.rmse / p.rmse_ratio for p in points]
    low = [p.ci_low * s for p, s in zip(points, scale, strict=True)]
    high = [p.ci_high * s for p, s in zip(points, scale, strict=True)]
    axes.fill_between(percent, low, high, color=colour, alpha=0.15, lw=0)


def _draw_references(axes: Axes, plan: Plan) -> None:
    """Horizontal lines; one far above the curve is named in the legend, not drawn."""
    metrics = plan.metrics
    top = axes.get_ylim()[1]
    limit = max(1.2 * top, 2 * top - metrics.all_sensors.rmse)
    for name, score, style in (
        ("all sensors", metrics.all_sensors, "-"),
        ("the calendar alone", metrics.climatology, "--"),
        ("persistence", metrics.persistence, ":"),
    ):
        if score.rmse <= limit:
            axes.axhline(
                score.rmse, color="black", ls=style, lw=1.2, label=f"{name}: {score.rmse:.4g}"
            )
        else:
            axes.plot([], [], " ", label=f"{name}: {score.rmse:.4g}, off the chart")
