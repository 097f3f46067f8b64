"""From a recipe to a plan in memory: the stages that `fit` and the benchmarks share."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sensorplan.evaluation import Evidence, gather_evidence
from sensorplan.pipeline.preparing import read_regions, regions_to_keep
from sensorplan.plan import Ranking
from sensorplan.rankers import OWN, RANKERS, History, MaskTraining, make_history, rank_by_dynst
from sensorplan.recipe import Recipe
from sensorplan.regions import Regions
from sensorplan.sensors import SensorData
from sensorplan.training import Trainer, choose_device, prepare_torch
from sensorplan.windows import make_windows

CHALLENGERS = ("k-centre", "forecast-aware")  # compete with the mask that DynST trains

Stage = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""From a stage's name and parts, a context that is told how many of the parts are done."""


@dataclass(frozen=True)
class Prepared:
    """A network, and a forecaster of it that was trained under random masks.

    Attributes:
        data: The history.
        regions: What one mask entry switches.
        budget: Regions to keep.
        trainer: Windows and forecaster.
    """

    data: SensorData
    regions: Regions
    budget: int
    trainer: Trainer


def prepare(recipe: Recipe, stage: Stage) -> Prepared:
    """Read, cut into windows, and train the forecaster.

    Raises:
        SensorplanError: The data or the settings cannot be used.
    """
    device = choose_device(recipe.run.device)
    prepare_torch()
    settings = recipe.training
    with stage("read", 1):
        data, regions = read_regions(recipe)
        budget = regions_to_keep(recipe.mask, len(regions))
        windows = make_windows(data, regions, recipe.window, device)
    with stage("train forecaster", settings.steps) as done:
        trainer = Trainer(windows, settings, recipe.run.seed)
        trainer.train(settings.steps, settings.learning_rate, trainer.random_masks, each_step=done)
    return Prepared(data, regions, budget, trainer)


def plan_sensors(prepared: Prepared, recipe: Recipe, stage: Stage) -> tuple[MaskTraining, Evidence]:
    """Train the mask, or rank by a baseline, and judge the plan on later time.

    DynST trains the forecaster further; a baseline leaves it as it was.

    Raises:
        DataError: The data lacks what the baseline needs.
    """
    trainer, mask = prepared.trainer, recipe.mask
    if mask.method == "dynst":
        with stage("rank challengers", 1):
            challengers = _challengers(_history(prepared, recipe))
        with stage("train mask", mask.steps) as done:
            trained = rank_by_dynst(trainer, mask, prepared.budget, done, challengers)
    else:
        with stage("rank", 1):
            ranking = RANKERS[mask.method](_history(prepared, recipe))
        trained = MaskTraining(ranking.keep(prepared.budget), ranking, oscillation=0.0)
    with stage("fine-tune and score", 1):
        unit = error_unit(prepared.data)
        evidence = gather_evidence(trainer, trained.mask, trained.oscillation, unit)
    return trained, evidence


def _history(prepared: Prepared, recipe: Recipe) -> History:
    geometry = prepared.data.geometry
    return make_history(
        prepared.trainer.windows,
        geographic=geometry is not None and geometry.crs is not None,
        seed=recipe.run.seed,
    )


def _challengers(history: History) -> dict[str, Ranking]:
    """Rankings that take seconds: an even cover where there are positions, and the future told."""
    return {
        name: RANKERS[name](history) for name in CHALLENGERS if history.placed or name != "k-centre"
    }


def challenge_note(trained: MaskTraining) -> list[str]:
    """A plain sentence when a challenger's mask was taken."""
    if not trained.candidates:
        return []
    best = min(trained.candidates, key=lambda name: trained.candidates[name])
    if best == OWN:
        return []
    own, other = (50 * trained.candidates[name] for name in (OWN, best))  # half: RMSE, not square
    return [
        f"the mask of {best} was taken: on training and validation its forecast error is "
        f"{other:+.1f} % against all sensors, that of the trained mask {own:+.1f} %"
    ]


def error_unit(data: SensorData) -> str:
    """Unit of every error: the variable's own, or standard deviations for several variables."""
    return data.channels[0].units if len(data.channels) == 1 else "standard deviations"
