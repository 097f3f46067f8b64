"""What `forecast` and `evaluate` print: a few lines and tables, or one JSON object."""

import json
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sensorplan.cli.screen import number, table_of, whole

if TYPE_CHECKING:
    from sensorplan.pipeline import Evaluation, ForecastResult


def forecast_json(result: "ForecastResult") -> str:
    """What the file holds, as one object."""
    return json.dumps(result.to_json(), indent=2)


def forecast_lines(result: "ForecastResult") -> RenderableType:
    """What was forecast, how sure it is, and where the file lies."""
    forecasts = result.forecasts
    kept, there = int(forecasts.kept.sum()), int(forecasts.kept.sum()) - len(result.missing)
    horizon = forecasts.values.shape[1]
    first, last = result.valid
    if len(result.origins) == 1:
        origins = f"from what was known at {result.origins[0]}"
    else:
        origins = f"from {len(result.origins)} times, {result.origins[0]} to {result.origins[-1]}"
    facts = Table.grid(padding=(0, 2))
    for name, value in {
        "sensors": f"{len(forecasts.sensors)}, from {there} of {kept} kept ones",
        "forecast": f"{horizon} steps of {result.step}, {origins}",
        "valid": f"{first} to {last}",
        "intervals": _intervals(result),
    }.items():
        facts.add_row(name, value)
    return Group(facts, "", whole(f"Forecast: {result.file}"))


def _intervals(result: "ForecastResult") -> str:
    level = f"{100 * result.forecasts.level:g} %"
    held = result.test_coverage
    tested = "" if held is None else f"; held {100 * held:.1f} % of the plan's test stretch"
    wider = float(result.forecasts.widening[-1])
    return f"{level}, {wider:.2f} times the usual width by the latest errors{tested}"


def evaluation_json(evaluation: "Evaluation") -> str:
    """The evaluation as one object."""
    return evaluation.model_dump_json(indent=2)


def evaluation_lines(evaluation: "Evaluation") -> RenderableType:
    """What was judged, the scores, and the scores by lead."""
    level = f"{100 * evaluation.interval_level:g} %"
    judged = (
        f"{evaluation.windows} forecasts of {evaluation.scored} of {evaluation.sensors} sensors, "
        f"{evaluation.first} to {evaluation.last}."
    )
    held = f"{100 * evaluation.interval_coverage:.1f} % of the values lie in the {level} intervals."
    return Group(Text(judged), Text(held), "", _scores(evaluation), "", _by_lead(evaluation, level))


def _scores(evaluation: "Evaluation") -> Table:
    unit = f" ({evaluation.unit})" if evaluation.unit else ""
    table = table_of("forecast from", f"RMSE{unit}", f"MAE{unit}", "skill of the plan")
    rows = {
        "plan": ("this plan", None),
        "persistence": ("persistence", evaluation.skill_persistence),
        "climatology": ("calendar alone", evaluation.skill_climatology),
    }
    for name, (said, skill) in rows.items():
        score = evaluation.scores[name]
        table.add_row(said, number(score.rmse), number(score.mae), _share(skill))
    return table


def _by_lead(evaluation: "Evaluation", level: str) -> Table:
    table = table_of("steps ahead", "RMSE", "MAE", "skill: persistence", "calendar", f"in {level}")
    for row in evaluation.by_lead:
        table.add_row(
            str(row.lead),
            "" if row.rmse is None else number(row.rmse),
            "" if row.mae is None else number(row.mae),
            _share(row.skill_persistence),
            _share(row.skill_climatology),
            _share(row.coverage),
        )
    return table


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
