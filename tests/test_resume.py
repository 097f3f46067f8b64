"""A run that is killed and started again ends as if it had never been killed."""

import errno
import json
import os
import re
import sys
import time
from pathlib import Path

import filelock
import pytest
from test_checkpoints import DAMAGES
from test_pipeline import quick, write_stations
from typer.testing import CliRunner

from sensorplan import durable
from sensorplan.checkpoints import CHECKPOINTS, Checkpoints
from sensorplan.cli import app
from sensorplan.errors import DataError, OutputError, TrainingError
from sensorplan.exports import folder
from sensorplan.journal import Journal
from sensorplan.pipeline import fit, resuming
from sensorplan.plan import Plan
from sensorplan.rankers import RANKERS
from sensorplan.recipe import dump_recipe, override
from sensorplan.training import Trainer

ALWAYS = 1e-9  # seconds between checkpoints: one wherever one can be


class Killed(BaseException):
    """Stands for a kill: no code of ours catches it."""


@pytest.fixture(autouse=True)
def _no_power_cut(monkeypatch):
    """Kills do not ask for the disk, and waiting for it takes its time."""
    monkeypatch.setattr(durable.os, "fsync", lambda handle: None)


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    """Drawing takes its time; test_exports_figures.py looks at the pictures."""
    monkeypatch.setattr(folder, "draw_plan", lambda *arguments: {"map.png": b"map"})


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return write_stations(tmp_path_factory.mktemp("network") / "net.nc", times=160, nodes=6)


def recipe_of(path, every=ALWAYS, training=None, **mask):
    return quick(
        path,
        mask={"rounds": 1, "practice": 4, **mask},
        training={"steps": 6, "fine_tune": 2, **(training or {})},
        run={"checkpoint_every": every},
    )


def kill_after(patch, count):
    """Kill the run once it has written so many checkpoints."""
    write, written = Checkpoints.write, []

    def writing(self, content, stage, step):
        write(self, content, stage, step)
        written.append((stage, step))
        if len(written) == count:
            raise Killed

    patch.setattr(Checkpoints, "write", writing)
    return written


def run_until_killed(recipe, out, count, **options):
    """Run, and be killed after so many checkpoints.

    Returns:
        What was told, and the stage and step of each checkpoint.
    """
    told = []
    with pytest.MonkeyPatch.context() as patch:
        written = kill_after(patch, count)
        with pytest.raises(Killed):
            fit(recipe, out=out, tell=told.append, **options)
    return told, written


def files_of(folder):
    """Every file of a plan, without what the clock says in it."""
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    plan = json.loads(files["plan.json"])
    plan.pop("timings")
    plan["settings"]["run"].pop("checkpoint_every")
    files["plan.json"] = plan
    files["recipe.toml"] = [
        line for line in files["recipe.toml"].splitlines() if b"checkpoint_every" not in line
    ]
    return files


WAYS = {  # settings, and checkpoints between two kills
    "baseline": ({"method": "variance"}, 4),
    "dynst": ({"phases": [0.2, 0.5], "robust": 0.2}, 13),
    "max loss": ({"max_loss": 0.9}, 31),
    "linear": ({"training": {"backbone": "linear"}}, 7),
}


@pytest.mark.parametrize("way", WAYS)
def test_killed_again_and_again_it_ends_with_the_same_plan(network, tmp_path, way):
    settings, between = WAYS[way]
    recipe = recipe_of(network, **settings)
    whole = fit(recipe_of(network, every=0, **settings), out=tmp_path / "whole.plan")
    out, points = tmp_path / "killed.plan", []
    for _ in range(60):
        with pytest.MonkeyPatch.context() as patch:
            written = kill_after(patch, between)
            told = []
            try:
                result = fit(recipe, out=out, tell=told.append)
                break
            except Killed:
                points += written
        assert [file.name for file in out.iterdir()] == [CHECKPOINTS]
        with pytest.raises(DataError, match=r"plan.json: cannot be read"):
            Plan.load(out)
    assert files_of(out) == files_of(whole.folder)
    assert told == list(result.resumed)
    last_stage, last_step = points[-1]
    step = "" if last_step is None else f", step {last_step}"
    assert told == [f"resumed at {last_stage}{step}"]
    assert len(points) >= 2 * between
    assert {file.name for file in tmp_path.iterdir()} == {"whole.plan", "killed.plan"}


