"""The reasons in the table of a plan's regions, and `resilience.csv`."""

from typing import Any

import numpy as np
import pandas as pd

from sensorplan.constraints.distances import lengths
from sensorplan.plan import Plan
from sensorplan.reasons import Reasons
from sensorplan.regions import Regions
from sensorplan.sensors import Floats, SensorData

DECIMALS = {
    "removal_penalty": 6,
    "own_rmse_ratio": 4,
    "substitute_r2": 3,
    "substitute_km": 3,
}
"""Columns whose numbers are written with so many decimals."""
COLUMNS = (
    *("removal_penalty", "own_rmse", "own_rmse_ratio"),
    *("substitute", "substitute_r2", "substitute_km", "substitute_distance", "ties"),
)
SEPARATOR = ";"  # between names


def reason_columns(reasons: Reasons, regions: Regions, data: SensorData) -> dict[str, list[Any]]:
    """Columns ``[region]`` of `ranking.csv`; what is not known is NaN or None.

    Args:
        reasons: Of the plan.
        regions: The regions.
        data: The history they come from.

    Returns:
        `COLUMNS`, with ``substitute_distance`` in the unit of the positions for planar data, and
        else with ``substitute_km``.
    """
    found, names = reasons.substitute, regions.names
    planar = data.geometry is not None and data.geometry.crs is None
    distance = _distances(reasons, regions, planar)
    columns: dict[str, list[Any]] = {
        "removal_penalty": list(reasons.removal_penalty),
        "own_rmse": [_significant(value) for value in reasons.own_rmse],
        "own_rmse_ratio": list(np.round(reasons.own_rmse_ratio, 4)),
        "substitute": [names[other] if other >= 0 else None for other in found],
        "substitute_r2": list(np.where(found >= 0, np.round(reasons.substitute_r2, 3), np.nan)),
    }
    if planar:
        columns["substitute_distance"] = [_significant(value) for value in distance]
    else:
        columns["substitute_km"] = list(np.round(distance / 1000, 3))
    columns["ties"] = [
        SEPARATOR.join(names[other] for other in tied) or None for tied in reasons.ties
    ]
    return columns


def resilience_csv(reasons: Reasons, plan: Plan) -> bytes:
    """`resilience.csv`: the plan as it is, single failures, the worst pair, random failures."""
    resilience = reasons.resilience
    single = [("single", failure) for failure in reasons.failures]
    pair = resilience.worst_pair
    rows: list[dict[str, Any]] = [{"case": "intact", "failed": 0, "rmse_ratio": 1.0}]
    for case, failure in [*single, *([("pair", pair)] if pair else [])]:
        rows.append(
            {
                "case": case,
                "failed": len(failure.sensors),
                "sensors": SEPARATOR.join(failure.sensors),
                "rmse_ratio": failure.rmse_ratio,
                "ci_low": failure.ci_low,
                "ci_high": failure.ci_high,
            }
        )
    for share, drawn in resilience.random.items():
        rows.append(
            {
                "case": "random",
                "failed": drawn.failed,
                "share": share,
                "draws": drawn.draws,
                "rmse_ratio": drawn.mean,
                "p95": drawn.p95,
            }
        )
    for row in rows:
        row["rmse"] = _significant(plan.metrics.plan.rmse * row["rmse_ratio"])
    columns = [
        *("case", "failed", "sensors", "share", "draws"),
        *("rmse", "rmse_ratio", "ci_low", "ci_high", "p95"),
    ]
    table = pd.DataFrame(rows, columns=columns).astype({"draws": "Int64"})
    return table.to_csv(index=False, lineterminator="\n").encode()


def _distances(reasons: Reasons, regions: Regions, planar: bool) -> Floats:
    """``[region]`` to its substitute, in metres or the unit of the positions; NaN where unknown."""
    distance = np.full(len(regions), np.nan)
    if regions.positions is None:
        return distance
    own, other = regions.positions, regions.positions[reasons.substitute]
    known = (reasons.substitute >= 0) & np.isfinite(own).all(1) & np.isfinite(other).all(1)
    distance[known] = lengths(own[known].astype(float), other[known].astype(float), not planar)
    return distance


def _significant(value: float) -> float:
    """To six digits."""
    return float(f"{value:.6g}")
