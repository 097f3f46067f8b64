"""Several processes on one training: the same plan as one process."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import pandas as pd
import pytest
import torch
from factories import make_sensor_data, make_trainer
from test_pipeline import quick, write_grid, write_stations
from torch import nn
from typer.testing import CliRunner

from sensorplan.cli import app
from sensorplan.descent import Objective
from sensorplan.recipe import dump_recipe
from sensorplan.team import Team, current_team, joined, team_size

pytestmark = pytest.mark.usefixtures("no_denormals")
STEPS = {
    "mask": {"rounds": 2, "refinements": 1, "round_steps": 4, "update_every": 2, "practice": 4},
    "training": {"steps": 12, "fine_tune": 4},
}


def sensorplan(*arguments, processes=1):
    """Run a command in so many processes."""
    return run("-m", "sensorplan", *arguments, processes=processes)


def run(*arguments, processes):
    many = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return subprocess.run(
        [
            sys.executable,
            *(many if processes > 1 else []),
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=240,
    )


def recipe_of(path, folder, **changes):
    sections = {**STEPS, **changes}
    sections["training"] = {**STEPS["training"], **changes.get("training", {})}
    sections["mask"] = {**STEPS["mask"], **changes.get("mask", {})}
    file = Path(folder) / "recipe.toml"
    file.write_bytes(dump_recipe(quick(path, **sections)))
    return file


@pytest.mark.parametrize(
    ("backbone", "gridded"), [("mixer", False), ("graph", False), ("vit", True), ("conv", True)]
)
def test_two_processes_make_the_plan_of_one(tmp_path, backbone, gridded):
    path = (write_grid if gridded else write_stations)(tmp_path / "net.nc")
    recipe = recipe_of(path, tmp_path, training={"backbone": backbone})
    found = []
    for processes in (1, 2):
        out = tmp_path / f"{processes}.plan"
        done = sensorplan("fit", "--recipe", recipe, "--out", out, "--quiet", processes=processes)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Keep ") == 1  # the first process alone speaks
        found.append(pd.read_csv(out / "ranking.csv"))
    one, two = found
    assert set(one.sensor[one.decision == "keep"]) == set(two.sensor[two.decision == "keep"])
    assert one.sensor.tolist() == two.sensor.tolist()
    np.testing.assert_allclose(two.importance, one.importance, rtol=1e-2, atol=1e-4)
    np.testing.assert_allclose(two.own_rmse, one.own_rmse, rtol=1e-3)


def test_nothing_of_a_team_outlives_it(tmp_path):
    """Threads of a group that is not freed may abort a process while Python ends."""
    script = tmp_path / "script.py"
    script.write_text(
        dedent("""
            import weakref
            import torch
            from torch import distributed, nn
            from sensorplan.team import joined
            with joined() as team:
                group = weakref.ref(distributed.group.WORLD)
                module = team.shared(nn.Linear(2, 2), torch.device("cpu"))
                module(torch.ones(1, 2)).sum().backward()
                if not team.leads:
                    assert team.hear() is None
                del module
            assert group() is None, f"process {team.number} holds the group"
        """)
    )
    done = run(script, processes=2)
    assert done.returncode == 0, done.stderr


def test_errors_end_all_processes(tmp_path):
    path = write_stations(tmp_path / "net.nc")
    recipe = recipe_of(path, tmp_path, training={"batch_size": 1})
    done = sensorplan("fit", "--recipe", recipe, "--out", tmp_path / "p", processes=2)
    assert done.returncode != 0
    assert (
        "2 processes, but batch_size is 1 windows a step; expected batch_size >= 2" in done.stderr
    )
    assert not (tmp_path / "p" / "plan.json").exists()


def test_other_commands_run_in_one_process(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = CliRunner().invoke(app, ["inspect", str(tmp_path)], prog_name="sensorplan")
    assert done.exit_code == 2
    assert "torchrun with 2 processes; inspect runs in one, expected fit" in done.stderr


def test_one_process_is_a_team_of_its_own(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "4")  # of a batch system, not of torchrun
    assert team_size() == 1
    with joined() as team:
        assert team == current_team() == Team(0, 1)
        assert team.leads
        module = nn.Linear(1, 1)
        assert team.shared(module, torch.device("cpu")) is module
        whole = team.total(torch.ones(2, requires_grad=True))
        assert whole.tolist() == [1, 1]
        assert not whole.requires_grad


@pytest.mark.parametrize("sampled", [False, True])
def test_shares_of_the_loss_add_up_to_it(sampled, monkeypatch):
    """What the processes of a team average, process by process in one."""
    if sampled:
        monkeypatch.setattr("sensorplan.gating.MANY", 5)
        monkeypatch.setattr("sensorplan.gating.TARGETS_PER_STEP", 2)

    class Half(Team):
        """Of two, which know the sum of the weights of both."""

        def total(self, value):
            return whole_weight

    trainer = make_trainer(make_sensor_data(times=240, nodes=40 if sampled else 7, gaps=0.3))
    step = trainer._draw(trainer.random_masks, 0.01)
    assert (step.sources is not None) == sampled
    objective, part = Objective(trainer), (step.targets, step.sources)
    batch, gate = trainer._cut(step.starts, *part), trainer.theta * step.mask
    loss = trainer.loss(batch, gate, *part) + 0.01 * gate.abs().mean()
    _, whole_weight = trainer.squares(batch, gate, *part)
    halves = []
    for number in (0, 1):
        trainer.team = Half(number, 2)
        halves.append(trainer._share_of_loss(objective, step))
    assert sum(halves).item() / 2 == pytest.approx(loss.item(), rel=1e-5)
    gradient, expected = (
        torch.autograd.grad(value, [trainer.theta, *trainer.forecaster.parameters()])
        for value in (sum(halves) / 2, loss)
    )
    for found, wanted in zip(gradient, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-6)