def test_what_is_done_is_not_done_again(network, tmp_path, monkeypatch):
    out, steps, ranked = tmp_path / "a.plan", [], []
    step_loss, rank = Trainer._step_loss, RANKERS["variance"]

    def counting(self, number, *arguments):
        steps.append(number)
        return step_loss(self, number, *arguments)

    monkeypatch.setattr(Trainer, "_step_loss", counting)
    monkeypatch.setitem(RANKERS, "variance", lambda history: ranked.append(1) or rank(history))
    recipe = recipe_of(network, method="variance")
    told, written = run_until_killed(recipe, out, 5)
    assert (told, written[-1]) == ([], ("train forecaster", 4))
    assert (steps, ranked) == ([1, 2, 3, 4], [1])
    told = []
    fit(recipe, out=out, tell=told.append)
    assert told == ["resumed at train forecaster, step 4"]
    assert steps[4:] == [5, 6, 1, 2, 1, 2]
    assert len(ranked) == 1 + 20  # of the resampled histories


def test_a_damaged_checkpoint_does_not_change_the_plan(network, tmp_path):
    recipe = recipe_of(network, method="variance")
    whole = fit(recipe_of(network, every=0, method="variance"), out=tmp_path / "whole.plan")
    out = tmp_path / "a.plan"
    run_until_killed(recipe, out, 5)
    newest = max(out.rglob("*.safetensors"))
    DAMAGES["cut"](newest)
    told = []
    result = fit(recipe, out=out, tell=told.append)
    assert told[0].startswith(f"{newest.with_suffix('.json')}: damaged checkpoint, not used (")
    assert told[1:] == ["resumed at train forecaster, step 3"]
    assert files_of(result.folder) == files_of(whole.folder)


def test_with_both_damaged_it_starts_afresh(network, tmp_path):
    recipe = recipe_of(network, method="variance")
    whole = fit(recipe_of(network, every=0, method="variance"), out=tmp_path / "whole.plan")
    out = tmp_path / "a.plan"
    run_until_killed(recipe, out, 5)
    for file in out.rglob("*.safetensors"):
        DAMAGES["bit"](file)
    result = fit(recipe, out=out)
    assert len(result.resumed) == 3
    assert result.resumed[-1].endswith("no checkpoint is whole; the run starts afresh")
    assert files_of(result.folder) == files_of(whole.folder)


def test_an_older_plan_stays_whole_until_the_new_one_is_there(network, tmp_path):
    out = tmp_path / "a.plan"
    old = fit(recipe_of(network, every=0, method="qr"), out=out)
    (out / "mine.txt").write_text("mine")
    before = files_of(out)
    recipe = recipe_of(network, method="variance")
    run_until_killed(recipe, out, 5, overwrite=True)
    with pytest.raises(OutputError, match="exists already; --overwrite replaces it"):
        fit(recipe, out=out)
    assert Plan.load(out) == old.plan
    assert {file.name for file in out.iterdir()} == {*before, CHECKPOINTS}
    told = []
    result = fit(recipe, out=out, overwrite=True, tell=told.append)
    assert told == ["resumed at train forecaster, step 4"]
    assert Plan.load(out).method == "variance"
    assert {file.name for file in out.iterdir()} == {*before}
    assert (out / "mine.txt").read_text() == "mine"
    assert result.plan.method == "variance"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"mask": {"method": "variance", "sparsity": 0.3}}, "settings"),
        ({"constraints": {"require": ["S001"]}}, "settings, constraints"),
        ({"data": {"path": "other.nc"}}, "data"),
    ],
)
def test_another_run_starts_afresh_and_leaves_them(network, tmp_path, monkeypatch, change, named):
    monkeypatch.chdir(tmp_path)
    write_stations(tmp_path / "other.nc", times=160, nodes=6, gaps=0.1)
    first = recipe_of(network, method="variance")
    out = tmp_path / "a.plan"
    run_until_killed(first, out, 5)
    told, _ = run_until_killed(override_all(first, change), out, 2)
    assert told == [
        f"{out / CHECKPOINTS}: holds checkpoints of another run (other {named}); "
        "they stay there until a plan is written, and this run starts afresh"
    ]
    told, _ = run_until_killed(first, out, 1)
    assert told == ["resumed at train forecaster, step 4"]


