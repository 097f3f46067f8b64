"""What `fit` prints: the plan for people, or as JSON."""

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sensorplan.cli.condition_screen import weakest_line
from sensorplan.cli.obeying_screen import constraint_lines, phase_table
from sensorplan.cli.resilience_screen import resilience_lines
from sensorplan.cli.screen import number, table_of, whole
from sensorplan.curve import CurvePoint
from sensorplan.plan import Plan, Score

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
        Text(verdict(plan)),
        *weakest_line(result.weakest),
        *_contest(plan),
        "",
        _scores(plan),
        *_forecaster(plan),
        "",
    ]
    parts += constraint_lines(plan)
    parts += phase_table(plan)
    if curve:
        parts += [_curve(curve), ""]
    if INTERVAL in plan.interval_coverage:
        held = f"{100 * plan.interval_coverage[INTERVAL]:.1f} %"
        parts += [Text(f"90 % intervals of its forecasts held {held} of the test stretch."), ""]
    parts += resilience_lines(plan)
    folder = str(result.folder)
    parts += [
        whole(f"Plan: {folder} (ranking.csv, map.png, curve.png, resilience.csv, plan.json)"),
        whole(f"Map:  sensorplan export-map {shlex.quote(folder)} -o map.gpkg"),
    ]
    return Group(*parts)


def verdict(plan: Plan) -> str:
    """The plan in one sentence."""
    metrics, regions = plan.metrics, plan.data.regions
    patched = regions != plan.data.sensors
    what = f"patches ({plan.data.sensors} cells)" if patched else "sensors"
    unit = metrics.unit
    error = f"{number(metrics.plan.rmse)}{' ' if unit else ''}{unit}"
    change = 100 * (metrics.rmse_ratio - 1)
    side = "above" if change >= 0 else "below"
    return (
        f"Keep {plan.budget} of {regions} {what} ({100 * (1 - plan.budget / regions):.0f} % off): "
        f"forecast error {error}, {abs(change):.1f} % {side} all sensors; "
        f"{_value_kept(metrics.value_kept)}."
    )


def _contest(plan: Plan) -> list[Text]:
    """Whose mask the plan is and how far ahead, where several competed."""
    if len(plan.candidates) < 2 or plan.candidate_loss is None:
        return []
    first, second = sorted(plan.candidates, key=lambda name: plan.candidates[name])[:2]
    best = plan.candidates[first]
    next_best, refined = (
        f"{100 * np.expm1(abs(loss - best) / 2):.1f} %"
        for loss in (plan.candidates[second], plan.candidate_loss)
    )
    return [
        Text(
            f"Of {len(plan.candidates)} candidates {first} was best on earlier time; the next, "
            f"{second}, has an error {next_best} higher. Refined, it is {refined} lower."
        )
    ]


def _value_kept(share: float | None) -> str:
    if share is None:
        return "the sensors add nothing to the calendar"
    if share < 0:
        return "worse than the calendar alone"
    kept = "all" if share >= 1 else f"{100 * share:.0f} %"
    return f"keeps {kept} of what the sensors add to the calendar"


def _scores(plan: Plan) -> Table:
    unit = f" ({plan.metrics.unit})" if plan.metrics.unit else ""
    table = table_of("forecast from", f"RMSE{unit}", f"MAE{unit}", "RMSE / all sensors")
    metrics = plan.metrics
    rows: dict[str, Score | None] = {
        "all sensors": metrics.all_sensors,
        "this plan": metrics.plan,
        "this plan, linear": metrics.linear,
        "persistence": metrics.persistence,
        "calendar alone": metrics.climatology,
    }
    for name, score in rows.items():
        if score is None:
            continue
        ratio = score.rmse / metrics.all_sensors.rmse if metrics.all_sensors.rmse else float("nan")
        table.add_row(name, number(score.rmse), number(score.mae), f"{ratio:.3f}")
    return table


def _forecaster(plan: Plan) -> list[Text]:
    """What forecasts, where it is not the network alone."""
    record = plan.forecaster
    if record is None or record.shipped == record.backbone:
        return []
    what, better = "linear regression", record.backbone
    if record.linear_share < 1:
        share = f"{100 * record.linear_share:.0f} %"
        what, better = f"{record.backbone} blended with {share} linear regression", "either"
    return [Text(f"The forecaster is {what}: on validation better than {better}.")]


def _curve(curve: Sequence[CurvePoint]) -> Table:
    table = table_of("switched off", "kept", "RMSE", "RMSE / all sensors", "95 % interval")
    for point in curve:
        table.add_row(
            f"{100 * point.sparsity:.0f} %",
            str(point.budget),
            number(point.rmse),
            f"{point.rmse_ratio:.3f}",
            f"{point.ci_low:.3f} to {point.ci_high:.3f}",
        )
    return table
