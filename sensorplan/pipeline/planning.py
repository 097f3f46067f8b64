"""From a recipe to a plan in memory: the stages that commands and benchmarks share."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensorplan.constraints import Constraints, Rules, verify
from sensorplan.devices import choose_device, prepare_torch
from sensorplan.errors import SensorplanError
from sensorplan.evaluation import Evidence, gather_evidence
from sensorplan.journal import Journal, UnderWay
from sensorplan.pipeline.preparing import read_regions, state_rules
from sensorplan.pipeline.resuming import run_key
from sensorplan.pipeline.weighing import weigh
from sensorplan.plan import ConstraintCheck, Ranking
from sensorplan.rankers import (
    OWN,
    RANDOM,
    RANKERS,
    History,
    MaskTraining,
    best_of,
    make_history,
    rank_by_dynst,
    search_parts,
)
from sensorplan.recipe import MaskSettings, Recipe
from sensorplan.regions import Regions
from sensorplan.sensors import Bools, Floats, Ints, SensorData
from sensorplan.training import Trainer
from sensorplan.windows import Windows, make_windows

if TYPE_CHECKING:
    import xarray as xr

MANY = 2000  # regions, above which slow baselines do not compete with the mask that DynST trains
SLOW = ("backward", "facility-location", "mutual-information", "removal-bias", "voronoi")
PLACED = ("k-centre", "removal-bias", "virtual-force", "voronoi")  # need positions
RANDOM_PLANS = 10  # where the random ranker stands for chance

Stage = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""From a stage's name and parts, a context that is told how many of the parts are done."""


@dataclass(frozen=True)
class Prepared:
    """A network, and a forecaster of it that was trained under random masks.

    Attributes:
        data: The history.
        regions: What one mask entry switches.
        constraints: What a plan must obey.
        rules: The same as rules over the mask, with the number of regions to keep.
        trainer: Windows and forecaster.
        rankings: What baselines made of the history: that of the method, or with DynST those of its
            challengers; for a curve all that the data allows.
        notes: What the user should know of the constraints.
    """

    data: SensorData
    regions: Regions
    constraints: Constraints
    rules: Rules
    trainer: Trainer
    rankings: dict[str, Ranking]
    notes: tuple[str, ...] = ()


def prepare(
    recipe: Recipe,
    stage: Stage,
    rank: Callable[[History], dict[str, Ranking]] | None = None,
    dataset: "xr.Dataset | None" = None,
    journal: Journal | None = None,
    folder: Path | None = None,
) -> Prepared:
    """Read, cut into windows, rank by baselines, and train the forecaster.

    Args:
        recipe: All settings.
        stage: Told of every stage.
        rank: Makes the baselines' rankings, by name; None: those that the recipe's method needs.
        dataset: What the recipe's path holds, where it is in memory already.
        journal: Of the run, opened once the data is read; None: nothing is kept.
        folder: Where a history goes that does not fit into the memory allowed.

    Raises:
        SensorplanError: The data or the settings cannot be used.
    """
    device = choose_device(recipe.run.device)
    prepare_torch()
    with stage("read", 1):
        data, regions = read_regions(recipe, dataset, folder)
        constraints, rules, notes = state_rules(recipe, data, regions)
        windows = make_windows(data, regions, recipe.window, device)
        windows = weigh(recipe.training.weight, windows, data, regions)
    journal = journal or Journal()
    journal.open(lambda: run_key(recipe, data, regions, constraints, windows))
    with stage("rank by baselines", 1):
        history = make_history(windows, seed=recipe.run.seed)
        rankings = rank(history) if rank else _rank_by_baselines(recipe, history, journal)
    with stage("train forecaster", recipe.training.steps) as done:
        trainer = train_planner(windows, recipe, recipe.run.seed, done, journal)
    notes += sample_note(windows, recipe.run.memory)
    return Prepared(data, regions, constraints, rules, trainer, rankings, tuple(notes))


def plan_sensors(prepared: Prepared, recipe: Recipe, stage: Stage) -> tuple[MaskTraining, Evidence]:
    """Train the mask, or rank by a baseline, and judge the plan on later time.

    DynST trains the forecaster further; a baseline leaves it as it was.
    """
    trainer, mask = prepared.trainer, recipe.mask
    if mask.method == OWN:
        with stage("train mask", search_parts(mask)) as done:
            trained = train_mask(trainer, mask, prepared.rules, prepared.rankings, done)
    else:
        kept, ranking = prepared.rules.apply(prepared.rankings[mask.method])
        trained = MaskTraining(kept, ranking, oscillation=0.0)
    with stage("fine-tune and score", 1):
        unit = error_unit(prepared.data)
        evidence = gather_evidence(trainer, trained.mask, trained.oscillation, unit)
    return trained, evidence


def verify_plan(prepared: Prepared, mask: Bools) -> tuple[ConstraintCheck, ...]:
    """Every constraint checked again on a plan; none where nothing is asked but a number.

    Raises:
        AssertionError: One is not met, which is a bug: nothing is written.
    """
    if not prepared.rules.binding:
        return ()
    checks = verify(prepared.constraints, prepared.rules.budget, mask)
    assert all(check.met for check in checks), checks
    return checks


