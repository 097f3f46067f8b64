import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import get_args

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from sensorplan.cli import app, fit_screen, screen
from sensorplan.comparison import Comparison, MethodRow
from sensorplan.conditions import ConditionRow
from sensorplan.curve import CurvePoint
from sensorplan.errors import (
    ConstraintError,
    DataError,
    OutputError,
    RecipeError,
    TrainingError,
)
from sensorplan.exports import wording
from sensorplan.exports.maps import MapFormat
from sensorplan.plan import DataRecord, Metrics, Plan, Score
from sensorplan.recipe.settings import Method
from sensorplan.sensors import Finding, Source
from sensorplan.team import Team
from sensorplan.version import __version__

COMMANDS = get_command(app).commands


def make_plan(**changes):
    fields = {
        "method": "dynst",
        "sparsity": 0.6,
        "budget": 28,
        "kept": ("DEUB[/029]",),
        "dropped": ("DEUB030",),
        "data": DataRecord(
            path="data[/x].nc",
            sha256="0" * 64,
            variable=("pm10",),
            units=("ug m-3",),
            sensors=70,
            regions=70,
            times=2192,
            step="1 day",
        ),
        "split": {},
        "seed": 0,
        "metrics": make_metrics(),
        "warnings": ("gaps: [bold]48 %[/bold] of the values are missing",),
        "timings": {},
        "versions": {},
        "settings": {},
    }
    return Plan(**{**fields, **changes})


def make_metrics(**changes):
    fields = {
        "all_sensors": Score(rmse=8.559, mae=5.5),
        "plan": Score(rmse=8.91, mae=6.0),
        "persistence": Score(rmse=12.3, mae=7.0),
        "climatology": Score(rmse=11.2, mae=8.0),
        "unit": "ug m-3",
        "rmse_ratio": 1.041,
        "value_kept": 0.871,
    }
    return Metrics(**{**fields, **changes})


def make_point(sparsity, method="dynst"):
    return CurvePoint(
        method=method,
        sparsity=sparsity,
        budget=round(70 * (1 - sparsity)),
        rmse=9.0,
        mae=6.0,
        rmse_ratio=1.05,
        ci_low=1.01,
        ci_high=1.09,
    )


def make_result(**changes):
    curve = [make_point(0.1), make_point(0.5), make_point(0.5, "random")]
    row = ConditionRow(
        condition="time_of_day",
        value="night",
        targets=9,
        rmse_all=1,
        rmse_plan=1.09,
        rmse_ratio=1.09,
        ci_low=float("nan"),
        ci_high=1.1,
    )
    return SimpleNamespace(
        plan=make_plan(**changes),
        folder=Path("data[/x].plan"),
        curve=curve,
        conditions=[row],
        weakest=None,
    )


def make_row(method, sparsity, ratio, **changes):
    fields = {
        "method": method,
        "sparsity": sparsity,
        "budget": round(70 * (1 - sparsity)),
        "judge": "ridge",
        "rmse": 9 * ratio,
        "mae": 6.0,
        "rmse_ratio": ratio,
        "ci_low": ratio - 0.01,
        "ci_high": ratio + 0.01,
        "spread": None,
        "skill_persistence": 0.2,
        "skill_climatology": 0.1,
        "value_kept": 0.8,
        "tied_with_best": False,
        "verdict": "win",
        "dynst_ratio": 0.99,
        "dynst_low": 0.98,
        "dynst_high": 0.994,
    }
    return MethodRow(**{**fields, **changes})


def make_comparison_result():
    own = dict.fromkeys(("verdict", "dynst_ratio", "dynst_low", "dynst_high"))
    comparison = Comparison(
        data=make_plan().data,
        methods=("dynst", "qr"),
        left_out={"k-centre": "needs [positions]"},
        sparsities=(0.5, 0.875),
        judges=("ridge",),
        seeds=(0,),
        random_plans=10,
        folds=({"test": {"windows": 700}}, {"test": {"windows": 587}}),
        lookback=7,
        horizon=3,
        margin=0.005,
        unit="ug m-3",
        all_sensors={"ridge": Score(rmse=9, mae=6)},
        persistence=Score(rmse=12, mae=7),
        climatology=Score(rmse=11, mae=7),
        rows=(
            make_row("qr", 0.5, 1.05, tied_with_best=True, verdict="tie"),
            make_row("qr", 0.875, 1.12),
            make_row("dynst", 0.5, 1.04, tied_with_best=True, **own),
            make_row("dynst", 0.875, 1.0712, tied_with_best=True, **own),
        ),
        masks_taken={"dynst": 3, "k[-c]": 1},
        warnings=("k-centre is left out: needs [positions]",),
        timings={},
        versions={},
        settings={},
    )
    return SimpleNamespace(comparison=comparison, folder=Path("data[/x].compare"))


