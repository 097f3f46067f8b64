"""`compare`: every method at several sparsities, judged on rolling origins."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sensorplan.comparison import COMPARISON_FILE, Comparison, LeadRow, SensorRow
from sensorplan.constraints import ensure_feasible, state_constraints
from sensorplan.devices import choose_device, cores, prepare_torch
from sensorplan.errors import RecipeError
from sensorplan.evaluation import (
    MARGIN,
    forecaster_warnings,
    join_folds,
    lead_rows,
    method_rows,
    score_of,
    sensor_rows,
)
from sensorplan.exports.comparison_folder import write_comparison
from sensorplan.exports.folder import check_target
from sensorplan.metrics import average
from sensorplan.pipeline.judging import JUDGES, Fold, judge_fold
from sensorplan.pipeline.planning import RANDOM_PLANS, error_unit, left_out_notes
from sensorplan.pipeline.preparing import default_folder, read_regions
from sensorplan.pipeline.recording import Progress, Stages, data_record, versions
from sensorplan.pipeline.workers import do_each
from sensorplan.plan import budget_at, check_sparsity
from sensorplan.rankers import OWN, RANKERS
from sensorplan.recipe import Recipe
from sensorplan.windows import rolling_origins, split_record, split_windows

if TYPE_CHECKING:
    import xarray as xr

SPARSITIES = (0.4, 0.6, 0.8, 0.9)
FOLDS, SEEDS = 3, 1
METHODS = (OWN, *RANKERS)


@dataclass(frozen=True)
class Compared:
    """What came out of a comparison.

    Attributes:
        comparison: As in `compare.json`.
        by_lead: As in `by_lead.csv`.
        by_sensor: As in `by_sensor.csv`.
    """

    comparison: Comparison
    by_lead: list[LeadRow]
    by_sensor: list[SensorRow]


@dataclass(frozen=True)
class ComparisonResult:
    """What `compare` made, and the folder that it lies in."""

    comparison: Comparison
    folder: Path


def compare(
    recipe: Recipe,
    *,
    dataset: "xr.Dataset | None" = None,
    sparsities: Sequence[float] | None = None,
    folds: int = FOLDS,
    seeds: int = SEEDS,
    judges: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    workers: int | None = 1,
    out: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> ComparisonResult:
    """Compare methods, and write the tables and the figure to a folder.

    Args:
        recipe: Data, windows, training and the first seed; its sparsity, budget and method are not
            asked.
        dataset: What the recipe's path holds, where it is in memory already.
        sparsities: Shares of the regions to switch off; None: `SPARSITIES`.
        folds: Rolling origins.
        seeds: How many, from the recipe's on.
        judges: Of `JUDGES`; None: all.
        methods: Of `METHODS`; None: all. One that cannot take the data is left out, with a warning.
        workers: Folds at a time, each in a process of its own with its share of the cores; None:
            one a core, and on a GPU one.
        out: The folder; None: the data's stem with ``.compare``, in the working folder.
        overwrite: Replace an older comparison there.
        progress: Told of every stage.

    Raises:
        SensorplanError: See `sensorplan.errors` for the kinds.
    """
    folder = out or default_folder(recipe, ".compare")
    check_target(folder, overwrite, COMPARISON_FILE)
    compared = compare_methods(
        recipe,
        dataset=dataset,
        sparsities=sparsities,
        folds=folds,
        seeds=seeds,
        judges=judges,
        methods=methods,
        workers=workers,
        progress=progress,
    )
    write_comparison(
        folder,
        compared.comparison,
        compared.by_lead,
        compared.by_sensor,
        recipe.run.figure_format,
        overwrite,
    )
    return ComparisonResult(compared.comparison, folder)


def compare_methods(
    recipe: Recipe,
    *,
    dataset: "xr.Dataset | None" = None,
    sparsities: Sequence[float] | None = None,
    folds: int = FOLDS,
    seeds: int = SEEDS,
    judges: Sequence[str] | None = None,
    methods: Sequence[str] | None = None,
    workers: int | None = 1,
    progress: Progress | None = None,
) -> Compared:
    """Compare methods, and write nothing; see `compare` for the arguments.

    Raises:
        RecipeError: An argument is not allowed.
        SensorplanError: The data cannot be used.
    """
    sparsities, judges, methods = sparsities or SPARSITIES, judges or JUDGES, methods or METHODS
    _check(sparsities, folds, seeds, judges, methods, workers)
    sparsities = sorted(set(sparsities))
    judges = [judge for judge in JUDGES if judge in judges]
    methods = [method for method in METHODS if method in methods]
    device = choose_device(recipe.run.device)
    prepare_torch()
    stage = Stages(progress)
    if recipe.run.memory is not None:
        raise RecipeError(
            f"[run] memory = {recipe.run.memory}: compare holds the history in memory; "
            "expected none (fit and curve bound it)"
        )
    with stage("read"):
        data, regions = read_regions(recipe, dataset)
        cuts = rolling_origins(data, recipe.window, folds)
        constraints, notes = state_constraints(recipe.constraints, data, regions)
    budgets: dict[float, int] = {}
    for sparsity in sparsities:
        budget = budget_at(sparsity, len(regions))
        if budget in budgets.values():
            notes.append(f"sparsity {sparsity:g} keeps {budget} as one before does: left out")
        else:
            budgets[sparsity] = budget
    sizes = {sparsity: ensure_feasible(constraints, budget) for sparsity, budget in budgets.items()}
    run_seeds = range(recipe.run.seed, recipe.run.seed + seeds)

    tasks = [
        Fold(
            label=f"fold {number} of {folds}",
            data=history,
            regions=regions,
            window=window,
            recipe=recipe,
            device=device,
            sizes=sizes,
            judges=judges,
            methods=methods,
            seeds=run_seeds,
        )
        for number, (history, window) in enumerate(cuts, 1)
    ]
    if workers is None:
        workers = cores() if device.type == "cpu" else 1
    judged = do_each(judge_fold, tasks, workers, stage.progress)
    for task, result in zip(tasks, judged, strict=True):
        notes += [f"{task.label}: {note}" for note in result.doubts]
        stage.seconds |= result.timings

    split = judged[-1].split
    whole = split_windows(data.time, recipe.window, data.source.path)
    if (split.lookback, split.horizon) != (whole.lookback, whole.horizon):
        notes.append(
            f"windows of {split.lookback} steps back and {split.horizon} ahead, as suits the "
            f"shortest fold; fit takes {whole.lookback} and {whole.horizon}: fewer folds, or "
            "--lookback and --horizon, make them the same"
        )

    left_out = {name: why for result in judged for name, why in result.left_out.items()}
    errors = join_folds([result.errors for result in judged])
    all_sensors = {judge: score_of(average(found)) for judge, found in errors.all_sensors.items()}
    persistence, climatology = score_of(errors.persistence), score_of(errors.climatology)
    warnings = (
        *data.warnings,
        *left_out_notes(left_out),
        *notes,
        *(
            f"judge {judge}: {doubt}"
            for judge, score in all_sensors.items()
            for doubt in forecaster_warnings(
                score.rmse, climatology.rmse, persistence.rmse, "judge"
            )
        ),
    )
    settings = recipe.model_dump(mode="json", exclude_none=True)
    comparison = Comparison(
        data=data_record(data, regions),
        methods=tuple(name for name in methods if name not in left_out),
        left_out=left_out,
        sparsities=tuple(budgets),
        judges=tuple(judges),
        seeds=tuple(run_seeds),
        random_plans=RANDOM_PLANS,
        folds=tuple(
            split_record(task.data.time, result.split)
            for task, result in zip(tasks, judged, strict=True)
        ),
        lookback=split.lookback,
        horizon=split.horizon,
        margin=MARGIN,
        unit=error_unit(data),
        all_sensors=all_sensors,
        persistence=persistence,
        climatology=climatology,
        rows=tuple(method_rows(errors, budgets, split.overlap, OWN)),
        masks_taken=_counted([name for result in judged for name in result.masks_taken]),
        warnings=warnings,
        timings=stage.seconds,
        versions=versions(),
        settings=settings,
    )
    return Compared(comparison, lead_rows(errors), sensor_rows(errors, regions.names))


def _counted(names: list[str]) -> dict[str, int]:
    return {name: names.count(name) for name in sorted(set(names))}


def _check(
    sparsities: Sequence[float],
    folds: int,
    seeds: int,
    judges: Sequence[str],
    methods: Sequence[str],
    workers: int | None,
) -> None:
    """Refuse arguments that are not allowed.

    Raises:
        RecipeError: One of them.
    """
    for sparsity in sparsities:
        check_sparsity(sparsity)
    for option, count in (("folds", folds), ("seeds", seeds), ("workers", workers)):
        if count is not None and count < 1:
            raise RecipeError(f"--{option} {count}; expected {option} >= 1")
    for option, names, known in (("judge", judges, JUDGES), ("method", methods, METHODS)):
        for name in names:
            if name not in known:
                raise RecipeError(f"--{option} {name}; expected one of {', '.join(known)}")
