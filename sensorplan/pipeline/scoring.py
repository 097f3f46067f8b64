"""`evaluate`: how good a plan's forecaster is on other data than it was made from."""

from pathlib import Path

import numpy as np

from sensorplan.devices import prepare_torch
from sensorplan.errors import DataError
from sensorplan.evaluation import (
    climatology_errors,
    forecast_errors,
    interval_coverage,
    persistence_errors,
    score_of,
)
from sensorplan.metrics import Errors, skill
from sensorplan.pipeline.forecasting import LEVEL, place_of_level
from sensorplan.pipeline.new_data import NewData, read_new_data
from sensorplan.pipeline.recording import Progress, Stages
from sensorplan.pipeline.saved import Saved, load_forecaster
from sensorplan.plan import SCHEMA_VERSION, Plan, Record, Score
from sensorplan.reading.stamps import Stamps
from sensorplan.recipe import DataSettings
from sensorplan.sensors import Floats, Ints
from sensorplan.windows import Windows, later_windows


class LeadScore(Record):
    """Errors at one lead.

    Attributes:
        lead: Steps ahead, from 1.
        rmse: Of the plan's forecaster, in the unit of the errors; None without any observed value.
        mae: The same.
        skill_persistence: 1 - RMSE / RMSE of persistence at this lead.
        skill_climatology: The same for the calendar alone.
        coverage: Share of the observed values in their interval.
    """

    lead: int
    rmse: float | None
    mae: float | None
    skill_persistence: float | None
    skill_climatology: float | None
    coverage: float | None


class Evaluation(Record):
    """How good a plan's forecaster is on some data; the fields of the JSON that `evaluate` prints.

    Attributes:
        plan: The folder.
        data: The path as it was given.
        first: Time of the first step of the data.
        last: Time of the last step.
        windows: Number of forecasts.
        sensors: Sensors in the plan.
        scored: Those of them with any observed value that was forecast.
        missing: Kept sensors that are not in the data.
        scores: Of the ``plan``, of ``persistence`` (the last value of each sensor, carried on) and
            of ``climatology`` (the plan's calendar alone).
        unit: Of every RMSE and MAE, as in `plan.json`.
        skill_persistence: 1 - RMSE / RMSE of persistence.
        skill_climatology: 1 - RMSE / RMSE of the calendar alone.
        interval_level: Of the intervals.
        interval_coverage: Share of the observed values in their interval.
        by_lead: The same for each lead.
        warnings: Plain sentences.
    """

    schema_version: int = SCHEMA_VERSION
    plan: str
    data: str
    first: str
    last: str
    windows: int
    sensors: int
    scored: int
    missing: tuple[str, ...]
    scores: dict[str, Score]
    unit: str
    skill_persistence: float | None
    skill_climatology: float | None
    interval_level: float
    interval_coverage: float
    by_lead: tuple[LeadScore, ...]
    warnings: tuple[str, ...]


