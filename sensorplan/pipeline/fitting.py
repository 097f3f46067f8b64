"""`fit`: from a recipe to a plan folder."""

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sensorplan.evaluation import Evidence, accuracy_curve
from sensorplan.evaluation.curve import SPARSITIES
from sensorplan.exports.folder import check_target, write_plan
from sensorplan.forecasters import to_bytes
from sensorplan.pipeline.planning import challenge_note, plan_sensors, prepare
from sensorplan.pipeline.preparing import default_folder
from sensorplan.plan import CurvePoint, DataRecord, Plan, Ranking
from sensorplan.rankers import MaskTraining
from sensorplan.recipe import Recipe, dump_recipe
from sensorplan.regions import Regions
from sensorplan.sensors import SensorData
from sensorplan.version import __version__
from sensorplan.windows import Windows, split_record

SHOWN = 5  # names in a warning
LIBRARIES = ("torch", "numpy", "scikit-learn", "xarray")

Progress = Callable[[str, int, int], None]
"""Called with a stage, the parts of it that are done, and its parts in all."""


@dataclass(frozen=True)
class FitResult:
    """What `fit` made.

    Attributes:
        plan: The plan, as in `plan.json`.
        folder: Where it lies.
        ranking: The order of the regions.
        regions: The regions.
        curve: Points of accuracy against sparsity.
    """

    plan: Plan
    folder: Path
    ranking: Ranking
    regions: Regions
    curve: list[CurvePoint]


class _Stages:
    """Times each stage, and passes progress on."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress or (lambda stage, done, total: None)
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str, total: int = 1) -> Iterator[Callable[[int], None]]:
        begin = time.perf_counter()
        self._progress(stage, 0, total)
        yield lambda done: self._progress(stage, done, total)
        self._progress(stage, total, total)
        self.seconds[stage] = round(time.perf_counter() - begin, 3)


def fit(
    recipe: Recipe,
    *,
    out: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> FitResult:
    """Plan which sensors to keep, and write the plan folder.

    Args:
        recipe: All settings.
        out: The folder; None: the data's stem with ``.plan``, in the working folder.
        overwrite: Replace an older plan there.
        progress: Told of every stage.

    Raises:
        SensorplanError: See `sensorplan.errors` for the kinds.
    """
    stage = _Stages(progress)
    folder = out or default_folder(recipe)
    check_target(folder, overwrite)
    prepared = prepare(recipe, stage)
    data, regions, trainer = prepared.data, prepared.regions, prepared.trainer
    trained, evidence = plan_sensors(prepared, recipe, stage)
    with stage("curve", len(SPARSITIES)) as done:
        curve = accuracy_curve(
            trainer, trained.ranking, recipe.mask.method, evidence.all_sensors, done
        )

    windows = trainer.windows
    plan = _plan(recipe, data, regions, windows, trained, evidence, stage.seconds)
    written = _resolved(recipe, windows, prepared.budget)
    with stage("write"):
        warnings = write_plan(
            folder,
            plan=plan,
            ranking=trained.ranking,
            regions=regions,
            data=data,
            curve=curve,
            extra_files={
                "forecaster.safetensors": _forecaster_file(recipe, regions, windows, evidence),
                "recipe.toml": dump_recipe(written, folder),
            },
            overwrite=overwrite,
        )
    plan = plan.model_copy(update={"warnings": (*plan.warnings, *warnings)})
    return FitResult(plan, folder, trained.ranking, regions, curve)


def _plan(
    recipe: Recipe,
    data: SensorData,
    regions: Regions,
    windows: Windows,
    trained: MaskTraining,
    evidence: Evidence,
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
        data=DataRecord(
            path=data.source.path,
            sha256=data.source.sha256,
            variable=tuple(channel.name for channel in data.channels),
            units=tuple(channel.units for channel in data.channels),
            sensors=len(data.sensors),
            regions=len(regions),
            times=len(data.time),
            step=data.time.step_label,
        ),
        split=split_record(data.time, windows.split),
        seed=recipe.run.seed,
        metrics=evidence.metrics,
        warnings=(
            *data.warnings,
            *_unobserved(regions, windows),
            *challenge_note(trained),
            *evidence.warnings,
        ),
        candidates=trained.candidates,
        timings=timings,
        versions={
            "sensorplan": __version__,
            "python": platform.python_version(),
            **{library: version(library) for library in LIBRARIES},
        },
        settings=_resolved(recipe, windows, budget).model_dump(mode="json", exclude_none=True),
    )


def _unobserved(regions: Regions, windows: Windows) -> list[str]:
    """A warning when some regions cannot be judged."""
    names = [name for name, seen in zip(regions.names, windows.observed, strict=True) if not seen]
    if not names:
        return []
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    return [
        f"never observed in the training stretch: {len(names)} of {len(regions)} ({shown}); "
        "they rank last and take no part in the scores"
    ]


def _resolved(recipe: Recipe, windows: Windows, budget: int) -> Recipe:
    """The recipe with what was left to defaults filled in, so that it repeats the run."""
    window = {"lookback": windows.split.lookback, "horizon": windows.split.horizon}
    return recipe.model_copy(
        update={
            "window": recipe.window.model_copy(update=window),
            "mask": recipe.mask.model_copy(update={"sparsity": None, "budget": budget}),
        }
    )


def _forecaster_file(
    recipe: Recipe, regions: Regions, windows: Windows, evidence: Evidence
) -> bytes:
    gate_order = [name for name, kept in zip(regions.names, evidence.mask, strict=True) if kept]
    return to_bytes(
        recipe.training.backbone,
        evidence.compact,
        windows.scaling(),
        {
            "lookback": windows.split.lookback,
            "horizon": windows.split.horizon,
            "kept": gate_order,
            "regions": list(regions.names),
        },
    )
