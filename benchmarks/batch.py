"""Does a batch lose nothing when a worker is killed, and what do more workers bring?

Twelve plans of few training steps (both sample data sets, three sparsities, two seeds) are made by
`sensorplan batch` on a `dask scheduler` with two `dask worker` processes on this machine. Once a
few are done, one of the workers is killed (SIGKILL) in the middle of a plan. Then every plan is
made alone by `sensorplan fit`, and both are compared: the ranking byte for byte, and all metrics.

With --speed-up the same plans are also made with --workers 1 and with --workers 2, one after the
other, on an otherwise idle machine; both share the same cores.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from measuring import new_parser, run, say, show, write_figures

from sensorplan.batch import Manifest
from sensorplan.recipe import Variant, dump_recipe, load_variants

SAMPLES = Path(__file__).resolve().parents[1] / "sample_data"
KILL_AFTER = 3  # plans done
START_WITHIN = 120  # seconds
RECIPE = f"""
[window]
stride = 8
[mask]
rounds = 2
refinements = 1
round_steps = 4
update_every = 2
practice = 10
[training]
steps = 40
fine_tune = 10
[matrix]
data = [
    {{path = "{SAMPLES}/pm10_germany.nc"}},
    {{path = "{SAMPLES}/tas_north_america.nc", window.patch = "12x12"}},
]
mask.sparsity = [0.4, 0.6, 0.8]
run.seed = [0, 1]
"""


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("--speed-up", action="store_true", help="compare --workers 2 and 1 too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "twelve.toml"
        file.write_text(RECIPE, encoding="utf-8")
        variants = load_variants([file])
        # One thread each: with another number of them the last digits of a sum can differ.
        os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
        figures: dict[str, Any] = {"plans": len(variants)}
        figures |= killed_batch(file, folder)
        figures["differing"] = differing(variants, folder)
        if options.speed_up:
            del os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"]
            figures["seconds"] = {
                str(workers): run(
                    *("batch", file, "--workers", str(workers), "--quiet"),
                    *("--out", folder / f"workers{workers}"),
                ).seconds
                for workers in (1, 2)
            }
            figures["speed_up"] = figures["seconds"]["1"] / figures["seconds"]["2"]
    show_figures(figures)
    write_figures(options.json, "batch", figures)


def killed_batch(file: Path, folder: Path) -> dict[str, Any]:
    """Make the batch on a cluster, and kill a worker while it is at a plan."""
    begin = time.perf_counter()
    with cluster(folder) as (address, workers):
        command = [sys.executable, "-m", "sensorplan", "batch", file]
        command += ["--scheduler", address, "--out", folder / "batch"]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        done, killed_at = 0, None
        for line in process.stderr:
            say(line.rstrip())
            done += ": done" in line
            if killed_at is None and done >= KILL_AFTER and ": running" in line:
                os.killpg(workers[0].pid, signal.SIGKILL)
                killed_at = done
                say(f"killed one of {len(workers)} workers")
        code = process.wait()
    manifest = Manifest.load(folder / "batch")
    assert manifest is not None
    return {
        "exit_code": code,
        "done": sum(plan.state == "done" for plan in manifest.plans),
        "done_when_killed": killed_at,
        "batch_seconds": time.perf_counter() - begin,
    }


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """The address of a scheduler with two workers, and the workers."""
    where = folder / "scheduler.json"
    common = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", where]
    with ExitStack() as stack:
        stack.enter_context(started("scheduler", "--port", "0", *common))
        workers = [
            stack.enter_context(started("worker", "--nthreads", "1", *common)) for _ in range(2)
        ]
        begin = time.monotonic()
        while not where.exists():
            if time.monotonic() - begin > START_WITHIN:
                raise SystemExit("the scheduler does not start")
            time.sleep(0.2)
        yield json.loads(where.read_text())["address"], workers


@contextmanager
def started(*arguments: str | Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A ``dask`` command with a process group of its own, ended at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def differing(variants: list[Variant], folder: Path) -> list[str]:
    """Names of the plans of the batch that are not those made alone."""
    found = []
    for variant in variants:
        (folder / "alone.toml").write_bytes(dump_recipe(variant.recipe))
        alone, in_batch = folder / "alone" / variant.name, folder / "batch" / variant.name
        run("fit", "--recipe", folder / "alone.toml", "--out", alone, "--quiet")
        same = read(alone) == read(in_batch)
        say(f"{variant.name}: {'equal' if same else 'differs'}")
        found += [] if same else [variant.name]
    return found


def read(plan: Path) -> tuple[bytes, dict[str, Any]]:
    """Ranking and metrics of a plan folder."""
    content = json.loads((plan / "plan.json").read_bytes())
    return (plan / "ranking.csv").read_bytes(), content["metrics"]


def show_figures(figures: dict[str, Any]) -> None:
    """Print what was found."""
    rows = [
        ["plans", str(figures["plans"])],
        ["done when a worker was killed", str(figures["done_when_killed"])],
        ["done in the end", str(figures["done"])],
        ["exit code", str(figures["exit_code"])],
        ["not as made alone", ", ".join(figures["differing"]) or "none"],
    ]
    if "speed_up" in figures:
        rows += [[f"s with --workers {n}", f"{s:.1f}"] for n, s in figures["seconds"].items()]
        rows += [["speed-up", f"{figures['speed_up']:.2f}"]]
    show("batch on two workers", ("one of them killed", "found"), rows)


if __name__ == "__main__":
    main()
