"""What the report says, and the file of it."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from html import unescape

import pytest
from factories import make_sensor_data
from test_exports import make_curve, make_frequency, make_plan, make_ranking, make_reasons, write

from sensorplan.errors import DataError, OutputError, RecipeError
from sensorplan.exports import folder
from sensorplan.exports.folder import write_plan
from sensorplan.exports.records import read_records, records_csv
from sensorplan.exports.report import statements, write_report, writing
from sensorplan.plan import ConditionRow, ConstraintCheck, PhaseRecord, Stability
from sensorplan.regions import nodalize


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    """Drawing takes its time; test_exports_figures.py looks at the pictures."""
    monkeypatch.setattr(folder, "map_png", lambda frame, plan: b"map")
    monkeypatch.setattr(folder, "curve_png", lambda curve, plan: b"curve")


def condition(name="all", value="", **changes):
    fields = {"targets": 1234, "rmse_all": 1.0, "rmse_plan": 1.1, "rmse_ratio": 1.1}
    ends = {"ci_low": 0.98, "ci_high": 1.2}
    return ConditionRow(condition=name, value=value, **{**fields, **ends, **changes})


CONDITIONS = (condition(), condition("time_of_day", "night", rmse_ratio=float("nan")))


def write_plan_with(target, data, *, conditions=CONDITIONS, **changes):
    """A plan folder of made-up numbers; `changes` are of the plan."""
    regions = nodalize(data)
    ranking = make_ranking(regions)
    plan = make_plan(regions, ranking, 4)
    reasons = make_reasons(regions)
    write_plan(
        target,
        plan=plan.model_copy(update={"resilience": reasons.resilience, **changes}),
        ranking=ranking,
        keep_frequency=make_frequency(regions),
        reasons=reasons,
        regions=regions,
        data=data,
        curve=make_curve(),
        extra_files={"conditions.csv": records_csv(conditions, ConditionRow)},
        overwrite=True,
    )


@pytest.fixture
def plan():
    regions = nodalize(make_sensor_data())
    return make_plan(regions, make_ranking(regions), 4)


def page_of(tmp_path, data=None, **changes):
    write_plan_with(tmp_path / "a.plan", data or make_sensor_data(), **changes)
    write_report(tmp_path / "a.plan", tmp_path / "a.html", overwrite=True)
    return (tmp_path / "a.html").read_text(encoding="utf-8")


def text_of(page):
    """What a reader sees before any script runs."""
    shown = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", shown)).split())
