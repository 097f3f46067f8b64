"""What `diff` prints."""

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from test_cli import run

from sensorplan.errors import DataError
from sensorplan.pipeline.diffing import ChangedSensor, Difference, PlanFacts


def make_sensor(name, kept_in, **changes):
    fields = {
        "sensor": name,
        "kept_in": kept_in,
        "rank_a": 3,
        "rank_b": 41,
        "importance_a": 0.312345,
        "importance_b": 0.02,
        "keep_frequency_a": 0.9,
        "keep_frequency_b": None,
        "latitude": 51.5,
        "longitude": -0.25,
        "y": None,
        "x": None,
    }
    return ChangedSensor(**{**fields, **changes})


def make_difference(**changes):
    def facts(folder, **changes):
        fields = {
            "folder": folder,
            "method": "dynst",
            "budget": 28,
            "regions": 70,
            "data": "pm10.nc",
            "rmse": 8.91,
            "rmse_ratio": 1.041,
            "unit": "ug m-3",
        }
        return PlanFacts(**{**fields, **changes})

    fields = {
        "a": facts("old[/x].plan"),
        "b": facts("new.plan", method="qr", rmse=8.75, rmse_ratio=1.022),
        "kept_in_both": 26,
        "dropped_in_both": 39,
        "changed": (
            make_sensor(
                "DEUB[/029]", "A", settled="excluded in B", removal_penalty=0.0123, substitute="n1"
            ),
            make_sensor("DEUB030", "B"),
        ),
        "only_in_a": (),
        "only_in_b": ("n1", "n2", "n3"),
        "windows": 430,
        "rmse_ratio": 0.982,
        "ci_low": 0.971,
        "ci_high": 0.993,
        "verdict": "better",
        "not_paired": None,
    }
    return Difference(**{**fields, **changes})


@pytest.fixture
def pipeline(monkeypatch):
    """A pipeline that keeps what it was asked, and gives or raises what a test sets."""
    calls = []

    def diff(plan_a, plan_b, **options):
        calls.append((plan_a, plan_b, options))
        if isinstance(stub.result, Exception):
            raise stub.result
        return stub.result

    stub = ModuleType("sensorplan.pipeline")
    stub.diff, stub.calls, stub.result = diff, calls, make_difference()
    monkeypatch.setitem(sys.modules, "sensorplan.pipeline", stub)
    return stub


def said_by(*arguments):
    result = run("diff", "a.plan", "b.plan", *arguments, env={"COLUMNS": "130"})
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_the_screen(pipeline):
    lines = said_by().splitlines()
    assert lines[3:5] == ["A: old[/x].plan", "B: new.plan"]
    rows = [line.split() for line in lines]
    assert ["A", "dynst", "28", "70", "8.91", "ug", "m-3", "1.041"] in rows
    assert ["B", "qr", "28", "70", "8.75", "ug", "m-3", "1.022"] in rows
    changed = "DEUB[/029] A 3 / 41 0.90 / ? +1.2 % n1 excluded in B"
    assert changed.split() in rows
    text = " ".join(" ".join(lines).split())
    assert text.startswith(
        "B is better: its RMSE is 0.982 times that of A "
        "(95 % interval 0.971 to 0.993; 430 test windows, in pairs). "
        "Of 67 sensors in both, 26 are kept by both and 39 by neither; 1 by A only, 1 by B only. "
    )
    assert "In B only: n1, n2, n3." in text
    assert pipeline.calls == [(Path("a.plan"), Path("b.plan"), {"out": None, "overwrite": False})]


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"verdict": "worse", "rmse_ratio": 1.03}, "B is worse: its RMSE is 1.030 times that of A"),
        ({"verdict": "tie"}, "A tie: its RMSE is 0.982"),
        (
            {"not_paired": "they are of different data (a.nc and b[/x].nc, contents differ)"},
            "Errors cannot be compared in pairs: they are of different data (a.nc and b[/x].nc,",
        ),
        ({"rmse_ratio": None, "verdict": None}, "Errors cannot be compared: A makes none."),
        ({"only_in_a": tuple("stuvwxyz")}, "In A only: s, t, u, v, w and 3 more."),
    ],
)
def test_what_is_said(pipeline, changes, phrase):
    pipeline.result = make_difference(**changes)
    assert phrase in " ".join(said_by().split())


def test_many_changed_sensors_are_cut(pipeline):
    sensors = tuple(make_sensor(f"s{i:02d}", "A") for i in range(25))
    pipeline.result = make_difference(changed=sensors)
    text = said_by()
    assert "s19" in text
    assert "s20" not in text
    assert "and 5 more; -o FILE writes all" in text


def test_what_no_sensor_has_is_no_column(pipeline):
    pipeline.result = make_difference(changed=(make_sensor("s1", "B", substitute="n1"),))
    assert "substitute" in said_by()
    pipeline.result = make_difference(changed=(make_sensor("s1", "B"),))
    assert "kept by" in said_by()
    assert "substitute" not in said_by()
    pipeline.result = make_difference(changed=())
    assert "kept by  " not in said_by()


def test_json_is_one_object(pipeline):
    content = json.loads(said_by("--json"))
    assert content["schema_version"] == 1
    assert content["verdict"] == "better"
    assert [sensor["kept_in"] for sensor in content["changed"]] == ["A", "B"]
    assert content["changed"][0]["y"] is None


def test_the_table_goes_to_a_file_or_to_stdout(pipeline):
    result = run("diff", "a.plan", "b.plan", "-o", "out.csv", "--overwrite")
    assert pipeline.calls[0][2] == {"out": Path("out.csv"), "overwrite": True}
    assert result.stderr == "Wrote out.csv\n"
    assert "B is better" in result.stdout
    lines = said_by("-o", "-").splitlines()
    assert pipeline.calls[1][2]["out"] is None
    assert len(lines) == 3
    assert lines[1] == "DEUB[/029],A,3,41,0.312345,0.02,0.9,,51.5,-0.25,,,excluded in B,0.0123,n1"


def test_two_results_do_not_fit_on_stdout(pipeline):
    result = run("diff", "a.plan", "b.plan", "--json", "-o", "-")
    assert result.exit_code == 2
    assert result.stderr == "Error: --json and -o - both want stdout; name a file with -o\n"
    assert pipeline.calls == []


def test_a_missing_plan_ends_with_its_exit_code(pipeline):
    pipeline.result = DataError("b.plan/plan.json: cannot be read")
    result = run("diff", "a.plan", "b.plan")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "Error: b.plan/plan.json: cannot be read\n"
