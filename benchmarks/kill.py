"""Kill `sensorplan fit` again and again, and see whether it ends as if nothing had happened.

A small run is done once without a kill. Then the same command is started, killed (SIGKILL) at a
random moment, and started again until it ends; every other time over an older plan
that it replaces. After each kill the folder must hold no plan, the older one whole, or the new one
whole; in the end every file must be that of the first run, but for the times in ``plan.json``.

Libraries are loaded once and each run is forked from there, so that kills fall into the run itself.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path

from measuring import new_parser, say, show, write_figures

from sensorplan.errors import OutputError

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_data" / "pm10_germany.nc"
RECIPE = """
[data]
path = ["PATH"]
resample = "7D"

[mask]
sparsity = 0.6
rounds = 3
refinements = 1
round_steps = 8
update_every = 4
practice = 20
probe = 64

[training]
steps = 80
fine_tune = 20
"""
OLDER = """
[data]
path = ["PATH"]
resample = "7D"

[mask]
method = "qr"

[training]
steps = 2
"""
LOADED = ["sensorplan.pipeline"]  # once
Files = dict[str, object]


def main() -> None:
    options = asked(__doc__)
    with tempfile.TemporaryDirectory() as name:
        figures = kill_often(Path(name), options.kills, options.every, options.seed)
    show(
        "fit, killed and started again",
        ("kills", "plans", "resumed", "longest chain", "wrong plans", "torn folders"),
        [[str(figures[key]) for key in ("kills", "plans", "resumed", "longest", "wrong", "torn")]],
    )
    show(
        "where it was resumed",
        ("stage", "times"),
        [[stage, str(count)] for stage, count in figures["stages"].items()],
    )
    write_figures(options.json, "kill", figures)
    if figures["wrong"] or figures["torn"]:
        sys.exit(1)


def asked(description: str | None) -> argparse.Namespace:
    """The options of a benchmark that kills."""
    parser = new_parser(description)
    parser.add_argument("--kills", type=int, default=50, metavar="N", help="default 50")
    parser.add_argument("--every", type=float, default=0.1, help="seconds between checkpoints")
    parser.add_argument("--seed", type=int, default=0, help="of the moments; default 0")
    options = parser.parse_args()
    if options.kills < 1:
        parser.error(f"--kills {options.kills}; expected at least 1")
    return options


def kill_often(place: Path, kills: int, every: float, seed: int) -> dict[str, object]:
    """Kill so often, and then let the last run end."""
    for name, recipe in (("small", RECIPE), ("older", OLDER)):
        (place / f"{name}.toml").write_text(recipe.replace("PATH", SAMPLE.as_posix()))
    say("one run without a kill, and an older plan")
    fit = ("fit", "--recipe")
    run(place, *fit, "older.toml", "--out", "older.plan", "--checkpoint-every", "0")
    command = (*fit, "small.toml", "--checkpoint-every", str(every), "--overwrite")
    begin = time.perf_counter()
    run(place, *command, "--out", "whole.plan")
    duration = time.perf_counter() - begin
    whole, older = files_of(place / "whole.plan"), files_of(place / "older.plan")

    draw, target = random.Random(seed), place / "killed.plan"
    told: Counter[str] = Counter()
    done = plans = longest = wrong = torn = 0
    while done < kills:
        before = older if plans % 2 else None
        if before:
            shutil.copytree(place / "older.plan", target)
        chain, ended = 0, False
        while not ended:
            process, errors = start(place, *command, "--out", "killed.plan")
            process.join(None if done == kills else draw.uniform(0, duration / 2))
            ended = not process.is_alive()
            process.kill()
            process.join()
            stages = [line for line in errors.read_text().splitlines() if "resumed at" in line]
            told.update(line.removeprefix("resumed at ").split(",")[0] for line in stages)
            found = files_of(target)
            if ended:
                assert process.exitcode == 0, errors.read_text()
                wrong += found != whole
            else:
                assert process.exitcode == -signal.SIGKILL
                done, chain = done + 1, chain + 1
                torn += found not in (before, whole)
                say(f"kill {done} of {kills}")
                if found == whole:
                    ended = True  # between the last step and the end of the process
        plans, longest = plans + 1, max(longest, chain)
        refused, _ = start(place, *command[:-1], "--out", "killed.plan")  # and tidies up
        refused.join()
        assert refused.exitcode == OutputError.exit_code
        left = [entry.name for entry in place.iterdir() if "killed" in entry.name]
        torn += left != ["killed.plan"]
        shutil.rmtree(target)
    return {
        "kills": done,
        "plans": plans,
        "resumed": sum(told.values()),
        "longest": longest,
        "wrong": wrong,
        "torn": torn,
        "stages": dict(told.most_common()),
        "seconds_without_a_kill": duration,
        "seconds_between_checkpoints": every,
    }


def start(place: Path, *arguments: str) -> tuple[BaseProcess, Path]:
    """Start ``sensorplan`` in a folder; gives the process, and where its stderr goes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    errors = place / "errors.txt"
    process = context.Process(target=command_line, args=(place, errors, arguments))
    process.start()
    return process, errors


def run(place: Path, *arguments: str) -> None:
    """The same to its end.

    Raises:
        SystemExit: It failed.
    """
    process, errors = start(place, *arguments)
    process.join()
    if process.exitcode:
        raise SystemExit(f"{' '.join(arguments)}: {errors.read_text()}")


def command_line(place: Path, errors: Path, arguments: tuple[str, ...]) -> None:
    """What the process does."""
    from sensorplan.cli import app

    for number, target in ((1, os.devnull), (2, errors)):
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, number)
        os.close(handle)
    os.chdir(place)
    app([*arguments, "--quiet"])


def files_of(folder: Path) -> Files | None:
    """What a plan folder holds, without what the clock says; None where there is no plan."""
    if not (folder / "plan.json").exists():
        return None
    files: Files = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    plan = json.loads((folder / "plan.json").read_bytes())
    plan.pop("timings")
    return {**files, "plan.json": plan}


if __name__ == "__main__":
    main()
