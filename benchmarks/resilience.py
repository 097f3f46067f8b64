"""How well the table of single failures orders the sensors, beside forecasters fitted afresh.

Plans as `fit` does, judges every failure without refitting, and takes sensors that are evenly
spread over that order, from the most costly one on. Each of them is then taken out of the plan and
a forecaster fitted afresh: ridge regression, and a network that practises on all these masks
(`sensorplan compare` judges by the same two). Spearman's rank correlation says how far two orders
agree; that of the two truths with one another says how much can be hoped for.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measuring import new_parser, no_progress, say, show, write_figures
from scipy.stats import spearmanr

from sensorplan.evaluation import Panel, RidgeJudge, judge_failures, mask_errors, train_judge
from sensorplan.evaluation.panel import observed_spread
from sensorplan.evaluation.resilience import Failures, failure_effort
from sensorplan.pipeline.planning import Prepared, plan_sensors, prepare
from sensorplan.pipeline.reasons import judging_members
from sensorplan.recipe import DataSettings, Recipe, override
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.training import Trainer

WANTED = 0.7  # of the correlation
TABLE, NETWORK, REGRESSION, RIDGE, NEURAL = (
    *("table", "network alone", "regression alone"),
    *("refitted ridge", "refitted network"),
)


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sparsity", type=float, default=0.6, help="default %(default)s")
    parser.add_argument("--failures", type=int, default=20, help="to refit, default %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    options = parser.parse_args()
    if options.failures < 3:
        parser.error(f"--failures {options.failures}; expected at least 3 to correlate")

    recipe = Recipe(data=DataSettings(path=(str(options.data),)))
    recipe = override(recipe, "mask", sparsity=options.sparsity)
    recipe = override(recipe, "run", seed=options.seed)
    say("planning")
    prepared = prepare(recipe, no_progress)
    _, evidence = plan_sensors(prepared, recipe, no_progress)
    say("judging failures")
    mask, begin = evidence.mask, time.perf_counter()
    members = judging_members(prepared.trainer, evidence)
    failures, seconds = timed(members, mask, prepared, options.seed, begin)
    costs = measure(prepared, members, failures, mask, recipe, options.failures)
    figures = {
        "data": options.data.stem,
        "sparsity": options.sparsity,
        "seed": options.seed,
        "kept": int(mask.sum()),
        "judged": failures.summary.judged,
        "windows": failures.summary.windows,
        "seconds": seconds,
        "sensors": costs.pop("sensors"),
        "rise": {name: list(map(float, rises)) for name, rises in costs.items()},
        "spearman": {
            name: {truth: float(spearmanr(costs[name], costs[truth]).statistic) for truth in costs}
            for name in costs
        },
        "wanted": WANTED,
    }
    show_figures(figures)
    write_figures(options.json, "resilience", figures)


def timed(
    members: Sequence[Trainer], mask: Bools, prepared: Prepared, seed: int, begin: float
) -> tuple[Failures, dict[str, float]]:
    """The failures, and the seconds to the end of the single ones and of all."""
    single = failure_effort(len(mask), int(mask.sum())).single
    ended: dict[str, float] = {}

    def done(masks: int) -> None:
        if masks == single:
            ended["single"] = time.perf_counter() - begin

    failures = judge_failures(members, mask, prepared.regions.names, seed, done)
    return failures, {**ended, "all": time.perf_counter() - begin}


def measure(
    prepared: Prepared,
    members: Sequence[Trainer],
    failures: Failures,
    mask: Bools,
    recipe: Recipe,
    count: int,
) -> dict[str, Any]:
    """Names of some sensors, and by judge what the failure of each adds to the RMSE."""
    windows, chosen = prepared.trainer.windows, spread_over(failures.penalty, count)
    masks = [mask & (np.arange(len(mask)) != region) for region in chosen]
    starts = observed_spread(windows, windows.split.test, failures.summary.windows)
    costs: dict[str, Any] = {
        "sensors": [prepared.regions.names[region] for region in chosen],
        TABLE: failures.penalty[chosen],
    }
    for name, member in zip((NETWORK, REGRESSION), members, strict=False):
        panel = Panel([member], mask, starts)
        costs[name] = rises([panel.errors(left).rmse for left in masks], 1.0)
    say("refitting")
    ridge = RidgeJudge(windows)
    costs[RIDGE] = rises([ridge.errors(left).rmse for left in masks], ridge.errors(mask).rmse)
    judge = train_judge(windows, recipe.training, recipe.run.seed, [mask, *masks])
    costs[NEURAL] = rises(
        [mask_errors(judge, left).rmse for left in masks], mask_errors(judge, mask).rmse
    )
    return costs


def spread_over(penalty: Floats, count: int) -> Ints:
    """So many of the judged regions, evenly spread from the most to the least costly."""
    judged = np.flatnonzero(np.isfinite(penalty))
    order = judged[np.argsort(-penalty[judged], kind="stable")]
    places = np.linspace(0, len(order) - 1, min(count, len(order)))
    spread: Ints = order[np.round(places).astype(int)]
    return spread


def rises(rmse: Sequence[float], intact: float) -> Floats:
    """Relative rises of the RMSE."""
    return np.array(rmse) / intact - 1


def show_figures(figures: dict[str, Any]) -> None:
    """Print the costs and the correlations."""
    rise = figures["rise"]
    show(
        "Rise of the RMSE when a sensor fails",
        ("sensor", *rise),
        [
            [sensor, *(f"{100 * rise[name][place]:+.2f} %" for name in rise)]
            for place, sensor in enumerate(figures["sensors"])
        ],
    )
    truths = (RIDGE, NEURAL)
    show(
        f"Spearman's correlation (wanted: {figures['wanted']:g} of the table)",
        ("order", *truths),
        [[name, *(f"{row[truth]:.2f}" for truth in truths)] for name, row in spearman(figures)],
    )
    seconds = figures["seconds"]
    print(
        f"{figures['judged']} of {figures['kept']} single failures on {figures['windows']} test "
        f"windows: {seconds['single']:.1f} s; with pairs and random ones {seconds['all']:.1f} s"
    )


def spearman(figures: dict[str, Any]) -> list[tuple[str, dict[str, float]]]:
    """The correlations of each order."""
    return list(figures["spearman"].items())


if __name__ == "__main__":
    main()