@pytest.fixture
def pipeline(monkeypatch):
    """A pipeline that keeps the recipes it was given, and does or raises what a test sets."""
    calls = []

    def fit(recipe, *, out=None, overwrite=False, progress=None, tell=None):
        calls.append(SimpleNamespace(recipe=recipe, out=out, overwrite=overwrite))
        for line in stub.told:
            tell(line)
        progress("training [/x]", 0, 2)
        progress("training [/x]", 2, 2)
        return stub.on_fit()

    def inspect(recipe):
        calls.append(SimpleNamespace(recipe=recipe))
        return SimpleNamespace(
            source=Source("data[/x].nc", "0" * 64),
            findings=(Finding("time", "time[/t]", "standard_name = time"),),
            warnings=("1 gap",),
            facts={"sensors": "70", "step": "1 day"},
            to_json=lambda: {"sensors": 70},
        )

    def compare(recipe, *, out, overwrite, progress, **wanted):
        calls.append(SimpleNamespace(recipe=recipe, out=out, overwrite=overwrite, wanted=wanted))
        return make_comparison_result()

    stub = ModuleType("sensorplan.pipeline")
    stub.compare = compare
    stub.fit, stub.inspect, stub.calls, stub.on_fit = fit, inspect, calls, make_result
    stub.told = []
    stub.joined, stub.follow = lambda: nullcontext(Team()), None
    monkeypatch.setitem(sys.modules, "sensorplan.pipeline", stub)
    return stub


def run(*arguments, **options):
    return CliRunner().invoke(app, [*map(str, arguments)], prog_name="sensorplan", **options)


def run_process(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "sensorplan", *map(str, arguments)], text=True, **options
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert COMMANDS[name].help
    for parameter in COMMANDS[name].params:
        assert parameter.help, parameter.name
        assert all(option in result.stdout for option in parameter.opts if option[:2] == "--")


def test_the_options_of_fit():
    options = {option for parameter in COMMANDS["fit"].params for option in parameter.opts}
    assert options >= {
        *("--recipe", "--sparsity", "--budget", "--variable", "--select", "--missing"),
        *("--resample", "--stations", "--adjacency", "--lookback", "--horizon", "--patch"),
        *("--seed", "--device", "--out", "--overwrite", "--quiet", "--json"),
    }


def test_help_lists_commands_in_full():
    lines = run("--help").stdout.splitlines()
    for name in COMMANDS:
        line = next(line for line in lines if line.strip().startswith(name))
        assert line.endswith(".")
        assert "..." not in line


def test_map_formats_are_all_in_the_help():
    text = run("export-map", "--help").stdout
    assert all(format in text for format in get_args(MapFormat))


def test_version():
    assert run("--version").stdout == f"sensorplan {__version__}\n"


def test_help_loads_nothing_slow():
    done = run_process("--help", capture_output=True)
    assert done.returncode == 0
    code = "import sys, sensorplan.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"torch", "numpy", "pandas", "xarray", "pydantic", "matplotlib"}


def test_fit_prints_the_verdict_on_stdout_and_the_rest_on_stderr(pipeline):
    result = run("fit", "data[/x].nc")
    assert result.exit_code == 0
    assert " ".join(result.stdout.split()).startswith(
        "Keep 28 of 70 sensors (60 % off): forecast error 8.91 ug m-3, 4.1 % above all sensors; "
        "keeps 87 % of what the sensors add to the calendar. "
    )
    assert "data[/x].plan" in result.stdout
    assert "export-map 'data[/x].plan'" in result.stdout
    assert result.stderr.splitlines() == [
        "training [/x] ...",
        "Warning: gaps: [bold]48 %[/bold] of the values are missing",
    ]


