"""Plans obey: DynST, every ranker, `fit` and `compare`."""

import json
from dataclasses import replace

import numpy as np
import pytest
from factories import make_sensor_data, make_trainer
from test_constraints import obeys
from test_pipeline import quick, rows_of, write_grid, write_stations
from typer.testing import CliRunner

from sensorplan.cli import app
from sensorplan.constraints import (
    Distance,
    GroupLimit,
    ensure_feasible,
    make_rules,
    unconstrained,
)
from sensorplan.errors import ConstraintError, RecipeError
from sensorplan.evaluation import RidgeJudge
from sensorplan.pipeline import draw_curve, fit
from sensorplan.pipeline.comparing import compare_methods
from sensorplan.plan import Plan
from sensorplan.rankers import RANKERS, make_history, mask_frequency, rank_by_dynst
from sensorplan.recipe import MaskSettings, Recipe, dump_recipe, load_recipe

pytestmark = pytest.mark.usefixtures("no_denormals")
QUICK = MaskSettings(rounds=2, refinements=1, round_steps=4, update_every=2, probe=16, practice=4)


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)], prog_name="sensorplan")


def network(nodes=14, seed=0):
    return make_sensor_data(times=240, nodes=nodes, seed=seed, calendar=None)


def flags(count, *chosen):
    return np.isin(np.arange(count), chosen)


def all_kinds(data):
    """Constraints of every kind together."""
    count = len(data.sensors)
    return replace(
        unconstrained(data.sensors),
        required=flags(count, 0, 5),
        excluded=flags(count, 3),
        excluded_by={"--exclude": flags(count, 3)},
        positions=data.geometry.positions,
        geographic=True,
        min_distance=Distance(15_000.0, "15km"),
        cover=Distance(150_000.0, "150km"),
        targets=data.geometry.positions,
        cost=np.arange(count) % 4 + 1.0,
        max_cost=16.0,
        group=tuple("ab"[i % 2] for i in range(count)),
        limits={"a": GroupLimit(2, 4), "b": GroupLimit(1, None)},
    )


@pytest.mark.parametrize("budget", [5, 6, None])
def test_dynst_obeys(budget):
    data = network()
    constraints = all_kinds(data)
    rules = ensure_feasible(constraints, budget)
    trainer = make_trainer(data)
    trainer.train(10, 3e-3, trainer.random_masks)
    history = make_history(trainer.windows, seed=0)
    others = {name: RANKERS[name](history) for name in ("variance", "qr")}
    found = rank_by_dynst(trainer, QUICK, rules, challengers=others)
    assert obeys(constraints, budget, found.mask)
    kept = int(found.mask.sum())
    assert set(found.ranking.order[:kept]) == set(np.flatnonzero(found.mask))
    assert set(found.ranking.order[:2]) == {0, 5}  # what is required goes last
    assert found.ranking.order[-1] == 3  # what is excluded went first
    expected = {"dynst", "variance", "qr", "variance by cost", "qr by cost"}
    assert found.candidates.keys() == expected
    frequency = mask_frequency(trainer, found.mask, 32, 0, rules)
    assert (frequency[[0, 5]] == 1).all()
    assert frequency[3] == 0


@pytest.mark.parametrize("name", sorted(RANKERS))
def test_every_ranker_obeys(name):
    data = network()
    constraints = all_kinds(data)
    ranking = RANKERS[name](make_history(make_trainer(data).windows, seed=0))
    for budget in (5, 6, None):
        mask, _ = make_rules(constraints, budget).apply(ranking)
        assert obeys(constraints, budget, mask)


def test_what_was_never_observed_is_kept_where_it_must_be():
    data = network(8)
    data.values[:200, [1, 2]] = np.nan
    constraints = replace(unconstrained(data.sensors), required=flags(8, 1))
    trainer = make_trainer(data)
    found = rank_by_dynst(trainer, QUICK, ensure_feasible(constraints, 3))
    assert found.mask[1]
    assert not found.mask[2]
    assert found.mask.sum() == 3


def write_sites(path):
    path.write_text(
        "id,status,cost,group\n"
        "S000,required,3,a\nS001,excluded,1,a\n"
        + "".join(f"S00{i},,{i},{'ab'[i % 2]}\n" for i in range(2, 8))
    )
    return path


