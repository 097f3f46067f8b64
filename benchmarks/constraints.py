"""What constraints cost in time, and what a plan within a sum of money is worth.

`time`: `sensorplan fit` with 20 sensors required, 20 excluded and a least distance, and without, in
turn; the ratio of their processor times.

`money`: every sensor gets a cost (drawn, log-uniform between 1 and 10), and a share of the sum of
all may be spent. The plan of DynST under ``--max-cost`` stands beside rankings taken from the top,
each sensor that can still be paid, until the money is gone: those of every baseline, and DynST's
own without costs. Two judges fitted afresh forecast from each on later time; RMSE / RMSE from all
sensors, and that of the plan over that of the ranking with its 95 % interval.
"""

import csv
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from measuring import new_parser, no_progress, run, say, show, write_figures

from sensorplan.constraints import free_rules
from sensorplan.constraints.distances import near
from sensorplan.evaluation import RidgeJudge, mask_errors, train_judge
from sensorplan.metrics import Errors, ratio_interval
from sensorplan.pipeline.planning import prepare, train_mask
from sensorplan.pipeline.preparing import read_regions
from sensorplan.plan import budget_at
from sensorplan.rankers import OWN
from sensorplan.recipe import ConstraintSettings, DataSettings, Recipe

FIXED = 20  # required sensors, and as many excluded ones
CHEAPEST, DEAREST = 1.0, 10.0


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("what", choices=("time", "money"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--sparsity", type=float, default=0.6, help="of time, default 0.6")
    parser.add_argument("--min-distance", default="600m", help="of time, default 600m")
    parser.add_argument("--pairs", type=int, default=2, help="of time, default 2")
    parser.add_argument("--share", type=float, default=0.4, help="of money to spend, default 0.4")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure = measure_time if options.what == "time" else measure_money
        figures = measure(options, Path(folder))
    write_figures(options.json, "constraints", {"what": options.what, **figures})


def measure_time(options: Any, folder: Path) -> dict[str, Any]:
    recipe = Recipe(data=DataSettings(path=(str(options.data),)))
    _, regions = read_regions(recipe)
    table = folder / "sites.csv"
    metres = float(options.min_distance.removesuffix("m"))
    write_table(table, regions.names, status=fixed_sensors(regions, metres, options.seed))
    size = ("--sparsity", str(options.sparsity), "--quiet")
    asked = ("--sites", table, "--min-distance", options.min_distance)
    pairs = []
    for number in range(options.pairs):
        seconds = {}
        for name in ("free", "bound") if number % 2 == 0 else ("bound", "free"):
            more = asked if name == "bound" else ()
            out = folder / f"{name}{number}"
            seconds[name] = run("fit", options.data, *size, *more, "--out", out).cpu_seconds
        pairs.append({**seconds, "ratio": seconds["bound"] / seconds["free"]})
        say(f"pair {number + 1}: {pairs[-1]}")
    ratio = median(pair["ratio"] for pair in pairs)
    rows = [[f"{pair[name]:.2f}" for name in ("free", "bound", "ratio")] for pair in pairs]
    show(f"Processor seconds of fit, {options.data.stem}", ("free", "bound", "ratio"), rows)
    return {"pairs": pairs, "ratio": ratio}


def fixed_sensors(regions: Any, metres: float, seed: int) -> list[str]:
    """Status of each: some required, no two too near to each other, and some excluded."""
    positions = regions.positions
    close = {tuple(pair) for pair in near(positions, positions, metres, geographic=True)}
    order = np.random.default_rng(seed).permutation(len(regions))
    required: list[int] = []
    for region in order:
        if len(required) < FIXED and not any((region, other) in close for other in required):
            required.append(int(region))
    excluded = [region for region in order if region not in required][:FIXED]
    status = [""] * len(regions)
    for region in required:
        status[region] = "required"
    for region in excluded:
        status[region] = "excluded"
    return status


def measure_money(options: Any, folder: Path) -> dict[str, Any]:
    data = DataSettings(path=(str(options.data),))
    _, regions = read_regions(Recipe(data=data))
    rng = np.random.default_rng(options.seed)
    cost = np.exp(rng.uniform(np.log(CHEAPEST), np.log(DEAREST), len(regions))).round(2)
    write_table(folder / "sites.csv", regions.names, cost=[f"{one:.2f}" for one in cost])
    asked = ConstraintSettings(
        sites=str(folder / "sites.csv"), max_cost=round(options.share * float(cost.sum()), 2)
    )
    recipe = Recipe(data=data, constraints=asked)
    prepared = prepare(recipe, no_progress)
    trainer, rules = prepared.trainer, prepared.rules
    early, stream = trainer.snapshot(), trainer.rng.bit_generator.state
    plan = train_mask(trainer, recipe.mask, rules, prepared.rankings, lambda step: None)
    say(f"best on earlier time: {min(plan.candidates, key=plan.candidates.__getitem__)}")
    trainer.restore(early)
    trainer.rng.bit_generator.state = stream
    half = free_rules(len(regions), budget_at(0.5, len(regions)))
    own = train_mask(trainer, recipe.mask, half, prepared.rankings, lambda step: None)
    rankings = {f"{OWN} without costs": own.ranking, **prepared.rankings}
    masks = {"plan": plan.mask, **{name: rules.cut(r.order) for name, r in rankings.items()}}
    everything = np.ones(len(regions), bool)
    windows = trainer.windows
    network = train_judge(
        windows, recipe.training, options.seed, [everything, *masks.values()], lambda step: None
    )
    judges = {
        "neural": lambda mask: mask_errors(network, mask),
        "ridge": RidgeJudge(windows).errors,
    }
    rows = []
    for judge, errors_of in judges.items():
        whole, errors = errors_of(everything), {n: errors_of(mask) for n, mask in masks.items()}
        for name, mask in masks.items():
            rows.append(
                {
                    "judge": judge,
                    "method": name,
                    "kept": int(mask.sum()),
                    "cost": float(cost[mask].sum()),
                    "rmse_ratio": errors[name].rmse / whole.rmse,
                    **against(errors["plan"], errors[name], windows.split.overlap),
                }
            )
    columns = ("judge", "method", "kept", "cost", "rmse_ratio", "plan_over", "ci_low", "ci_high")
    lines = [
        [f"{row[c]:.4f}" if isinstance(row[c], float) else str(row[c]) for c in columns]
        for row in rows
    ]
    show(f"{options.data.stem}: at most {asked.max_cost:g} of {cost.sum():.2f}", columns, lines)
    return {"max_cost": asked.max_cost, "rows": rows}


def against(plan: Errors, rival: Errors, overlap: int) -> dict[str, float]:
    """RMSE of the plan over that of a rival, with its interval."""
    low, high = ratio_interval(plan, rival, overlap, seed=0)
    return {"plan_over": plan.rmse / rival.rmse, "ci_low": low, "ci_high": high}


def write_table(file: Path, names: tuple[str, ...], **columns: list[str]) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", *columns])
        writer.writerows(zip(names, *columns.values(), strict=True))


if __name__ == "__main__":
    main()
