"""What `curve` prints: the curve as a table and its knee in a sentence, or both as JSON."""

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table

from sensorplan.cli.screen import files_of, number, prose, table_of, whole
from sensorplan.curve import CurvePoint, CurveRecord

if TYPE_CHECKING:
    from sensorplan.pipeline import CurveResult


def curve_json(result: "CurveResult") -> str:
    """The record as in `curve.json`, with the folder and the points."""
    content = {
        **json.loads(result.record.to_json()),
        "folder": str(result.folder),
        "curve": [json.loads(point.model_dump_json()) for point in result.points],
    }
    return json.dumps(content, indent=2)


def curve_lines(result: "CurveResult") -> RenderableType:
    """The knee, the table, and where the files lie."""
    record, folder = result.record, result.folder
    unit = f" {record.unit}" if record.unit else ""
    parts: list[RenderableType] = [
        prose(knee_sentence(record, result.points)),
        "",
        prose(
            f"RMSE / RMSE from all sensors ({number(record.all_sensors.rmse)}{unit}); the best "
            f"baseline is {record.best_baseline}:"
        ),
        _table(result.points, record.best_baseline),
        "",
        *files_of("Curve", folder, "curve.csv, curve.json, figure"),
    ]
    if record.knee is not None:
        path = shlex.quote(record.data.path.split(",")[0])
        parts.append(whole(f"Plan:  sensorplan fit {path} --budget {record.knee.budget}"))
    return Group(*parts)


def knee_sentence(record: CurveRecord, points: Sequence[CurvePoint]) -> str:
    """How many sensors can go, or that none can."""
    percent, knee, regions = f"{100 * record.max_loss:g} %", record.knee, record.data.regions
    if knee is not None:
        return (
            f"Up to {100 * knee.sparsity:.0f} % ({knee.budget} of {regions} kept) the loss stays "
            f"within {percent}, at the upper end of the 95 % interval."
        )
    densest = next(point for point in points if point.method == "dynst")
    return (
        f"No plan stays within a loss of {percent}: with {100 * densest.sparsity:.0f} % off "
        f"({densest.budget} of {regions} kept) the upper end of the 95 % interval is "
        f"{100 * (densest.ci_high - 1):.1f} %."
    )


def _table(points: Sequence[CurvePoint], best: str) -> Table:
    columns = ("dynst", "random", best, "limit")
    ratios = {(point.method, point.sparsity): f"{point.rmse_ratio:.3f}" for point in points}
    rows = []
    for point in points:
        if point.method == "dynst":
            own, *others = [ratios.get((column, point.sparsity), "") for column in columns]
            interval = f"{point.ci_low:.3f} to {point.ci_high:.3f}"
            off = f"{100 * point.sparsity:.0f} %"
            rows.append((off, str(point.budget), own, interval, *others))
    return table_of(
        ("off", "kept", "dynst", "95 % interval", "random", "best baseline", "limit"), rows
    )
