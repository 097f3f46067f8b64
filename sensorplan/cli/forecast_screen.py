"""What `forecast` and `evaluate` print: a few lines and tables, or one JSON object."""

import json
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table

from sensorplan.cli.screen import facts_of, numbers, prose, table_of, whole

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
    facts = {
        "sensors": f"{len(forecasts.sensors)}, from {there} of {kept} kept ones",
        "forecast": f"{horizon} steps of {result.step}, {origins}",
        "valid": f"{first} to {last}",
        "intervals": _intervals(result),
    }
    return Group(facts_of(facts), "", whole(f"Forecast: {result.file}"))


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
    return Group(
        prose(judged), prose(held), "", _scores(evaluation), "", _by_lead(evaluation, level)
    )


def _scores(evaluation: "Evaluation") -> Table:
    unit = f" ({evaluation.unit})" if evaluation.unit else ""
    said = {"plan": "this plan", "persistence": "persistence", "climatology": "calendar alone"}
    scores = [evaluation.scores[name] for name in said]
    skills = (None, evaluation.skill_persistence, evaluation.skill_climatology)
    rows = zip(
        said.values(),
        numbers([score.rmse for score in scores]),
        numbers([score.mae for score in scores]),
        map(_share, skills),
        strict=True,
    )
    columns = ("forecast from", f"RMSE{unit}", f"MAE{unit}", "skill of the plan")
    return table_of(columns, [*rows])


def _by_lead(evaluation: "Evaluation", level: str) -> Table:
    leads = evaluation.by_lead
    rows = zip(
        [str(row.lead) for row in leads],
        numbers([row.rmse for row in leads]),
        numbers([row.mae for row in leads]),
        [_share(row.skill_persistence) for row in leads],
        [_share(row.skill_climatology) for row in leads],
        [_share(row.coverage) for row in leads],
        strict=True,
    )
    columns = ("steps ahead", "RMSE", "MAE", "skill: persistence", "calendar", f"in {level}")
    return table_of(columns, [*rows])


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
