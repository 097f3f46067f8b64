"""Make the outline of land that maps draw, from Natural Earth at 1:110m.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python tools/make_land.py package/land-110m.json sensorplan/exports/land.json

The package holds Natural Earth's land (public domain) as TopoJSON on the sphere. What comes out is
a GeoJSON MultiPolygon in degrees, to two decimals, cut at the dateline.
"""

import json
import sys
from pathlib import Path

import numpy as np
import shapely

WORLD = shapely.box(-180, -90, 180, 90)


def main(source: Path, target: Path) -> None:
    """Convert the file."""
    topology = json.loads(source.read_bytes())
    arcs = [_decoded(arc, topology["transform"]) for arc in topology["arcs"]]
    (land,) = topology["objects"]["land"]["geometries"]
    shapes = []
    for polygon in land["arcs"]:
        exterior, *holes = (_unrolled(_joined(ring, arcs)) for ring in polygon)
        shapes.append(shapely.difference(exterior, shapely.union_all(holes)))
    turned = [
        shapely.transform(shapes, lambda xy, turn=turn: xy + np.array(turn))
        for turn in ([-360, 0], [0, 0], [360, 0])
    ]
    cut = shapely.intersection(shapely.make_valid(np.concatenate(turned)), WORLD)
    whole = shapely.set_precision(shapely.union_all(cut), 0.01)
    assert whole.geom_type == "MultiPolygon"
    rounded = [
        [np.round(ring.coords, 2).tolist() for ring in (part.exterior, *part.interiors)]
        for part in whole.geoms
    ]
    content = {"type": "MultiPolygon", "coordinates": rounded}
    target.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


def _decoded(arc: list[list[int]], transform: dict[str, list[float]]) -> np.ndarray:
    """``[point, 2]`` longitude and latitude of a quantised arc, which holds differences."""
    return np.cumsum(arc, axis=0) * transform["scale"] + transform["translate"]


def _joined(ring: list[int], arcs: list[np.ndarray]) -> np.ndarray:
    """``[point, 2]`` a ring of arcs; one below 0 runs backwards, from ``~index``."""
    parts = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in ring]
    return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])


def _unrolled(ring: np.ndarray) -> shapely.Polygon:
    """A polygon with longitudes that go on beyond 180, closed at the south pole if around it."""
    longitude = np.unwrap(ring[:, 0], period=360)
    ring = np.column_stack([longitude, ring[:, 1]])
    if abs(longitude[-1] - longitude[0]) > 180:
        ring = np.concatenate([ring, [[longitude[-1], -90], [longitude[0], -90]]])
    return shapely.Polygon(ring)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
