"""How places lie on a printed map, and the land and the labels around them.

Longitude and latitude are drawn as x and y, with the right ratio amid the map. A network around a
pole is drawn from above it (Lambert's azimuthal equal-area projection); planar positions are drawn
as they are.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.path import Path as Outline
from matplotlib.ticker import MaxNLocator
from pyproj import Proj

from sensorplan.exports.land import LEAST_EXTENT, land_parts
from sensorplan.exports.sphere import Shapes, rejoined, squeeze
from sensorplan.sensors import Floats, Ints

POLAR = 45.0  # degrees; a network that goes round the earth beyond them is seen from the pole
STRAIGHT = 2.0  # degrees, the longest straight side seen from the pole
LAND, COAST = "#F1EEE6", "#8C8C8C"
MARGINS = 0.05, 0.02  # of the extent, around points and around cells
STEPS, STEPS_WIDE = (1, 2, 5, 10), (1, 2, 3, 6, 10)  # of the labels along the map
SEAM = 1e-6  # of a unit, within which pieces of land are joined
MANY = 2000  # shapes, above which they are drawn as an image within SVG and PDF


@dataclass(frozen=True)
class Sheet:
    """Shapes on paper.

    Attributes:
        kind: ``planar``, ``plain`` (longitude and latitude) or ``polar``.
        parts: ``[part]`` points and polygons in the coordinates of the paper.
        of: ``[part]`` row of the table that each belongs to.
        land: ``[part]`` polygons of land within the bounds; none where the outline is too coarse.
        bounds: West, south, east and north of the paper.
        ratio: Length of a unit of y / of x.
        pole: Latitude of the pole that it is seen from, 90 or -90; 0 unless ``polar``.
    """

    kind: Literal["planar", "plain", "polar"]
    parts: Shapes
    of: Ints
    land: Shapes
    bounds: tuple[float, float, float, float]
    ratio: float
    pole: float = 0.0

    @property
    def aspect(self) -> float:
        """Height / width."""
        west, south, east, north = self.bounds
        return (north - south) * self.ratio / (east - west)

    @property
    def filled(self) -> bool:
        """Whether the parts are polygons."""
        return has_polygons(self.parts)


def has_polygons(shapes: Shapes) -> bool:
    """Whether any shape is more than a point."""
    return bool((shapely.area(shapes[~shapely.is_missing(shapes)]) > 0).any())


def lay_out(shapes: Shapes, planar: bool) -> Sheet:
    """Bring shapes to paper.

    Args:
        shapes: ``[row]`` as (longitude, latitude), cut at the antimeridian, or as (x, y); at least
            one has a place, the others are None.
        planar: Whether they are (x, y).
    """
    parts, of = shapely.get_parts(shapes, return_index=True)
    if planar:
        return Sheet("planar", parts, of, _no_land(), _bounds(parts), 1.0)
    pole = _pole(parts)
    if pole:
        return _seen_from_pole(parts, of, pole)
    parts = rejoined(parts)
    bounds = _bounds(parts)
    ratio = 1 / squeeze(bounds[1], bounds[3])
    extent = shapely.total_bounds(parts)
    wide = (extent[2:] - extent[:2]).max() >= LEAST_EXTENT
    return Sheet("plain", parts, of, _land(bounds) if wide else _no_land(), bounds, ratio)


def draw_land(axes: Axes, sheet: Sheet) -> None:
    """The paper, with land below points, and its outline above cells."""
    west, south, east, north = sheet.bounds
    axes.set(xlim=(west, east), ylim=(south, north), aspect=sheet.ratio)
    if not len(sheet.land):
        return
    outlines = [outline(part) for part in sheet.land]
    if not sheet.filled:
        style: dict[str, Any] = {"facecolors": LAND, "edgecolors": COAST, "linewidths": 0.8}
        axes.add_collection(PathCollection(outlines, zorder=0.5, **style), autolim=False)
        return
    for colour, width in (("white", 1.8), ("black", 0.6)):
        style = {"facecolors": "none", "edgecolors": colour, "linewidths": width}
        axes.add_collection(PathCollection(outlines, zorder=2.5, **style), autolim=False)


def draw_cells(axes: Axes, parts: Shapes, **style: Any) -> PathCollection:
    """The polygons, with white lines between; many without, and as an image in SVG and PDF."""
    drawn = PathCollection([outline(polygon) for polygon in parts], **style)
    many = len(parts) > MANY
    drawn.set(
        edgecolor="face" if many else "white",
        linewidth=0.2 if many else float(np.clip(300 / max(len(parts), 1), 0.2, 0.8)),
        rasterized=many,
    )
    axes.add_collection(drawn, autolim=False)
    return drawn


def outline(polygon: Any) -> Outline:
    """A polygon as matplotlib draws it."""
    rings = shapely.get_rings(polygon)
    return Outline.make_compound_path(
        *(Outline(shapely.get_coordinates(ring), closed=True) for ring in rings)
    )


def label_sheet(axes: Axes, sheet: Sheet, *, left: bool = True) -> None:
    """Names of the axes and degrees along them; from above a pole, circles and meridians.

    Args:
        axes: Of the map.
        sheet: What is on it.
        left: Whether latitudes are named; not beside another map of the same.
    """
    if sheet.kind == "polar":
        _draw_graticule(axes, sheet)
        return
    across, up = ("x", "y") if sheet.kind == "planar" else ("longitude (°E)", "latitude (°N)")
    axes.set_xlabel(across)
    if left:
        axes.set_ylabel(up)
    else:
        axes.tick_params(labelleft=False)
    wide = sheet.kind == "plain" and sheet.bounds[2] - sheet.bounds[0] > 60
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=7, steps=STEPS_WIDE if wide else STEPS))
    if sheet.kind == "plain" and sheet.bounds[2] > 180:  # across the dateline
        axes.xaxis.set_major_formatter(
            lambda degrees, _: f"{180 - (180 - degrees) % 360:g}".replace("-", "−")
        )


def _bounds(parts: Shapes) -> tuple[float, float, float, float]:
    """The extent with a margin; of a single place, a little around it."""
    west, south, east, north = shapely.total_bounds(parts)
    width, height = east - west, north - south
    margin = MARGINS[has_polygons(parts)] * max(width, height)
    if not margin:
        margin = 0.5
    return west - margin, south - margin, east + margin, north + margin


def _no_land() -> Shapes:
    return np.empty(0, object)


def _land(bounds: tuple[float, float, float, float]) -> Shapes:
    """Land within the bounds, which may reach beyond 180 degrees east."""
    around = [
        shapely.transform(land_parts(), lambda xy, turn=turn: xy + np.array([turn, 0]))
        for turn in (-360, 0, 360)
    ]
    return _clipped(np.concatenate(around), bounds)


def _clipped(shapes: Shapes, bounds: tuple[float, float, float, float]) -> Shapes:
    """What of polygons lies within a little more than the bounds."""
    west, south, east, north = bounds
    more = 0.05 * max(east - west, north - south)
    box = shapely.box(west - more, south - more, east + more, north + more)
    whole = shapely.union_all(shapely.intersection(shapes, box), grid_size=SEAM)
    parts = shapely.get_parts(whole)
    clipped: Shapes = parts[shapely.get_dimensions(parts) == 2]
    return clipped


def _pole(parts: Shapes) -> float:
    """The pole that a network goes round, 90 or -90; 0 for none."""
    west, south, east, north = shapely.total_bounds(parts)
    if min(abs(south), abs(north)) < POLAR or south * north < 0:
        return 0.0
    west, _, east, _ = shapely.bounds(parts).T
    held = np.zeros(360, bool)
    for first, last in zip(np.floor(west).astype(int), np.ceil(east).astype(int), strict=True):
        held[np.arange(first, max(last, first + 1)) % 360] = True
    gaps = np.flatnonzero(held)
    widest = np.diff(gaps, append=gaps[0] + 360).max()
    return float(np.copysign(90, north)) if widest < 180 else 0.0


def _seen_from_pole(parts: Shapes, of: Ints, pole: float) -> Sheet:
    """The network from above a pole, with 0 degrees east below the north pole, above the south."""
    flat = shapely.transform(shapely.segmentize(parts, STRAIGHT), _from_above(pole))
    distance = max(float(np.abs(shapely.total_bounds(flat)).max()), 1e-3)
    reach = distance * (1 + MARGINS[has_polygons(flat)])
    bounds = (-reach, -reach, reach, reach)
    edge = pole - np.copysign(_degrees_from_pole(1.5 * reach), pole)
    cap = shapely.box(-180, min(edge, pole), 180, max(edge, pole))
    near = shapely.get_parts(shapely.intersection(land_parts(), cap))
    near = shapely.segmentize(near[shapely.get_dimensions(near) == 2], STRAIGHT)
    land = shapely.make_valid(shapely.transform(near, _from_above(pole)))
    return Sheet("polar", flat, of, _clipped(land, bounds), bounds, 1.0, pole)


def _from_above(pole: float) -> Any:
    """From ``[corner, 2]`` longitude and latitude to x and y in earth radii."""
    project = Proj(proj="laea", lat_0=pole, lon_0=0, R=1)

    def transform(xy: Floats) -> Floats:
        return np.column_stack(project(*xy.T))

    return transform


def _degrees_from_pole(distance: float) -> float:
    """Degrees of latitude between the pole and places so far from it on the paper."""
    return float(2 * np.degrees(np.arcsin(min(distance / 2, 1))))


def _draw_graticule(axes: Axes, sheet: Sheet) -> None:
    reach, transform = sheet.bounds[2], _from_above(sheet.pole)
    sign = np.copysign(1, sheet.pole)
    step = 10 if _degrees_from_pole(reach) > 15 else 5
    line: dict[str, Any] = {"color": COAST, "lw": 0.6, "ls": ":", "zorder": 2.6}
    text: dict[str, Any] = {"fontsize": 8, "ha": "center", "va": "center", "zorder": 4}
    text["bbox"] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8}
    around = np.arange(-180, 181, 2.0)
    for latitude in np.arange(90 - step, 0, -step):
        circle = transform(np.column_stack([around, np.full(len(around), sign * latitude)]))
        if np.abs(circle).max() > reach:
            break
        axes.plot(*circle.T, **line)
        x, y = transform(np.array([[22.5, sign * latitude]]))[0]
        axes.text(x, y, f"{latitude}°{'N' if sign > 0 else 'S'}", **text)
    edge = sign * (90 - _degrees_from_pole(reach))
    for longitude in range(-135, 181, 45):
        axes.plot(*transform(np.array([[longitude, sign * 89.0], [longitude, edge]])).T, **line)
        name = f"{abs(longitude)}°{'' if longitude in (0, 180) else 'EW'[longitude < 0]}"
        x, y = 0.95 * transform(np.array([[longitude, edge]]))[0]
        axes.text(x, y, name, **text)
    axes.set(xticks=[], yticks=[])
