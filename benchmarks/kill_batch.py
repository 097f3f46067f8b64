"""Kill `sensorplan batch` again and again, and see whether it ends as if nothing had happened.

A batch of three small plans on two workers is made once without a kill. Then the same command is
started, killed (SIGKILL) at random moments, and started again at once until it ends; every other
time over older plans that it replaces. By turns a kill hits the main process alone, one of the
workers, or all processes. They stand still (SIGSTOP) while it falls and the folder is looked at:
each plan folder must hold no plan, the older one whole, or the new one whole, and manifest.json and
summary.csv must name no plan as done that is not there as they say. In the end all files must be
those of the first batch, but for the times in them.
"""

import os
import random
import re
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import kill
import pandas as pd
import psutil
from measuring import say, show, write_figures

from sensorplan.batch import Manifest, read_summary
from sensorplan.batch.contents import intact
from sensorplan.batch.manifest import MANIFEST_FILE
from sensorplan.batch.summary import SUMMARY_FILE
from sensorplan.errors import DataError
from sensorplan.plan import Plan

RECIPE = """
[data]
path = ["PATH"]
resample = "7D"

[mask]
sparsity = 0.6
rounds = 2
refinements = 1
round_steps = 8
update_every = 4
practice = 16
probe = 32

[training]
steps = 60
fine_tune = 15

[matrix]
run.seed = [0, 1, 2]
"""
MAIN, WORKER, ALL = WHOM = ("the main process", "a worker", "all processes")
SPAWNED = "spawn_main"  # on the command line of a worker
PATIENCE = 60  # seconds; an orphan that lives longer is a fault
kill.LOADED = ["sensorplan.batch.running", "sensorplan.batch.cluster", "sensorplan.batch.task"]
Plans = dict[str, kill.Files | None]


@dataclass
class Found:
    """What the kills have shown.

    Attributes:
        kills: How often each was hit.
        batches: That came to their end.
        states: Of the plans, as the manifest had them after each kill.
        resumed: Stages at which plans went on from a checkpoint.
        faults: Whatever should not be.
        orphans: Seconds that workers lived on without their main process.
    """

    kills: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    states: Counter[str] = field(default_factory=Counter)
    resumed: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    orphans: list[float] = field(default_factory=list)


def main() -> None:
    options = kill.asked(__doc__)
    with tempfile.TemporaryDirectory() as name:
        found, seconds = kill_often(Path(name), options.kills, options.every, options.seed)
    show(
        "batch, killed and started again",
        (
            "batches",
            *(f"kills of {whom}" for whom in WHOM),
            "longest orphan, s",
            "faults",
        ),
        [
            [
                str(found.batches),
                *(str(found.kills[whom]) for whom in WHOM),
                f"{max(found.orphans, default=0):.2f}",
                str(len(found.faults)),
            ]
        ],
    )
    for title, counts in (
        ("what the plans were at", found.states),
        ("where they were resumed", found.resumed),
    ):
        show(title, ("", "times"), [[name, str(count)] for name, count in counts.most_common()])
    for fault in found.faults:
        say(fault)
    figures = {
        **found.__dict__,
        "seconds_without_a_kill": seconds,
        "seconds_between_checkpoints": options.every,
    }
    write_figures(options.json, "kill_batch", figures)
    if found.faults:
        sys.exit(1)


def kill_often(place: Path, kills: int, every: float, seed: int) -> tuple[Found, float]:
    """Kill so often, and then let the last batch end."""
    os.environ["DASK_TEMPORARY_DIRECTORY"] = str(place / "dask")
    (place / "many.toml").write_text(RECIPE.replace("PATH", kill.SAMPLE.as_posix()))
    command = ("batch", "many.toml", "--workers", "2", "--set", f"run.checkpoint_every={every}")
    say("one batch without a kill, and older plans")
    kill.run(place, *command, "--set", "mask.method=qr", "--out", "older")
    begin = time.perf_counter()
    kill.run(place, *command, "--out", "whole")
    duration = time.perf_counter() - begin
    older, whole = plans_of(place / "older"), plans_of(place / "whole")

    log, told = place / "log", ("--log", "log")
    draw, target, found = random.Random(seed), place / "killed", Found()
    while found.kills.total() < kills:
        before = older if found.batches % 2 else dict.fromkeys(whole)
        if found.batches % 2:
            shutil.copytree(place / "older", target)
        process, errors = kill.start(place, *command, *told, "--out", "killed")
        while True:
            process.join(None if found.kills.total() == kills else draw.uniform(0, 0.8 * duration))
            if not process.is_alive():
                break
            with struck(process, draw, found):
                found.faults += faults_of(target, before, whole)
                found.states.update(states_in(target))
            say(f"kill {found.kills.total()} of {kills}")
            if not process.is_alive():
                process, errors = kill.start(place, *command, *told, "--out", "killed")
        if process.exitcode:
            found.faults.append(f"exit code {process.exitcode}: {errors.read_text()}")
        found.batches += 1
        kill.run(place, *command, "--out", "killed")  # has nothing to make
        found.faults += faults_of_ended(target, place / "whole")
        shutil.rmtree(target)
    for thread in threading.enumerate()[1:]:
        thread.join()
    found.resumed.update(re.findall(r": resumed at ([^,\n]+)", log.read_text()))
    return found, duration


