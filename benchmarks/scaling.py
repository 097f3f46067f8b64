"""How time, memory and what is read and written grow with the cells, times and channels of a grid.

    python benchmarks/scaling.py                              # cells, the default
    python benchmarks/scaling.py --cells 4000 --times 500 1000 2000
    python benchmarks/scaling.py --cells 4000 --channels 1 2 4

Makes smooth grids of one area (travelling waves, a daily cycle and noise, hourly), runs `sensorplan
fit` on each as a process of its own, and fits the exponent of wall time, processor time (which a
busy machine spoils less), peak memory and bytes moved against what there are several sizes of, by
least squares of the logarithms: 1 is linear. A second exponent is that of what comes on top of the
start-up, which a grid of a few cells stands for; the last one is between the two largest sizes.
With three sizes or more it also says what the others foretell for the largest.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from measuring import new_parser, run, say, show, write_figures

from sensorplan.recipe import Recipe, dump_recipe, override

SIZES = {"cells": (1000, 4000, 16000), "times": (400,), "channels": (1,)}  # by default
START_UP = 20  # cells of the grid that stands for the start-up
WAVES = 12
NOISE = 0.3
MEASURED = ("seconds", "cpu_seconds", "peak_bytes", "read_bytes", "written_bytes")
SHOWN = ("s", "CPU s", "peak MB", "read MB", "written MB")
EXPONENTS = ("as measured", "above start-up", "between the last two")

Row = dict[str, Any]


def main() -> None:
    parser = new_parser(__doc__)
    for axis, sizes in SIZES.items():
        default = " ".join(map(str, sizes))
        parser.add_argument(
            f"--{axis}", type=int, nargs="+", default=sizes, help=f"default {default}"
        )
    parser.add_argument(
        "--carry", type=int, nargs="+", default=(), metavar="SIZE", help="also foretell these sizes"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the grids, default 0")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of the training steps in every stage"
    )
    options = parser.parse_args()
    axis = axis_of(parser, options)
    sizes = {name: sorted(getattr(options, name)) for name in SIZES}
    recipe = few_steps() if options.quick else Recipe()
    with tempfile.TemporaryDirectory() as name:
        folder, smallest = Path(name), {name: values[0] for name, values in sizes.items()}
        asked = [{**smallest, axis: size} for size in sizes[axis]]
        rows = []
        for grid in ({**smallest, "cells": START_UP}, *asked):
            rows.append(measure(folder, recipe, seed=options.seed, **grid))
            made = ", ".join(f"{size} {name}" for name, size in grid.items())
            say(f"{made}: {rows[-1]['seconds']:.1f} s")
    start_up, *grids = rows
    figures = {
        "axis": axis,
        "training_steps": steps_of(recipe),
        "default_steps": steps_of(Recipe()),
        "start_up": start_up,
        "rows": grids,
        "exponents": {what: exponents(axis, grids, start_up, what) for what in MEASURED},
        "stage_exponents": {
            stage: slope(
                [grid[axis] for grid in grids], [grid["stages"].get(stage, 0) for grid in grids]
            )
            for stage in start_up["stages"]
        },
    }
    figures["carried"] = [carry(axis, grids, size) for size in options.carry]
    if len(grids) > 2:  # the largest, as the others foretell it
        figures["carried"].insert(0, carry(axis, grids[:-1], grids[-1][axis]))
    show_figures(figures)
    write_figures(options.json, "scaling", figures)


def axis_of(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """What there are several sizes of."""
    several = [axis for axis in SIZES if len(set(getattr(options, axis))) > 1]
    if len(several) > 1 and options.cells is SIZES["cells"]:
        parser.error(f"--{several[1]}: with several of them, give one size of --cells")
    if len(several) != 1:
        parser.error(f"expected several sizes of one of {', '.join(SIZES)}, and one of the others")
    if min(options.cells) <= START_UP:
        parser.error(f"--cells: expected sizes over {START_UP}")
    return several[0]


def few_steps() -> Recipe:
    """Default settings with a tenth of the steps; rounds and probes stay as many."""
    recipe = override(Recipe(), "mask", round_steps=2, update_every=1, practice=10)
    return override(recipe, "training", steps=40, fine_tune=10)


def steps_of(recipe: Recipe) -> int:
    """Training steps in all stages."""
    training, mask = recipe.training, recipe.mask
    return training.steps + mask.steps + mask.practice + 2 * training.fine_tune


def measure(
    folder: Path, recipe: Recipe, *, cells: int, times: int, channels: int, seed: int
) -> Row:
    """Make a grid of about so many cells, and run `fit` on it."""
    grid = make_grid(cells, times, seed, channels)
    names = f"grid_{cells}_{times}_{channels}"
    file, plan, settings = (folder / f"{names}.{ending}" for ending in ("nc", "plan", "toml"))
    settings.write_bytes(dump_recipe(override(recipe, "data", variable=tuple(grid.data_vars))))
    grid.to_netcdf(file)
    done = run("fit", file, "--recipe", settings, "--out", plan, "--quiet")
    stages = json.loads((plan / "plan.json").read_bytes())["timings"]
    size = file.stat().st_size
    file.unlink()
    return {
        "cells": grid.sizes["lat"] * grid.sizes["lon"],
        "times": times,
        "channels": channels,
        **{what: getattr(done, what) for what in MEASURED},
        "file_bytes": size,
        "plan_bytes": sum(file.stat().st_size for file in plan.iterdir()),
        "stages": {**stages, "loading and writing": done.seconds - sum(stages.values())},
    }


def make_grid(cells: int, times: int, seed: int, channels: int = 1) -> xr.Dataset:
    """A smooth field over one area: waves that travel, a daily cycle, noise of each cell.

    The waves are the same for every number of cells; every channel is a variable with its own.
    """
    rng = np.random.default_rng(seed)
    rows = max(2, round((5 / 8 * cells) ** 0.5))
    columns = max(2, round(cells / rows))
    y, x = np.meshgrid(np.linspace(0, 5, rows), np.linspace(0, 8, columns), indexing="ij")
    hours = np.arange(times)[:, None, None]

    def field() -> np.ndarray:
        values = 2 * np.sin(2 * np.pi * (hours / 24 + x / 60))
        for _ in range(WAVES):
            across, along = rng.normal(0, 0.8, 2)
            turn = 2 * np.pi / rng.uniform(10, 60)  # radians an hour
            amplitude, phase = rng.uniform(0.3, 1), rng.uniform(0, 2 * np.pi)
            values = values + amplitude * np.sin(along * y + across * x - turn * hours + phase)
        return (values + NOISE * rng.standard_normal(values.shape)).astype(np.float32)

    start = np.datetime64("2020-01-01T00", "ns")
    variables = {f"field{number}": field() for number in range(channels)}
    return xr.Dataset(
        {
            name: (("time", "lat", "lon"), values, {"units": "K"})
            for name, values in variables.items()
        },
        {
            "time": start + np.arange(times) * np.timedelta64(1, "h"),
            "lat": ("lat", 50 + y[:, 0], {"units": "degrees_north"}),
            "lon": ("lon", x[0], {"units": "degrees_east"}),
        },
    )


def slope(sizes: Sequence[float], measured: Sequence[float]) -> float | None:
    """Exponent of the power law through the points; None where one of them is not above zero."""
    if min(measured) <= 0:
        return None
    return float(np.polyfit(np.log(sizes), np.log(measured), 1)[0])


def exponents(axis: str, grids: list[Row], start_up: Row, what: str) -> dict[str, float | None]:
    """Exponents of one of `MEASURED`, by name."""
    sizes, whole = [grid[axis] for grid in grids], [grid[what] for grid in grids]
    return {
        "as measured": slope(sizes, whole),
        "above start-up": slope(sizes, [value - start_up[what] for value in whole]),
        "between the last two": slope(sizes[-2:], whole[-2:]),
    }


def carry(axis: str, grids: list[Row], size: int) -> Row:
    """What a run of another size would take, by the two largest that were run.

    Every stage follows the power law through its two times, at least a linear one; memory and bytes
    the straight line.
    """
    before, last = grids[-2:]
    times = size / last[axis]

    def stage(name: str) -> float:
        power = slope([before[axis], last[axis]], [row["stages"][name] for row in (before, last)])
        return last["stages"][name] * times ** max(1.0, power or 1.0)

    def straight(what: str) -> float:
        each = (last[what] - before[what]) / (last[axis] - before[axis])
        return last[what] + each * (size - last[axis])

    stages = {name: stage(name) for name in last["stages"]}
    moved = {what: straight(what) for what in MEASURED[2:]}
    return {**last, axis: size, "seconds": sum(stages.values()), **moved, "stages": stages}


def show_figures(figures: dict[str, Any]) -> None:
    """Print the runs and the exponents, and those of each stage."""
    start_up, grids, axis = figures["start_up"], figures["rows"], figures["axis"]
    steps, usual = figures["training_steps"], figures["default_steps"]
    fewer = "the default" if steps == usual else f"fewer than the default of {usual}"
    rows = [
        [
            *(f"{row[name]:,}" for name in SIZES),
            *(f"{row[name]:,.1f}" for name in MEASURED[:2]),
            *(f"{row[name] / 1e6:,.0f}" for name in MEASURED[2:]),
        ]
        for row in (start_up, *grids)
    ]
    for name in EXPONENTS:
        found = (_exponent(figures["exponents"][what][name]) for what in MEASURED)
        rows.append([f"exponent {name}", "", "", *found])
    for row in figures["carried"]:
        sizes = (f"{row[name]:,}" for name in SIZES)
        moved = (f"{row[name] / 1e6:,.0f}" for name in MEASURED[2:])
        rows.append([*sizes, f"{row['seconds']:,.1f}", "", *moved, "foretold"])
    title = f"fit on hourly grids; {steps} training steps in all ({fewer})"
    show(title, (*SIZES, *SHOWN, ""), rows)
    stages = [
        [
            stage,
            *(f"{row['stages'].get(stage, 0):.2f}" for row in (start_up, *grids)),
            _exponent(figures["stage_exponents"][stage]),
        ]
        for stage in start_up["stages"]
    ]
    sizes = ["start-up", *(f"{row[axis]:,} {axis}" for row in grids)]
    show("seconds of each stage", ("stage", *sizes, "exponent"), stages)


def _exponent(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
