"""What planning costs: time beside one training, peak memory, and the start of the command.

Two things are timed in turn, in one process: one training of the forecaster on all sensors alone
(the same steps, every gate 1, reading included), and the whole of `fit` (reading to writing). Which
comes first changes from pair to pair, so that neither gains from a warm or a busy machine. The time
to load libraries is in neither. Then `sensorplan fit` runs as a process of its own for its peak of
resident memory, and `sensorplan --help` a few times.
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch
from measuring import cores, new_parser, run, say, show, write_figures

from sensorplan.devices import choose_device, prepare_torch
from sensorplan.pipeline import fit
from sensorplan.pipeline.preparing import read_regions
from sensorplan.recipe import DataSettings, Recipe, load_recipe
from sensorplan.training import Trainer
from sensorplan.windows import make_windows

HELP_RUNS = 5
LIMITS = {"ratio": 6.0, "fit_seconds": 90.0, "peak_gb": 1.5, "help_seconds": 0.5}
LOADED_BY_HELP = """
import sys
from sensorplan.cli import app
try:
    app(["--help"])
except SystemExit:
    pass
print("torch" in sys.modules, file=sys.stderr)
"""


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pairs", type=int, default=3, metavar="N", help="default 3")
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="other settings than defaults")
    options = parser.parse_args()
    if options.pairs < 1:
        parser.error(f"--pairs {options.pairs}; expected at least 1")
    recipe = load_recipe(options.recipe) if options.recipe else Recipe()
    recipe = recipe.model_copy(update={"data": DataSettings(path=(str(options.data),))})
    prepare_torch()

    say("warming up")
    time_training(recipe, steps=5)
    pairs = []
    for number in range(options.pairs):
        pairs.append(time_pair(recipe, training_first=number % 2 == 0))
        say(
            f"pair {number + 1} of {options.pairs}: training {pairs[-1]['training_seconds']:.1f} s,"
            f" fit {pairs[-1]['fit_seconds']:.1f} s, ratio {pairs[-1]['ratio']:.2f}"
        )
    medians = {name: median(pair[name] for pair in pairs) for name in pairs[0]}

    with tempfile.TemporaryDirectory() as folder:
        settings = ["--recipe", options.recipe] if options.recipe else []
        alone = run("fit", options.data, "--out", Path(folder) / "plan", "--quiet", *settings)
    help_seconds = median(run("--help").seconds for _ in range(HELP_RUNS))
    figures = {
        "data": options.data.stem,
        "pairs": pairs,
        "median": medians,
        "fit_process": asdict(alone),
        "help": {"seconds": help_seconds, "runs": HELP_RUNS, "torch_loaded": help_loads_torch()},
        "limits": LIMITS,
    }
    show_figures(figures)
    write_figures(options.json, "cost", figures)


def time_pair(recipe: Recipe, training_first: bool) -> dict[str, float]:
    """Seconds of one training on all sensors and of one `fit`, one after the other."""
    if training_first:
        training = time_training(recipe)
        whole = time_fit(recipe)
    else:
        whole = time_fit(recipe)
        training = time_training(recipe)
    return {"training_seconds": training, "fit_seconds": whole, "ratio": whole / training}


def time_training(recipe: Recipe, steps: int | None = None) -> float:
    """Seconds to read the data and train the forecaster on all sensors alone."""
    begin = time.perf_counter()
    data, regions = read_regions(recipe)
    windows = make_windows(data, regions, recipe.window, choose_device(recipe.run.device))
    trainer = Trainer(windows, recipe.training, recipe.run.seed)
    everything = torch.ones(len(regions), device=trainer.device)
    trainer.train(
        steps or recipe.training.steps,
        trainer.rate,
        lambda batch: everything.expand(batch, -1),
    )
    return time.perf_counter() - begin


def time_fit(recipe: Recipe) -> float:
    """Seconds of `fit`, from reading to the plan folder."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        fit(recipe, out=Path(folder) / "plan")
        return time.perf_counter() - begin


def help_loads_torch() -> bool:
    """Whether `sensorplan --help` loads torch."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED_BY_HELP], capture_output=True, text=True, check=True
    )
    return done.stderr.split()[-1] == "True"


def show_figures(figures: dict[str, Any]) -> None:
    """Print the pairs, then each figure beside its limit."""
    names = ("training_seconds", "fit_seconds", "ratio")
    rows = [
        [str(number), *(f"{pair[name]:.2f}" for name in names)]
        for number, pair in enumerate(figures["pairs"], 1)
    ]
    rows.append(["median", *(f"{figures['median'][name]:.2f}" for name in names)])
    show(
        f"{figures['data']}, cores: {cores()}",
        ("pair", "training on all sensors (s)", "fit (s)", "fit / training"),
        rows,
    )
    print()
    start, alone = figures["help"], figures["fit_process"]
    measured = {
        "fit / one training": (figures["median"]["ratio"], LIMITS["ratio"], ""),
        "fit as a process": (alone["seconds"], LIMITS["fit_seconds"], " s"),
        "peak memory of fit": (alone["peak_bytes"] / 1e9, LIMITS["peak_gb"], " GB"),
        f"--help, median of {HELP_RUNS}": (start["seconds"], LIMITS["help_seconds"], " s"),
    }
    rows = [
        [name, f"{value:.2f}{unit}", f"{limit:g}{unit}", "yes" if value <= limit else "NO"]
        for name, (value, limit, unit) in measured.items()
    ]
    loaded = start["torch_loaded"]
    rows.append(["--help loads torch", "yes" if loaded else "no", "no", "NO" if loaded else "yes"])
    show("", ("", "measured", "at most", "holds"), rows)


if __name__ == "__main__":
    main()