def test_the_table_of_fit_fits_80_columns(pipeline):
    lines = run("fit", "a.nc", env={"COLUMNS": "80"}).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    rows = {line[:16].strip(): line[16:].split() for line in lines}
    assert rows["all sensors"] == ["8.56", "5.50", "1.000"]
    assert rows["this plan"] == ["8.91", "6.00", "1.041"]
    assert rows["persistence"] == ["12.30", "7.00", "1.437"]
    assert rows["calendar alone"] == ["11.20", "8.00", "1.309"]
    curve = [line.split() for line in lines]
    assert ["10", "%", "63", "9.00", "1.050", "1.010", "to", "1.090"] in curve
    assert sum(line.strip().startswith("50 %") for line in lines) == 1  # of the plan's method only


@pytest.mark.parametrize(
    ("changes", "phrase"),
    [
        ({"rmse_ratio": 0.988}, "1.2 % below all sensors"),
        ({"value_kept": None}, "the sensors add nothing to the calendar."),
        ({"value_kept": -0.2}, "worse than the calendar alone"),
        ({"plan": Score(rmse=51234.5, mae=1)}, "forecast error 51,234 ug m-3"),
    ],
)
def test_the_verdict_follows_the_metrics(changes, phrase):
    assert phrase in wording.verdict(make_plan(metrics=make_metrics(**changes)))


def test_the_verdict_on_patches_of_two_units():
    data = make_plan().data.model_copy(
        update={"sensors": 1813, "units": ("K", "m s-1"), "regions": 130}
    )
    metrics = make_metrics(unit="standard deviations")
    verdict = wording.verdict(make_plan(data=data, budget=52, metrics=metrics))
    assert verdict.startswith(
        "Keep 52 of 130 patches (1813 cells) (60 % off): "
        "forecast error 8.91 standard deviations, 4.1 %"
    )


def test_fit_says_how_far_its_intervals_held(pipeline, capsys):
    result = make_result(interval_coverage={"0.5": 0.51, "0.9": 0.8972})
    screen.show(fit_screen.fit_lines(result))
    held = "90 % intervals of its forecasts held 89.7 % of the test stretch."
    assert held in capsys.readouterr().out
    assert "intervals of its forecasts" not in run("fit", "a.nc").stdout


@pytest.mark.parametrize(
    ("condition", "value", "phrase"),
    [
        ("season", "DJF", "in DJF"),
        ("time_of_day", "night", "at night"),
        ("time_of_day", "evening", "in the evening"),
        ("day_of_week", "weekend", "on a weekend"),
        ("lead", "1", "1 step ahead"),
        ("lead", "12", "12 steps ahead"),
        ("observed", "high", "where a high value is observed"),
        ("area-weighted", "", "where sensors count by the area that they stand for"),
    ],
)
def test_fit_says_where_its_plan_loses_most(capsys, condition, value, phrase):
    result = make_result()
    changes = {"condition": condition, "value": value, "ci_low": 1.072, "ci_high": 1.113}
    result.weakest = result.conditions[0].model_copy(update=changes)
    screen.show(fit_screen.fit_lines(result))
    said = " ".join(capsys.readouterr().out.split())
    line = "9.0 % above all sensors (95 % interval 7.2 to 11.3 %; conditions.csv)."
    assert f"It loses most {phrase}: {line}" in said


def test_fit_is_silent_where_its_plan_loses_alike(pipeline):
    assert "It loses most" not in run("fit", "a.nc").stdout


def test_fit_json_is_one_object_on_stdout(pipeline):
    result = run("fit", "a.nc", "--json", "--quiet")
    content = json.loads(result.stdout)
    assert content["schema_version"] == 1
    assert content["folder"] == "data[/x].plan"
    assert content["budget"] == 28
    assert [point["sparsity"] for point in content["curve"]] == [0.1, 0.5, 0.5]
    assert content["conditions"][0]["value"] == "night"
    assert content["conditions"][0]["ci_low"] is None
    assert result.stderr.splitlines() == [
        "Warning: gaps: [bold]48 %[/bold] of the values are missing"
    ]


