"""What `forecast` and `evaluate` pass on and print."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from test_cli import run

from sensorplan.errors import DataError
from sensorplan.pipeline.forecasting import ForecastResult
from sensorplan.pipeline.scoring import Evaluation, LeadScore
from sensorplan.plan import Score


def make_forecast_result(**changes):
    forecasts = SimpleNamespace(
        values=np.zeros((1, 3, 5, 1)),
        level=0.9,
        widening=np.array([1.254]),
        time=SimpleNamespace(labels=tuple(f"2020-01-06T0{hour}:00:00" for hour in range(8))),
        origins=np.array([4]),
        sensors=tuple("abcde"),
        kept=np.array([True, True, False, False, True]),
        channels=(SimpleNamespace(name="speed"),),
    )
    fields = {
        "file": Path("out[/x].nc"),
        "plan": Path("net.plan"),
        "data": "new.nc",
        "forecasts": forecasts,
        "step": "1 h",
        "missing": ("b",),
        "test_coverage": 0.8972,
        "warnings": ("new.nc: 1 of 3 kept [/sensors] missing",),
    }
    return ForecastResult(**{**fields, **changes})


def make_evaluation(**changes):
    fields = {
        "plan": "net.plan",
        "data": "later.nc",
        "first": "2020-02-01T00:00:00",
        "last": "2020-02-02T00:00:00",
        "windows": 43,
        "sensors": 8,
        "scored": 7,
        "missing": (),
        "scores": {
            "plan": Score(rmse=1.5, mae=1),
            "persistence": Score(rmse=2, mae=1.1),
            "climatology": Score(rmse=3, mae=2.2),
        },
        "unit": "K",
        "skill_persistence": 0.25,
        "skill_climatology": 0.5,
        "interval_level": 0.9,
        "interval_coverage": 0.8771,
        "by_lead": (
            LeadScore(
                lead=1,
                rmse=1.4,
                mae=0.9,
                skill_persistence=0.1,
                skill_climatology=0.2,
                coverage=0.95,
            ),
            LeadScore(
                lead=2,
                rmse=None,
                mae=None,
                skill_persistence=None,
                skill_climatology=None,
                coverage=None,
            ),
        ),
        "warnings": ("this is not later data [/x]",),
    }
    return Evaluation(**{**fields, **changes})


@pytest.fixture
def pipeline(monkeypatch):
    """A pipeline that takes note of how it was called."""
    calls = []
    stub = ModuleType("sensorplan.pipeline")

    def forecast(plan, data, *, progress, **options):
        progress("read", 0, 1)
        calls.append((plan, data, options))
        return make_forecast_result()

    def evaluate(plan, data, *, progress, **options):
        calls.append((plan, data, options))
        return make_evaluation()

    stub.forecast, stub.evaluate = forecast, evaluate
    monkeypatch.setitem(sys.modules, "sensorplan.pipeline", stub)
    return calls


def test_what_forecast_prints(pipeline):
    result = run("forecast", "net.plan", "new.nc", env={"COLUMNS": "200"})
    assert result.exit_code == 0
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert lines == [
        "sensors    5, from 2 of 3 kept ones",
        "forecast   3 steps of 1 h, from what was known at 2020-01-06T04:00:00",
        "valid      2020-01-06T05:00:00 to 2020-01-06T07:00:00",
        "intervals  90 %, 1.25 times the usual width by the latest errors; "
        "held 89.7 % of the plan's test stretch",
        "",
        "Forecast: out[/x].nc",
    ]
    assert result.stderr.splitlines() == [
        "read ...",
        "Warning: new.nc: 1 of 3 kept [/sensors] missing",
    ]
    assert pipeline == [
        (
            Path("net.plan"),
            pipeline[0][1],
            {"out": None, "origins": "last", "level": 0.9, "overwrite": False},
        )
    ]


def test_options_of_forecast_reach_the_pipeline(pipeline):
    arguments = (
        *("forecast", "net.plan", "a.nc", "b.nc", "-o", "out.zarr", "--origins", "all"),
        *("--interval", "95 %", "--variable", "v", "--select", "level=500", "--missing", "-1"),
        *("--resample", "1h", "--stations", "s.csv", "--overwrite", "--quiet"),
    )
    result = run(*arguments)
    assert result.exit_code == 0
    _, data, options = pipeline[0]
    assert (data.path, data.variable, data.select) == (("a.nc", "b.nc"), ("v",), {"level": "500"})
    assert (data.missing, data.resample, data.stations) == ((-1.0,), "1h", "s.csv")
    assert options == {
        "out": Path("out.zarr"),
        "origins": "all",
        "level": 0.95,
        "overwrite": True,
    }
    assert "read" not in result.stderr


def test_forecast_as_json(pipeline):
    result = run("forecast", "net.plan", "new.nc", "--json", "--quiet")
    content = json.loads(result.stdout)
    assert content["schema_version"] == 1
    assert content["file"] == "out[/x].nc"
    assert content["variable"] == ["speed"]
    assert content["missing"] == ["b"]
    assert content["interval"] == {"level": 0.9, "test_coverage": 0.8972, "widening": 1.254}
    assert (content["sensors"], content["kept"], content["horizon"]) == (5, 3, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--interval", "9 apples"), "Error: --interval 9 apples; expected a share above 0 %"),
        (("--select", "level"), "Error: --select level; expected DIM=VALUE"),
    ],
)
def test_wrong_usage(pipeline, arguments, message):
    result = run("forecast", "net.plan", "new.nc", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(message)
    assert pipeline == []


@pytest.mark.parametrize("command", ["forecast", "evaluate"])
def test_a_plan_that_is_none(tmp_path, command):
    result = run(command, tmp_path, "new.nc", "--quiet")
    assert result.exit_code == DataError.exit_code
    assert "plan.json: cannot be read" in result.stderr


def test_what_evaluate_prints(pipeline):
    result = run("evaluate", "net.plan", "later.nc", env={"COLUMNS": "80"})
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    text = " ".join(result.stdout.split())
    assert text.startswith(
        "43 forecasts of 7 of 8 sensors, 2020-02-01T00:00:00 to 2020-02-02T00:00:00."
    )
    assert "87.7 % of the values lie in the 90 % intervals." in text
    rows = {line[:16].strip(): line[16:].split() for line in lines}
    leads = {line[:13].strip(): line[13:].split() for line in lines}
    assert rows["this plan"] == ["1.50", "1.00"]
    assert rows["persistence"] == ["2.00", "1.10", "0.250"]
    assert rows["calendar alone"] == ["3.00", "2.20", "0.500"]
    assert leads["1"] == ["1.40", "0.900", "0.100", "0.200", "0.950"]
    assert leads["2"] == []
    assert result.stderr.splitlines() == ["Warning: this is not later data [/x]"]


def test_evaluate_as_json(pipeline):
    result = run("evaluate", "net.plan", "later.nc", "--json", "--interval", "0.8")
    content = json.loads(result.stdout)
    assert content["schema_version"] == 1
    assert content["scores"]["plan"] == {"rmse": 1.5, "mae": 1.0}
    assert content["by_lead"][1]["rmse"] is None
    assert pipeline[0][2] == {"level": 0.8}
