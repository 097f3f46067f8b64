"""The map: the kept and the dropped regions with their importance, legible in grey print."""

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
from matplotlib.ticker import LogLocator, NullFormatter

from sensorplan.exports.map_sheet import (
    Sheet,
    draw_cells,
    draw_land,
    has_polygons,
    label_sheet,
    lay_out,
)
from sensorplan.exports.sphere import Shapes
from sensorplan.exports.style import (
    COLOURS,
    GREY,
    PALE,
    add_title,
    dataset_stem,
    label_of,
    new_figure,
)
from sensorplan.exports.tables import is_planar
from sensorplan.plan import Plan
from sensorplan.sensors import Bools, Floats

# Without its light end, so that every kept region is darker than a dropped one.
DARK = ListedColormap(matplotlib.colormaps["viridis_r"](np.linspace(0.25, 1, 256)))
LEAST_SHOWN = 1e-3  # of the largest importance, the least that has a colour of its own
CROSS = "#4D4D4D"  # of a dropped sensor


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
    title = f"{kept.sum():,} of {len(kept):,} {noun(shapes, plan)} kept"
    if not located.any():
        figure = new_figure(9, 4.5)
        axes = figure.add_subplot()
        _draw_ranks(axes, list(frame["sensor"]), kept, importance)
        add_title(axes, title, f"{dataset_stem(plan)}: no positions in the data")
        return figure
    rows = np.flatnonzero(located)[::-1]  # the best drawn last, on top
    sheet = lay_out(shapes[rows], is_planar(frame))
    figure = new_figure(*_map_size(sheet), layout="compressed")
    axes = figure.add_subplot()
    draw_land(axes, sheet)
    drawn = _draw_regions(figure, axes, sheet, kept[rows], importance[rows])
    _add_legend(figure, sheet, kept[rows], drawn)
    label_sheet(axes, sheet)
    add_title(axes, title, f"{dataset_stem(plan)}{not_shown(located)}")
    return figure


def noun(shapes: Shapes, plan: Plan) -> str:
    """What a region is, in the plural."""
    if not has_polygons(shapes):
        return "sensors"
    return "grid cells" if plan.data.regions == plan.data.sensors else "patches"


def not_shown(located: Bools) -> str:
    """How many regions are not on the map, for the line below the title."""
    return "" if located.all() else f" ({(~located).sum()} without a position not shown)"


def point_size(count: int) -> float:
    """Of a marker, in square points."""
    return float(np.clip(9000 / count, 8, 90))


def _map_size(sheet: Sheet) -> tuple[float, float]:
    """Width and height (inches) that suit the extent of the map."""
    aspect = sheet.aspect
    return (9, float(np.clip(7.2 * aspect, 2, 7) + 1.3)) if aspect < 1 else (7.5, 7.5)


def _draw_regions(
    figure: Figure, axes: Axes, sheet: Sheet, kept: Bools, importance: Floats
) -> PathCollection:
    """The kept ones."""
    high = max(importance[kept].max(initial=0), LEAST_SHOWN)
    norm = LogNorm(max(importance[kept].min(initial=high), LEAST_SHOWN * high), high, clip=True)
    draw = _draw_cells if sheet.filled else _draw_points
    drawn = draw(axes, sheet.parts, kept[sheet.of], importance[sheet.of])
    drawn.set(cmap=DARK, norm=norm)
    bar = figure.colorbar(drawn, ax=axes, label="importance of the kept", shrink=0.8, pad=0.02)
    bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    bar.ax.yaxis.set_minor_formatter(NullFormatter())
    return drawn


def _draw_points(axes: Axes, parts: Shapes, kept: Bools, importance: Floats) -> PathCollection:
    (x, y), size = shapely.get_coordinates(parts).T, point_size(len(parts))
    axes.scatter(x[~kept], y[~kept], s=0.5 * size, marker="x", c=CROSS, linewidths=1.1, zorder=2)
    return axes.scatter(
        x[kept], y[kept], s=size, c=importance[kept], edgecolors="black", linewidths=0.6, zorder=3
    )


def _draw_cells(axes: Axes, parts: Shapes, kept: Bools, importance: Floats) -> PathCollection:
    draw_cells(axes, parts[~kept], facecolors=PALE)
    return draw_cells(axes, parts[kept], array=importance[kept])


def _add_legend(figure: Figure, sheet: Sheet, kept: Bools, drawn: PathCollection) -> None:
    usual = np.median(np.asarray(drawn.get_array())) if kept.any() else 0.0
    colour = drawn.to_rgba(np.array([usual]))[0]
    labels = f"kept ({kept.sum():,})", f"dropped ({(~kept).sum():,})"
    handles: list[Artist]
    if sheet.filled:
        handles = [Patch(fc=colour), Patch(fc=PALE)]
    else:
        handles = [
            Line2D([], [], marker="o", ls="none", mfc=colour, mec="black", ms=8),
            Line2D([], [], marker="x", ls="none", mec=CROSS, ms=6),
        ]
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)


def _draw_ranks(axes: Axes, names: list[str], kept: Bools, importance: Floats) -> None:
    """Importance by rank, with names where there is room."""
    rank = np.arange(1, len(names) + 1)
    for chosen, colour, marker, label in (
        (kept, COLOURS[0], "o", "kept"),
        (~kept, GREY, "x", "dropped"),
    ):
        axes.vlines(rank[chosen], 0, importance[chosen], color=colour, lw=1)
        axes.plot(
            rank[chosen],
            importance[chosen],
            marker,
            color=colour,
            markersize=6 if len(rank) <= 100 else 3,
            label=f"{label} ({chosen.sum():,})",
        )
    axes.set(ylim=(0, None), xlabel="rank", ylabel="importance")
    axes.legend(frameon=False)
    if len(names) <= 60:
        labels = [label_of(name) for name in names]
        axes.set_xticks(rank, labels, rotation=90, fontsize=7, parse_math=False)
        axes.set_xlabel("sensor, best first")