def test_fit_says_that_it_obeys(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    data = write_stations(tmp_path / "net.nc")
    (tmp_path / "few.toml").write_bytes(dump_recipe(quick(data)))
    result = run(
        *("fit", "--recipe", tmp_path / "few.toml", "--budget", 4, "--min-distance", "1km"),
        *("--sites", write_sites(tmp_path / "sites.csv"), "--per-group", "1:", "--cover", "500km"),
        *("--max-cost", 20, "--require", "S004", "--out", tmp_path / "p", "--quiet"),
    )
    assert result.exit_code == 0, result.stderr
    plan = Plan.load(tmp_path / "p")
    assert {"S000", "S004"} <= set(plan.kept)
    assert plan.dropped[-1] == "S001"
    assert [check.constraint for check in plan.constraints] == [
        "4 kept",
        "require 2",
        f"status excluded in {tmp_path / 'sites.csv'}: 1 out",
        "min-distance 1km",
        "cover 500km",
        "max-cost 20",
        "per-group 1: in a",
        "per-group 1: in b",
    ]
    assert all(check.met for check in plan.constraints)
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "constraint, checked again the plan has" in lines
    assert "require 2 0 of them dropped" in lines
    again = fit(load_recipe(tmp_path / "p" / "recipe.toml"), out=tmp_path / "again")
    first = (tmp_path / "p" / "ranking.csv").read_bytes()
    assert (again.folder / "ranking.csv").read_bytes() == first


def test_money_alone_says_how_many(tmp_path):
    data = write_stations(tmp_path / "net.nc")
    sites = str(write_sites(tmp_path / "sites.csv"))
    asked = {"sites": sites, "max_cost": 12.0}
    for method in ("dynst", "qr"):
        recipe = Recipe.model_validate(
            {**quick(data).model_dump(), "constraints": asked, "mask": {"method": method}}
        )
        plan = fit(recipe, out=tmp_path / method).plan
        cost = {f"S00{i}": i for i in range(1, 8)} | {"S000": 3}
        spent = sum(cost[name] for name in plan.kept)
        assert spent <= 12
        assert plan.budget == len(plan.kept)
        assert plan.settings["mask"].get("budget") is None
        cheapest = min(cost[name] for name in plan.dropped if name != "S001")
        assert spent + cheapest > 12  # nothing that could still be paid is left


def test_what_cannot_be_is_refused_before_training(tmp_path):
    data = write_stations(tmp_path / "net.nc")
    result = run("fit", data, "--budget", 2, "--require", "S000,S001,S002", "--out", tmp_path / "p")
    assert result.exit_code == 6
    assert result.stderr.splitlines()[-1] == (
        "Error: these cannot be met together: --require S000, S001, S002; 2 of 8 kept (without the "
        "number 3 to 8 can be kept)"
    )
    assert "train" not in result.stderr
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--max-cost", "0.5"],
            "this cannot be met: --max-cost 0.5 (without the largest cost the cheapest plan "
            "costs 4)",
        ),
        (
            ["--cover", "10km", "--cover-points", "p.csv"],
            "--cover 10km: 1 of 1 places are farther from every sensor that may be kept, the first "
            "at 40, 9, ",
        ),
    ],
)
def test_why_it_cannot_be(tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    data = write_stations(tmp_path / "net.nc")
    write_sites(tmp_path / "s.csv")
    (tmp_path / "p.csv").write_text("lat,lon\n40,9\n")
    costs = {"S000,required,3": "S000,,5", "excluded,1": "excluded,4", ",2,a": ",5,a", ",3,": ",5,"}
    sites = (tmp_path / "s.csv").read_text()
    for old, new in costs.items():
        sites = sites.replace(old, new)
    (tmp_path / "s.csv").write_text(sites)
    result = run("fit", data, "--sites", "s.csv", *options, "--out", "p")
    assert result.exit_code == 6
    assert said in result.stderr.splitlines()[-1]
    assert not (tmp_path / "p").exists()


def test_more_sensors_around_those_that_are(tmp_path):
    """On a grid: where would two more help most?"""
    data = write_grid(tmp_path / "grid.nc")
    sites = tmp_path / "sites.csv"
    sites.write_text("id,lat,lon,status\nA,50.1,8.1,required\nB,50.7,8.9,required\n")
    recipe = quick(data, mask={"add": 2}).model_dump()
    recipe["constraints"]["sites"] = str(sites)
    plan = fit(Recipe.model_validate(recipe), out=tmp_path / "p").plan
    assert plan.budget == 4
    assert set(plan.kept[:2]) == {"50.0000_8.0000", "50.7500_9.0000"}
    with pytest.raises(RecipeError, match=r"^--add 19, with 2 required: there are 20 sensors"):
        fit(Recipe.model_validate(recipe | {"mask": {"add": 19}}), out=tmp_path / "q")


def test_phases_nest_and_excluded_sensors_go_first(tmp_path):
    data = write_stations(tmp_path / "net.nc")
    (tmp_path / "few.toml").write_bytes(dump_recipe(quick(data)))
    result = run(
        *("fit", "--recipe", tmp_path / "few.toml", "--phases", "25%,0.5,75%"),
        *("--exclude", "S006", "--out", tmp_path / "p", "--quiet"),
    )
    assert result.exit_code == 0, result.stderr
    plan = Plan.load(tmp_path / "p")
    assert [phase.budget for phase in plan.phases] == [6, 4, 2]
    assert "S006" in plan.phases[0].switched_off
    gone = [name for phase in plan.phases for name in phase.switched_off]
    assert sorted(gone) == sorted(plan.dropped)
    phase_of = {row["sensor"]: row["phase"] for row in rows_of(tmp_path / "p" / "ranking.csv")}
    for number, phase in enumerate(plan.phases, 1):
        assert all(phase_of[name] == str(number) for name in phase.switched_off)
    assert all(phase_of[name] == "" for name in plan.kept)
    order = [*plan.dropped]
    assert max(map(order.index, plan.phases[2].switched_off)) < min(
        map(order.index, plan.phases[1].switched_off)
    )
    assert "phase" in result.stdout


@pytest.mark.parametrize("phases", [[0.5, 0.4], [0.5, 0.5], [0.0, 0.4], [0.4, 1.0]])
def test_phases_that_are_none(phases):
    with pytest.raises(ValueError, match=r"phases are shares above 0 and below 1, each larger"):
        MaskSettings(phases=phases)


def test_every_phase_switches_something_off(tmp_path):
    data = write_stations(tmp_path / "net.nc")
    message = r"^--phases 0\.5, 0\.55: of 8 sensors \(or patches\) they keep 4, 4; expected fewer"
    with pytest.raises(RecipeError, match=message):
        fit(quick(data, mask={"phases": [0.5, 0.55]}), out=tmp_path / "p")
    with pytest.raises(RecipeError, match=r"they keep 8, 4; expected fewer in each$"):
        fit(quick(data, mask={"phases": [0.01, 0.5]}), out=tmp_path / "p")


def test_compare_obeys(tmp_path, monkeypatch):
    data = write_stations(tmp_path / "net.nc", times=300)
    recipe = quick(data).model_dump()
    recipe["constraints"] |= {"require": ["S003"], "exclude": ["S002"]}
    recipe = Recipe.model_validate(recipe)
    shared = {"folds": 1, "sparsities": [0.75], "methods": ["dynst", "qr", "random"]}
    shared |= {"judges": ["ridge"]}
    judged = []
    errors = RidgeJudge.errors

    def watched(judge, mask):
        judged.append(mask)
        return errors(judge, mask)

    monkeypatch.setattr(RidgeJudge, "errors", watched)
    compare_methods(recipe, **shared)
    plans = [mask for mask in judged if not mask.all()]
    assert len(plans) > 3  # those of the ten random plans differ
    assert all(mask[3] and not mask[2] and mask.sum() == 2 for mask in plans)
    with pytest.raises(ConstraintError, match=r"--require S003; 1 of 8 kept|these cannot be met"):
        compare_methods(
            Recipe.model_validate(
                recipe.model_dump() | {"constraints": {"require": ["S003", "S004", "S005"]}}
            ),
            **shared,
        )


def test_commands_that_take_no_constraints_say_so(tmp_path):
    data = write_stations(tmp_path / "net.nc")
    recipe = quick(data).model_dump()
    recipe["constraints"]["require"] = ["S003"]
    with pytest.raises(RecipeError, match=r"^\[constraints\]: curve draws what"):
        draw_curve(Recipe.model_validate(recipe), max_loss=0.05, out=tmp_path / "c")
    recipe["mask"] = {"max_loss": 0.1}
    with pytest.raises(RecipeError, match=r"^--max-loss together with constraints; expected"):
        fit(Recipe.model_validate(recipe), out=tmp_path / "p")


def test_inspect_says_what_is_left_to_choose(tmp_path):
    data = write_stations(tmp_path / "net.nc")
    recipe = quick(data).model_dump()
    recipe["constraints"] |= {"require": ["S003"], "exclude": ["S001,S002"]}
    (tmp_path / "r.toml").write_bytes(dump_recipe(Recipe.model_validate(recipe)))
    facts = json.loads(run("inspect", "--recipe", tmp_path / "r.toml", "--json").stdout)["facts"]
    assert facts["constraints"] == "1 required, 2 excluded, 5 to choose from"
