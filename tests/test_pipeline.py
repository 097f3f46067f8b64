import csv
import hashlib
import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from factories import make_sensor_data
from typer.testing import CliRunner

from sensorplan import pipeline
from sensorplan.cli import app
from sensorplan.errors import DataError, OutputError, RecipeError, TrainingError
from sensorplan.forecasters import from_bytes
from sensorplan.pipeline import fit, inspect
from sensorplan.pipeline.planning import challenge_note
from sensorplan.plan import Plan, budget_at
from sensorplan.rankers import RANKERS, MaskTraining, make_history, search_parts
from sensorplan.recipe import Recipe, dump_recipe, load_recipe, override

FILES = {
    *("ranking.csv", "plan.json", "deployment.geojson", "curve.csv", "curve.png", "map.png"),
    *("forecaster.safetensors", "recipe.toml", "conditions.csv", "test_errors.csv"),
    *("resilience.csv", "error_by_lead.csv", "error_by_lead.png", "error_map.png"),
    *("mask_history.csv", "mask_history.png"),
}
STAGES = [
    *("read", "rank by baselines", "train forecaster", "train mask", "fine-tune and score"),
    *("calibrate intervals", "judge by condition", "resample the history", "curve"),
    *("judge random plans", "judge failures", "look for substitutes", "write"),
]


def write_stations(path, *, times=240, nodes=8, channels=1, positions=True, gaps=0.05, change=None):
    """A CF station file of a planted network; `change` edits its values ``[time, node]``."""
    data = make_sensor_data(times=times, nodes=nodes, channels=channels, gaps=gaps)
    values = data.values.copy()
    if change:
        change(values)
    variables = {
        channel.name: (("time", "station"), values[..., i], {"units": "K"})
        for i, channel in enumerate(data.channels)
    }
    dataset = xr.Dataset(
        variables,
        {
            "time": np.array(data.time.labels, "datetime64[ns]"),
            "station": ("station", list(data.sensors), {"cf_role": "timeseries_id"}),
        },
        {"featureType": "timeSeries"},
    )
    if positions:
        latitude, longitude = data.geometry.positions.T
        dataset = dataset.assign_coords(
            lat=("station", latitude, {"standard_name": "latitude"}),
            lon=("station", longitude, {"standard_name": "longitude"}),
        )
    dataset.to_netcdf(path)
    return str(path)


def write_grid(path, *, rows=4, columns=5, times=200):
    data = make_sensor_data(times=times, grid=(rows, columns))
    values = data.values[..., 0].reshape(times, rows, columns)
    xr.Dataset(
        {"t2m": (("time", "lat", "lon"), values, {"units": "K"})},
        {
            "time": np.array(data.time.labels, "datetime64[ns]"),
            "lat": ("lat", 50 + 0.25 * np.arange(rows), {"units": "degrees_north"}),
            "lon": ("lon", 8 + 0.25 * np.arange(columns), {"units": "degrees_east"}),
        },
    ).to_netcdf(path)
    return str(path)


