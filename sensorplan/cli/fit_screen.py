"""What `fit` prints: the plan for people, or as JSON."""

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table

from sensorplan.cli.condition_screen import weakest_line
from sensorplan.cli.obeying_screen import constraint_lines, phase_table
from sensorplan.cli.resilience_screen import resilience_lines
from sensorplan.cli.screen import files_of, numbers, prose, table_of, whole
from sensorplan.curve import CurvePoint
from sensorplan.exports.wording import (
    chance_words,
    contest_words,
    forecaster_words,
    scores_of,
    verdict,
)
from sensorplan.plan import Plan

if TYPE_CHECKING:
    from sensorplan.pipeline import FitResult

INTERVAL = "0.9"


def fit_json(result: "FitResult") -> str:
    """The plan as in `plan.json`, with the folder, the curve and the conditions."""
    content = {
        **json.loads(result.plan.to_json()),
        "folder": str(result.folder),
        "curve": [json.loads(point.model_dump_json()) for point in result.curve],
        "conditions": [json.loads(row.model_dump_json()) for row in result.conditions],
    }
    return json.dumps(content, indent=2)


def fit_lines(result: "FitResult") -> RenderableType:
    """The verdict, the evidence, and where the files lie."""
    plan = result.plan
    curve = [point for point in result.curve if point.method == plan.method]
    parts: list[RenderableType] = [
        prose(verdict(plan)),
        *weakest_line(result.weakest),
        *_optional(contest_words(plan)),
        "",
        _scores(plan),
        *_optional(forecaster_words(plan)),
        *_optional(chance_words(plan)),
        "",
    ]
    parts += constraint_lines(plan)
    parts += phase_table(plan)
    if curve:
        parts += [_curve(curve)]
        if plan.constraints:
            parts += [prose("Other numbers: the same ranking cut there, without the constraints.")]
        parts += [""]
    if INTERVAL in plan.interval_coverage:
        held = f"{100 * plan.interval_coverage[INTERVAL]:.1f} %"
        parts += [prose(f"90 % intervals of its forecasts held {held} of the test stretch."), ""]
    parts += resilience_lines(plan)
    folder = shlex.quote(str(result.folder))
    parts += files_of("Plan", result.folder, "ranking.csv, plan.json, resilience.csv, figures")
    return Group(*parts, whole(f"Map:  sensorplan export-map {folder} -o map.gpkg"))


def _optional(sentence: str | None) -> list[RenderableType]:
    return [] if sentence is None else [prose(sentence)]


def _scores(plan: Plan) -> Table:
    unit = f" ({plan.metrics.unit})" if plan.metrics.unit else ""
    names, scores, ratios = zip(*scores_of(plan.metrics), strict=True)
    rows = zip(
        names,
        numbers([score.rmse for score in scores]),
        numbers([score.mae for score in scores]),
        [f"{ratio:.3f}" for ratio in ratios],
        strict=True,
    )
    columns = ("forecast from", f"RMSE{unit}", f"MAE{unit}", "RMSE / all sensors")
    return table_of(columns, [*rows])


def _curve(curve: Sequence[CurvePoint]) -> Table:
    rows = [
        (
            f"{100 * point.sparsity:.0f} %",
            str(point.budget),
            rmse,
            f"{point.rmse_ratio:.3f}",
            f"{point.ci_low:.3f} to {point.ci_high:.3f}",
        )
        for point, rmse in zip(curve, numbers([point.rmse for point in curve]), strict=True)
    ]
    return table_of(("off", "kept", "RMSE", "RMSE / all sensors", "95 % interval"), rows)
