"""`curve` from file to folder, and `fit` within a largest loss."""

import json

import numpy as np
import pytest
from test_pipeline import STAGES, quick, rows_of, sha, write_grid, write_stations

from sensorplan import pipeline
from sensorplan.curve import CurvePoint, CurveRecord
from sensorplan.errors import ConstraintError, OutputError
from sensorplan.evaluation.curve import FINE_SPARSITIES
from sensorplan.exports import files
from sensorplan.pipeline import budgeting, curving, draw_curve, fit, inspect
from sensorplan.pipeline.budgeting import knee_notes
from sensorplan.plan import Metrics, Plan, Score, budget_at
from sensorplan.rankers import RANKERS
from sensorplan.recipe import load_recipe, override

CURVE_STAGES = [
    *("read", "rank by baselines", "train forecaster", "compare baselines", "train masks"),
    *("judge plans", "linear limit", "write"),
]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """One finished curve, and what it said of its progress."""
    folder = tmp_path_factory.mktemp("drawn")
    path = write_stations(folder / "net.nc", nodes=10)
    before, told = sha(path), []
    recipe = quick(path, run={"figure_format": "svg"})
    result = draw_curve(
        recipe,
        max_loss=0.2,
        out=folder / "net.curve",
        progress=lambda *stage: told.append(stage),
    )
    assert sha(path) == before
    return result, told, recipe


def test_curve_writes_its_files(drawn):
    result, _, _ = drawn
    assert {file.name for file in result.folder.iterdir()} == {
        *("curve.csv", "curve.svg", "curve.json"),
    }
    assert (result.folder / "curve.svg").read_bytes().startswith(b"<?xml")
    record = CurveRecord.model_validate_json((result.folder / "curve.json").read_bytes())
    assert record == CurveRecord.model_validate_json(result.record.model_dump_json())
    assert record.max_loss == 0.2
    assert record.random_plans == 10
    assert record.timings.keys() == {*CURVE_STAGES} - {"write"}
    assert (record.data.regions, record.unit) == (10, "K")


def test_the_table_holds_every_method_at_every_sparsity(drawn):
    result, _, _ = drawn
    rows = rows_of(result.folder / "curve.csv")
    assert list(rows[0]) == [
        *("method", "sparsity", "budget", "rmse", "mae", "rmse_ratio", "ci_low", "ci_high")
    ]
    methods = ["dynst", "random", result.record.best_baseline, "limit"]
    assert list(dict.fromkeys(row["method"] for row in rows)) == methods
    for method in methods:
        own = [row for row in rows if row["method"] == method]
        assert [float(row["sparsity"]) for row in own] == list(FINE_SPARSITIES)
        assert [int(row["budget"]) for row in own] == [budget_at(s, 10) for s in FINE_SPARSITIES]
        for row in own:
            assert float(row["ci_low"]) <= float(row["rmse_ratio"]) <= float(row["ci_high"])
    learned = [row for row in rows if row["method"] == "dynst"]
    assert float(learned[0]["rmse_ratio"]) == 1  # 10 of 10 kept
    reference = result.record.all_sensors.rmse
    for row in rows:
        if row["method"] != "limit":
            assert float(row["rmse"]) == pytest.approx(float(row["rmse_ratio"]) * reference, 1e-4)


def test_the_baseline_is_the_best_of_all_but_random(drawn):
    record = drawn[0].record
    assert record.baselines.keys() == RANKERS.keys() - {"random"}
    assert record.best_baseline == min(record.baselines, key=record.baselines.get)


def test_progress_of_the_curve_is_told_stage_by_stage(drawn):
    _, told, _ = drawn
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == CURVE_STAGES
    for stage in CURVE_STAGES:
        done = [(done, total) for name, done, total in told if name == stage]
        assert done[0][0] == 0
        assert done[-1][0] == done[-1][1]
        assert [part for part, _ in done] == sorted(part for part, _ in done)


def test_the_same_curve_again(drawn, tmp_path):
    result, _, recipe = drawn
    again = draw_curve(recipe, max_loss=0.2, out=tmp_path / "again")
    assert (again.folder / "curve.csv").read_bytes() == (result.folder / "curve.csv").read_bytes()
    assert again.record.knee == result.record.knee


def test_method_and_size_of_the_recipe_play_no_part(drawn, tmp_path):
    result, _, recipe = drawn
    other = override(recipe, "mask", method="qr", budget=1)
    again = draw_curve(other, max_loss=0.2, out=tmp_path / "again")
    assert (again.folder / "curve.csv").read_bytes() == (result.folder / "curve.csv").read_bytes()


def test_without_positions_some_baselines_are_left_out_with_a_reason(tmp_path):
    path = write_stations(tmp_path / "net.nc", nodes=4, positions=False)
    recipe = quick(path, training={"steps": 2, "fine_tune": 0})
    record = draw_curve(recipe, max_loss=0.05, out=tmp_path / "c").record
    assert "k-centre" not in record.baselines
    assert "variance" in record.baselines
    assert any(w.startswith("k-centre is left out: ") for w in record.warnings)


def test_a_large_network_has_no_limit_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("sensorplan.evaluation.limit.MOST_REGIONS", 3)
    path = write_stations(tmp_path / "net.nc", nodes=4)
    recipe = quick(path, training={"steps": 2, "fine_tune": 0})
    result = draw_curve(recipe, max_loss=0.05, out=tmp_path / "c")
    assert "limit" not in {point.method for point in result.points}
    assert any("the linear limit is left out" in w for w in result.record.warnings)
    assert "linear limit" not in result.record.timings