def test_the_table_of_compare(pipeline):
    result = run("compare", "data[/x].nc", env={"COLUMNS": "80"})
    assert result.exit_code == 0
    assert " ".join(result.stdout.split()).startswith(
        "DynST against the other methods, in 2 comparisons: better in 1, tied in 1, worse in 0. "
        "Judged 2 methods on 70 sensors of x]: 2 folds, 1 seed, 1,287 test windows "
        "of 7 steps back and 3 ahead. RMSE / RMSE from all sensors, judge ridge:"
    )
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines]
    assert ["method", "50", "%", "off", "87.5", "%", "off"] in rows
    place = rows.index(["dynst", "1.040", "*", "1.071", "*"])
    assert rows[place + 1] == ["qr", "1.050", "=", "1.120"]
    text = " ".join(result.stdout.split())
    assert "= tied with it: not worse by more than 0.5 %" in text
    assert "In 3 of 4 plans it refined its own mask, else that of another method (k[-c] 1)." in text
    assert "data[/x].compare" in text
    assert result.stderr == "Warning: k-centre is left out: needs [positions]\n"


def test_compare_json_is_one_object_on_stdout(pipeline):
    content = json.loads(run("compare", "a.nc", "--json", "--quiet").stdout)
    assert content["schema_version"] == 1
    assert content["folder"] == "data[/x].compare"
    assert [row["sparsity"] for row in content["rows"]] == [0.5, 0.875, 0.5, 0.875]


def test_options_of_compare_reach_the_pipeline(pipeline):
    assert run("compare", "a.nc").exit_code == 0
    result = run(
        *("compare", "a.nc", "--sparsity", 0.5, "--sparsity", "0.8", "--method", "qr", "--method"),
        *("dynst", "--folds", "2", "--seeds", "4", "--judge", "ridge", "--seed", "5"),
        *("--variable", "u", "--horizon", "3", "--out", "o", "--overwrite", "--workers", "2"),
    )
    assert result.exit_code == 0, result.stderr
    default, call = pipeline.calls
    assert default.wanted == {
        "sparsities": None,
        "methods": None,
        "judges": None,
        "folds": 3,
        "seeds": 1,
        "workers": None,
    }
    assert call.wanted == {
        "sparsities": [0.5, 0.8],
        "methods": ["qr", "dynst"],
        "judges": ["ridge"],
        "folds": 2,
        "seeds": 4,
        "workers": 2,
    }
    assert (call.recipe.data.variable, call.recipe.window.horizon) == (("u",), 3)
    assert (call.recipe.run.seed, call.out, call.overwrite) == (5, Path("o"), True)


def test_options_reach_the_pipeline(pipeline):
    result = run(
        *("fit", "a.nc", "b.nc", "--sparsity", "0.4", "--variable", "u", "--variable", "v"),
        *("--select", "level=500", "--missing", "-999", "--missing", "0", "--resample", "1h"),
        *("--stations", "s.csv", "--adjacency", "e.csv", "--lookback", "12", "--horizon", "3"),
        *("--patch", "4x4", "--method", "qr", "--seed", "7", "--device", "cpu"),
        *("--figure-format", "pdf"),
        *("--out", "o", "--overwrite"),
    )
    assert result.exit_code == 0, result.stderr
    call = pipeline.calls[0]
    data, window = call.recipe.data, call.recipe.window
    assert data.path == ("a.nc", "b.nc")
    assert data.variable == ("u", "v")
    assert data.select == {"level": "500"}
    assert data.missing == (-999, 0)
    assert (data.resample, data.stations, data.adjacency) == ("1h", "s.csv", "e.csv")
    assert (window.lookback, window.horizon, window.patch) == (12, 3, "4x4")
    assert (call.recipe.mask.sparsity, call.recipe.mask.method) == (0.4, "qr")
    assert (call.recipe.run.seed, call.recipe.run.device) == (7, "cpu")
    assert call.recipe.run.figure_format == "pdf"
    assert (call.out, call.overwrite) == (Path("o"), True)


RECIPE = """
[data]
path = "a.nc"
select = {level = 500, member = "r1"}
[mask]
sparsity = 0.4
rounds = 3
"""


def test_options_go_over_the_recipe(pipeline, tmp_path):
    file = tmp_path / "x.toml"
    file.write_text(RECIPE)
    assert run("fit", "--recipe", file, "--budget", 5, "--select", "level=850").exit_code == 0
    recipe = pipeline.calls[0].recipe
    assert recipe.data.path == (str(tmp_path / "a.nc"),)
    assert recipe.data.select == {"level": "850", "member": "r1"}
    assert (recipe.mask.sparsity, recipe.mask.budget, recipe.mask.rounds) == (None, 5, 3)


