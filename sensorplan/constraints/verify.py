"""The constraints checked again on a finished plan, by other means than those that made it.

Nothing here knows `rules`: distances are measured between all pairs, sums are added up from the
constraints as they were stated.
"""

import numpy as np
from pyproj import Geod
from sklearn.neighbors import BallTree

from sensorplan.constraints.stated import Constraints
from sensorplan.plan import ConstraintCheck
from sensorplan.sensors import Bools, Floats

NEARBY = 1.01  # times the least distance by the sphere: no geodesic pair differs by more
ROUNDING = 1e-9


def verify(
    constraints: Constraints, budget: int | None, mask: Bools
) -> tuple[ConstraintCheck, ...]:
    """Each constraint with what the plan has; for people to read, and to be all met.

    Args:
        constraints: What was asked.
        budget: Regions that were to be kept; None: no number was asked.
        mask: ``[region]`` the plan.
    """
    kept_count = int(mask.sum())
    size = "at least 1 kept" if budget is None else f"{budget} kept"
    checks = [_check(size, f"{kept_count}", kept_count == budget if budget else kept_count > 0)]
    if constraints.required.any():
        lost = [constraints.names[i] for i in np.flatnonzero(constraints.required) if not mask[i]]
        asked = f"require {int(constraints.required.sum())}"
        checks.append(_check(asked, f"{len(lost)} of them dropped", not lost))
    for option, out in constraints.excluded_by.items():
        kept = [constraints.names[i] for i in np.flatnonzero(out) if mask[i]]
        asked = f"{option.removeprefix('--')}: {int(out.sum())} out"
        checks.append(_check(asked, f"{len(kept)} of them kept", not kept))
    if constraints.min_distance and constraints.positions is not None:
        least = constraints.min_distance.length
        found = _smallest_distance(constraints.positions[mask], constraints.geographic)
        asked = f"min-distance {constraints.min_distance.text}"
        checks.append(
            _check(asked, _length(found, constraints.geographic), found >= least * (1 - ROUNDING))
        )
    if constraints.cover and constraints.targets is not None and constraints.positions is not None:
        most = constraints.cover.length
        found = _largest_gap(
            constraints.targets, constraints.positions[mask], constraints.geographic
        )
        asked = f"cover {constraints.cover.text}"
        met = found <= most * (1 + ROUNDING)
        checks.append(_check(asked, f"at most {_length(found, constraints.geographic)}", met))
    if constraints.max_cost is not None and constraints.cost is not None:
        total = float(sum(constraints.cost[i] for i in np.flatnonzero(mask)))
        asked = f"max-cost {constraints.max_cost:g}"
        met = total <= constraints.max_cost * (1 + ROUNDING)
        checks.append(_check(asked, f"{total:.10g}", met))
    for group, limit in constraints.limits.items():
        held = sum(1 for i in np.flatnonzero(mask) if constraints.group[i] == group)
        most_held = len(mask) if limit.high is None else limit.high
        asked = f"per-group {limit.text} in {group}"
        checks.append(_check(asked, f"{held}", limit.low <= held <= most_held))
    return tuple(checks)


def _check(constraint: str, found: str, met: bool) -> ConstraintCheck:
    return ConstraintCheck(constraint=constraint, found=found, met=bool(met))


def _length(distance: float, geographic: bool) -> str:
    if not np.isfinite(distance):
        return "none"
    return f"{distance / 1000:.6g} km" if geographic else f"{distance:.6g}"


def _smallest_distance(positions: Floats, geographic: bool) -> float:
    """Between any two positions; inf for fewer than two."""
    if len(positions) < 2:
        return np.inf
    if not geographic:
        return float(BallTree(positions).query(positions, k=2)[0][:, 1].min())
    tree = BallTree(np.radians(positions), metric="haversine")
    rough = float(tree.query(np.radians(positions), k=2)[0][:, 1].min())
    near = tree.query_radius(np.radians(positions), rough * NEARBY + 1e-12)
    one = np.repeat(np.arange(len(positions)), [len(others) for others in near])
    two = np.concatenate(near)
    return float(_geodesic(positions[one[one != two]], positions[two[one != two]]).min())


def _largest_gap(targets: Floats, positions: Floats, geographic: bool) -> float:
    """Of the distances from each target to the position nearest to it, the largest."""
    if not len(targets):
        return 0.0
    if not len(positions):
        return np.inf
    if not geographic:
        return float(BallTree(positions).query(targets)[0].max())
    tree = BallTree(np.radians(positions), metric="haversine")
    several = min(4, len(positions))  # the nearest by the sphere need not be by the ellipsoid
    nearest = tree.query(np.radians(targets), k=several)[1]
    metres = _geodesic(np.repeat(targets, several, axis=0), positions[nearest.ravel()]).reshape(
        nearest.shape
    )
    return float(metres.min(axis=1).max())


def _geodesic(points: Floats, others: Floats) -> Floats:
    longitudes, latitudes = points[:, 1], points[:, 0]
    found = Geod(ellps="WGS84").inv(longitudes, latitudes, others[:, 1], others[:, 0])[2]
    return np.asarray(found)
