"""DynST beside every baseline ranker on several data sets, each plan judged on rolling origins.

What `sensorplan compare` does, on each set, and a summary over them. rmse_ratio is RMSE / RMSE of
the same judge from all sensors, with its 95 % interval. The verdict is DynST's over that method:
win or loss where the whole interval of the ratio of the two lies beyond 0.5 %, else tie. Random is
the mean of several plans.

The summary is over cases (set, sparsity, judge): the mean ratio of each method; its excess, the
ratios less one, summed, as a share of that of random, over the cases that both can take; and the
verdicts. "best rival" is the best method but DynST and random, picked in each case with hindsight.
"""

from collections import Counter
from pathlib import Path
from statistics import mean
from typing import Any

from measuring import new_parser, say, show, write_figures

from sensorplan.errors import SensorplanError
from sensorplan.pipeline.comparing import FOLDS, SEEDS, SPARSITIES, Compared, compare_methods
from sensorplan.pipeline.judging import JUDGES
from sensorplan.rankers import OWN, RANDOM
from sensorplan.recipe import DataSettings, Recipe, override

HINDSIGHT = "best rival"
VERDICTS = ("win", "tie", "loss")
COLUMNS = ("data", "sparsity", "judge", "method", "RMSE ratio", "95 % interval", "value kept")
DIFFERENCE = ("DynST", "DynST / method", "95 % interval")


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--sparsity", type=float, nargs="+", default=SPARSITIES)
    parser.add_argument("--folds", type=int, default=FOLDS, help="default %(default)s")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many, default %(default)s")
    parser.add_argument("--judge", nargs="+", choices=JUDGES, default=JUDGES)
    parser.add_argument("--seed", type=int, default=0, help="the first, default 0")
    parser.add_argument("--workers", type=int, help="folds at a time, default one a core")
    options = parser.parse_args()

    rows: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    for path in options.data:
        recipe = Recipe(data=DataSettings(path=(str(path),)))
        recipe = override(recipe, "run", seed=options.seed)
        try:
            compared = compare_methods(
                recipe,
                sparsities=options.sparsity,
                folds=options.folds,
                seeds=options.seeds,
                judges=options.judge,
                workers=options.workers,
            )
        except SensorplanError as error:
            say(f"{path}: {error}")
            failed[path.stem] = str(error)
            continue
        for warning in compared.comparison.warnings:
            say(f"{path.stem}: {warning}")
        rows += rows_of(path.stem, compared)
        say(f"{path.stem}: {sum(compared.comparison.timings.values()):.0f} s")
    if rows:
        show("Plans by method", (*COLUMNS, *DIFFERENCE), [line(row) for row in rows])
        summary = summarise(rows)
        show_summary(summary)
        settings = {"folds": options.folds, "seeds": options.seeds, "seed": options.seed}
        figures = {**settings, "rows": rows, "summary": summary, "failed": failed}
        write_figures(options.json, "selection", figures)
    if failed:
        raise SystemExit(1)


def rows_of(name: str, compared: Compared) -> list[dict[str, Any]]:
    """The rows of one data set."""
    return [{"data": name, **row.model_dump()} for row in compared.comparison.rows]


def line(row: dict[str, Any]) -> list[str]:
    """A row as text."""
    kept = row["value_kept"]
    against = ["", "", ""]
    if row["verdict"]:
        interval = f"{row['dynst_low']:.4f} to {row['dynst_high']:.4f}"
        against = [row["verdict"], f"{row['dynst_ratio']:.4f}", interval]
    return [
        row["data"],
        f"{row['sparsity']:g}",
        row["judge"],
        row["method"],
        f"{row['rmse_ratio']:.4f}",
        f"{row['ci_low']:.4f} to {row['ci_high']:.4f}",
        "none" if kept is None else f"{100 * kept:.0f} %",
        *against,
    ]


def summarise(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By method, and for the best rival with hindsight, the figures over all cases."""
    ratios: dict[str, dict[tuple[Any, ...], float]] = {}
    verdicts: dict[str, Counter[str]] = {}
    for row in rows:
        case = row["data"], row["sparsity"], row["judge"]
        ratios.setdefault(row["method"], {})[case] = row["rmse_ratio"]
        if row["method"] not in (OWN, RANDOM):
            best = ratios.setdefault(HINDSIGHT, {})
            best[case] = min(best.get(case, float("inf")), row["rmse_ratio"])
        if row["verdict"]:
            verdicts.setdefault(row["method"], Counter())[row["verdict"]] += 1
    random = ratios[RANDOM]
    return {
        method: {
            "cases": len(found),
            "mean_ratio": mean(found.values()),
            "excess_of_random": share(excess(found), excess({c: random[c] for c in found})),
            **{verdict: verdicts.get(method, Counter())[verdict] for verdict in VERDICTS},
        }
        for method, found in sorted(ratios.items(), key=lambda item: mean(item[1].values()))
    }


def excess(ratios: dict[tuple[Any, ...], float]) -> float:
    """Sum of the ratios less one."""
    return sum(ratio - 1 for ratio in ratios.values())


def share(part: float, whole: float) -> float | None:
    """Part / whole; None where the whole is not above zero."""
    return part / whole if whole > 0 else None


def show_summary(summary: dict[str, dict[str, Any]]) -> None:
    """Print the figures over all cases, and the verdicts in all."""
    show(
        "Over all cases; verdicts are DynST's over the method",
        ("method", "cases", "mean ratio", "excess / random", *VERDICTS),
        [
            [
                method,
                str(found["cases"]),
                f"{found['mean_ratio']:.4f}",
                number(found["excess_of_random"]),
                *(str(found[verdict]) if any_verdict(found) else "" for verdict in VERDICTS),
            ]
            for method, found in summary.items()
        ],
    )
    counts = {verdict: sum(found[verdict] for found in summary.values()) for verdict in VERDICTS}
    print("DynST in all: " + ", ".join(f"{name} {count}" for name, count in counts.items()))


def number(value: float | None) -> str:
    """A number to three decimals."""
    return "none" if value is None else f"{value:.3f}"


def any_verdict(found: dict[str, Any]) -> bool:
    """Whether DynST was held against the method."""
    return any(found[verdict] for verdict in VERDICTS)


if __name__ == "__main__":
    main()
