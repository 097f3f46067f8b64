import contextlib
import io
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from test_cli import make_metrics, run
from test_cli_log import lines_of

from sensorplan.batch import BatchResult, Manifest, PlanEntry, Status
from sensorplan.cli.batch_screen import MOST_ROWS, BatchReport
from sensorplan.cli.log import tell
from sensorplan.errors import DataError
from sensorplan.recipe import Recipe


def make_entry(name, **changes):
    fields = {
        "name": name,
        "recipe": "heat.toml",
        "settings": {"run.seed": 1},
        "state": "done",
        "seed": 1,
        "regions": 70,
        "budget": 28,
        "metrics": make_metrics(),
        "seconds": 200.0,
    }
    return PlanEntry(**{**fields, **changes})


def make_batch_result(failed=False):
    plans = [make_entry("heat_s0.6_seed0"), make_entry("heat_s0.6_seed1")]
    if failed:
        why = {"metrics": None, "state": "failed", "error": "none[/x].nc: no such file"}
        plans.append(make_entry("none[/x]", **why))
    manifest = Manifest(versions={}, plans=tuple(plans))
    return BatchResult(Path("data[/x].batch"), manifest, tuple(plans), ("heat_s0.6_seed0",))


@pytest.fixture
def batch(monkeypatch):
    """A `sensorplan.batch` that keeps what it was given, tells of a plan, and fails if asked."""

    def run_batch(recipes, *, watch, tell, **options):
        stub.calls.append((recipes, options))
        watch(Status("a[/x]", "queued", recipe=Recipe()))
        watch(Status("a[/x]", "running", "read", 0, 1))
        watch(Status("a[/x]", "running", "train", 1, 2))
        stub.meanwhile(watch, tell)
        watch(Status("a[/x]", "done", seconds=5, warnings=("[bold]gaps",)))
        return stub.on_batch()

    stub = ModuleType("sensorplan.batch")
    stub.run_batch, stub.calls, stub.on_batch = run_batch, [], make_batch_result
    stub.meanwhile = lambda watch, tell: None
    monkeypatch.setitem(sys.modules, "sensorplan.batch", stub)
    return stub


def test_options_reach_the_batch(batch):
    result = run(
        *("batch", "a.toml", "b.toml", "--set", "run.seed=1", "--set", "mask.rounds=2"),
        *("--workers", 3, "--out", "o", "--force"),
    )
    assert result.exit_code == 0, result.stderr
    assert run("batch", "a.toml", "--scheduler", "tcp://x:1").exit_code == 0
    (recipes, options), (_, other) = batch.calls
    assert recipes == [Path("a.toml"), Path("b.toml")]
    assert options == {
        "settings": ["run.seed=1", "mask.rounds=2"],
        "workers": 3,
        "scheduler": None,
        "out": Path("o"),
        "force": True,
    }
    assert (other["scheduler"], other["workers"], other["force"]) == ("tcp://x:1", None, False)


def test_the_table_of_a_batch(batch):
    result = run("batch", "a.toml", env={"COLUMNS": "80"})
    lines = result.stdout.splitlines()
    assert lines[0] == "2 plans: 1 made, 1 there already."
    assert max(map(len, lines)) <= 80
    row = next(line.split() for line in lines if line.startswith("heat_s0.6_seed1"))
    assert row[1:] == ["28", "of", "70", "1.041", "87", "%", "3", "min"]
    assert lines[-2:] == ["Plans: data[/x].batch", "       manifest.json, summary.csv"]
    assert result.stderr.splitlines() == ["a[/x]: running", "a[/x]: done in 5 s (1 of 1)"]


def test_a_failed_plan_is_said_and_is_an_exit_code(batch):
    batch.on_batch = lambda: make_batch_result(failed=True)
    result = run("batch", "a.toml", "--quiet")
    assert result.exit_code == 4
    assert result.stdout.startswith("3 plans: 1 made, 1 there already, 1 failed.\n")
    assert "none[/x]: none[/x].nc: no such file" in result.stdout
    assert result.stderr == "Error: 1 of 3 plans failed: none[/x]\n"


