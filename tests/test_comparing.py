"""`sensorplan compare`, from a file to its folder."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from test_pipeline import quick, write_grid, write_stations
from typer.testing import CliRunner

from sensorplan.cli import app
from sensorplan.comparison import Comparison, LeadRow, MethodRow, SensorRow
from sensorplan.constraints import free_rules
from sensorplan.errors import DataError, OutputError, RecipeError
from sensorplan.exports.comparison_figure import comparison_figure
from sensorplan.exports.style import render
from sensorplan.pipeline import compare, fit
from sensorplan.pipeline.comparing import METHODS, SPARSITIES, compare_methods
from sensorplan.pipeline.judging import JUDGES
from sensorplan.pipeline.planning import RANDOM_PLANS, plan_sensors, prepare, train_masks
from sensorplan.pipeline.recording import Stages
from sensorplan.rankers import RANKERS, search_parts
from sensorplan.recipe import dump_recipe

FILES = {"compare.csv", "by_lead.csv", "by_sensor.csv", "compare.json", "compare.png"}


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)], prog_name="sensorplan")


def few_steps(*paths, **sections):
    """A recipe of hardly any training."""
    mask = {"rounds": 1, "refinements": 1, "round_steps": 2, "update_every": 2, "probe": 8}
    training = {"steps": 5, "fine_tune": 2}
    return quick(*paths, **{"mask": mask, "training": training, **sections})


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A file whose last sensor is silent in the training of the first fold."""

    def silence(values):
        values[:150, 7] = np.nan

    return write_stations(tmp_path_factory.mktemp("network") / "net[b].nc", change=silence)


@pytest.fixture(scope="module")
def compared(network, tmp_path_factory):
    """Two sparsities, two folds, two seeds, through the command line."""
    folder = tmp_path_factory.mktemp("compared")
    (folder / "few.toml").write_bytes(dump_recipe(few_steps(network)))
    result = run(
        *("compare", network, "--recipe", folder / "few.toml", "--sparsity", "0.75"),
        *("--sparsity", 0.5, "--folds", 2, "--seeds", 2, "--seed", 3, "--out", folder / "out"),
        *("--figure-format", "pdf"),
    )
    assert result.exit_code == 0, result.stderr
    return folder / "out", result


def test_the_files_of_a_comparison(compared):
    folder, _ = compared
    assert {file.name for file in folder.iterdir()} == FILES - {"compare.png"} | {"compare.pdf"}
    assert (folder / "compare.pdf").read_bytes().startswith(b"%PDF")
    rows = rows_of(folder / "compare.csv")
    cases = {(row["method"], float(row["sparsity"]), row["judge"]) for row in rows}
    assert cases == {(m, s, j) for m in METHODS for s in (0.5, 0.75) for j in JUDGES}
    assert len(rows) == len(cases)
    for row in rows:
        assert float(row["ci_low"]) <= float(row["rmse_ratio"]) <= float(row["ci_high"])
        assert row["budget"] == {"0.5": "4", "0.75": "2"}[row["sparsity"]]
        own = row["method"] == "dynst"
        assert row["verdict"] in (("",) if own else ("win", "tie", "loss"))
        assert (row["dynst_ratio"] == "") is own
        assert float(row["spread"]) >= 0
    leads = rows_of(folder / "by_lead.csv")
    assert len(leads) == 2 * len(rows)
    assert {row["lead"] for row in leads} == {"1", "2"}
    sensors = rows_of(folder / "by_sensor.csv")
    assert len(sensors) == 8 * len(rows)
    assert all(row["rmse"] for row in sensors)


def test_compare_json_says_how_it_was_judged(compared, network):
    folder, _ = compared
    found = Comparison.model_validate_json((folder / "compare.json").read_bytes())
    assert found.schema_version == 1
    assert found.data.path == network
    assert (found.methods, found.left_out) == (METHODS, {})
    assert (found.sparsities, found.judges, found.seeds) == ((0.5, 0.75), JUDGES, (3, 4))
    assert found.random_plans == RANDOM_PLANS
    assert len(found.folds) == 2
    ends = [fold["test"]["last"] for fold in found.folds]
    begins = [fold["test"]["first"] for fold in found.folds]
    assert ends[0] < begins[1] < ends[1]
    assert found.test_windows == sum(fold["test"]["windows"] for fold in found.folds)
    assert len(found.rows) == len(rows_of(folder / "compare.csv"))
    assert sum(found.masks_taken.values()) == 2 * 2 * 2  # folds, seeds, sparsities
    assert set(found.masks_taken) <= {"dynst"} | RANKERS.keys() - {"random"}
    assert found.settings["training"]["steps"] == 5
    assert {"sensorplan", "torch"} <= found.versions.keys()
    assert "fold 2 of 2, seed 4: train masks" in found.timings


def test_what_cannot_be_judged_is_said(compared):
    _, result = compared
    assert "Warning: fold 1 of 2: never observed in the training stretch: 1 of 8" in result.stderr
    assert "fold 2 of 2: never" not in result.stderr


