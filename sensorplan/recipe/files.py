"""Recipes as TOML: strict reading, writing, and settings from the command line.

A setting without a value in the recipe keeps its default. An unknown key or a value out of range is
a `RecipeError` that says where it stands and what is allowed.
"""

import difflib
import json
import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import BaseModel, ValidationError

from sensorplan.errors import RecipeError
from sensorplan.recipe.settings import IN_MEMORY, SIZES, WEIGHTS, MaskSettings, Recipe, Section


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; its data paths count from its own folder.

    Raises:
        RecipeError: The file cannot be read, is no TOML, or holds a key or value not allowed.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: is no UTF-8 text; expected a TOML recipe") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: is no valid TOML: {error}") from error
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        raise RecipeError(f"{path} {_explain(error, content)}") from error
    return _move_paths(recipe, lambda name: os.path.normpath(path.parent / name))


def dump_recipe(recipe: Recipe, folder: Path | None = None) -> bytes:
    """A recipe as TOML, every setting written out except those that are None.

    Args:
        recipe: The recipe.
        folder: Where the file will lie; relative data paths are written as seen from there. None:
            as they are, so the file must lie in the working folder.
    """
    if folder is not None:
        recipe = _move_paths(recipe, lambda name: _seen_from(folder, name))
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


def _move_paths(recipe: Recipe, move: Callable[[str], str]) -> Recipe:
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


def _explain(error: ValidationError, content: dict[str, Any]) -> str:
    """The first problem in a recipe: where, what was found, what is allowed."""
    first = error.errors()[0]
    section, *rest = (str(part) for part in first["loc"])
    if section not in Recipe.model_fields:
        return _unknown_section(section)
    model = Recipe.model_fields[section].annotation
    assert isinstance(model, type)
    assert issubclass(model, Section)
    if not isinstance(content[section], dict):
        return f"{section} = {_toml(content[section])}; expected a section [{section}]"
    if not rest:
        return f"[{section}] {first['ctx']['error']}"
    name = rest[0]
    found = f"[{section}] {name} = {_toml(content[section][name])}"
    if name not in model.model_fields:
        return f"{found}; unknown key{known_names(name, list(model.model_fields))}"
    return f"{found}; expected {expected(model, name, first['type'])}"


def _unknown_section(name: str) -> str:
    homes = [section for section, default in Recipe().model_dump().items() if name in default]
    if homes:
        return f"{name} stands outside of a section; expected under [{homes[0]}]"
    return f"[{name}]; unknown section{known_names(name, list(Recipe.model_fields))}"


def known_names(name: str, known: list[str]) -> str:
    """What to say behind an unknown name: the nearest of the known ones, and all of them."""
    close = difflib.get_close_matches(name, known, n=1)
    hint = f", did you mean {close[0]}?" if close else ";"
    return f"{hint} known: {', '.join(known)}"


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


KINDS = {
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "string": "text",
    "object": "a table",
}
LIST_KINDS = {"number": "numbers", "string": "texts"}


def expected(model: type[BaseModel], name: str, problem: str) -> str:
    """What a setting may be, from its model: limits, choices or kind.

    Args:
        model: Where it is a field.
        name: Of the field.
        problem: Type of the `ValidationError`, as pydantic names it.
    """
    schema = model.model_json_schema()["properties"][name]
    schema = schema.get("anyOf", [schema])[0]  # the other choice is to leave the setting out
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return f"one of {', '.join(schema['enum'])}"
    if "pattern" in schema:
        return str(schema["description"])
    if schema["type"] == "array":
        return f"a list of {LIST_KINDS[schema['items']['type']]}"
    limits = _limits(schema, name)
    if problem.startswith(("greater_than", "less_than")):
        return limits
    kind = KINDS[schema["type"]]
    return f"{kind}, {limits}" if limits != name else kind


def _limits(schema: dict[str, Any], name: str) -> str:
    """Limits of a number: ``0 <= sparsity < 1``, or ``rounds >= 1`` where there is only one."""
    low = [
        (sign, f"{schema[key]:g}")
        for key, sign in (("minimum", "<="), ("exclusiveMinimum", "<"))
        if key in schema
    ]
    high = [
        f"{sign} {schema[key]:g}"
        for key, sign in (("maximum", "<="), ("exclusiveMaximum", "<"))
        if key in schema
    ]
    if low and not high:
        sign, limit = low[0]
        return f"{name} {sign.replace('<', '>')} {limit}"
    return " ".join([*(f"{limit} {sign}" for sign, limit in low), name, *high])