def test_plans_with_warnings_are_counted(batch):
    assert "warnings" not in run("batch", "a.toml", "--quiet").stdout
    plans = [make_entry("a", warnings=("gaps", "few windows")), make_entry("b")]
    manifest = Manifest(versions={}, plans=tuple(plans))
    batch.on_batch = lambda: BatchResult(Path("o"), manifest, tuple(plans), ())
    assert "Plans with warnings: 1; manifest.json has them." in run("batch", "a.toml").stdout


def test_batch_json_is_one_object_on_stdout(batch):
    content = json.loads(run("batch", "a.toml", "--json", "--quiet").stdout)
    assert (content["schema_version"], content["folder"]) == (1, "data[/x].batch")
    assert content["asked"] == ["heat_s0.6_seed0", "heat_s0.6_seed1"]
    assert (content["skipped"], content["failed"]) == (["heat_s0.6_seed0"], [])
    assert content["plans"][0]["metrics"]["rmse_ratio"] == 1.041


def test_an_error_before_any_plan(batch):
    def fail():
        raise DataError("manifest.json: damaged")

    batch.on_batch = fail
    result = run("batch", "a.toml", "--quiet")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "Error: manifest.json: damaged\n"


def test_the_log_names_the_plan_in_each_line(batch, tmp_path):
    def meanwhile(watch, tell):
        watch(Status("a[/x]", "running", "train", 2, 2))
        watch(Status("b", "queued", recipe=Recipe()))
        watch(Status("b", "failed", note="no\ndata"))
        tell("a[/x]: resumed at\ntrain")

    batch.meanwhile = meanwhile
    result = run("batch", "a.toml", "--quiet", "--log", tmp_path / "run.log")
    assert result.exit_code == 0
    assert result.stderr == "a[/x]: resumed at train\n"
    lines = lines_of(tmp_path / "run.log")
    assert [message.split(":")[0] for _, message in lines[:2]] == ["run", "versions"]
    assert lines[2][1].startswith('a[/x]: settings: {"data":{')
    assert lines[3:5] == [("INFO", "a[/x]: running"), ("INFO", "a[/x]: read: begins")]
    assert lines[5] == ("INFO", "a[/x]: train: begins")
    assert re.fullmatch(r"a\[/x\]: train: ends after \d+\.\d s", lines[6][1])
    assert lines[7][1].startswith("b: settings: {")
    assert lines[8:] == [
        ("ERROR", "b: failed, no data (1 of 2)"),
        ("INFO", "a[/x]: resumed at train"),
        ("WARNING", "a[/x]: [bold]gaps"),
        ("INFO", "a[/x]: done in 5 s (2 of 2)"),
        ("INFO", "done"),
    ]


def test_lines_say_what_is_left(capsys):
    with BatchReport(quiet=False) as report:
        for name in "abcd":
            report(Status(name, "queued"))
        report(Status("a", "done", seconds=9, note="there already"))
        report(Status("b", "running", "read", 0, 1))
        report(Status("b", "done", seconds=100))
        report(Status("c", "failed", note="no [bold]data"))
    assert capsys.readouterr().err.splitlines() == [
        "a: done, there already (1 of 4)",
        "b: running",
        "b: done in 2 min (2 of 4, about 3 min left)",
        "c: failed, no [bold]data (3 of 4, about 2 min left)",
    ]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("quiet", [False, True])
def test_the_live_table(monkeypatch, quiet):
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    with BatchReport(quiet) as report, contextlib.suppress(ZeroDivisionError):
        for number in range(MOST_ROWS + 3):
            report(Status(f"plan{number}", "queued"))
        report(Status("plan1", "done", seconds=60))
        report(Status("plan22", "running", "train [/x]", 30, 120))
        tell("plan22: resumed at [/x]")
        raise ZeroDivisionError
    text = stderr.getvalue()
    assert ("1 running, 21 queued, 1 done; about 22 min left" in text) is not quiet
    assert ("train [/x]" in text) is not quiet
    assert text.count("plan22: resumed at [/x]\n") == 1  # above the table
    assert ("25 %" in text) is not quiet
    assert ("and 3 more" in text) is not quiet