def override_all(recipe, change):
    for section, values in change.items():
        recipe = override(recipe, section, **values)
    return recipe


def test_the_same_data_elsewhere_is_the_same_run(network, tmp_path):
    out = tmp_path / "a.plan"
    run_until_killed(recipe_of(network, method="variance"), out, 5)
    moved = tmp_path / "moved.nc"
    moved.write_bytes(Path(network).read_bytes())
    result = fit(recipe_of(str(moved), method="variance", every=30.0), out=out)
    assert result.resumed == ("resumed at train forecaster, step 4",)
    assert result.plan.data.path == str(moved)


def test_other_code_is_another_run(network, tmp_path, monkeypatch):
    out = tmp_path / "a.plan"
    run_until_killed(recipe_of(network, method="variance"), out, 5)
    monkeypatch.setattr(resuming, "_code", lambda backbone: "changed")
    told, _ = run_until_killed(recipe_of(network, method="variance"), out, 1)
    assert "another run (other code)" in told[0]


def test_without_an_interval_none_is_written_or_read(network, tmp_path, monkeypatch):
    out = tmp_path / "a.plan"
    run_until_killed(recipe_of(network, method="variance"), out, 5)
    monkeypatch.setattr(Checkpoints, "__init__", None)
    result = fit(recipe_of(network, every=0, method="variance"), out=out)
    assert result.resumed == ()
    assert not (out / CHECKPOINTS).exists()


def test_a_run_shorter_than_the_interval_writes_none(network, tmp_path, monkeypatch):
    monkeypatch.setattr(Checkpoints, "write", None)
    fit(recipe_of(network, every=600.0, method="variance"), out=tmp_path / "a.plan")


