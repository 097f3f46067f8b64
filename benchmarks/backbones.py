"""Every backbone on the same data: its forecast beside the references, and what a plan costs it.

Each goes through the stages of `fit` with default settings. Errors are RMSE of the forecast of
every sensor on the test stretch, of the network alone (fine-tuned, no blend with regression):
"all" from all sensors, "plan" from those that DynST keeps at --sparsity with that backbone.
"linear" is ridge regression from all sensors. A backbone that cannot take the data is left out, and
said.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from measuring import new_parser, no_progress, say, show, write_figures

from sensorplan.errors import SensorplanError
from sensorplan.evaluation import (
    climatology_errors,
    forecast_errors,
    make_linear,
    persistence_errors,
    ship,
)
from sensorplan.forecasters import FORECASTERS
from sensorplan.pipeline.planning import plan_sensors, prepare
from sensorplan.recipe import (
    DataSettings,
    MaskSettings,
    Recipe,
    RunSettings,
    TrainingSettings,
    WindowSettings,
)
from sensorplan.sensors import Bools
from sensorplan.training import Trainer

WITHIN = 1.15  # plan / all
COLUMNS = (
    "data",
    "backbone",
    "regions",
    "kept",
    "all",
    "plan",
    "plan/all",
    "linear",
    "persistence",
    "climatology",
    f"≤ {WITHIN}",
    "beats all three",
    "s",
)


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--backbone", nargs="+", choices=FORECASTERS, default=list(FORECASTERS))
    parser.add_argument("--sparsity", type=float, default=0.5, help="default 0.5")
    parser.add_argument("--variable", help="default: the file's first")
    parser.add_argument("--patch", metavar="ROWSxCOLUMNS", help="as in fit; default: cells")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    options = parser.parse_args()
    rows = []
    for path in options.data:
        for backbone in options.backbone:
            variable = (options.variable,) if options.variable else ()
            recipe = Recipe(
                data=DataSettings(path=(str(path),), variable=variable),
                window=WindowSettings(patch=options.patch),
                mask=MaskSettings(sparsity=options.sparsity),
                training=TrainingSettings(backbone=backbone),
                run=RunSettings(seed=options.seed),
            )
            try:
                rows.append({"data": path.stem, "backbone": backbone, **measure(recipe)})
            except SensorplanError as error:
                say(f"{path.stem}, {backbone}: {error}")
                continue
            say(f"{path.stem}, {backbone}: {rows[-1]['seconds']:.0f} s")
    show(
        f"RMSE, {100 * options.sparsity:g} % off, seed {options.seed}",
        COLUMNS,
        [line(row) for row in rows],
    )
    settings = {"sparsity": options.sparsity, "patch": options.patch, "seed": options.seed}
    write_figures(options.json, "backbones", {**settings, "rows": rows})


def measure(recipe: Recipe) -> dict[str, Any]:
    """Plan with a backbone, and forecast from all sensors and from the plan.

    Raises:
        SensorplanError: The data or the settings cannot be used.
    """
    begin = time.perf_counter()
    prepared = prepare(recipe, no_progress)
    trainer = prepared.trainer
    windows, test = trainer.windows, trainer.windows.split.test
    trained, evidence = plan_sensors(prepared, recipe, no_progress)
    seconds = time.perf_counter() - begin
    everything = np.ones(windows.regions, bool)
    whole = rmse(trainer, everything)
    linear = make_linear(trainer)
    floor = whole if recipe.training.backbone == "linear" else linear and rmse(linear, everything)
    return {
        "regions": windows.regions,
        "kept": prepared.rules.budget,
        "rmse_all": whole,
        "rmse_plan": rmse(trainer, trained.mask),
        "rmse_linear": floor,
        "rmse_persistence": persistence_errors(windows, test).rmse,
        "rmse_climatology": climatology_errors(windows, test).rmse,
        "shipped": evidence.shipped.backbone,
        "rmse_shipped_all": evidence.metrics.all_sensors.rmse,
        "rmse_shipped_plan": evidence.metrics.plan.rmse,
        "seconds": seconds,
    }


def rmse(trainer: Trainer, mask: Bools) -> float:
    """Of the network alone, fine-tuned on a mask."""
    windows, shipped = trainer.windows, ship(trainer, None, mask)
    return forecast_errors(windows, windows.split.test, shipped.forecast).rmse


def line(row: dict[str, Any]) -> list[str]:
    """A row as text."""
    references = [row[f"rmse_{name}"] for name in ("linear", "persistence", "climatology")]
    known = [reference for reference in references if reference is not None]
    beaten = sum(row["rmse_all"] < reference for reference in known)
    return [
        row["data"],
        row["backbone"],
        str(row["regions"]),
        str(row["kept"]),
        f"{row['rmse_all']:.4g}",
        f"{row['rmse_plan']:.4g}",
        f"{row['rmse_plan'] / row['rmse_all']:.3f}",
        *("none" if reference is None else f"{reference:.4g}" for reference in references),
        "yes" if row["rmse_plan"] <= WITHIN * row["rmse_all"] else "NO",
        "floor" if row["backbone"] == "linear" else "yes" if beaten == len(known) else "NO",
        f"{row['seconds']:.0f}",
    ]


if __name__ == "__main__":
    main()