def _rank_by_baselines(recipe: Recipe, history: History, journal: Journal) -> dict[str, Ranking]:
    """The rankings of the method, or with DynST of the challengers that the data allows.

    Before any training, so that a baseline which cannot take the data says so at once.
    """
    method = recipe.mask.method
    names = (method,) if method != OWN else challengers_of(history)

    def rank(name: str) -> Ranking:
        def step(under_way: UnderWay) -> tuple[Ints, Floats]:
            ranking = RANKERS[name](history)
            return ranking.order, ranking.importance

        return Ranking(*journal.step(f"rank by {name}", step))

    return {name: rank(name) for name in names}


def train_planner(
    windows: Windows,
    recipe: Recipe,
    seed: int,
    each_step: Callable[[int], None],
    journal: Journal | None = None,
) -> Trainer:
    """Train the forecaster that the mask is trained with, under random masks of all sizes.

    Raises:
        TrainingError: The loss is no number any more.
    """
    settings = recipe.training
    trainer = Trainer(windows, settings, seed, recipe.mask.robust or 0.0, journal)
    trainer.train(settings.steps, trainer.rate, trainer.random_masks, each_step=each_step)
    return trainer


def train_mask(
    trainer: Trainer,
    settings: MaskSettings,
    rules: Rules,
    rankings: Mapping[str, Ranking],
    each_step: Callable[[int], None],
) -> MaskTraining:
    """Train the mask down to its size; the challengers among the rankings compete with it."""
    return rank_by_dynst(trainer, settings, rules, each_step, rankings)


def train_masks(
    trainer: Trainer,
    settings: MaskSettings,
    sizes: Sequence[Rules],
    rankings: Mapping[str, Ranking],
    each_step: Callable[[int], None],
) -> list[MaskTraining]:
    """Train a mask for each size, each from the trainer as it is now, as if it were the only one.

    The trainer ends as it was.
    """
    trained: list[MaskTraining] = []
    for rules in sizes:
        passed = len(trained) * search_parts(settings)
        with as_it_was(trainer):
            trained.append(
                train_mask(
                    trainer,
                    settings,
                    rules,
                    rankings,
                    lambda part, passed=passed: each_step(passed + part),  # type: ignore[misc]
                )
            )
    return trained


@contextmanager
def as_it_was(trainer: Trainer) -> Iterator[None]:
    """Give the trainer back in its state, random stream included."""
    state, stream = trainer.snapshot(), trainer.rng
    trainer.rng = copy.deepcopy(stream)
    try:
        yield
    finally:
        trainer.rng = stream
        trainer.restore(state)


def challengers_of(history: History) -> tuple[str, ...]:
    """The baselines that compete with the trained mask: all but chance that the data allows."""
    left_out = {RANDOM, *(SLOW if history.regions > MANY else ())}
    left_out |= set(() if history.placed else PLACED)
    return tuple(name for name in RANKERS if name not in left_out)


def rank_by_all(
    names: Iterable[str], history: History
) -> tuple[dict[str, Ranking], dict[str, str]]:
    """Rankings by those of the baselines that can take the data; of the others, why not."""
    rankings, left_out = {}, {}
    for name in names:
        try:
            rankings[name] = RANKERS[name](history)
        except SensorplanError as error:
            left_out[name] = str(error)
    return rankings, left_out


def left_out_notes(left_out: Mapping[str, str]) -> list[str]:
    """A plain sentence for each baseline that cannot take the data."""
    return [f"{name} is left out: {why}" for name, why in left_out.items()]


def random_rankings(history: History, count: int) -> list[Ranking]:
    """Random orders, with the history's seed and those that follow."""
    return [RANKERS[RANDOM](replace(history, seed=history.seed + k)) for k in range(count)]


def challenge_note(trained: MaskTraining) -> list[str]:
    """A plain sentence when a challenger's mask was taken."""
    if not trained.candidates:
        return []
    best = best_of(trained.candidates)
    if best == OWN:
        return []
    more = 100 * np.expm1((trained.candidates[OWN] - trained.candidates[best]) / 2)
    return [
        f"the mask of {best} was better than the trained one, and was refined in its place: before "
        f"the test stretch the RMSE of the trained one is {more:.1f} % higher"
    ]


def sample_note(windows: Windows, memory: str | None) -> list[str]:
    """A plain sentence when only a part of the history was in memory."""
    training = windows.split.bounds[0]
    held = len(windows.series.sampled(training, windows.split.length))
    if held == training:
        return []
    return [
        f"--memory {memory}: the history is on disk; what needs much of it at once (regression, "
        "resampled histories, substitutes, quantiles, the rankers removal-bias and voronoi) saw "
        f"{held:,} of {training:,} training steps, in blocks spread over all of them; modes, "
        "neighbours and covariances are those of all steps"
    ]


def error_unit(data: SensorData) -> str:
    """Unit of every error: the variable's own, or standard deviations for several variables."""
    return data.channels[0].units if len(data.channels) == 1 else "standard deviations"
