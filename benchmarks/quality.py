"""Is a plan any good: its forecast error beside all sensors, random plans and no sensors at all.

Each data file goes through the stages of `fit` with default settings. Errors are those of the
forecast of every sensor on the test stretch, which nothing was trained on. Three judges:

  shared   the mask-conditional forecaster as mask training leaves it, no fine-tuning
  early    the same one before its mask was trained: it has seen random masks alone, so it owes
           the plan nothing
  tuned    the forecaster that `fit` ships with each plan; random plans: the first few. "linear" is
           ridge regression on the same plan

The verdicts: the plan's RMSE is at most 1.10 times that of all sensors; it is below the mean of the
random plans; all sensors beat persistence and climatology; the plan beats linear regression on it.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from measuring import new_parser, no_progress, say, show, write_figures

from sensorplan.errors import SensorplanError
from sensorplan.evaluation import forecast_errors, make_linear, ship
from sensorplan.metrics import value_kept
from sensorplan.pipeline.planning import plan_sensors, prepare
from sensorplan.recipe import DataSettings, Recipe, load_recipe
from sensorplan.sensors import Bools
from sensorplan.training import Trainer

LIMIT = 1.10  # RMSE of a good plan / RMSE of all sensors
TUNED_RANDOM = 3  # random plans that are fine-tuned
COLUMNS = (
    "data",
    "judge",
    "kept",
    "all",
    "plan",
    "random ± std (n)",
    "plan/all",
    "random/all",
    "persistence",
    "climatology",
    "linear",
    "value kept",
    f"≤ {LIMIT:.2f}",
    "< random",
    "learns",
    "< linear",
    "unit",
    "s",
)


@dataclass(frozen=True)
class Judgement:
    """What one judge says: RMSE on the test stretch.

    Attributes:
        everything: Of all sensors.
        plan: Of the plan.
        random: Of each random plan of the same size.
    """

    everything: float
    plan: float
    random: list[float]

    def to_json(self, persistence: float, climatology: float) -> dict[str, Any]:
        """The figures and the verdicts, given the RMSE of the references."""
        random = mean(self.random)
        return {
            "rmse_all": self.everything,
            "rmse_plan": self.plan,
            "rmse_random": self.random,
            "rmse_random_mean": random,
            "rmse_random_std": stdev(self.random) if len(self.random) > 1 else None,
            "ratio_plan": self.plan / self.everything,
            "ratio_random": random / self.everything,
            "value_kept": value_kept(climatology, self.plan, self.everything),
            "within_limit": self.plan <= LIMIT * self.everything,
            "beats_random": self.plan < random,
            "all_beat_references": self.everything < min(persistence, climatology),
        }


def main() -> None:
    parser = new_parser(__doc__)
    parser.add_argument("data", nargs="+", type=Path, help="one row for each file")
    parser.add_argument("--sparsity", type=float, default=0.6, help="default 0.6")
    parser.add_argument("--random", type=int, default=10, metavar="N", help="plans, default 10")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="other settings than defaults")
    options = parser.parse_args()
    if options.random < 1:
        parser.error(f"--random {options.random}; expected at least 1")
    base = load_recipe(options.recipe) if options.recipe else Recipe()

    rows = []
    for path in options.data:
        try:
            rows.append(measure(_with(base, path, options), options.random))
        except SensorplanError as error:
            say(f"{path}: {error}")
            rows.append({"data": path.stem, "error": str(error)})
            continue
        say(f"{path.stem}: {rows[-1]['seconds']['in_all']:.0f} s")
    show(f"RMSE at sparsity {options.sparsity:g}, seed {options.seed}", COLUMNS, _lines(rows))
    settings = {"sparsity": options.sparsity, "random_plans": options.random, "seed": options.seed}
    write_figures(options.json, "quality", {**settings, "limit": LIMIT, "rows": rows})
    if any("error" in row for row in rows):
        raise SystemExit(1)


def _with(base: Recipe, path: Path, options: Any) -> Recipe:
    return base.model_copy(
        update={
            "data": DataSettings(path=(str(path),)),
            "mask": base.mask.model_copy(update={"sparsity": options.sparsity, "budget": None}),
            "run": base.run.model_copy(update={"seed": options.seed}),
        }
    )


def measure(recipe: Recipe, random_plans: int) -> dict[str, Any]:
    """Plan a network as `fit` does, and judge the plan beside random ones.

    Raises:
        SensorplanError: The data or the settings cannot be used.
    """
    begin = time.perf_counter()
    prepared = prepare(recipe, no_progress)
    data, regions, trainer = prepared.data, prepared.regions, prepared.trainer
    windows, budget = trainer.windows, prepared.rules.budget
    early = trainer.snapshot()
    trained, evidence = plan_sensors(prepared, recipe, no_progress)
    planned = time.perf_counter()

    others = _random_plans(len(regions), budget, random_plans, recipe.run.seed)
    judgements = {"shared": _judge(trainer, trained.mask, others)}
    shared = trainer.snapshot()
    trainer.restore(early)
    judgements["early"] = _judge(trainer, trained.mask, others)
    trainer.restore(shared)
    regression = make_linear(trainer)
    judgements["tuned"] = Judgement(
        evidence.metrics.all_sensors.rmse,
        evidence.metrics.plan.rmse,
        [_tuned(trainer, regression, mask) for mask in others[:TUNED_RANDOM]],
    )
    linear = evidence.metrics.linear
    persistence = evidence.metrics.persistence.rmse
    climatology = evidence.metrics.climatology.rmse
    return {
        "data": Path(recipe.data.path[0]).stem,
        "sensors": len(data.sensors),
        "regions": len(regions),
        "budget": budget,
        "sparsity": 1 - budget / len(regions),
        "lookback": windows.split.lookback,
        "horizon": windows.split.horizon,
        "unit": evidence.metrics.unit,
        "rmse_persistence": persistence,
        "rmse_climatology": climatology,
        "rmse_linear": linear.rmse if linear else None,
        "shipped": evidence.shipped.backbone,
        "linear_share": evidence.shipped.linear_share,
        "judges": {
            name: judgement.to_json(persistence, climatology)
            for name, judgement in judgements.items()
        },
        "warnings": [*data.warnings, *evidence.warnings],
        "seconds": {"plan": planned - begin, "in_all": time.perf_counter() - begin},
    }


def _tuned(trainer: Trainer, regression: Trainer | None, mask: Bools) -> float:
    """RMSE of what `fit` ships with a plan."""
    windows, shipped = trainer.windows, ship(trainer, regression, mask)
    return forecast_errors(windows, windows.split.test, shipped.forecast).rmse


def _random_plans(regions: int, budget: int, count: int, seed: int) -> list[Bools]:
    rng = np.random.default_rng(seed)
    plans = []
    for _ in range(count):
        mask = np.zeros(regions, bool)
        mask[rng.choice(regions, budget, replace=False)] = True
        plans.append(mask)
    return plans


def _judge(trainer: Trainer, plan: Bools, others: list[Bools]) -> Judgement:
    """The forecaster as it is now, given each plan's sensors."""

    def rmse(mask: Bools) -> float:
        windows = trainer.windows
        return forecast_errors(windows, windows.split.test, trainer.forecast(mask)).rmse

    return Judgement(rmse(np.ones_like(plan)), rmse(plan), [rmse(mask) for mask in others])