@pytest.mark.parametrize("command", ["fit", "compare"])
def test_settings_go_over_the_recipe_and_under_the_options(pipeline, tmp_path, command):
    file = tmp_path / "x.toml"
    file.write_text(RECIPE)
    settings = ("--set", "run.seed=4", "--set", "mask.rounds=5", "--set", "data.select.level=10")
    assert run(command, "--recipe", file, *settings, "--seed", 6).exit_code == 0
    recipe = pipeline.calls[0].recipe
    assert recipe.data.select == {"level": "10", "member": "r1"}
    assert (recipe.mask.rounds, recipe.run.seed) == (5, 6)


def test_a_setting_names_the_data(pipeline):
    assert run("fit", "--set", "data.path=b.nc").exit_code == 0
    assert pipeline.calls[0].recipe.data.path == ("b.nc",)


def test_a_method_leaves_the_sparsity_of_the_recipe(pipeline, tmp_path):
    file = tmp_path / "x.toml"
    file.write_text(RECIPE)
    assert run("fit", "--recipe", file, "--method", "variance").exit_code == 0
    mask = pipeline.calls[0].recipe.mask
    assert (mask.method, mask.sparsity, mask.rounds) == ("variance", 0.4, 3)


def test_help_names_every_method():
    option = next(option for option in COMMANDS["fit"].params if option.name == "method")
    for name in get_args(Method):
        assert name in option.help