def test_an_interrupt_says_that_the_run_can_go_on(network, tmp_path, monkeypatch):
    told = []

    def interrupt(self, mask, windows, *rest):
        raise KeyboardInterrupt

    monkeypatch.setattr("sensorplan.pipeline.fitting.accuracy_curve", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(recipe_of(network, method="variance"), out=tmp_path / "a.plan", tell=told.append)
    assert told == [f"{tmp_path / 'a.plan'}: the same command goes on from the last checkpoint"]
    with pytest.raises(KeyboardInterrupt):
        fit(
            recipe_of(network, every=0, method="variance"),
            out=tmp_path / "b.plan",
            tell=told.append,
        )
    assert len(told) == 1


def test_a_second_run_in_the_same_folder_is_refused(network, tmp_path):
    recipe, out = recipe_of(network, method="variance"), tmp_path / "a.plan"
    refused = []

    def intrude(stage, done, total):
        with pytest.raises(OutputError) as caught:
            fit(recipe, out=out, overwrite=True)
        refused.append(str(caught.value))

    fit(recipe, out=out, progress=lambda *told: refused or intrude(*told))
    assert re.fullmatch(
        rf"{re.escape(str(out))}: process {os.getpid()} on .+ is making this plan; "
        "wait until it ends, end it, or name another folder",
        refused[0],
    )
    whole = fit(recipe_of(network, every=0, method="variance"), out=tmp_path / "whole.plan")
    assert files_of(out) == files_of(whole.folder)
    assert {file.name for file in tmp_path.iterdir()} == {"whole.plan", "a.plan"}


@pytest.mark.skipif(sys.platform == "win32", reason="locks otherwise")
def test_where_there_are_no_locks_a_run_says_so_and_goes_on(network, tmp_path, monkeypatch):
    def refuse(handle):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(filelock._unix, "lock_fd_nonblocking", refuse)
    recipe, out = recipe_of(network, method="variance"), tmp_path / "a.plan"
    told, _ = run_until_killed(recipe, out, 5)
    assert told == [
        f"{out}: cannot be locked (No locks available); nothing keeps a second process away while "
        "one is making this plan"
    ]
    assert fit(recipe, out=out).resumed == ("resumed at train forecaster, step 4",)
    with pytest.raises(OutputError, match=r"a\.plan: exists already"):
        fit(recipe, out=out, tell=told.append)
    assert len(told) == 1


def test_the_times_of_stages_are_those_of_all_processes(network, tmp_path, monkeypatch):
    recipe, out = recipe_of(network, method="variance"), tmp_path / "a.plan"
    steps = Trainer._step_loss

    def slowly(self, number, *arguments):
        if number == 1:
            time.sleep(0.5)
        return steps(self, number, *arguments)

    monkeypatch.setattr(Trainer, "_step_loss", slowly)
    run_until_killed(recipe, out, 4)
    monkeypatch.setattr(Trainer, "_step_loss", steps)
    assert fit(recipe, out=out).plan.timings["train forecaster"] >= 0.5


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_that_is_killed_is_resumed_on_the_command_line(network, tmp_path, monkeypatch):
    """With no code of ours run at the end: locks and half-written files stay as they are."""
    monkeypatch.chdir(tmp_path)
    recipe = recipe_of(network, method="variance")
    Path("net.toml").write_bytes(dump_recipe(recipe))
    process = os.fork()
    if process == 0:
        puts = iter(range(100))

        def put(self, ending, content, put=Checkpoints._put):
            if next(puts) == 9:
                os._exit(9)
            put(self, ending, content)

        Checkpoints._put = put
        fit(recipe, out=Path("net.plan"))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9
    assert [file.name for file in Path("net.plan").iterdir()] == [CHECKPOINTS]
    resumed = CliRunner().invoke(app, ["fit", "--recipe", "net.toml", "--quiet"])
    assert (resumed.exit_code, resumed.stderr.splitlines()[0]) == (
        0,
        "resumed at train forecaster, step 3",
    )
    whole = fit(recipe_of(network, every=0, method="variance"), out=Path("whole.plan"))
    assert files_of(Path("net.plan")) == files_of(whole.folder)


# The journal


class Clock:
    now = "train"

    def so_far(self):
        return {"train": 1.5}

    def go_on_from(self, earlier):
        self.earlier = dict(earlier)


def run_journal(folder, *steps, every=ALWAYS):
    """Open a journal and do steps of a name and a value; what they gave, and the journal."""
    with Journal(folder, every, Clock()) as journal:
        journal.open(lambda: {"settings": "a"})
        found = [journal.step(name, lambda under_way, value=value: value) for name, value in steps]
    return found, journal


def test_steps_give_what_they_gave_before(tmp_path):
    first, _ = run_journal(tmp_path, ("a", (1, 2.5)), ("b", {"x": [None]}))
    again, journal = run_journal(tmp_path, ("a", "other"), ("b", "other"), ("c", 3))
    assert [*first, 3] == again
    assert journal.notes == ["resumed at train"]
    assert journal._clock.earlier == {"train": 1.5}


def test_what_is_changed_afterwards_is_kept_as_it_was(tmp_path):
    value = {"x": [1]}
    with Journal(tmp_path, ALWAYS, Clock()) as journal:
        journal.open(lambda: {"settings": "a"})
        journal.step("a", lambda under_way: value)
        value["x"].append(2)
        journal.step("b", lambda under_way: None)
    assert run_journal(tmp_path, ("a", None))[0] == [{"x": [1]}]


def test_a_checkpoint_of_other_steps_is_refused(tmp_path):
    run_journal(tmp_path, ("a", 1))
    with pytest.raises(TrainingError, match=r"goes on with 'a', this run with 'b'; remove its"):
        run_journal(tmp_path, ("b", 1))


def test_a_journal_without_a_folder_computes_everything():
    journal = Journal()
    journal.open(lambda: {}["never asked"])
    assert journal.step("a", lambda under_way: under_way.state) is None
    assert journal.step("a", lambda under_way: under_way.offer(1, lambda: {}["never"])) is None
