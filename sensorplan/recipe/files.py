"""Recipes as TOML: strict reading, writing, and settings from the command line.

A setting without a value in the recipe keeps its default. An unknown key or a value out of range is
a `RecipeError` that says where it stands and what is allowed.
"""

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from sensorplan.errors import RecipeError
from sensorplan.recipe.explaining import expected, explain
from sensorplan.recipe.settings import IN_MEMORY, MATRIX, SIZES, WEIGHTS, MaskSettings, Recipe


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; its data paths count from its own folder.

    Raises:
        RecipeError: The file cannot be read, is no TOML, or holds a key or value not allowed.
    """
    content = read_toml(path)
    if MATRIX in content:
        raise RecipeError(f"{path} [{MATRIX}]: many plans; sensorplan batch {path} makes them")
    return seen_from_here(recipe_of(content, path), path)


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a file.

    Raises:
        RecipeError: It cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: is no UTF-8 text; expected a TOML recipe") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: is no valid TOML: {error}") from error


def recipe_of(content: dict[str, Any], path: Path) -> Recipe:
    """The recipe of the tables of a file; its paths are as they stand there.

    Raises:
        RecipeError: A key or value is not allowed.
    """
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise RecipeError(f"{path} {' '.join(explain(error, content))}") from error


def seen_from_here(recipe: Recipe, path: Path) -> Recipe:
    """The recipe of a file with paths that count from the working folder."""
    return move_paths(recipe, lambda name: os.path.normpath(path.parent / name))


def dump_recipe(recipe: Recipe, folder: Path | None = None) -> bytes:
    """A recipe as TOML, every setting written out except those that are None.

    Args:
        recipe: The recipe.
        folder: Where the file will lie; relative data paths are written as seen from there. None:
            as they are, so the file must lie in the working folder.
    """
    if folder is not None:
        recipe = move_paths(recipe, lambda name: _seen_from(folder, name))
    return tomli_w.dumps(recipe.model_dump(mode="json", exclude_none=True)).encode()


def as_options(values: Mapping[str, object]) -> str:
    """Settings as on the command line: ``swap_fraction`` and 2 are ``--swap-fraction 2``."""
    texts = {
        name: " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        for name, value in values.items()
    }
    return " ".join(f"--{name.replace('_', '-')} {text}" for name, text in texts.items())


def override(
    recipe: Recipe,
    section: str,
    *,
    spelled: Callable[[Mapping[str, object]], str] = as_options,
    **values: object,
) -> Recipe:
    """The recipe with settings replaced by others of the same names.

    A size (`SIZES`) takes the place of any other; a table adds to what the recipe's holds.

    Args:
        recipe: The recipe.
        section: The section that all of them are in.
        spelled: How an error names settings: as the user gave them.
        values: Setting and value; None takes the setting back to having none.

    Raises:
        RecipeError: A value is not allowed.
    """
    settings = getattr(recipe, section)
    given = {name: value for name, value in values.items() if value not in (None, ())}
    changed = settings.model_dump()
    if given.keys() & {*SIZES}:
        changed |= {size: MaskSettings.model_fields[size].default for size in SIZES}
    for name, value in values.items():
        if isinstance(value, Mapping) and isinstance(changed[name], Mapping):
            value = {**changed[name], **value}
        changed[name] = value
    try:
        settings = type(settings).model_validate(changed)
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:
            raise RecipeError(f"{spelled(given)}; {first['ctx']['error']}") from error
        name = str(first["loc"][0])
        allowed = expected(type(settings), name, first["type"])
        raise RecipeError(f"{spelled({name: values[name]})}; expected {allowed}") from error
    return recipe.model_copy(update={section: settings})


def move_paths(recipe: Recipe, move: Callable[[str], str]) -> Recipe:
    """The recipe with `move` applied to every path in it, globs among them."""
    data = recipe.data
    moved = {
        "path": tuple(name if name == IN_MEMORY else move(name) for name in data.path),
        "stations": data.stations and move(data.stations),
        "adjacency": data.adjacency and move(data.adjacency),
    }
    constraints = recipe.constraints
    beside = {
        "sites": constraints.sites and move(constraints.sites),
        "cover_points": constraints.cover_points and move(constraints.cover_points),
        "exclude_area": tuple(map(move, constraints.exclude_area)),
        **{
            name: tuple(
                f"@{move(text[1:])}" if text.startswith("@") else text
                for text in getattr(constraints, name)
            )
            for name in ("require", "exclude")
        },
    }
    weight = recipe.training.weight
    training = recipe.training.model_copy(
        update={"weight": weight if weight in (None, *WEIGHTS) else move(weight)}
    )
    return recipe.model_copy(
        update={
            "training": training,
            "data": data.model_copy(update=moved),
            "constraints": constraints.model_copy(update=beside),
        }
    )


def _seen_from(folder: Path, name: str) -> str:
    """A path relative to `folder`; absolute where it was, or where it lies on another drive."""
    here = Path(name).absolute()
    if Path(name).is_absolute() or here.drive != folder.absolute().drive:
        return here.as_posix()
    return Path(os.path.relpath(here, folder)).as_posix()
