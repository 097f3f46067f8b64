"""One fold of a comparison: every method plans, and every judge scores each plan."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sensorplan.constraints import Rules
from sensorplan.errors import DataError
from sensorplan.evaluation import (
    Case,
    JudgedErrors,
    RidgeJudge,
    climatology_errors,
    history_warnings,
    mask_errors,
    persistence_errors,
    train_judge,
)
from sensorplan.metrics import Errors
from sensorplan.pipeline.planning import (
    RANDOM_PLANS,
    challengers_of,
    random_rankings,
    rank_by_all,
    train_masks,
    train_planner,
)
from sensorplan.pipeline.recording import Progress, Stages, unobserved
from sensorplan.pipeline.weighing import weigh
from sensorplan.plan import Ranking
from sensorplan.rankers import OWN, RANDOM, best_of, make_history, search_parts
from sensorplan.recipe import Recipe, WindowSettings
from sensorplan.regions import Regions
from sensorplan.sensors import Bools, SensorData
from sensorplan.windows import Split, Windows, make_windows

NEURAL, RIDGE = "neural", "ridge"
JUDGES = (NEURAL, RIDGE)

Plans = dict[tuple[str, float], list[Bools]]
"""By method and sparsity, the masks ``[region]`` of its plans."""


@dataclass(frozen=True)
class Fold:
    """What is to be done in a fold.

    Attributes:
        label: Its name in progress.
        data: The history up to its end.
        regions: What one mask entry switches.
        window: How the history is cut.
        recipe: Settings of training and mask.
        device: Where to compute.
        sizes: By sparsity, how many regions to keep, and what else a plan obeys.
        judges: Of `JUDGES`.
        methods: DynST and rankers.
        seeds: One planning and one neural judge each.
    """

    label: str
    data: SensorData
    regions: Regions
    window: WindowSettings
    recipe: Recipe
    device: torch.device
    sizes: Mapping[float, Rules]
    judges: Sequence[str]
    methods: Sequence[str]
    seeds: Sequence[int]


@dataclass(frozen=True)
class Judged:
    """What came out of a fold.

    Attributes:
        errors: On its test stretch.
        left_out: Methods that cannot take the data, with the reason.
        masks_taken: Whose mask DynST took, at each sparsity and seed.
        split: How the windows were cut.
        doubts: What is to be said of them.
        timings: Seconds of each stage.
    """

    errors: JudgedErrors
    left_out: dict[str, str]
    masks_taken: list[str]
    split: Split
    doubts: list[str]
    timings: dict[str, float]


def judge_fold(fold: Fold, progress: Progress) -> Judged:
    """Plan by every method and judge every plan.

    Raises:
        DataError: No method can take the data.
        TrainingError: The loss is no number any more.
    """
    stage = Stages(progress)
    with stage(f"{fold.label}: windows"):
        windows = make_windows(fold.data, fold.regions, fold.window, fold.device)
        windows = weigh(fold.recipe.training.weight, windows, fold.data, fold.regions)
    with stage(f"{fold.label}: rank by baselines"):
        rankings, left_out = _rank(fold, windows)
    everything = np.ones(windows.regions, bool)
    all_sensors: dict[str, list[Errors]] = {judge: [] for judge in fold.judges}
    judged: dict[Case, list[Errors]] = {}
    masks_taken: list[str] = []
    ridge = _once_each(RidgeJudge(windows).errors) if RIDGE in fold.judges else None
    for number, seed in enumerate(fold.seeds):
        label = f"{fold.label}, seed {seed}" if len(fold.seeds) > 1 else fold.label
        plans = _baseline_plans(fold, rankings, number)
        if OWN in fold.methods:
            trained, taken = _dynst_plans(fold, windows, rankings, seed, label, stage)
            plans = trained | plans
            masks_taken += taken
        distinct = _distinct([everything, *(mask for masks in plans.values() for mask in masks)])
        judges: dict[str, Callable[[Bools], Errors]] = {}
        if NEURAL in fold.judges:
            judges[NEURAL] = _once_each(_neural_judge(fold, windows, distinct, seed, label, stage))
        if ridge:
            judges[RIDGE] = ridge
        with stage(f"{label}: judge plans", len(judges) * len(distinct)) as done:
            for place, (name, errors_of) in enumerate(judges.items()):
                for count, mask in enumerate(distinct, 1):
                    errors_of(mask)
                    done(place * len(distinct) + count)
                all_sensors[name].append(errors_of(everything))
                for (method, sparsity), masks in plans.items():
                    case = Case(method, sparsity, name)
                    judged.setdefault(case, []).extend(map(errors_of, masks))
    errors = JudgedErrors(
        all_sensors,
        judged,
        persistence_errors(windows, windows.split.test),
        climatology_errors(windows, windows.split.test),
    )
    doubts = unobserved(fold.regions, windows) + history_warnings(windows.split)
    return Judged(errors, left_out, masks_taken, windows.split, doubts, stage.seconds)


def _rank(fold: Fold, windows: Windows) -> tuple[dict[str, list[Ranking]], dict[str, str]]:
    """Rankings by baseline, random for every seed several; and who cannot take the data.

    DynST's challengers are ranked too, whether they take part or not.

    Raises:
        DataError: No method is left.
    """
    history = make_history(windows, seed=fold.seeds[0])
    wanted = [name for name in fold.methods if name != OWN]
    challengers = challengers_of(history) if OWN in fold.methods else ()
    found, left_out = rank_by_all(dict.fromkeys((*wanted, *challengers)), history)
    rankings = {name: [ranking] for name, ranking in found.items()}
    if RANDOM in rankings:
        rankings[RANDOM] = random_rankings(history, RANDOM_PLANS * len(fold.seeds))
    if not {OWN, *rankings} & set(fold.methods):
        reasons = "; ".join(left_out.values())
        raise DataError(f"{fold.data.source.path}: no method can take the data: {reasons}")
    return rankings, left_out


def _baseline_plans(fold: Fold, rankings: Mapping[str, list[Ranking]], number: int) -> Plans:
    """The plans of the baselines, for the seed of that number."""
    own_plans = slice(number * RANDOM_PLANS, (number + 1) * RANDOM_PLANS)
    return {
        (name, sparsity): [
            rules.cut(ranking.order)
            for ranking in (rankings[name][own_plans] if name == RANDOM else rankings[name])
        ]
        for name in fold.methods
        if name in rankings
        for sparsity, rules in fold.sizes.items()
    }


def _dynst_plans(
    fold: Fold,
    windows: Windows,
    rankings: Mapping[str, list[Ranking]],
    seed: int,
    label: str,
    stage: Stages,
) -> tuple[Plans, list[str]]:
    """The plans of DynST, and whose mask each of them is."""
    settings, sizes = fold.recipe.mask, fold.sizes
    first = {name: several[0] for name, several in rankings.items()}
    with stage(f"{label}: train forecaster", fold.recipe.training.steps) as done:
        trainer = train_planner(windows, fold.recipe, seed, done)
    with stage(f"{label}: train masks", search_parts(settings) * len(sizes)) as done:
        trained = train_masks(trainer, settings, list(sizes.values()), first, done)
    taken = [best_of(one.candidates) for one in trained]
    masks = {(OWN, sparsity): [one.mask] for sparsity, one in zip(sizes, trained, strict=True)}
    return masks, taken


def _neural_judge(
    fold: Fold, windows: Windows, masks: Sequence[Bools], seed: int, label: str, stage: Stages
) -> Callable[[Bools], Errors]:
    """Fit a neural judge afresh, then on the masks; gives the test errors of a mask."""
    settings = fold.recipe.training
    with stage(f"{label}: train judge", settings.steps + settings.fine_tune) as done:
        judge = train_judge(windows, settings, seed, masks, done)
    return lambda mask: mask_errors(judge, mask)


def _distinct(masks: Sequence[Bools]) -> list[Bools]:
    return list({mask.tobytes(): mask for mask in masks}.values())


def _once_each(errors_of: Callable[[Bools], Errors]) -> Callable[[Bools], Errors]:
    """The same function, with its answers kept: methods often choose the same sensors."""
    known: dict[bytes, Errors] = {}

    def remembered(mask: Bools) -> Errors:
        key = mask.tobytes()
        if key not in known:
            known[key] = errors_of(mask)
        return known[key]

    return remembered
