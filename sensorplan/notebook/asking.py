"""What the functions share: arguments to a recipe, records to tables, warnings and progress."""

import os
import sys
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import pandas as pd
import xarray as xr

from sensorplan.errors import RecipeError
from sensorplan.reading import unchanged_file
from sensorplan.reading.memory import InMemory, as_dataset
from sensorplan.recipe import IN_MEMORY, Recipe, load_recipe, override, with_keywords
from sensorplan.records import Record

if TYPE_CHECKING:
    from sensorplan.pipeline import Progress

AnyPath = str | os.PathLike[str]
Data = InMemory | AnyPath | Sequence[AnyPath]
Item = TypeVar("Item", str, float)


class Asked(NamedTuple):
    """A recipe, and what its path holds where that is in memory."""

    recipe: Recipe
    dataset: xr.Dataset | None


def asked_for(
    data: Data | None,
    recipe: Recipe | AnyPath | None,
    settings: Mapping[str, object],
    allowed: Collection[str],
    traced: bool = True,
) -> Asked:
    """What a call asks for.

    Args:
        data: In memory, or files; None: what the recipe names.
        recipe: Settings, or a TOML file of them; None: all defaults.
        settings: Put on top of it.
        allowed: Names of those that play a part.
        traced: Look whether data in memory is what its file holds, so that the file stands for it.

    Raises:
        RecipeError: The data is of another kind, or a setting is not allowed.
        DataError: The data is not named as it must be.
    """
    if not isinstance(recipe, Recipe):
        recipe = Recipe() if recipe is None else load_recipe(Path(recipe))
    recipe = with_keywords(recipe, settings, allowed)
    if data is None:
        return Asked(recipe, None)
    if not isinstance(data, InMemory):
        return Asked(override(recipe, "data", path=_paths(data)), None)
    if recipe.run.memory is not None:
        raise RecipeError(
            f"memory = {recipe.run.memory}: bounds what is read of files, and this data is in "
            "memory; expected the path of a file"
        )
    dataset, variable = as_dataset(data)
    recipe = override(recipe, "data", path=(IN_MEMORY,), variable=recipe.data.variable or variable)
    file = unchanged_file(recipe.data, dataset) if traced else None
    return Asked(override(recipe, "data", path=(file or IN_MEMORY,)), dataset)


def _paths(data: object) -> tuple[str, ...]:
    paths = [data] if isinstance(data, str | os.PathLike) else data
    if isinstance(paths, list | tuple) and all(isinstance(p, str | os.PathLike) for p in paths):
        return tuple(map(os.fspath, paths))
    raise RecipeError(
        f"data is a {type(data).__name__}; expected an xarray Dataset or DataArray, a pandas "
        "DataFrame (a row a time, a column a sensor), or the path of a file"
    )


def told(progress: "bool | Progress") -> "Progress | None":
    """What is told of progress: for True, one line a stage on stderr."""
    if not isinstance(progress, bool):
        return progress
    begun: set[str] = set()

    def tell(stage: str, done: int, total: int) -> None:
        if stage not in begun:
            begun.add(stage)
            say(f"{stage} ...")

    return tell if progress else None


def say(line: str) -> None:
    """Tell at once, on stderr."""
    print(line, file=sys.stderr, flush=True)


def several(value: Item | Sequence[Item] | None) -> list[Item] | None:
    """One value as a list of it."""
    if value is None:
        return None
    return [value] if isinstance(value, str | float | int) else list(value)


def table_of(rows: Sequence[Record], kind: type[Record]) -> pd.DataFrame:
    """One row a record, one column a field of their kind."""
    return pd.DataFrame([row.model_dump() for row in rows], columns=list(kind.model_fields))


def warn(sentences: Sequence[str]) -> None:
    """Warn the caller of a function of this module."""
    for sentence in sentences:
        warnings.warn(sentence, stacklevel=3)