def test_data_on_the_command_line_takes_the_place_of_the_recipes(pipeline, tmp_path):
    file = tmp_path / "x.toml"
    file.write_text(RECIPE)
    assert run("inspect", "b.nc", "--recipe", file).exit_code == 0
    assert pipeline.calls[0].recipe.data.path == ("b.nc",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.nc", "--sparsity", "1.4"], "--sparsity 1.4; expected 0 <= sparsity < 1"),
        (["a.nc", "--budget", "0"], "--budget 0; expected budget >= 1"),
        (
            ["a.nc", "--method", "pca"],
            f"--method pca; expected one of {', '.join(get_args(Method))}",
        ),
        (
            ["a.nc", "--budget", "3", "--sparsity", "0.5"],
            "--sparsity 0.5 --budget 3; "
            "give only one of sparsity, budget, add, max_loss and phases",
        ),
        (["a.nc", "--patch", "4"], "--patch 4; expected ROWSxCOLUMNS, say 4x4"),
        (["a.nc", "--select", "500"], "--select 500; expected DIM=VALUE, say level=500"),
        (
            ["a.nc", "--set", "mask.sparsity=1.4"],
            "--set mask.sparsity=1.4; expected 0 <= sparsity < 1",
        ),
        (["a.nc", "--lookback", "0"], "--lookback 0; expected lookback >= 1"),
        (["a.nc", "--seed", "-1"], "--seed -1; expected seed >= 0"),
        ([], "no data; name a file, or a recipe with [data] path"),
        (
            ["--recipe", "none[/x].toml"],
            "none[/x].toml: cannot be read (No such file or directory)",
        ),
    ],
)
def test_wrong_usage(pipeline, arguments, message):
    result = run("fit", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"Error: {message}\n"
    assert not pipeline.calls


@pytest.mark.parametrize("arguments", [["--sparsity", "high"], ["--sparsityy", "1"]])
def test_usage_that_the_parser_refuses(pipeline, arguments):
    result = run("fit", "a.nc", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: " in result.stderr


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (RecipeError, 2),
        (DataError, 3),
        (TrainingError, 4),
        (OutputError, 5),
        (ConstraintError, 6),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(pipeline, kind, code):
    def fail():
        raise kind("data[/x].nc: no\ntime")

    pipeline.on_fit = fail
    result = run("fit", "data[/x].nc", "--quiet")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr == "Error: data[/x].nc: no time\n"


def test_what_is_told_of_checkpoints_is_on_stderr_even_when_quiet(pipeline):
    pipeline.told = ["resumed at train [/x], step 3"]
    result = run("fit", "data.nc", "--quiet", "--json", "--checkpoint-every", "0.5")
    assert result.stderr.splitlines()[0] == "resumed at train [/x], step 3"
    assert json.loads(result.stdout)["schema_version"] == 1
    assert pipeline.calls[-1].recipe.run.checkpoint_every == 0.5


def test_an_interval_below_0_is_refused(pipeline):
    result = run("fit", "data.nc", "--checkpoint-every=-1")
    assert result.exit_code == 2
    assert result.stderr == ("Error: --checkpoint-every -1.0; expected checkpoint_every >= 0\n")


def test_an_interrupt_ends_with_130(pipeline):
    def interrupt():
        raise KeyboardInterrupt

    pipeline.on_fit = interrupt
    result = run("fit", "a.nc", "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "Interrupted\n")


def test_a_bug_keeps_its_traceback(pipeline):
    def fail():
        raise ZeroDivisionError("a bug")

    pipeline.on_fit = fail
    result = run("fit", "a.nc")
    assert result.exit_code == 1
    assert isinstance(result.exception, ZeroDivisionError)
    assert not app.pretty_exceptions_enable


def test_inspect_says_what_was_recognised(pipeline):
    result = run("inspect", "data[/x].nc")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["data[/x].nc"]
    assert ["sensors", "70"] in lines
    assert ["step", "1", "day"] in lines
    assert ["time", "time[/t]", "standard_name", "=", "time"] in lines
    assert result.stderr == "Warning: 1 gap\n"


def test_inspect_json(pipeline):
    result = run("inspect", "a.nc", "--json")
    assert json.loads(result.stdout) == {"schema_version": 1, "sensors": 70}


@pytest.fixture
def write_map(monkeypatch):
    calls = []

    def write(folder, target, format, sparsity, overwrite):
        calls.append((folder, target, format, sparsity, overwrite))
        return ["2 sensors have no position"]

    monkeypatch.setattr("sensorplan.exports.maps.export_map", write)
    return calls


@pytest.mark.parametrize(
    ("arguments", "target", "format"),
    [
        ([], None, "geojson"),
        (["-o", "-", "--format", "csv"], None, "csv"),
        (["-o", "m.GPKG"], Path("m.GPKG"), "gpkg"),
        (["-o", "m.json"], Path("m.json"), "geojson"),
        (["-o", "m.kml"], Path("m.kml"), "kml"),
        (["-o", "m.png", "--format", "csv"], Path("m.png"), "csv"),
    ],
)
def test_export_map_passes_its_options_on(write_map, arguments, target, format):
    result = run("export-map", "a.plan", *arguments, "--sparsity", "0.3", "--overwrite")
    assert result.exit_code == 0
    assert write_map == [(Path("a.plan"), target, format, 0.3, True)]
    written = [f"Wrote {target}"] if target else []
    assert result.stderr.splitlines() == ["Warning: 2 sensors have no position", *written]


def test_export_map_of_no_plan(tmp_path):
    result = run("export-map", tmp_path / "none[/x].plan")
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: ")
    assert "none[/x].plan/plan.json: cannot be read" in result.stderr


SHOW = """
import sys
from sensorplan.cli import app, fit_screen, screen
@app.command()
def show(): screen.show("data \\xfc\\udcff" * 20_000)
app(["show"])
"""


def show_in_process(stdout, **environment):
    return subprocess.run(
        [sys.executable, "-c", SHOW],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_odd_file_names_can_be_printed(encoding):
    done = show_in_process(subprocess.PIPE, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\udcff" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout():
    with open("/dev/full", "w") as full:
        done = show_in_process(full)
    assert done.returncode == OutputError.exit_code
    assert done.stderr == "Error: stdout: cannot be written (No space left on device)\n"


def test_a_reader_that_has_gone_is_no_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as pipe:
        done = show_in_process(pipe)
    assert (done.returncode, done.stderr) == (OutputError.exit_code, "")


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (-0.2, "worse than the calendar alone"),
        (0.5, "keeps 50 % of what the sensors add"),
        (2.05, "keeps all of what the sensors add"),
    ],
)
def test_the_value_kept_in_words(share, said):
    assert said in wording.verdict(make_plan(metrics=make_metrics(value_kept=share)))


def test_an_unknown_ending_of_a_map(tmp_path):
    result = run("export-map", tmp_path / "a.plan", "-o", tmp_path / "z.shp")
    assert result.exit_code == RecipeError.exit_code
    assert (
        "z.shp: unknown ending; expected one of geojson, gpkg, kml, csv, png, svg, pdf"
        in result.stderr
    )
