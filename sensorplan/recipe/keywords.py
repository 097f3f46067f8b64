"""Settings as keyword arguments: flat, by the names that they have in a recipe."""

import os
import reprlib
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, TypedDict

from sensorplan.errors import RecipeError
from sensorplan.recipe.explaining import known_names
from sensorplan.recipe.files import override
from sensorplan.recipe.settings import FigureFormat, Method, Recipe

Path = str | os.PathLike[str]
Several = str | Sequence[str]

ALIASES = {"backbone_option": "options"}  # named as on the command line
ALIASED = {setting: alias for alias, setting in ALIASES.items()}


class DataKeywords(TypedDict, total=False):
    """How data is read; see `DataSettings`."""

    variable: Several
    select: Mapping[str, object]
    missing: float | Sequence[float]
    resample: str
    stations: Path


class TrainingKeywords(DataKeywords, total=False):
    """The same, and how windows are cut and networks trained."""

    adjacency: Path

    lookback: int
    horizon: int
    stride: int
    patch: str
    validation: float
    test: float

    robust: float
    rounds: int
    refinements: int
    round_steps: int
    update_every: int
    swap_fraction: float
    penalty: float
    practice: int
    probe: int

    backbone: str
    backbone_option: Mapping[str, bool | int | float | str]
    weight: Path
    steps: int
    fine_tune: int
    batch_size: int
    learning_rate: float

    seed: int
    device: Literal["auto", "cpu", "cuda", "mps"]
    figure_format: FigureFormat


class CurveKeywords(TrainingKeywords, total=False):
    """The same, and how far a curve is followed."""

    max_loss: float
    memory: str


class ConstraintKeywords(TrainingKeywords, total=False):
    """The same, and what a plan must obey."""

    sites: Path
    only_listed: bool
    require: Several
    exclude: Several
    exclude_area: Path | Sequence[Path]
    min_distance: str
    cover: str
    cover_points: Path
    max_cost: float
    per_group: Several


class Keywords(ConstraintKeywords, total=False):
    """Every setting but the data's path; see the sections of `Recipe`."""

    method: Method
    sparsity: float
    budget: int
    add: int
    max_loss: float
    phases: Sequence[float]
    memory: str

    checkpoint_every: float


def with_keywords(
    recipe: Recipe, keywords: Mapping[str, object], allowed: Collection[str]
) -> Recipe:
    """The recipe with keyword arguments put on top.

    Args:
        recipe: The recipe.
        keywords: Setting and value, which may be an array or a series; None: not given.
        allowed: Names of the settings that play a part.

    Raises:
        RecipeError: A name is unknown, or a value not allowed.
    """
    homes = {
        setting: section
        for section, settings in Recipe().model_dump().items()
        for setting in settings
    }
    found: dict[str, dict[str, object]] = {}
    for name, value in keywords.items():
        if name not in allowed:
            known = known_names(name, sorted(allowed))
            raise RecipeError(f"{name} = {reprlib.repr(value)}; unknown setting{known}")
        if value is not None:
            setting = ALIASES.get(name, name)
            found.setdefault(homes[setting], {})[setting] = _plain(value)
    for section, values in found.items():
        recipe = override(recipe, section, spelled=_assigned, **values)
    return recipe


def _plain(value: object) -> object:
    """Arrays, series and numbers of numpy as Python's own, paths as text, lists as tuples."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    return value


def _assigned(values: Mapping[str, object]) -> str:
    """``sparsity = 0.4, budget = 3``."""
    return ", ".join(
        f"{ALIASED.get(name, name)} = {reprlib.repr(value)}" for name, value in values.items()
    )