def test_ridge_does_not_depend_on_the_seed_of_a_baseline(compared):
    """Only DynST and random plan anew with every seed, and ridge has no seed of its own."""
    folder, _ = compared
    for row in rows_of(folder / "compare.csv"):
        if row["judge"] == "ridge" and row["method"] not in ("dynst", "random"):
            assert float(row["spread"]) == pytest.approx(0)


def test_the_screen(compared):
    folder, result = compared
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= max(80, len(str(folder)) + 60)
    text = " ".join(result.stdout.split())
    assert text.startswith("DynST against the other methods, in ")
    assert f"Judged {len(METHODS)} methods on 8 sensors of net[b]: 2 folds, 2 seeds" in text
    assert "judge neural:" in text
    assert "judge ridge:" in text
    rows = rows_of(folder / "compare.csv")
    for judge in JUDGES:
        table = text[text.index(f"judge {judge}:") :].split(" Tables:")[0]
        for sparsity in ("0.5", "0.75"):
            cells = [r for r in rows if (r["judge"], r["sparsity"]) == (judge, sparsity)]
            best = min(cells, key=lambda row: float(row["rmse"]))
            assert f"{float(best['rmse_ratio']):.3f} *" in table
    counts = [sum(row["verdict"] == name for row in rows) for name in ("win", "tie", "loss")]
    assert (
        f"DynST against the other methods, in {sum(counts)} comparisons: better in {counts[0]}, "
        f"tied in {counts[1]}, worse in {counts[2]}."
    ) in text
    assert "50 % off 75 % off" in text


def test_a_mask_does_not_depend_on_the_budgets_before_it(network):
    recipe = few_steps(network, mask={"rounds": 2, "round_steps": 4, "budget": 2})
    prepared = prepare(recipe, Stages(None))
    steps = []
    trained = train_masks(
        prepared.trainer,
        recipe.mask,
        [free_rules(8, budget) for budget in (6, 4, 2)],
        prepared.rankings,
        steps.append,
    )
    alone, _ = plan_sensors(prepared, recipe, Stages(None))
    assert [int(one.mask.sum()) for one in trained] == [6, 4, 2]
    np.testing.assert_array_equal(trained[-1].mask, alone.mask)
    np.testing.assert_array_equal(trained[-1].ranking.order, alone.ranking.order)
    assert steps == sorted(steps)
    assert steps[0] == 1
    assert 2 < steps[-1] / search_parts(recipe.mask) <= 3


def test_one_fold_is_the_split_of_fit(network, tmp_path):
    """DynST takes the same mask there, whatever else is compared."""
    recipe = few_steps(network)
    alone = compare_methods(recipe, folds=1, sparsities=[0.75], methods=["dynst"], judges=["ridge"])
    among = compare_methods(recipe, folds=1, sparsities=[0.25, 0.75], judges=["ridge"])
    score = {
        (row.method, row.sparsity): row.rmse
        for row in (*alone.comparison.rows, *among.comparison.rows)
    }
    assert score["dynst", 0.75] == alone.comparison.rows[0].rmse
    mask = recipe.mask.model_copy(update={"sparsity": 0.75})
    plan = fit(recipe.model_copy(update={"mask": mask}), out=tmp_path / "net.plan").plan
    split = alone.comparison.folds[0]
    assert split == plan.split
    taken = min(plan.candidates, key=lambda name: plan.candidates[name])
    assert alone.comparison.masks_taken == {taken: 1}


def test_the_same_run_twice_is_the_same(network):
    once, again = (compare_methods(few_steps(network), folds=2, sparsities=[0.5]) for _ in range(2))
    assert once.comparison.rows == again.comparison.rows
    assert once.by_sensor == again.by_sensor


def test_folds_side_by_side_are_the_same(network):
    recipe = few_steps(network)
    shared = {"folds": 2, "sparsities": [0.5], "methods": ["dynst", "qr"]}
    once, again = (compare_methods(recipe, **shared, workers=workers) for workers in (1, 2))
    assert once.comparison.rows == again.comparison.rows
    assert once.by_sensor == again.by_sensor
    assert [*once.comparison.timings] == [*again.comparison.timings]


def test_json_is_one_object(network, tmp_path):
    (tmp_path / "few.toml").write_bytes(dump_recipe(few_steps(network)))
    result = run(
        *("compare", "--recipe", tmp_path / "few.toml", "--sparsity", 0.5, "--folds", 1),
        *("--method", "qr", "--method", "random", "--judge", "ridge", "--out", tmp_path / "o"),
        *("--json", "--quiet"),
    )
    content = json.loads(result.stdout)
    assert content["schema_version"] == 1
    assert content["folder"] == str(tmp_path / "o")
    assert [row["method"] for row in content["rows"]] == ["random", "qr"]
    assert {row["verdict"] for row in content["rows"]} == {None}
    assert content["masks_taken"] == {}
    assert not [line for line in result.stderr.splitlines() if not line.startswith("Warning: ")]