@contextmanager
def struck(process: BaseProcess, draw: random.Random, found: Found) -> Iterator[None]:
    """Kill one or all processes of a batch; those that are left stand still meanwhile."""
    tree = stopped(process)
    if not tree:
        yield
        return
    main, *others = tree
    workers = [other for other in others if is_worker(other)]
    whom = WHOM[found.kills.total() % len(WHOM)]
    if whom == WORKER and not workers:  # none yet
        whom = ALL
    found.kills[whom] += 1
    victims = {MAIN: [main], WORKER: [draw.choice(workers or [main])], ALL: [main, *others]}[whom]
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    if main in victims:
        process.join()
    yield
    left = [other for other in (main, *others) if other not in victims]
    for other in left:
        with suppress(psutil.NoSuchProcess):
            other.resume()
    if whom == MAIN:
        threading.Thread(target=see_the_end, args=(workers, found)).start()


def stopped(process: BaseProcess) -> list[psutil.Process]:
    """A process and those that it began, which stand still from now on; none: it has ended."""
    with suppress(psutil.NoSuchProcess):
        main = psutil.Process(process.pid)
        main.suspend()
        others = main.children(recursive=True)
        for other in others:
            with suppress(psutil.NoSuchProcess):
                other.suspend()
        return [main, *others]
    return []


def is_worker(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):  # it has just ended
        return any(SPAWNED in word for word in process.cmdline())
    return False


def see_the_end(orphans: list[psutil.Process], found: Found) -> None:
    """Wait for the end of workers that nobody waits for any more."""
    begin = time.perf_counter()
    while any(lives(orphan) for orphan in orphans):
        if time.perf_counter() - begin > PATIENCE:
            found.faults.append(f"workers live on without their main process: {orphans}")
            return
        time.sleep(0.01)
    if orphans:
        found.orphans.append(time.perf_counter() - begin)


def lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def faults_of(folder: Path, before: Plans, whole: Plans) -> list[str]:
    """What is wrong with a batch folder, at any moment."""
    faults = [
        f"{name}: neither the older plan nor the new one"
        for name, plan in plans_in(folder, whole).items()
        if plan not in (before[name], whole[name])
    ]
    try:
        manifest = Manifest.load(folder)
        entries = manifest.plans if manifest else ()
        table = read_summary(folder) if (folder / SUMMARY_FILE).exists() else pd.DataFrame()
    except DataError as error:
        return [*faults, str(error)]
    faults += [
        f"{entry.name}: done in the manifest, and not intact"
        for entry in entries
        if entry.state == "done" and not intact(folder / entry.name, entry.files)
    ]
    for name, row in table.iterrows():
        if row["state"] == "done" and row["rmse_plan"] != rmse_of(folder / str(name)):
            faults.append(f"{name}: done in the summary, and not there as it says")
    return faults


def rmse_of(folder: Path) -> float | None:
    with suppress(DataError):
        return Plan.load(folder).metrics.plan.rmse
    return None


def states_in(folder: Path) -> list[str]:
    """The states of the plans as the manifest has them."""
    manifest = Manifest.load(folder)
    return [plan.state for plan in manifest.plans] if manifest else []


def faults_of_ended(folder: Path, whole: Path) -> list[str]:
    """In what a batch that came to its end differs from the one without a kill."""
    plans, tables = plans_of(whole), [read_summary(place) for place in (folder, whole)]
    faults = faults_of(folder, plans, plans)
    faults += [f"{state} in the end" for state in states_in(folder) if state != "done"]
    if not tables[0].drop(columns="seconds").equals(tables[1].drop(columns="seconds")):
        faults.append("another summary")
    names = {entry.name for entry in (*folder.iterdir(), *folder.parent.glob(".*"))}
    names -= {*plans, MANIFEST_FILE, SUMMARY_FILE}
    return [*faults, *(f"{name}: left over" for name in names)]


def plans_of(folder: Path) -> Plans:
    """The plans that the manifest of a batch folder names."""
    manifest = Manifest.load(folder)
    assert manifest is not None
    return plans_in(folder, [plan.name for plan in manifest.plans])


def plans_in(folder: Path, names: Iterable[str]) -> Plans:
    return {name: kill.files_of(folder / name) for name in names}


if __name__ == "__main__":
    main()