def test_patches_and_a_region_that_was_never_seen(tmp_path):
    grid = quick(
        write_grid(tmp_path / "grid.nc"),
        window={"patch": "2x2"},
        training={"steps": 2, "fine_tune": 0},
    )
    assert draw_curve(grid, max_loss=0.05, out=tmp_path / "g").record.data.regions == 6

    def change(values):
        values[:200, 1] = np.nan

    path = write_stations(tmp_path / "net.nc", nodes=4, change=change)
    recipe = quick(path, training={"steps": 2, "fine_tune": 0})
    record = draw_curve(recipe, max_loss=0.05, out=tmp_path / "c").record
    assert any(
        "never observed in the training stretch: 1 of 4 (S001)" in w for w in record.warnings
    )


def test_a_curve_without_a_knee(drawn, tmp_path, monkeypatch):
    _, _, recipe = drawn
    monkeypatch.setattr(curving, "find_knee", lambda points, max_loss, regions: None)
    result = draw_curve(recipe, max_loss=1e-6, out=tmp_path / "c")
    assert json.loads((result.folder / "curve.json").read_bytes())["knee"] is None


# Where the folder goes


def test_the_folder_is_checked_before_training(tmp_path, monkeypatch):
    def train(*arguments, **options):
        raise AssertionError("training began")

    monkeypatch.setattr(pipeline.planning, "Trainer", train)
    recipe = quick(write_stations(tmp_path / "net.nc", nodes=4))
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputError, match="out: exists already; --overwrite replaces it"):
        draw_curve(recipe, max_loss=0.05, out=tmp_path / "out")
    (tmp_path / "out" / "plan.json").touch()
    expected = r"out: holds no curve\.json; --overwrite replaces only a curve folder"
    with pytest.raises(OutputError, match=expected):
        draw_curve(recipe, max_loss=0.05, out=tmp_path / "out", overwrite=True)


def test_the_default_folder_and_overwrite(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_stations(tmp_path / "net.nc", nodes=4)
    recipe = quick("net.nc", training={"steps": 2, "fine_tune": 0})
    folder = draw_curve(recipe, max_loss=0.05).folder
    assert str(folder) == "net.curve"
    (folder / "mine.txt").touch()
    draw_curve(recipe, max_loss=0.05, overwrite=True)
    assert (folder / "mine.txt").exists()


def test_a_fault_while_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    recipe = quick(
        write_stations(tmp_path / "net.nc", nodes=4), training={"steps": 2, "fine_tune": 0}
    )

    def fail(path, *arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.Path, "replace", fail)
    with pytest.raises(OutputError, match="c: cannot be written; No space left on device"):
        draw_curve(recipe, max_loss=0.05, out=tmp_path / "c")
    assert [path.name for path in tmp_path.iterdir()] == ["net.nc"]


# fit --max-loss


@pytest.mark.parametrize("method", ["dynst", "qr"])
def test_fit_within_a_loss_plans_at_the_knee(tmp_path, method):
    path, told = write_stations(tmp_path / "net.nc", nodes=10), []
    recipe = quick(path, mask={"max_loss": 0.9, "method": method})
    result = fit(recipe, out=tmp_path / "p", progress=lambda stage, *_: told.append(stage))
    plan = Plan.load(tmp_path / "p")
    assert plan.budget in {budget_at(sparsity, 10) for sparsity in FINE_SPARSITIES}
    searched = ["train masks", "judge plans"] if method == "dynst" else ["judge plans"]
    learned = [stage for stage in STAGES if method == "dynst" or stage != "train mask"]
    assert list(dict.fromkeys(told)) == [*learned[:3], *searched, *learned[3:]]
    assert [w for w in plan.warnings if "for a loss within 90 %, where the curve" in w]
    mask = plan.settings["mask"]
    assert mask["budget"] == plan.budget
    assert not {"sparsity", "max_loss"} & mask.keys()
    assert load_recipe(tmp_path / "p" / "recipe.toml").mask.max_loss is None

    again = fit(load_recipe(tmp_path / "p" / "recipe.toml"), out=tmp_path / "again")
    for name in ("ranking.csv", "curve.csv"):
        assert (again.folder / name).read_bytes() == (result.folder / name).read_bytes()
    assert not [w for w in again.plan.warnings if "same test stretch" in w]


def test_a_loss_that_no_plan_meets(tmp_path, monkeypatch):
    monkeypatch.setattr(budgeting, "find_knee", lambda points, max_loss, regions: None)
    path = write_stations(tmp_path / "net.nc", nodes=30, change=None)
    recipe = quick(path, mask={"max_loss": 1e-6})
    expected = (
        r"^max-loss 0\.0001 %: no plan stays within it; 5 % off \(28 of 30 kept\) may already"
    )
    with pytest.raises(ConstraintError, match=expected):
        fit(recipe, out=tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_a_plan_over_the_loss_says_so():
    score = Score(rmse=1, mae=1)
    metrics = Metrics(
        **dict.fromkeys(("all_sensors", "plan", "persistence", "climatology"), score),
        unit="K",
        rmse_ratio=1.04,
        value_kept=None,
    )
    knee = CurvePoint(
        **dict.fromkeys(("rmse", "mae"), 1),
        method="dynst",
        sparsity=0.2,
        budget=8,
        rmse_ratio=1.01,
        ci_low=0.98,
        ci_high=1.03,
    )
    (note,) = knee_notes(0.05, knee, metrics)
    assert "the curve of learned plans loses 1.0 % (-2.0 to 3.0 %)" in note
    over = knee_notes(0.03, knee, metrics)
    assert "the plan loses 4.0 %, more than the 3 % asked for" in over[1]


def test_inspect_of_a_recipe_with_a_loss(tmp_path):
    recipe = quick(write_stations(tmp_path / "net.nc"), mask={"max_loss": 0.05})
    kept = inspect(recipe).facts["fit keeps"]
    assert kept == "as few of 8 as lose no more than 5 %"
