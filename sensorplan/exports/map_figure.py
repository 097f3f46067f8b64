"""`map.png`: the kept and the dropped regions with their importance, legible in grey print."""

from typing import Any

import geopandas as gpd
import matplotlib
import numpy as np
import shapely
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.path import Path as Outline

from sensorplan.exports.sphere import Shapes, rejoined, squeeze
from sensorplan.exports.style import (
    COLOURS,
    GREY,
    PALE,
    add_title,
    dataset_stem,
    new_figure,
    to_png,
)
from sensorplan.exports.tables import is_planar
from sensorplan.plan import Plan
from sensorplan.sensors import Bools, Floats

# Without its light end, so that every kept region is darker than a dropped one.
LEAST_SHOWN = 1e-3  # of the largest importance, the least that has a colour of its own
_IMPORTANCE = ListedColormap(matplotlib.colormaps["viridis_r"](np.linspace(0.25, 1, 256)))


def map_png(frame: gpd.GeoDataFrame, plan: Plan) -> bytes:
    """`map_figure` as a PNG."""
    return to_png(map_figure(frame, plan))


def map_figure(frame: gpd.GeoDataFrame, plan: Plan) -> Figure:
    """The kept and the dropped regions with their importance, on the map.

    Without any position the importance is drawn by rank instead.

    Args:
        frame: The table of the plan's regions (`tables.deployment`).
        plan: The plan, for the title.
    """
    shapes = frame["geometry"].to_numpy()
    kept = (frame["decision"] == "keep").to_numpy()
    importance = frame["importance"].to_numpy()
    located = ~shapely.is_missing(shapes)
    title = f"{kept.sum():,} of {len(kept):,} {_noun(shapes, plan)} kept"
    if not located.any():
        figure = new_figure(9, 4.5)
        axes = figure.add_subplot()
        _draw_ranks(axes, list(frame["sensor"]), kept, importance)
        add_title(axes, title, f"{dataset_stem(plan)}: no positions in the data")
        return figure
    rows = np.flatnonzero(located)[::-1]  # the best drawn last, on top
    parts, of = shapely.get_parts(shapes[rows], return_index=True)
    if not is_planar(frame):
        parts = rejoined(parts)
    figure = new_figure(*_map_size(parts, is_planar(frame)))
    axes = figure.add_subplot()
    _draw_regions(figure, axes, parts, kept[rows][of], importance[rows][of])
    _add_legend(figure, shapes, kept[rows])
    _label_map(axes, is_planar(frame))
    lost = f" ({(~located).sum()} without a position not shown)" if not located.all() else ""
    add_title(axes, title, f"{dataset_stem(plan)}{lost}")
    return figure


def _noun(shapes: Shapes, plan: Plan) -> str:
    if not _has_polygons(shapes):
        return "sensors"
    return "grid cells" if plan.data.regions == plan.data.sensors else "patches"


def _has_polygons(shapes: Shapes) -> bool:
    return bool((shapely.area(shapes[~shapely.is_missing(shapes)]) > 0).any())


def _map_size(parts: Shapes, planar: bool) -> tuple[float, float]:
    """Width and height (inches) that suit the extent of the map."""
    west, south, east, north = shapely.total_bounds(parts)
    width = (east - west) * (1 if planar else squeeze(south, north))
    aspect = (north - south) / max(width, 1e-12)
    return (9, float(np.clip(7.2 * aspect, 2, 7) + 1.3)) if aspect < 1 else (7.5, 7.5)


def _draw_regions(
    figure: Figure, axes: Axes, parts: Shapes, kept: Bools, importance: Floats
) -> None:
    high = max(importance[kept].max(initial=0), LEAST_SHOWN)
    norm = LogNorm(max(importance[kept].min(initial=high), LEAST_SHOWN * high), high, clip=True)
    draw = _draw_polygons if _has_polygons(parts) else _draw_points
    drawn = draw(axes, parts, kept, importance)
    drawn.set(cmap=_IMPORTANCE, norm=norm)
    figure.colorbar(drawn, ax=axes, label="importance of the kept", shrink=0.8, pad=0.02)
    axes.margins(0.01 if _has_polygons(parts) else 0.05)
    axes.autoscale_view()


def _draw_points(axes: Axes, parts: Shapes, kept: Bools, importance: Floats) -> PathCollection:
    xy = shapely.get_coordinates(parts)
    size = float(np.clip(9000 / len(xy), 8, 90))
    x, y = xy[~kept].T
    axes.scatter(x, y, s=0.6 * size, facecolors="white", edgecolors=GREY, linewidths=1)
    x, y = xy[kept].T
    return axes.scatter(
        x, y, s=size, c=importance[kept], edgecolors="black", linewidths=0.6, zorder=3
    )


def _draw_polygons(axes: Axes, parts: Shapes, kept: Bools, importance: Floats) -> PathCollection:
    line = float(np.clip(300 / len(parts), 0.1, 0.8))
    outlines = np.array([_outline(polygon) for polygon in parts], dtype=object)
    style: dict[str, Any] = {"edgecolors": "white", "linewidths": line}
    axes.add_collection(PathCollection(outlines[~kept].tolist(), facecolors=PALE, **style))
    drawn = PathCollection(outlines[kept].tolist(), array=importance[kept], **style)
    axes.add_collection(drawn)
    return drawn


def _outline(polygon: Any) -> Outline:
    rings = shapely.get_rings(polygon)
    return Outline.make_compound_path(
        *(Outline(shapely.get_coordinates(ring), closed=True) for ring in rings)
    )


def _add_legend(figure: Figure, shapes: Shapes, kept: Bools) -> None:
    labels = f"kept ({kept.sum():,})", f"dropped ({(~kept).sum():,})"
    colours, edges = (_IMPORTANCE(0.6), "white"), ("black", GREY)
    handles: list[Artist]
    if _has_polygons(shapes):
        handles = [Patch(fc=colour) for colour in (colours[0], PALE)]
    else:
        handles = [
            Line2D([], [], marker="o", ls="none", mfc=colour, mec=edge, ms=size)
            for colour, edge, size in zip(colours, edges, (8, 6), strict=True)
        ]
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)


def _label_map(axes: Axes, planar: bool) -> None:
    if planar:
        axes.set(aspect="equal", xlabel="x", ylabel="y")
        return
    axes.set(aspect=1 / squeeze(*axes.get_ylim()), xlabel="longitude (°E)", ylabel="latitude (°N)")
    west, east = axes.get_xlim()
    if west > -180 and east > 180:  # across the dateline
        axes.xaxis.set_major_formatter(lambda degrees, _: f"{180 - (180 - degrees) % 360:g}")


def _draw_ranks(axes: Axes, names: list[str], kept: Bools, importance: Floats) -> None:
    """Importance by rank, with names where there is room."""
    rank = np.arange(1, len(names) + 1)
    for chosen, colour, fill, label in (
        (kept, COLOURS[0], COLOURS[0], "kept"),
        (~kept, GREY, "white", "dropped"),
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
        axes.set_xticks(rank, names, rotation=90, fontsize=7, parse_math=False)
        axes.set_xlabel("sensor, best first")
