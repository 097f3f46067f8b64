"""The error map: where the forecast from the kept regions is good, and where it loses."""

from typing import Any

import geopandas as gpd
import matplotlib
import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sensorplan.exports.map_figure import not_shown, noun, point_size
from sensorplan.exports.map_sheet import Sheet, draw_cells, draw_land, label_sheet, lay_out
from sensorplan.exports.style import PALE, add_figure_title, dataset_stem, new_figure
from sensorplan.exports.tables import is_planar
from sensorplan.plan import Plan
from sensorplan.sensors import Bools, Floats

# All colours run from light to dark, and say the same in grey.
_RMSE = matplotlib.colormaps["cividis_r"].with_extremes(bad=PALE)
MANY = 100  # regions, above which the extremes share a colour
EXTREMES = 1, 99  # per cent, between which the colours run then
KEPT_MARKER, DROPPED_MARKER = "o", "v"
MOST_DOTS = 1000  # kept cells that are marked


def error_map_figure(frame: gpd.GeoDataFrame, plan: Plan) -> Figure | None:
    """RMSE of the plan's forecast of each region, and its ratio to the forecast from all sensors.

    Args:
        frame: The table of the plan's regions (`tables.deployment`).
        plan: The plan.

    Returns:
        None where nothing has a position.
    """
    shapes = frame["geometry"].to_numpy()
    located = ~shapely.is_missing(shapes)
    if not located.any():
        return None
    rows = np.flatnonzero(located)[::-1]
    sheet = lay_out(shapes[rows], is_planar(frame))
    kept = (frame["decision"] == "keep").to_numpy()[rows]
    side_by_side = sheet.aspect >= 0.55
    figure = new_figure(*_size(sheet.aspect, side_by_side), layout="compressed")
    panels = figure.subplots(*((1, 2) if side_by_side else (2, 1)))
    unit = f" ({plan.metrics.unit})" if plan.metrics.unit else ""
    ratio = "RMSE / RMSE from all sensors"
    for axes, column, label in (
        (panels[0], "own_rmse", f"RMSE of the plan{unit}"),
        (panels[1], "own_rmse_ratio", ratio),
    ):
        values = frame[column].to_numpy(float)[rows]
        norm, extend = _norm(values, reference=label == ratio)
        colours = _ratio_colours(norm) if label == ratio else _RMSE
        draw_land(axes, sheet)
        _draw(axes, sheet, kept, values, colours, norm)
        scale = ScalarMappable(norm, colours)
        bar = figure.colorbar(scale, ax=axes, label=label, shrink=0.8, pad=0.02, extend=extend)
        if label == ratio:
            bar.ax.axhline(1, color="black", lw=1.5)
        label_sheet(axes, sheet, left=axes is panels[0] or not side_by_side)
    _add_legend(figure, sheet, kept)
    what = noun(shapes, plan)
    add_figure_title(
        figure,
        "Where the plan forecasts well, and where it loses",
        f"{dataset_stem(plan)}: error of the forecast of each of {len(kept):,} {what} on the "
        f"test stretch{not_shown(located)}",
    )
    return figure


def _size(aspect: float, side_by_side: bool) -> tuple[float, float]:
    """Width and height (inches)."""
    if side_by_side:
        return 12.5, float(np.clip(5.2 * aspect, 2.5, 7) + 1.5)
    return 9, 2 * float(np.clip(7.2 * aspect, 1.5, 4)) + 2


def _norm(values: Floats, reference: bool) -> tuple[Normalize, str]:
    """Colours for all values, or where there are many for all but the extremes.

    Args:
        values: ``[region]``.
        reference: Whether 1 is among the colours in any case.

    Returns:
        The norm, and at which ends values lie beyond it, as a colour bar says it.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return Normalize(0, 1), "neither"
    low, high = np.percentile(known, EXTREMES if len(known) > MANY else (0, 100))
    if reference:
        low, high = min(low, 1.0), max(high, 1.0)
    ends = {(True, True): "both", (True, False): "min", (False, True): "max"}
    extend = ends.get((known.min() < low, known.max() > high), "neither")
    return Normalize(low, max(high, low + 1e-6 * max(abs(low), 1e-6))), extend


def _ratio_colours(norm: Normalize) -> Colormap:
    """Blue where the plan is better than all sensors, brown where it is worse; ever darker."""
    below = round(256 * float(norm(1.0)))
    blue = matplotlib.colormaps["Blues"](np.linspace(0, 0.25, below))
    brown = matplotlib.colormaps["YlOrBr"](np.linspace(0.25, 1, 256 - below))
    return ListedColormap(np.concatenate([blue, brown])).with_extremes(bad=PALE)


def _draw(
    axes: Axes, sheet: Sheet, kept: Bools, values: Floats, colours: Colormap, norm: Normalize
) -> None:
    """Regions in colour, kept ones told by their shape or a dot; pale without a value."""
    values, kept = values[sheet.of], kept[sheet.of]
    if sheet.filled:
        cells = draw_cells(axes, sheet.parts, array=np.ma.masked_invalid(values))
        cells.set(cmap=colours, norm=norm)
        if kept.sum() <= MOST_DOTS:
            x, y = shapely.get_coordinates(shapely.centroid(sheet.parts[kept])).T
            size = float(np.clip(1500 / max(kept.sum(), 1), 3, 16))
            axes.scatter(x, y, s=size, c="white", edgecolors="black", linewidths=0.5, zorder=3)
        return
    xy, size = shapely.get_coordinates(sheet.parts), point_size(len(sheet.parts))
    for chosen, marker, width in ((~kept, DROPPED_MARKER, 0.5), (kept, KEPT_MARKER, 1.1)):
        axes.scatter(
            xy[chosen, 0],
            xy[chosen, 1],
            s=size,
            c=values[chosen],
            marker=marker,
            cmap=colours,
            norm=norm,
            plotnonfinite=True,
            edgecolors="black",
            linewidths=width,
            zorder=3,
        )


def _add_legend(figure: Figure, sheet: Sheet, kept: Bools) -> None:
    labels = [f"kept ({kept.sum():,})", f"dropped ({(~kept).sum():,})"]
    look: dict[str, Any] = {"ls": "none", "mfc": "white", "mec": "black", "ms": 8}
    handles = [Line2D([], [], marker=marker, **look) for marker in (KEPT_MARKER, DROPPED_MARKER)]
    if sheet.filled:
        if kept.sum() > MOST_DOTS:
            return
        handles, labels = [Line2D([], [], marker="o", **{**look, "ms": 4})], labels[:1]
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
