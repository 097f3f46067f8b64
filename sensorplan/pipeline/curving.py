"""`curve`: accuracy against sparsity, of the learned plans beside what else there is."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sensorplan.curve import CURVE_FILE, CurvePoint, CurveRecord
from sensorplan.errors import RecipeError
from sensorplan.evaluation import (
    baseline_losses,
    climatology_errors,
    find_knee,
    forecaster_warnings,
    history_warnings,
    limit_curve,
    linear_limit,
    persistence_errors,
    plan_curve,
    random_curve,
    score_of,
    why_no_limit,
)
from sensorplan.evaluation.curve import FINE_SPARSITIES
from sensorplan.exports.curve_folder import write_curve
from sensorplan.exports.folder import check_target
from sensorplan.metrics import Errors
from sensorplan.pipeline.budgeting import everything_errors, fine_budgets, learned_masks
from sensorplan.pipeline.planning import (
    RANDOM_PLANS,
    Prepared,
    Stage,
    error_unit,
    left_out_notes,
    prepare,
    random_rankings,
    rank_by_all,
)
from sensorplan.pipeline.preparing import default_folder, with_window
from sensorplan.pipeline.recording import Progress, Stages, data_record, unobserved, versions
from sensorplan.plan import Ranking
from sensorplan.rankers import OWN, RANDOM, RANKERS, History, make_history
from sensorplan.recipe import ConstraintSettings, Recipe
from sensorplan.windows import split_record

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class CurveResult:
    """What `curve` made.

    Attributes:
        record: As in `curve.json`.
        folder: Where it lies.
        points: Of all methods: the learned plans, random ones, the best baseline and the limit.
    """

    record: CurveRecord
    folder: Path
    points: list[CurvePoint]


def draw_curve(
    recipe: Recipe,
    *,
    max_loss: float,
    dataset: "xr.Dataset | None" = None,
    out: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> CurveResult:
    """Judge plans of all sizes, and write the curve folder.

    Args:
        recipe: All settings; what they say of method and size plays no part.
        max_loss: Share of the RMSE from all sensors that the knee may lose.
        dataset: What the recipe's path holds, where it is in memory already.
        out: The folder; None: the data's stem with ``.curve``, in the working folder.
        overwrite: Replace an older curve there.
        progress: Told of every stage.

    Raises:
        SensorplanError: See `sensorplan.errors` for the kinds.
    """
    stage = Stages(progress)
    folder = out or default_folder(recipe, ".curve")
    check_target(folder, overwrite, CURVE_FILE)
    left_out: dict[str, str] = {}

    def rank(history: History) -> dict[str, Ranking]:
        rankings, reasons = rank_by_all((name for name in RANKERS if name != RANDOM), history)
        left_out.update(reasons)
        return rankings

    if recipe.constraints != ConstraintSettings():
        raise RecipeError(
            "[constraints]: curve draws what the network bears without any; expected none "
            "(fit and compare obey them)"
        )
    prepared = prepare(recipe, stage, rank, dataset, folder=folder.parent)
    trainer = prepared.trainer
    with stage("compare baselines", 1):
        budgets = fine_budgets(len(prepared.regions))
        losses = baseline_losses(trainer, prepared.rankings, budgets)
        best = min(losses, key=lambda name: losses[name])
    masks = learned_masks(prepared, recipe.mask, stage)
    history = make_history(trainer.windows, seed=recipe.run.seed)
    with stage("judge plans", 3 * len(FINE_SPARSITIES)) as done:
        reference, count = everything_errors(trainer), len(FINE_SPARSITIES)
        learned = plan_curve(trainer, masks, OWN, reference, FINE_SPARSITIES, done)
        cuts = {budget: prepared.rankings[best].keep(budget) for budget in budgets}
        baseline = plan_curve(
            trainer, cuts, best, reference, FINE_SPARSITIES, lambda number: done(count + number)
        )
        chance = random_curve(
            trainer,
            random_rankings(history, RANDOM_PLANS),
            reference,
            FINE_SPARSITIES,
            lambda number: done(2 * count + number),
        )
    reason = why_no_limit(trainer.windows)
    limit = [] if reason else _limit(prepared, budgets, stage)
    points = [*learned, *chance, *baseline, *limit]
    notes = [*left_out_notes(left_out), *([reason] if reason else [])]
    record = _record(
        recipe,
        prepared,
        reference,
        find_knee(learned, max_loss, len(prepared.regions)),
        max_loss,
        losses,
    )
    record = record.model_copy(
        update={"warnings": (*record.warnings, *notes), "timings": dict(stage.seconds)}
    )
    with stage("write", 1):
        write_curve(
            folder,
            record=record,
            curve=points,
            figure_format=recipe.run.figure_format,
            overwrite=overwrite,
        )
    return CurveResult(record, folder, points)


def _limit(prepared: Prepared, budgets: list[int], stage: Stage) -> list[CurvePoint]:
    windows = prepared.trainer.windows
    with stage("linear limit", 1):
        limit = linear_limit(windows, budgets)
    return limit_curve(limit, windows.regions, windows.split.overlap, FINE_SPARSITIES)


def _record(
    recipe: Recipe,
    prepared: Prepared,
    reference: Errors,
    knee: CurvePoint | None,
    max_loss: float,
    losses: dict[str, float],
) -> CurveRecord:
    data, windows = prepared.data, prepared.trainer.windows
    split = windows.split
    calendar, carried = (
        errors(windows, split.test) for errors in (climatology_errors, persistence_errors)
    )
    settings = with_window(recipe, windows)
    return CurveRecord(
        max_loss=max_loss,
        knee=knee,
        best_baseline=min(losses, key=lambda name: losses[name]),
        baselines=losses,
        random_plans=RANDOM_PLANS,
        all_sensors=score_of(reference),
        persistence=score_of(carried),
        climatology=score_of(calendar),
        unit=error_unit(data),
        data=data_record(data, prepared.regions),
        split=split_record(data.time, split),
        seed=recipe.run.seed,
        warnings=(
            *data.warnings,
            *unobserved(prepared.regions, windows),
            *forecaster_warnings(reference.rmse, calendar.rmse, carried.rmse, "curve"),
            *history_warnings(split),
        ),
        timings={},
        versions=versions(),
        settings=settings.model_dump(mode="json", exclude_none=True),
    )