def _lines(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Rows as text, one a judge."""
    lines = []
    for row in rows:
        if "error" in row:
            lines.append([row["data"], "failed", *[""] * (len(COLUMNS) - 2)])
            continue
        for name, judge in row["judges"].items():
            linear, tuned = row["rmse_linear"], name == "tuned"
            std, kept = judge["rmse_random_std"], judge["value_kept"]
            spread = "" if std is None else f" ± {_number(std)}"
            lines.append(
                [
                    row["data"],
                    name,
                    f"{row['budget']}/{row['regions']}",
                    _number(judge["rmse_all"]),
                    _number(judge["rmse_plan"]),
                    f"{_number(judge['rmse_random_mean'])}{spread} ({len(judge['rmse_random'])})",
                    f"{judge['ratio_plan']:.3f}",
                    f"{judge['ratio_random']:.3f}",
                    _number(row["rmse_persistence"]),
                    _number(row["rmse_climatology"]),
                    _number(linear) if tuned and linear else "",
                    "none" if kept is None else f"{100 * kept:.0f} %",
                    *(
                        "yes" if judge[verdict] else "NO"
                        for verdict in ("within_limit", "beats_random", "all_beat_references")
                    ),
                    ("yes" if judge["rmse_plan"] < linear else "NO") if tuned and linear else "",
                    row["unit"],
                    f"{row['seconds']['plan']:.0f}",
                ]
            )
    return lines


def _number(value: float) -> str:
    return f"{value:.4g}"


if __name__ == "__main__":
    main()
