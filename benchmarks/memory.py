"""How much memory `fit --memory` takes on a history that is several times as large.

    python benchmarks/memory.py                        # 8 GB against 2 GB
    python benchmarks/memory.py --bound 1GB --times 1  # a quick look

It makes a Zarr store of a gridded field, chunk by chunk: moving patterns, a daily cycle and noise.
A process of its own then plans on it, and its resident memory is read from outside, its children's
included, from what the system says is the peak of each. Linux alone says that.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import zarr
from measuring import new_parser, say, show, write_figures

from sensorplan.memory import Memory
from sensorplan.plan import Plan

CELLS = (200, 200)
CHUNK = 100  # steps
PATTERNS = 12
EVERY = 0.2  # seconds

RECIPE = """
[window]
patch = "10x10"
lookback = 6
horizon = 3
stride = {stride}

[mask]
sparsity = 0.6
rounds = 2
refinements = 1
round_steps = 20
practice = 30
probe = 32

[training]
steps = 100
fine_tune = 20
"""


@dataclass(frozen=True)
class Measured:
    """One run.

    Attributes:
        data_bytes: Of the field, as float32.
        bound_bytes: What was allowed.
        peak_bytes: Largest resident memory, children included.
        seconds: From start to end.
        times: Steps of the field.
        cells: Cells of the field.
        rmse_ratio: Of the plan, to the forecast from all patches.
    """

    data_bytes: int
    bound_bytes: float
    peak_bytes: int
    seconds: float
    times: int
    cells: int
    rmse_ratio: float


def make_store(store: Path, steps: int, seed: int = 0) -> None:
    """Write the field: hourly steps of a grid."""
    rng = np.random.default_rng(seed)
    rows, columns = CELLS
    y, x = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    waves = rng.uniform(1, 5, (PATTERNS, 2, 1, 1)) * np.stack([y, x])
    patterns = np.cos(2 * np.pi * (waves.sum(1) + rng.random((PATTERNS, 1, 1)))).reshape(
        PATTERNS, -1
    )
    patterns = patterns.astype(np.float32)
    root = zarr.open_group(store, mode="w")
    axes = {
        "time": (np.arange(steps), {"units": "hours since 2000-01-01", "calendar": "standard"}),
        "lat": (np.linspace(40, 60, rows), {"units": "degrees_north"}),
        "lon": (np.linspace(0, 20, columns), {"units": "degrees_east"}),
    }
    for name, (values, attributes) in axes.items():
        axis = root.create_array(name, data=values, dimension_names=[name])
        axis.attrs.update(attributes)
    field = root.create_array(
        "t2m",
        shape=(steps, rows, columns),
        chunks=(CHUNK, rows, columns),
        dtype="float32",
        compressors=None,
        dimension_names=["time", "lat", "lon"],
    )
    field.attrs["units"] = "K"
    state = rng.normal(size=PATTERNS)
    for first in range(0, steps, CHUNK):
        count = min(CHUNK, steps - first)
        states = np.empty((count, PATTERNS), np.float32)
        for step in range(count):
            state = 0.97 * state + 0.24 * rng.normal(size=PATTERNS)
            states[step] = state
        day = 2 * np.sin(2 * np.pi * (first + np.arange(count)) / 24).astype(np.float32)
        noise = rng.standard_normal((count, rows * columns), np.float32)
        block = 280 + states @ patterns + day[:, None] + 0.3 * noise
        field[first : first + count] = block.reshape(count, rows, columns)


def resident_peak(process: int) -> int:
    """Bytes at the peak of a process and of those that it has started, each at its own."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
        own = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        tasks = Path(f"/proc/{process}/task").iterdir()
        children = [
            int(child) for task in tasks for child in (task / "children").read_text().split()
        ]
    except (OSError, StopIteration):  # it has ended
        return 0
    return 1024 * int(own.split()[1]) + sum(map(resident_peak, children))


def plan(store: Path, folder: Path, bound: str, stride: int) -> tuple[int, float]:
    """Plan in a process of its own; the largest resident memory, and the seconds."""
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.format(stride=stride), encoding="utf-8")
    command = [sys.executable, "-m", "sensorplan", "fit", str(store), "--recipe", str(recipe)]
    command += ["--memory", bound, "--out", str(folder / "made.plan")]
    begin, peak = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, resident_peak(process.pid))
            time.sleep(EVERY)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return peak, time.perf_counter() - begin


def measure(arguments: argparse.Namespace) -> Measured:
    bound = Memory.of(arguments.bound, Path()).size
    cells = CELLS[0] * CELLS[1]
    steps = int(arguments.times * bound / (4 * cells)) // CHUNK * CHUNK
    folder = Path(tempfile.mkdtemp(dir=arguments.folder, prefix="memory-"))
    try:
        say(
            f"making {steps:,} steps of {cells:,} cells, {4e-9 * steps * cells:.1f} GB, in {folder}"
        )
        make_store(folder / "field.zarr", steps)
        say("planning")
        stride = max(1, steps // 500)
        peak, seconds = plan(folder / "field.zarr", folder, arguments.bound, stride)
        ratio = Plan.load(folder / "made.plan").metrics.rmse_ratio
    finally:
        shutil.rmtree(folder)
    return Measured(4 * steps * cells, bound, peak, seconds, steps, cells, ratio)


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("--bound", default="2GB", metavar="SIZE", help="what --memory allows")
    parser.add_argument("--times", type=float, default=4.0, help="size of the field / the bound")
    parser.add_argument("--folder", type=Path, default=Path(), help="where it is made")
    arguments = parser.parse_args()
    found = measure(arguments)
    columns = ("data", "bound", "peak", "peak / bound", "minutes", "RMSE ratio")
    row = (
        f"{found.data_bytes / 1e9:.1f} GB",
        f"{found.bound_bytes / 1e9:.1f} GB",
        f"{found.peak_bytes / 1e9:.2f} GB",
        f"{found.peak_bytes / found.bound_bytes:.2f}",
        f"{found.seconds / 60:.1f}",
        f"{found.rmse_ratio:.3f}",
    )
    show("Memory of fit", columns, [row])
    write_figures(arguments.json, "memory", asdict(found))


if __name__ == "__main__":
    main()
