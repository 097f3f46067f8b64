"""How time and memory grow with the cells of a grid.

Makes smooth grids of one region at ever finer spacing (travelling waves, a daily cycle and noise,
hourly), runs `sensorplan fit` on each as a process of its own, and fits the exponent of wall time,
processor time (which a busy machine spoils less) and peak memory against the number of cells by
least squares of the logarithms: 1 is linear.
A second exponent is that of what comes on top of a grid of a few cells, that is without the
start-up; the last one is between the two largest grids alone.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from measuring import new_parser, run, say, show, write_figures

from sensorplan.recipe import Recipe, dump_recipe, override

SIZES = (1000, 4000, 16000)
START_UP = 20  # cells of the grid that stands for the start-up
TIMES = 400
WAVES = 12
NOISE = 0.3
MEASURED = ("seconds", "cpu_seconds", "peak_bytes")
EXPONENTS = ("as measured", "above start-up", "between the last two")


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=SIZES, help="default %(default)s")
    parser.add_argument("--times", type=int, default=TIMES, help="hourly steps, default 400")
    parser.add_argument("--seed", type=int, default=0, help="of the grids, default 0")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the training steps in every stage"
    )
    options = parser.parse_args()
    if len(options.cells) < 2 or min(options.cells) <= START_UP:
        parser.error(f"--cells: expected at least two sizes, each over {START_UP}")

    recipe = few_steps() if options.quick else Recipe()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "recipe.toml").write_bytes(dump_recipe(recipe))
        for cells in (START_UP, *sorted(options.cells)):
            rows.append(measure(folder, cells, options.times, options.seed))
            say(f"{rows[-1]['cells']} cells: {rows[-1]['seconds']:.1f} s")
    start_up, *grids = rows
    figures = {
        "times": options.times,
        "training_steps": steps_of(recipe),
        "default_steps": steps_of(Recipe()),
        "start_up": start_up,
        "rows": grids,
        "exponents": {measured: exponents(grids, start_up, measured) for measured in MEASURED},
        "stage_exponents": {
            stage: slope(
                [grid["cells"] for grid in grids], [grid["stages"][stage] for grid in grids]
            )
            for stage in start_up["stages"]
        },
    }
    show_figures(figures)
    write_figures(options.json, "scaling", figures)


def few_steps() -> Recipe:
    """Default settings with a tenth of the steps; rounds and probes stay as many."""
    recipe = override(Recipe(), "mask", round_steps=2, update_every=1)
    return override(recipe, "training", steps=40, fine_tune=10)


def steps_of(recipe: Recipe) -> int:
    """Training steps in all stages."""
    return recipe.training.steps + recipe.mask.steps + 2 * recipe.training.fine_tune


def measure(folder: Path, cells: int, times: int, seed: int) -> dict[str, Any]:
    """Make a grid of about so many cells, and run `fit` on it."""
    grid = make_grid(cells, times, seed)
    file, plan = folder / f"grid_{cells}.nc", folder / f"grid_{cells}.plan"
    grid.to_netcdf(file)
    done = run("fit", file, "--recipe", folder / "recipe.toml", "--out", plan, "--quiet")
    stages = json.loads((plan / "plan.json").read_bytes())["timings"]
    file.unlink()
    return {
        "cells": grid.sizes["lat"] * grid.sizes["lon"],
        "seconds": done.seconds,
        "cpu_seconds": done.cpu_seconds,
        "peak_bytes": done.peak_bytes,
        "stages": {**stages, "loading and writing": done.seconds - sum(stages.values())},
    }


def make_grid(cells: int, times: int, seed: int) -> xr.Dataset:
    """A smooth field over one region: waves that travel, a daily cycle, noise of each cell.

    The waves are the same for every number of cells.
    """
    rng = np.random.default_rng(seed)
    rows = max(2, round((5 / 8 * cells) ** 0.5))
    columns = max(2, round(cells / rows))
    y, x = np.meshgrid(np.linspace(0, 5, rows), np.linspace(0, 8, columns), indexing="ij")
    hours = np.arange(times)[:, None, None]
    field = 2 * np.sin(2 * np.pi * (hours / 24 + x / 60))
    for _ in range(WAVES):
        across, along = rng.normal(0, 0.8, 2)
        turn = 2 * np.pi / rng.uniform(10, 60)  # radians an hour
        amplitude, phase = rng.uniform(0.3, 1), rng.uniform(0, 2 * np.pi)
        field = field + amplitude * np.sin(along * y + across * x - turn * hours + phase)
    field = field + NOISE * rng.standard_normal(field.shape)
    start = np.datetime64("2020-01-01T00", "ns")
    return xr.Dataset(
        {"t2m": (("time", "lat", "lon"), field.astype(np.float32), {"units": "K"})},
        {
            "time": start + np.arange(times) * np.timedelta64(1, "h"),
            "lat": ("lat", 50 + y[:, 0], {"units": "degrees_north"}),
            "lon": ("lon", x[0], {"units": "degrees_east"}),
        },
    )


def slope(cells: Sequence[float], measured: Sequence[float]) -> float | None:
    """Exponent of the power law through the points; None where one of them is not above zero."""
    if min(measured) <= 0:
        return None
    return float(np.polyfit(np.log(cells), np.log(measured), 1)[0])


def exponents(
    grids: list[dict[str, Any]], start_up: dict[str, Any], measured: str
) -> dict[str, float | None]:
    """Exponents of one of `MEASURED`, by name."""
    cells = [grid["cells"] for grid in grids]
    whole = [grid[measured] for grid in grids]
    above = [value - start_up[measured] for value in whole]
    return {
        "as measured": slope(cells, whole),
        "above start-up": slope(cells, above),
        "between the last two": slope(cells[-2:], whole[-2:]),
    }


def show_figures(figures: dict[str, Any]) -> None:
    """Print the runs and the exponents, of each stage too."""
    start_up, grids = figures["start_up"], figures["rows"]
    steps, usual = figures["training_steps"], figures["default_steps"]
    fewer = "the default" if steps == usual else f"fewer than the default of {usual}"
    stages = list(start_up["stages"])
    rows = [
        [
            f"{row['cells']:,}",
            f"{row['seconds']:.1f}",
            f"{row['cpu_seconds']:.1f}",
            f"{row['peak_bytes'] / 1e6:,.0f}",
            *(f"{row['stages'][stage]:.2f}" for stage in stages),
        ]
        for row in (start_up, *grids)
    ]
    for name in EXPONENTS:
        rows.append(
            [
                f"exponent {name}",
                *(_exponent(figures["exponents"][measured][name]) for measured in MEASURED),
                *(
                    _exponent(figures["stage_exponents"][stage]) if name == EXPONENTS[0] else ""
                    for stage in stages
                ),
            ]
        )
    show(
        f"fit on grids of {figures['times']} hourly steps; {steps} training steps in all ({fewer})",
        ("cells", "s", "CPU s", "peak MB", *(f"{stage} (s)" for stage in stages)),
        rows,
    )


def _exponent(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
