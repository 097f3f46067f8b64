"""The command `curve`, and `fit --max-loss`, in front of a pipeline that only takes note."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from test_cli import make_plan, make_result, run

from sensorplan.curve import CurvePoint, CurveRecord
from sensorplan.errors import ConstraintError
from sensorplan.plan import Score
from sensorplan.team import Team


def make_point(method, sparsity, ratio):
    return CurvePoint(
        method=method,
        sparsity=sparsity,
        budget=round(70 * (1 - sparsity)),
        rmse=8.559 * ratio,
        mae=6.0,
        rmse_ratio=ratio,
        ci_low=ratio - 0.01,
        ci_high=ratio + 0.01,
    )


def make_points(limit=True):
    methods = ("dynst", "random", "posterior-variance", *(["limit"] if limit else []))
    return [
        make_point(method, sparsity, 1 + sparsity / 10 + 0.001 * number)
        for number, method in enumerate(methods)
        for sparsity in (0.05, 0.4, 0.95)
    ]


def make_record(**changes):
    fields = {
        "max_loss": 0.05,
        "knee": make_points()[1],
        "best_baseline": "posterior-variance",
        "baselines": {"posterior-variance": 0.1, "variance": 0.2},
        "random_plans": 10,
        "all_sensors": Score(rmse=8.559, mae=5.5),
        "persistence": Score(rmse=12.3, mae=7.0),
        "climatology": Score(rmse=9.2, mae=8.0),
        "unit": "ug m-3",
        "data": make_plan().data,
        "split": {},
        "seed": 0,
        "warnings": ("left out of [baselines]",),
        "timings": {},
        "versions": {},
        "settings": {},
    }
    return CurveRecord(**{**fields, **changes})


def make_curve_result(points=None, **changes):
    return SimpleNamespace(
        record=make_record(**changes),
        folder=Path("data[/x].curve"),
        points=make_points() if points is None else points,
    )


@pytest.fixture
def pipeline(monkeypatch):
    calls = []

    def draw_curve(recipe, **options):
        calls.append((recipe, options))
        options["progress"]("train masks", 1, 2)
        return stub.on_curve()

    def fit(recipe, **options):
        calls.append((recipe, options))
        return make_result()

    stub = ModuleType("sensorplan.pipeline")
    stub.joined, stub.follow = lambda: nullcontext(Team()), None
    stub.draw_curve, stub.fit, stub.calls, stub.on_curve = draw_curve, fit, calls, make_curve_result
    monkeypatch.setitem(sys.modules, "sensorplan.pipeline", stub)
    return stub


def test_the_knee_and_the_table_are_on_stdout_and_the_rest_on_stderr(pipeline):
    result = run("curve", "data[/x].nc", env={"COLUMNS": "80"})
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert " ".join(lines[:2]) == (
        "Up to 40 % (42 of 70 kept) the loss stays within 5 %, at the upper end of the 95 % "
        "interval."
    )
    assert max(map(len, lines)) <= 80
    rows = {line[:5].strip(): line[5:].split() for line in lines}
    assert rows["40 %"] == ["42", "1.040", "1.030", "to", "1.050", "1.041", "1.042", "1.043"]
    assert "Curve: data[/x].curve\n       curve.csv, curve.json, figure\n" in result.stdout
    assert "sensorplan fit 'data[/x].nc' --budget 42" in result.stdout
    assert result.stderr.splitlines() == [
        "train masks ...",
        "Warning: left out of [baselines]",
    ]


def test_a_long_command_is_neither_broken_nor_cut(pipeline):
    path = f"{'d' * 100}/a.nc"
    data = make_plan().data.model_copy(update={"path": path})
    pipeline.on_curve = lambda: make_curve_result(data=data)
    lines = run("curve", "a.nc", env={"COLUMNS": "80"}).stdout.splitlines()
    assert lines[-1] == f"Plan:  sensorplan fit {path} --budget 42"


def test_a_curve_without_a_knee_says_so_plainly(pipeline):
    pipeline.on_curve = lambda: make_curve_result(knee=None, max_loss=0.01)
    text = " ".join(run("curve", "a.nc").stdout.split())
    assert text.startswith(
        "No plan stays within a loss of 1 %: with 5 % off (66 of 70 kept) the upper end of the "
        "95 % interval is 1.5 %."
    )
    assert "--budget" not in text


def test_without_a_limit_its_column_is_empty(pipeline):
    pipeline.on_curve = lambda: make_curve_result(make_points(limit=False))
    rows = {line[:5].strip(): line.split() for line in run("curve", "a.nc").stdout.splitlines()}
    assert len(rows["95 %"]) == 9


def test_json_is_one_object_on_stdout(pipeline):
    content = json.loads(run("curve", "a.nc", "--json", "--quiet").stdout)
    assert content["schema_version"] == 1
    assert content["folder"] == "data[/x].curve"
    assert content["knee"]["budget"] == 42
    assert [point["method"] for point in content["curve"]][::3] == [
        *("dynst", "random", "posterior-variance", "limit")
    ]


def test_options_reach_the_pipeline(pipeline, tmp_path):
    file = tmp_path / "x.toml"
    file.write_text('[data]\npath = "b.nc"\n[mask]\nmax_loss = 0.1\nrefinements = 2')
    result = run(
        *("curve", "a.nc", "--recipe", file, "--variable", "u", "--lookback", "12", "--seed", "7"),
        *("--device", "cpu", "--out", "o", "--overwrite"),
    )
    assert result.exit_code == 0, result.stderr
    recipe, options = pipeline.calls[0]
    assert (recipe.data.path, recipe.data.variable) == (("a.nc",), ("u",))
    assert (recipe.window.lookback, recipe.run.seed, recipe.run.device) == (12, 7, "cpu")
    assert (options["out"], options["overwrite"]) == (Path("o"), True)
    assert (options["max_loss"], recipe.mask.refinements) == (0.1, 2)
    run("curve", "a.nc")
    assert pipeline.calls[1][1]["max_loss"] == 0.05


@pytest.mark.parametrize("command", ["curve", "fit"])
@pytest.mark.parametrize(
    ("text", "share"), [("5%", 0.05), ("5 %", 0.05), ("0.05", 0.05), (" 2.5% ", 0.025)]
)
def test_a_loss_is_a_share_in_per_cent_or_a_number(pipeline, command, text, share):
    assert run(command, "a.nc", "--max-loss", text).exit_code == 0
    recipe, options = pipeline.calls[0]
    given = options["max_loss"] if command == "curve" else recipe.mask.max_loss
    assert given == pytest.approx(share)


@pytest.mark.parametrize("command", ["curve", "fit"])
@pytest.mark.parametrize("text", ["5", "150%", "0", "0%", "-5%", "1", "five", "%", "nan", "inf%"])
def test_a_loss_that_is_no_share_is_wrong_usage(pipeline, command, text):
    result = run(command, "a.nc", f"--max-loss={text}")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"Error: --max-loss {text}; expected a share above 0 % and below 100 %, say 5% or 0.05\n"
    )
    assert not pipeline.calls


def test_a_loss_takes_the_place_of_the_recipes_sparsity(pipeline, tmp_path):
    file = tmp_path / "x.toml"
    file.write_text('[data]\npath = "b.nc"\n[mask]\nsparsity = 0.4')
    assert run("fit", "--recipe", file, "--max-loss", "5%").exit_code == 0
    mask = pipeline.calls[0][0].mask
    assert (mask.sparsity, mask.budget, mask.max_loss) == (None, None, 0.05)
    file.write_text('[data]\npath = "b.nc"\n[mask]\nmax_loss = 0.1')
    assert run("fit", "--recipe", file, "--budget", "3").exit_code == 0
    mask = pipeline.calls[1][0].mask
    assert (mask.sparsity, mask.budget, mask.max_loss) == (None, 3, None)


@pytest.mark.parametrize("other", [("--sparsity", "0.4"), ("--budget", "3")])
def test_a_loss_and_a_size_are_too_much(pipeline, other):
    result = run("fit", "a.nc", "--max-loss", "5%", *other)
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: {' '.join(other)} --max-loss 0.05; "
        "give only one of sparsity, budget, add, max_loss and phases\n"
    )


def test_no_knee_for_fit_is_exit_code_6(pipeline):
    def fail(recipe, **options):
        raise ConstraintError("max-loss 1 %: no plan stays within it")

    pipeline.fit = fail
    result = run("fit", "a.nc", "--max-loss", "1%", "--quiet")
    assert (result.exit_code, result.stdout) == (6, "")
    assert result.stderr == "Error: max-loss 1 %: no plan stays within it\n"