def quick(*paths, **sections):
    """A recipe of few training steps."""
    return Recipe.model_validate(
        {
            "data": {"path": list(paths), **sections.pop("data", {})},
            "window": {"lookback": 4, "horizon": 2, **sections.pop("window", {})},
            "mask": {
                "rounds": 2,
                "refinements": 1,
                "round_steps": 4,
                "update_every": 2,
                "probe": 16,
                **sections.pop("mask", {}),
            },
            "training": {"steps": 30, "fine_tune": 5, **sections.pop("training", {})},
            "run": sections.pop("run", {}),
        }
    )


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def sha(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """One finished run, and what it said of its progress."""
    folder = tmp_path_factory.mktemp("fitted")
    path = write_stations(folder / "net.nc")
    before, told = sha(path), []
    recipe = quick(path, mask={"sparsity": 0.6})
    result = fit(recipe, out=folder / "net.plan", progress=lambda *stage: told.append(stage))
    assert sha(path) == before
    return result, told, recipe


def test_fit_writes_the_files_of_the_contract(fitted):
    result, _, _ = fitted
    assert {file.name for file in result.folder.iterdir()} == FILES
    assert {file.name for file in result.folder.parent.iterdir()} == {"net.nc", "net.plan"}
    for name in (name for name in FILES if name.endswith(".png")):
        assert (result.folder / name).read_bytes().startswith(b"\x89PNG")


def test_the_files_agree(fitted):
    result, _, recipe = fitted
    plan = Plan.load(result.folder)
    assert plan == Plan.model_validate_json(result.plan.model_dump_json())
    assert plan.budget == len(plan.kept) == budget_at(0.6, 8) == 3
    assert plan.sparsity == 0.625
    assert len(plan.dropped) == 5
    assert set(plan.kept) | set(plan.dropped) == {f"S{i:03d}" for i in range(8)}
    assert plan.data.sha256 == sha(recipe.data.path[0])
    assert (plan.data.variable, plan.data.units) == (("v0",), ("K",))
    assert (plan.data.sensors, plan.data.regions, plan.data.times) == (8, 8, 240)
    assert plan.metrics.unit == "K"
    assert plan.split.keys() == {"train", "validation", "test"}
    assert plan.versions["torch"] == torch.__version__
    assert plan.timings.keys() == {*STAGES} - {"write"}

    ranking = rows_of(result.folder / "ranking.csv")
    assert [int(row["rank"]) for row in ranking] == list(range(1, 9))
    assert tuple(row["sensor"] for row in ranking if row["decision"] == "keep") == plan.kept
    assert tuple(row["sensor"] for row in ranking if row["decision"] == "drop") == plan.dropped
    assert [row["decision"] for row in ranking] == ["keep"] * 3 + ["drop"] * 5
    importance = [float(row["importance"]) for row in ranking]
    assert importance == sorted(importance, reverse=True)
    frequency = [float(row["keep_frequency"]) for row in ranking]
    assert sum(frequency) == pytest.approx(3, abs=5e-3)
    assert (plan.stability.resamples, plan.stability.block) == (200, 6)
    assert plan.stability.mean_kept == pytest.approx(np.mean(frequency[:3]), abs=1e-3)
    assert float(ranking[0]["latitude"]) == pytest.approx(
        result.regions.positions[result.ranking.order[0], 0], abs=1e-4
    )

    features = json.loads((result.folder / "deployment.geojson").read_bytes())["features"]
    assert {f["properties"]["sensor"]: f["properties"]["decision"] for f in features} == {
        row["sensor"]: row["decision"] for row in ranking
    }

    curve = rows_of(result.folder / "curve.csv")
    assert list(curve[0]) == [
        *("method", "sparsity", "budget", "rmse", "mae", "rmse_ratio", "ci_low", "ci_high")
    ]
    assert [float(row["sparsity"]) for row in curve] == [k / 10 for k in range(1, 10)]
    assert [int(row["budget"]) for row in curve] == [p.budget for p in result.curve]


def test_the_conditions_agree_with_the_scores(fitted):
    result, _, _ = fitted
    rows = rows_of(result.folder / "conditions.csv")
    assert list(rows[0]) == [
        *("condition", "value", "targets", "rmse_all", "rmse_plan", "rmse_ratio"),
        *("ci_low", "ci_high"),
    ]
    assert [row["condition"] for row in rows] == [
        *("all", *["time_of_day"] * 4, *["lead"] * 2, *["observed"] * 3, "area-weighted")
    ]
    metrics = result.plan.metrics
    assert float(rows[0]["rmse_plan"]) == pytest.approx(metrics.plan.rmse, rel=1e-4)
    assert float(rows[0]["rmse_all"]) == pytest.approx(metrics.all_sensors.rmse, rel=1e-4)
    assert float(rows[0]["rmse_ratio"]) == pytest.approx(metrics.rmse_ratio, rel=1e-4)
    for condition in ("time_of_day", "lead", "observed"):
        targets = [int(row["targets"]) for row in rows if row["condition"] == condition]
        assert sum(targets) == int(rows[0]["targets"])


def test_the_saved_forecaster_needs_the_kept_sensors_alone(fitted):
    result, _, _ = fitted
    file = result.folder / "forecaster.safetensors"
    forecaster, network, about = from_bytes(file.read_bytes(), str(file))
    assert set(about["kept"]) == set(result.plan.kept)
    assert about["kept"] == [name for name in about["regions"] if name in result.plan.kept]
    assert result.plan.interval_coverage.keys() == {"0.5", "0.8", "0.9", "0.95"}
    assert (about["lookback"], about["horizon"]) == (4, 2)
    assert network["level"].shape == (8, 1)
    calendar = torch.zeros(2, len(network["cycles"]))
    assert forecaster(torch.zeros(2, 3, 4), torch.ones(2, 3, 4), calendar).shape == (2, 8, 2)


def test_progress_is_told_stage_by_stage(fitted):
    _, told, recipe = fitted
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == STAGES
    for stage, total in (
        *(("train forecaster", 30), ("train mask", search_parts(recipe.mask))),
        *(("curve", 9), ("read", 1), ("write", 1)),
    ):
        done = [done for name, done, of in told if name == stage and of == total]
        assert done[0] == 0
        assert done[-1] == total
        assert done == sorted(done)
        if stage != "train mask":  # whose parts are not told one by one
            assert set(done) == set(range(total + 1))


def test_the_written_recipe_repeats_the_run(fitted, tmp_path):
    result, _, _ = fitted
    recipe = load_recipe(result.folder / "recipe.toml")
    assert (recipe.mask.budget, recipe.mask.sparsity) == (3, None)
    again = fit(recipe, out=tmp_path / "again")
    for name in ("ranking.csv", "curve.csv"):
        assert (again.folder / name).read_bytes() == (result.folder / name).read_bytes()
    assert again.plan.metrics == result.plan.metrics
    changed = override(recipe, "run", seed=1, figure_format="svg")
    other = fit(changed, out=tmp_path / "other")
    drawn = {name.replace(".png", ".svg") for name in FILES}
    assert {file.name for file in other.folder.iterdir()} == drawn
    assert load_recipe(other.folder / "recipe.toml").run == changed.run
    assert (other.folder / "ranking.csv").read_bytes() != (
        result.folder / "ranking.csv"
    ).read_bytes()


def test_the_error_by_lead_adds_up_to_the_scores(fitted):
    result, _, _ = fitted
    rows = rows_of(result.folder / "error_by_lead.csv")
    assert [(row["lead"], row["ahead"], row["unit"]) for row in rows] == [
        ("1", "1", "hours"),
        ("2", "2", "hours"),
    ]
    targets = np.array([float(row["targets"]) for row in rows])
    metrics = result.plan.metrics
    for column, score in (
        ("rmse_all", metrics.all_sensors),
        ("rmse_plan", metrics.plan),
        ("rmse_persistence", metrics.persistence),
        ("rmse_climatology", metrics.climatology),
    ):
        squares = np.array([float(row[column]) for row in rows]) ** 2
        assert np.sqrt(np.average(squares, weights=targets)) == pytest.approx(score.rmse, rel=1e-4)
    conditions = {(row.condition, row.value): row for row in result.conditions}
    for row in rows:
        same = conditions["lead", row["lead"]]
        assert float(row["ci_low"]) == pytest.approx(same.ci_low, rel=1e-4)
        assert float(row["rmse_ratio"]) == pytest.approx(same.rmse_ratio, rel=1e-4)


def test_the_mask_history_ends_with_the_plan(fitted):
    result, _, recipe = fitted
    kept = {f"S{i:03d}" for i in range(8)}
    rows = rows_of(result.folder / "mask_history.csv")
    assert len(rows) == 3 + recipe.mask.rounds + recipe.mask.refinements
    for row in rows:
        kept -= set(row["dropped"].split(";"))
        kept |= {name for name in row["regrown"].split(";") if name}
        assert len(kept) == int(row["kept"])
    assert kept == set(result.plan.kept)


@pytest.mark.parametrize("positions", [True, False])
def test_challengers_stand_beside_the_trained_mask(tmp_path, positions):
    recipe = quick(write_stations(tmp_path / "net.nc", positions=positions))
    plan = fit(recipe, out=tmp_path / "net.plan").plan
    placed = {"k-centre", "removal-bias", "virtual-force", "voronoi"}
    challengers = RANKERS.keys() - {"random"} - (set() if positions else placed)
    assert plan.candidates.keys() == {"dynst"} | challengers
    assert np.isfinite(list(plan.candidates.values())).all()
    best = min(plan.candidates, key=plan.candidates.get)
    assert plan.candidate_loss <= plan.candidates[best]
    said = [warning for warning in plan.warnings if f"the mask of {best} was better" in warning]
    assert len(said) == (best != "dynst")


def test_a_challenger_that_won_is_named():
    lost = {"dynst": 0.02, "k-centre": 0.03}
    won = {"dynst": 0.08, "k-centre": 0.01, "forecast-aware": 0.02}
    notes = [
        challenge_note(MaskTraining(None, None, 0.0, candidates)) for candidates in ({}, lost, won)
    ]
    assert notes[:2] == [[], []]
    assert len(notes[2]) == 1
    assert "the mask of k-centre was better than the trained one" in notes[2][0]
    assert notes[2][0].endswith("the RMSE of the trained one is 3.6 % higher")


def test_a_baseline_plans_in_place_of_dynst(tmp_path):
    """From the command line, and again from the recipe that it wrote."""
    path, folder = write_stations(tmp_path / "net.nc"), tmp_path / "qr.plan"
    settings = tmp_path / "quick.toml"
    settings.write_bytes(dump_recipe(quick(path, mask={"budget": 3})))
    arguments = ["fit", "--recipe", settings, "--method", "qr", "--out", folder, "--quiet"]
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 0, result.stderr
    plan = Plan.load(folder)
    assert plan.method == plan.settings["mask"]["method"] == "qr"
    assert plan.timings.keys() == {*STAGES} - {"train mask", "write"}
    assert {row["method"] for row in rows_of(folder / "curve.csv")} == {"qr"}
    recipe = load_recipe(folder / "recipe.toml")
    assert (recipe.mask.method, recipe.mask.budget) == ("qr", 3)

    prepared = pipeline.planning.prepare(recipe, lambda name, parts: nullcontext(lambda done: None))
    history = make_history(prepared.trainer.windows, seed=0)
    by_qr = RANKERS["qr"](history).order
    names = [row["sensor"] for row in rows_of(folder / "ranking.csv")]
    assert names == [prepared.regions.names[region] for region in by_qr]
    again = fit(recipe, out=tmp_path / "again")
    assert (again.folder / "ranking.csv").read_bytes() == (folder / "ranking.csv").read_bytes()


def test_a_method_that_needs_positions_says_so(tmp_path):
    path = write_stations(tmp_path / "net.nc", positions=False)
    told = []
    with pytest.raises(DataError, match="--method k-centre needs positions"):
        fit(
            quick(path, mask={"method": "k-centre"}),
            out=tmp_path / "p",
            progress=lambda stage, done, total: told.append(stage),
        )
    assert "train forecaster" not in told  # no minute of training before that is said
    assert not (tmp_path / "p").exists()


def test_a_relative_path_in_the_written_recipe_is_found_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    write_stations(tmp_path / "data" / "net.nc", nodes=4)
    monkeypatch.chdir(tmp_path)
    recipe = quick("data/net.nc", training={"steps": 2, "fine_tune": 0})
    first = fit(recipe)
    assert first.folder == Path("net.plan")  # in the working folder
    ranking = (tmp_path / "net.plan" / "ranking.csv").read_bytes()
    assert not Path(load_recipe(Path("net.plan/recipe.toml")).data.path[0]).is_absolute()
    monkeypatch.chdir(tmp_path / "data")
    again = fit(load_recipe(tmp_path / "net.plan" / "recipe.toml"), out=tmp_path / "again")
    assert (again.folder / "ranking.csv").read_bytes() == ranking


def test_defaults_are_written_out(tmp_path):
    path = write_stations(tmp_path / "net.nc", nodes=4)
    recipe = quick(path, training={"steps": 2, "fine_tune": 0})
    recipe = override(recipe, "window", lookback=None, horizon=None)
    result = fit(recipe, out=tmp_path / "out")
    assert result.plan.budget == 2  # half of them
    written = load_recipe(result.folder / "recipe.toml")
    assert (written.window.lookback, written.window.horizon) == (12, 6)
    assert result.plan.settings["window"]["lookback"] == 12
    assert result.plan.settings["mask"]["budget"] == 2
    assert "sparsity" not in result.plan.settings["mask"]


def test_several_variables(tmp_path):
    path = write_stations(tmp_path / "net.nc", nodes=4, channels=2)
    recipe = quick(path, data={"variable": ["v1", "v0"]}, training={"steps": 2, "fine_tune": 0})
    plan = fit(recipe, out=tmp_path / "out").plan
    assert plan.metrics.unit == "standard deviations"
    assert plan.data.variable == ("v1", "v0")
    assert 0.3 < plan.metrics.climatology.rmse < 3


def test_patches_of_a_grid(tmp_path):
    path = write_grid(tmp_path / "grid.nc")
    recipe = quick(
        path, window={"patch": "2x2"}, mask={"budget": 2}, training={"steps": 2, "fine_tune": 0}
    )
    result = fit(recipe, out=tmp_path / "out")
    assert (result.plan.data.sensors, result.plan.data.regions) == (20, 6)
    ranking = rows_of(result.folder / "ranking.csv")
    assert len(ranking) == 6
    assert {row["sensor"] for row in ranking} == {
        *("50.1250_8.1250", "50.1250_8.6250", "50.1250_9.0000"),
        *("50.6250_8.1250", "50.6250_8.6250", "50.6250_9.0000"),
    }
    features = json.loads((result.folder / "deployment.geojson").read_bytes())["features"]
    assert {feature["geometry"]["type"] for feature in features} == {"Polygon"}


def test_sensors_without_positions(tmp_path):
    path = write_stations(tmp_path / "net.nc", nodes=4, positions=False)
    result = fit(quick(path, training={"steps": 2, "fine_tune": 0}), out=tmp_path / "out")
    assert {file.name for file in result.folder.iterdir()} == FILES - {"error_map.png"}
    assert all(row["latitude"] == "" for row in rows_of(result.folder / "ranking.csv"))
    assert any("position" in warning for warning in result.plan.warnings)


def test_a_sensor_that_begins_after_training_ranks_last(tmp_path):
    def change(values):
        values[:200, 1] = np.nan

    path = write_stations(tmp_path / "net.nc", nodes=4, change=change)
    result = fit(quick(path, training={"steps": 2, "fine_tune": 0}), out=tmp_path / "out")
    assert result.plan.dropped[-1] == "S001"
    assert any(
        "never observed in the training stretch: 1 of 4 (S001)" in w for w in result.plan.warnings
    )


# What is refused, and what is left behind


@pytest.fixture
def untrained(monkeypatch):
    """Training that must not begin."""

    def train(*arguments, **options):
        raise AssertionError("training began")

    monkeypatch.setattr(pipeline.planning, "Trainer", train)


@pytest.mark.usefixtures("untrained")
def test_a_budget_over_the_number_of_sensors(tmp_path):
    path = write_stations(tmp_path / "net.nc", nodes=4)
    with pytest.raises(RecipeError, match=r"--budget 5: there are 4 sensors .*1 <= budget <= 4$"):
        fit(quick(path, mask={"budget": 5}), out=tmp_path / "out")
    with pytest.raises(RecipeError, match=r"--budget 5"):
        inspect(quick(path, mask={"budget": 5}))
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("untrained")
def test_one_region_is_nothing_to_choose_from(tmp_path):
    one = write_stations(tmp_path / "one.nc", nodes=1)
    with pytest.raises(DataError, match=r"one\.nc: holds 1 sensor; expected at least 2"):
        fit(quick(one), out=tmp_path / "out")
    grid = write_grid(tmp_path / "grid.nc")
    with pytest.raises(DataError, match=r"grid\.nc: holds 1 patch; expected at least 2"):
        fit(quick(grid, window={"patch": "4x5"}), out=tmp_path / "out")


def test_no_data_is_named():
    for command in (fit, inspect):
        with pytest.raises(RecipeError, match=r"^no data: name a file"):
            command(Recipe())


@pytest.mark.usefixtures("untrained")
def test_a_folder_that_exists_is_refused_before_training(tmp_path):
    path = write_stations(tmp_path / "net.nc", nodes=4)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"out: exists already; --overwrite replaces it"):
        fit(quick(path), out=tmp_path / "out")
    with pytest.raises(OutputError, match=r"out: holds no plan\.json"):
        fit(quick(path), out=tmp_path / "out", overwrite=True)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_overwrite_replaces_a_plan_and_keeps_what_the_user_added(tmp_path):
    path = write_stations(tmp_path / "net.nc", nodes=4)
    recipe = quick(path, training={"steps": 2, "fine_tune": 0})
    first = fit(recipe, out=tmp_path / "out")
    (first.folder / "mine.txt").write_text("mine")
    fit(override(recipe, "mask", budget=1), out=tmp_path / "out", overwrite=True)
    assert Plan.load(tmp_path / "out").budget == 1
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("stage", STAGES)
def test_an_interrupt_leaves_nothing_behind(tmp_path, stage):
    path = write_stations(tmp_path / "net.nc", nodes=4)
    before = sha(path)

    def interrupt(name, done, total):
        if name == stage and done < total and done == min(1, total - 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(
            quick(path, training={"steps": 2, "fine_tune": 0}),
            out=tmp_path / "deep" / "out",
            progress=interrupt,
        )
    assert [file.name for file in tmp_path.iterdir()] == ["net.nc"]
    assert sha(path) == before


@pytest.mark.usefixtures("untrained")
def test_a_device_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    path = write_stations(tmp_path / "net.nc", nodes=4)
    with pytest.raises(TrainingError, match=r"^--device cuda: not on this machine; available: "):
        fit(quick(path, run={"device": "cuda"}), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


# inspect


def test_inspect_tells_what_the_file_holds(tmp_path):
    path = write_stations(tmp_path / "net.nc", gaps=0.25)
    recipe = override(quick(path), "window", lookback=None, horizon=None)
    found = inspect(recipe)
    share = found.facts.pop("missing")
    assert share.endswith(" %")
    assert float(share[:-2]) == pytest.approx(25, abs=3)
    assert found.facts == {
        "variable": "v0 (K)",
        "sensors": "8",
        "geometry": "stations with positions",
        "times": "240",
        "step": "1 h",
        "lookback": "12 steps",
        "horizon": "6 steps",
        "train": "2020-01-06T00:00:00 to 2020-01-12T11:00:00, 139 windows",
        "validation": "2020-01-12T12:00:00 to 2020-01-13T23:00:00, 19 windows",
        "test": "2020-01-14T00:00:00 to 2020-01-15T23:00:00, 31 windows",
        "fit keeps": "4 of 8",
    }
    assert found.source.sha256 == sha(path)
    assert {path.name for path in tmp_path.iterdir()} == {"net.nc"}


def test_inspect_says_what_fit_does(fitted):
    result, _, recipe = fitted
    found = inspect(recipe)
    assert found.facts["fit keeps"] == f"{result.plan.budget} of 8"
    for name, part in result.plan.split.items():
        expected = f"{part['first']} to {part['last']}, {part['windows']} windows"
        assert found.facts[name] == expected
    as_json = json.loads(json.dumps(found.to_json()))
    assert as_json.keys() == {"path", "sha256", "facts", "findings", "warnings"}
    assert as_json["facts"] == found.facts


def test_inspect_of_patches_and_of_no_positions(tmp_path):
    grid = inspect(quick(write_grid(tmp_path / "grid.nc"), window={"patch": "2x2"}))
    assert grid.facts["sensors"] == "20"
    assert grid.facts["patches"] == "6"
    assert grid.facts["geometry"] == "cells of a grid"
    assert grid.facts["fit keeps"] == "3 of 6"
    bare = inspect(quick(write_stations(tmp_path / "net.nc", positions=False)))
    assert bare.facts["geometry"] == "no positions"
