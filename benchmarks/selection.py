"""The plans of DynST beside those of every baseline ranker, each judged on the test stretch.

Errors are those of the forecast of every sensor. Two judges:

  shared   the mask-conditional forecaster before its mask was trained: it has seen random masks
           alone, and owes no plan anything
  ridge    ridge regression on lag features, fitted on the kept sensors alone

rmse_ratio is RMSE / RMSE of the same judge from all sensors, with its 95 % interval (moving blocks
of test windows, in pairs). The verdict is DynST's over that method: win or loss where the interval
of the ratio of the two lies below or above 1, else tie. Random is the mean of several plans.
"""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from measuring import new_parser, say, show, write_figures

from sensorplan.errors import SensorplanError
from sensorplan.evaluation import forecast_errors, ridge_errors
from sensorplan.metrics import Errors, average, ratio_interval
from sensorplan.pipeline.planning import baseline_history, prepare
from sensorplan.plan import Ranking, budget_at
from sensorplan.rankers import RANKERS, History, rank_by_dynst
from sensorplan.recipe import DataSettings, Recipe, override
from sensorplan.sensors import Bools
from sensorplan.training import Trainer

RANDOM_PLANS = 10
JUDGES = ("shared", "ridge")
COLUMNS = ("data", "sparsity", "judge", "method", "RMSE ratio", "95 % interval", "DynST")


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--sparsity", type=float, nargs="+", default=(0.4, 0.6, 0.8, 0.9))
    parser.add_argument("--judge", nargs="+", choices=JUDGES, default=JUDGES)
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    options = parser.parse_args()

    rows = []
    for path in options.data:
        recipe = Recipe(data=DataSettings(path=(str(path),)))
        recipe = override(recipe, "run", seed=options.seed)
        rows += measure(recipe, options.sparsity, options.judge)
        say(f"{path.stem}: done")
    show(
        f"Plans by method, seed {options.seed}",
        COLUMNS,
        [
            [
                row["data"],
                f"{row['sparsity']:g}",
                row["judge"],
                row["method"],
                f"{row['rmse_ratio']:.4f}",
                f"{row['ci_low']:.4f} to {row['ci_high']:.4f}",
                row["verdict"],
            ]
            for row in rows
        ],
    )
    write_figures(options.json, "selection", {"seed": options.seed, "rows": rows})


def measure(recipe: Recipe, sparsities: list[float], judges: list[str]) -> list[dict[str, Any]]:
    """Every method at every sparsity under every judge, on one network.

    Raises:
        SensorplanError: The data cannot be used.
    """
    prepared = prepare(recipe, lambda stage, parts: nullcontext(lambda done: None))
    trainer, early = prepared.trainer, prepared.trainer.snapshot()
    rankings = baselines(baseline_history(prepared.data, trainer.windows, recipe.run.seed))
    everything = np.ones(trainer.windows.regions, bool)
    rows = []
    for sparsity in sparsities:
        budget = budget_at(sparsity, len(everything))
        trained = rank_by_dynst(trainer, recipe.mask, budget, challengers=prepared.rankings)
        trainer.restore(early)
        masks = {"dynst": [trained.mask]} | {
            name: [ranking.keep(budget) for ranking in several]
            for name, several in rankings.items()
        }
        for judge in judges:
            errors = {name: judged(judge, trainer, several) for name, several in masks.items()}
            reference = judged(judge, trainer, [everything])
            rows += [
                {
                    "data": Path(recipe.data.path[0]).stem,
                    "sparsity": sparsity,
                    "judge": judge,
                    "method": name,
                    **compared(found, reference, trainer),
                    "verdict": verdict(errors["dynst"], found, trainer) if name != "dynst" else "",
                }
                for name, found in errors.items()
            ]
    return rows


def baselines(history: History) -> dict[str, list[Ranking]]:
    """The rankings of every baseline that the data allows, random several times."""
    rankings: dict[str, list[Ranking]] = {}
    for name, ranker in RANKERS.items():
        plans = RANDOM_PLANS if name == "random" else 1
        try:
            rankings[name] = [
                ranker(replace(history, seed=history.seed + plan)) for plan in range(plans)
            ]
        except SensorplanError as error:
            say(f"{name} is left out: {error}")
    return rankings


def judged(judge: str, trainer: Trainer, masks: list[Bools]) -> Errors:
    """Test errors of some plans; of several the mean."""
    windows = trainer.windows
    found = [
        ridge_errors(windows, mask)
        if judge == "ridge"
        else forecast_errors(windows, windows.split.test, trainer.forecast(mask))
        for mask in masks
    ]
    return average(found)


def compared(errors: Errors, reference: Errors, trainer: Trainer) -> dict[str, float]:
    """Ratio of the RMSE to that of a reference, with its interval."""
    low, high = ratio_interval(errors, reference, trainer.windows.split.overlap, seed=0)
    return {"rmse_ratio": errors.rmse / reference.rmse, "ci_low": low, "ci_high": high}


def verdict(plan: Errors, rival: Errors, trainer: Trainer) -> str:
    """Whether the plan is better than a rival beyond the interval."""
    ratio = compared(plan, rival, trainer)
    return "win" if ratio["ci_high"] < 1 else "loss" if ratio["ci_low"] > 1 else "tie"


if __name__ == "__main__":
    main()