def evaluate(
    plan_folder: Path,
    data: DataSettings,
    *,
    level: float = LEVEL,
    progress: Progress | None = None,
) -> Evaluation:
    """Judge the forecaster of a plan on data.

    Args:
        plan_folder: The folder that `fit` wrote.
        data: What to read; what it leaves out is as in the plan.
        level: Of the intervals.
        progress: Told of every stage.

    Raises:
        SensorplanError: See `sensorplan.errors` for the kinds.
    """
    prepare_torch()
    stage = Stages(progress)
    plan, saved = Plan.load(plan_folder), load_forecaster(plan_folder)
    place = place_of_level(saved, level)
    with stage("read"):
        new = read_new_data(saved, data)
    starts = _starts(saved, new)
    shape = saved.about.lookback, saved.about.horizon
    with stage("forecast and score"):
        windows = later_windows(
            new.values, new.data.time, starts, shape, saved.scaling, saved.about.harmonics
        )
        own = forecast_errors(windows, starts, saved.forecast)
        if not own.by_window.total.count[0]:
            raise DataError(f"{new.data.source.path}: no value that was forecast is observed")
        carried, calendar = (
            errors(windows, starts) for errors in (persistence_errors, climatology_errors)
        )
        covered = interval_coverage(
            windows, starts, saved.forecast, saved.mask, saved.intervals, since=0
        )
    labels, sensors = new.data.time.labels, len(saved.about.sensors)
    scored = _sensors_seen(windows, saved)
    return Evaluation(
        plan=str(plan_folder),
        data=new.data.source.path,
        first=labels[0],
        last=labels[-1],
        windows=len(starts),
        sensors=sensors,
        scored=scored,
        missing=new.missing,
        scores={
            "plan": score_of(own),
            "persistence": score_of(carried),
            "climatology": score_of(calendar),
        },
        unit=plan.metrics.unit,
        skill_persistence=_number(skill(own, carried)),
        skill_climatology=_number(skill(own, calendar)),
        interval_level=level,
        interval_coverage=float(covered.total[place]),
        by_lead=_by_lead(own, carried, calendar, covered.by_lead[place]),
        warnings=(
            *new.warnings,
            *_scored_notes(scored, sensors),
            *_overlap_notes(plan, saved, new, starts),
        ),
    )


def _starts(saved: Saved, new: NewData) -> Ints:
    """``[window]`` first step of every window, as far apart as in the plan.

    Raises:
        DataError: There is none.
    """
    about, steps = saved.about, len(new.data.time)
    length = about.lookback + about.horizon
    starts = np.arange(0, steps - length + 1, about.stride)
    if not len(starts):
        raise DataError(
            f"{new.data.source.path}: holds {steps} steps of {about.step}; expected at least "
            f"{length} (lookback {about.lookback} + horizon {about.horizon})"
        )
    return starts


def _by_lead(
    own: Errors, carried: Errors, calendar: Errors, coverage: Floats
) -> tuple[LeadScore, ...]:
    skills = [
        1 - own.by_lead.rmse / np.where(other.by_lead.rmse > 0, other.by_lead.rmse, np.nan)
        for other in (carried, calendar)
    ]
    rows = zip(own.by_lead.rmse, own.by_lead.mae, *skills, coverage, strict=True)
    return tuple(
        LeadScore(
            lead=lead,
            rmse=_number(rmse),
            mae=_number(mae),
            skill_persistence=_number(persistence),
            skill_climatology=_number(climatology),
            coverage=_number(held),
        )
        for lead, (rmse, mae, persistence, climatology, held) in enumerate(rows, 1)
    )


def _number(value: float) -> float | None:
    """None for what is no number, which JSON lacks."""
    return float(value) if np.isfinite(value) else None


def _sensors_seen(windows: Windows, saved: Saved) -> int:
    """Sensors with any observed value that was forecast."""
    _, valid = windows.sample(windows.series.shape[0])
    seen = np.asarray(valid[saved.about.lookback :].any(0), np.float32)
    return int(saved.regions.scatter(seen, len(saved.about.sensors)).any(-1).sum())


def _scored_notes(scored: int, sensors: int) -> list[str]:
    if scored == sensors:
        return []
    return [f"{scored} of the plan's {sensors} sensors have values to judge; the scores are theirs"]


def _overlap_notes(plan: Plan, saved: Saved, new: NewData, starts: Ints) -> list[str]:
    """A plain sentence when the plan was made from some of the data's time."""
    time, about = new.data.time, saved.about
    if time.calendar is None:
        return []
    edges = plan.split["train"]["first"], plan.split["validation"]["last"]
    first, last = Stamps.of_labels(edges, about.calendar, about.time_unit).numbers
    numbers = Stamps.of_labels(time.labels, time.calendar, time.unit).numbers
    ends = numbers[starts + about.lookback + about.horizon - 1]
    inside = int(((numbers[starts] <= last) & (ends >= first)).sum())
    if not inside:
        return []
    return [
        f"{inside} of {len(starts)} windows reach into the time that the plan was trained and "
        f"chosen on ({edges[0]} to {edges[1]}): this is not later data, and the scores flatter"
    ]
