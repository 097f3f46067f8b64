"""`fit`: from a recipe to a plan folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensorplan.checkpoints import Tell
from sensorplan.conditions import ConditionRow
from sensorplan.constraints import free_rules
from sensorplan.curve import CurvePoint
from sensorplan.evaluation import (
    Evidence,
    accuracy_curve,
    condition_rows,
    lead_errors,
    weakest_condition,
)
from sensorplan.evaluation.curve import SPARSITIES
from sensorplan.exports.folder import making_plan, write_plan
from sensorplan.exports.records import records_csv
from sensorplan.exports.window_errors import ERRORS_FILE, window_errors_csv
from sensorplan.journal import Journal
from sensorplan.pipeline.budgeting import everything_errors, knee_notes, knee_within
from sensorplan.pipeline.calibrating import calibrate_intervals, coverage_by_level, interval_notes
from sensorplan.pipeline.chance import chance_note, random_plans
from sensorplan.pipeline.phasing import phases_of
from sensorplan.pipeline.planning import challenge_note, plan_sensors, prepare, verify_plan
from sensorplan.pipeline.preparing import default_folder, with_window
from sensorplan.pipeline.reasons import give_reasons
from sensorplan.pipeline.recording import Progress, Stages, data_record, unobserved, versions
from sensorplan.pipeline.saved import FORECASTER_FILE, save_forecaster
from sensorplan.pipeline.stability import resample_plan, stability_note
from sensorplan.plan import ForecasterRecord, Plan, Ranking
from sensorplan.rankers import MaskTraining
from sensorplan.recipe import Recipe, dump_recipe
from sensorplan.regions import Regions
from sensorplan.sensors import Bools, SensorData
from sensorplan.windows import Windows, split_record

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class FitResult:
    """What `fit` made.

    Attributes:
        plan: The plan, as in `plan.json`.
        folder: Where it lies.
        ranking: The order of the regions.
        regions: The regions.
        curve: Points of accuracy against sparsity.
        conditions: Errors by season, hour, lead and size of value.
        resumed: What was told of checkpoints: where the run was resumed, which were damaged.
    """

    plan: Plan
    folder: Path
    ranking: Ranking
    regions: Regions
    curve: list[CurvePoint]
    conditions: list[ConditionRow]
    resumed: tuple[str, ...] = ()

    @property
    def weakest(self) -> ConditionRow | None:
        """Where the plan clearly loses more than it does overall, if anywhere."""
        return weakest_condition(self.conditions)


def fit(
    recipe: Recipe,
    *,
    dataset: "xr.Dataset | None" = None,
    out: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    tell: Tell | None = None,
    waiting: Callable[[], None] | None = None,
) -> FitResult:
    """Plan which sensors to keep, and write the plan folder.

    Checkpoints lie in the folder until the plan is written; the same call goes on from the last
    one.

    Args:
        recipe: All settings.
        dataset: What the recipe's path holds, where it is in memory already.
        out: The folder; None: the data's stem with ``.plan``, in the working folder.
        overwrite: Replace an older plan there.
        progress: Told of every stage.
        tell: Told at once what the user should know of checkpoints and locks.
        waiting: Called while another process that makes the same plan is waited for, a minute at
            most; None: none is.

    Raises:
        SensorplanError: See `sensorplan.errors` for the kinds.
    """
    stage = Stages(progress)
    folder = out or default_folder(recipe)
    with (
        making_plan(folder, overwrite, tell or _nobody, waiting),
        Journal(folder, recipe.run.checkpoint_every, stage, tell) as journal,
    ):
        return _fit(recipe, dataset, folder, overwrite, stage, journal)


def _nobody(line: str) -> None:
    """Hears nothing."""


def _fit(
    recipe: Recipe,
    dataset: "xr.Dataset | None",
    folder: Path,
    overwrite: bool,
    stage: Stages,
    journal: Journal,
) -> FitResult:
    prepared = prepare(recipe, stage, dataset=dataset, journal=journal, folder=folder.parent)
    max_loss, knee = recipe.mask.max_loss, None
    if max_loss is not None:
        knee = knee_within(max_loss, prepared, recipe, stage)
        prepared = replace(prepared, rules=free_rules(len(prepared.regions), knee.budget))
    data, regions, trainer = prepared.data, prepared.regions, prepared.trainer
    trained, evidence = plan_sensors(prepared, recipe, stage)
    intervals, coverage = calibrate_intervals(trainer.windows, evidence, stage)
    with stage("judge by condition"):
        conditions = condition_rows(
            trainer.windows, data, regions, evidence.whole.forecast, evidence.shipped.forecast
        )
    frequency, stability = resample_plan(prepared, trained.mask, recipe, stage)
    with stage("curve", len(SPARSITIES)) as done:
        everything = everything_errors(trainer)
        curve = accuracy_curve(trainer, trained.ranking, recipe.mask.method, everything, done)
    chance = random_plans(prepared, recipe, trained.mask, everything, stage)
    phases = recipe.mask.phases
    steps = phases_of(prepared, trained, phases, everything, stage) if phases else ()
    reasons = give_reasons(prepared, evidence, recipe.run.seed, stage)

    windows, budget = trainer.windows, int(trained.mask.sum())
    notes = [*prepared.notes]
    notes += stability_note(stability, frequency, trained.ranking, budget, regions.names)
    notes += interval_notes(windows.split, coverage)
    notes += chance_note(chance)
    if max_loss is not None and knee is not None:
        notes += knee_notes(max_loss, knee, evidence.metrics)
    if not trained.ranking.importance.any():
        notes.append(
            "importance is 0 throughout: on the validation windows no sensor lowers the loss, and "
            "ranks tell nothing"
        )
    written = _resolved(recipe, windows, prepared.rules.budget)
    found = {
        "metrics": evidence.metrics.model_copy(update={"random": chance}),
        "stability": stability,
        "interval_coverage": coverage_by_level(coverage),
        "constraints": verify_plan(prepared, trained.mask),
        "required": _names(regions, prepared.constraints.required),
        "excluded": _names(regions, prepared.constraints.excluded),
        "phases": steps,
        "resilience": reasons.resilience,
    }
    plan = _plan(written, data, regions, windows, trained, evidence, notes, stage.seconds)
    plan = plan.model_copy(update=found)
    origins = [data.time.labels[step] for step in windows.split.test + windows.split.lookback - 1]
    journal.close()
    with stage("write"):
        warnings = write_plan(
            folder,
            plan=plan,
            ranking=trained.ranking,
            keep_frequency=frequency,
            reasons=reasons,
            regions=regions,
            data=data,
            curve=curve,
            leads=lead_errors(evidence, conditions, data.time),
            rounds=trained.rounds,
            figure_format=recipe.run.figure_format,
            extra_files={
                FORECASTER_FILE: save_forecaster(
                    recipe, data, regions, windows, evidence, intervals
                ),
                "conditions.csv": records_csv(conditions, ConditionRow),
                ERRORS_FILE: window_errors_csv(origins, evidence.plan, evidence.all_sensors),
                "recipe.toml": dump_recipe(written, folder),
            },
            overwrite=overwrite,
        )
    plan = plan.model_copy(update={"warnings": (*plan.warnings, *warnings)})
    notes_of_run = tuple(journal.notes)
    return FitResult(plan, folder, trained.ranking, regions, curve, conditions, notes_of_run)


def _plan(
    recipe: Recipe,
    data: SensorData,
    regions: Regions,
    windows: Windows,
    trained: MaskTraining,
    evidence: Evidence,
    notes: Sequence[str],
    timings: dict[str, float],
) -> Plan:
    budget = int(trained.mask.sum())
    names = [regions.names[region] for region in trained.ranking.order]
    return Plan(
        method=recipe.mask.method,
        sparsity=round(1 - budget / len(regions), 6),
        budget=budget,
        kept=tuple(names[:budget]),
        dropped=tuple(names[budget:]),
        data=data_record(data, regions),
        split=split_record(data.time, windows.split),
        seed=recipe.run.seed,
        metrics=evidence.metrics,
        warnings=(
            *data.warnings,
            *unobserved(regions, windows),
            *challenge_note(trained),
            *evidence.warnings,
            *notes,
        ),
        candidates=trained.candidates,
        candidate_loss=trained.loss,
        forecaster=ForecasterRecord(
            backbone=recipe.training.backbone,
            shipped=evidence.shipped.backbone,
            linear_share=evidence.shipped.linear_share,
        ),
        timings=timings,
        versions=versions(),
        settings=recipe.model_dump(mode="json", exclude_none=True),
    )


def _names(regions: Regions, mask: Bools) -> tuple[str, ...]:
    return tuple(regions.names[region] for region in np.flatnonzero(mask))


def _resolved(recipe: Recipe, windows: Windows, budget: int | None) -> Recipe:
    """The recipe with what was left to defaults filled in, so that it repeats the run."""
    size = {"sparsity": None, "max_loss": None, "add": None, "budget": budget}
    size = {} if recipe.mask.phases else size
    return with_window(recipe, windows).model_copy(
        update={"mask": recipe.mask.model_copy(update=size)}
    )