def test_a_method_that_cannot_take_the_data_is_left_out(tmp_path):
    path = write_stations(tmp_path / "net.nc", positions=False)
    compared = compare_methods(
        few_steps(path), folds=1, sparsities=[0.5], judges=["ridge"], methods=["k-centre", "qr"]
    ).comparison
    assert compared.methods == ("qr",)
    assert [row.method for row in compared.rows] == ["qr"]
    assert "needs positions" in compared.left_out["k-centre"]
    assert any(line.startswith("k-centre is left out: ") for line in compared.warnings)
    with pytest.raises(DataError, match=r"no method can take the data: .* needs positions"):
        compare_methods(few_steps(path), folds=1, methods=["k-centre"])


def test_patches_of_a_grid(tmp_path):
    path = write_grid(tmp_path / "grid.nc")
    compared = compare_methods(
        few_steps(path, window={"patch": "2x2"}),
        folds=1,
        sparsities=[0.5],
        methods=["dynst", "k-centre"],
    )
    assert (compared.comparison.data.regions, compared.comparison.data.sensors) == (6, 20)
    assert {row.budget for row in compared.comparison.rows} == {3}
    assert len(compared.by_sensor) == 6 * 2 * 2


def test_two_variables(tmp_path):
    path = write_stations(tmp_path / "net.nc", channels=2)
    recipe = few_steps(path, data={"variable": ["v0", "v1"]})
    compared = compare_methods(recipe, folds=2, sparsities=[0.5], methods=["dynst", "qr"])
    assert compared.comparison.unit == "standard deviations"
    assert all(np.isfinite(row.rmse_ratio) for row in compared.comparison.rows)


def test_defaults_take_every_method(network):
    """The whole registry, in its order, DynST first."""
    assert [*METHODS] == ["dynst", *RANKERS]
    compared = compare_methods(few_steps(network), folds=1, judges=["ridge"]).comparison
    assert compared.methods == METHODS
    assert compared.sparsities == SPARSITIES
    assert compared.seeds == (0,)


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["--sparsity", "1.4"], "--sparsity 1.4; expected 0 <= sparsity < 1", 2),
        (["--sparsity", "nan"], "--sparsity nan; expected 0 <= sparsity < 1", 2),
        (["--folds", "0"], "--folds 0; expected folds >= 1", 2),
        (["--seeds", "-1"], "--seeds -1; expected seeds >= 1", 2),
        (["--judge", "oracle"], f"--judge oracle; expected one of {', '.join(JUDGES)}", 2),
        (["--method", "pca"], f"--method pca; expected one of {', '.join(METHODS)}", 2),
        (["--folds", "9"], "9 folds with 48 test steps each leave too little of 240", 3),
        (["--lookback", "0"], "--lookback 0; expected lookback >= 1", 2),
    ],
)
def test_wrong_usage(network, tmp_path, arguments, message, code):
    result = run("compare", network, "--quiet", "--out", tmp_path / "o", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "o").exists()


def test_every_column_and_field_is_documented():
    text = (Path(__file__).parents[1] / "docs" / "comparing.md").read_text(encoding="utf-8")
    fields = {*MethodRow.model_fields, *Comparison.model_fields, *LeadRow._fields}
    for name in (*fields, *SensorRow._fields, *FILES):
        assert re.search(rf"`([^`]*\b)?{re.escape(name)}\b", text), name


def test_no_data():
    with pytest.raises(RecipeError, match="no data"):
        compare(few_steps())


def test_nothing_is_overwritten_unasked(compared, network, tmp_path):
    folder, _ = compared
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(OutputError, match="exists already; --overwrite replaces it"):
        compare(few_steps(network), out=folder)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(OutputError, match=r"holds no compare\.json; .* only a compare folder"):
        compare(few_steps(network), out=tmp_path / "photos", overwrite=True)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_overwrite_keeps_what_the_user_added(network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {"folds": 1, "sparsities": [0.5], "methods": ["qr"], "judges": ["ridge"]}
    result = compare(few_steps(network), **options)
    assert result.folder.name == "net_b_.compare"
    (result.folder / "notes.txt").write_text("mine")
    compare(few_steps(network), **options, overwrite=True)
    assert {file.name for file in result.folder.iterdir()} == {*FILES, "notes.txt"}


def test_a_figure_of_one_judge_one_sparsity_and_no_dynst(compared):
    folder, _ = compared
    found = Comparison.model_validate_json((folder / "compare.json").read_bytes())
    rows = tuple(
        row
        for row in found.rows
        if row.judge == "ridge" and row.sparsity == 0.5 and row.method != "dynst"
    )
    few = found.model_copy(
        update={
            "rows": rows,
            "judges": ("ridge",),
            "sparsities": (0.5,),
            "methods": tuple(row.method for row in rows),
        }
    )
    assert render(comparison_figure(few), "png").startswith(b"\x89PNG")
