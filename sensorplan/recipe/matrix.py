"""Many recipes of one: the section ``[matrix]``, and what the plans are called.

Each key is a setting and has a list of values; a plan is made of every combination, the last key
going round fastest. A key may also be a whole section, whose values are tables; these may hold
settings of other sections (``window.patch``) that go with them.
"""

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensorplan.errors import RecipeError
from sensorplan.recipe.assigning import assign, parse_setting
from sensorplan.recipe.explaining import as_text
from sensorplan.recipe.files import dump_recipe, read_toml, recipe_of, seen_from_here
from sensorplan.recipe.settings import MATRIX, SIZES, Recipe

SHORT = {"mask.sparsity": "s", "mask.budget": "b", "mask.max_loss": "loss"}
BARE = ("data", "data.path", "data.variable", "mask.method", "training.backbone", "window.patch")
LONGEST = 80  # of a name
NAME = "name"  # of a table in the matrix; no setting


@dataclass(frozen=True)
class Variant:
    """One plan that recipes ask for.

    Attributes:
        name: Of its folder; no two of a batch are alike.
        recipe: All settings.
        file: The recipe it is from.
        settings: What the matrix sets, by dotted key.
    """

    name: str
    recipe: Recipe
    file: Path
    settings: Mapping[str, Any]


def load_variants(files: Sequence[Path], settings: Sequence[str] = ()) -> list[Variant]:
    """Every plan that recipes ask for, in order.

    Args:
        files: The recipes.
        settings: ``SECTION.NAME=VALUE`` each, over all of them; the matrix gives way.

    Raises:
        RecipeError: A recipe or a setting is not allowed, or two plans are the same or would have
            the same name.
    """
    given = {key: (value, text) for text in settings for key, value in [parse_setting(text)]}
    variants = [variant for file in files for variant in _variants(file, given)]
    names: dict[str, Variant] = {}
    contents: dict[bytes, Variant] = {}
    for variant in variants:
        other = contents.setdefault(dump_recipe(variant.recipe), variant)
        if other is not variant:
            raise RecipeError(
                f"{variant.file}: {variant.name} is the same plan as {other.name} of {other.file}"
            )
        other = names.setdefault(variant.name.casefold(), variant)
        if other is not variant:
            raise RecipeError(
                f"{variant.file}: two plans would be called {variant.name}, the other one of "
                f"{other.file}; another name for the recipe, or a {NAME} in tables of the "
                f"[{MATRIX}], tells them apart"
            )
    return variants


def _variants(file: Path, given: Mapping[str, tuple[object, str]]) -> Iterator[Variant]:
    content = read_toml(file)
    matrix = content.pop(MATRIX, {})
    if not isinstance(matrix, dict):
        raise RecipeError(f"{file} {MATRIX} = {as_text(matrix)}; expected a section [{MATRIX}]")
    recipe = recipe_of(content, file)
    axes = _give_way(dict(_axes(matrix, file)), {key: value for key, (value, _) in given.items()})
    for values in itertools.product(*axes.values()):
        point = dict(zip(axes, values, strict=True))
        changed = recipe
        for key in sorted(point, key=lambda key: "." in key):  # whole sections first
            if key in given:
                continue
            for setting, value in _parted(key, point[key]):
                said = f"{file} [{MATRIX}] {setting} = {as_text(value)}"
                changed = assign(changed, setting, value, said)
        changed = seen_from_here(changed, file)
        for key, (value, text) in given.items():
            changed = assign(changed, key, value, f"--set {text}")
        if not changed.data.path:
            raise RecipeError(f"{file}: no data; expected [data] path")
        yield Variant(_name(file, point), changed, file, point)


def _axes(table: Mapping[str, object], file: Path, above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and values of each; bare keys with dots are nested tables in TOML."""
    for name, values in table.items():
        key = f"{above}{name}"
        if isinstance(values, dict):
            yield from _axes(values, file, f"{key}.")
        elif isinstance(values, list) and values:
            yield key, values
        else:
            raise RecipeError(
                f"{file} [{MATRIX}] {key} = {as_text(values)}; expected a list of values"
            )


def _give_way(axes: Mapping[str, Any], given: Mapping[str, object]) -> dict[str, Any]:
    """The axes, where what was set in another way stands in place of an axis."""
    sizes = {f"mask.{name}" for name in SIZES}
    size = [key for key in given if key in sizes][-1:]
    changed = {}
    for key, values in axes.items():
        by = size[0] if size and key in sizes else key
        changed[by] = [given[by]] if by in given else values
    return changed


def _parted(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """What a value of the matrix sets: of a table its own section, and settings of others in it."""
    if not isinstance(value, dict):
        yield key, value
        return
    others = {name: part for name, part in value.items() if name in Recipe.model_fields}
    yield key, {name: part for name, part in value.items() if name not in {NAME, *others}}
    for section, part in others.items():
        if not isinstance(part, dict):
            yield section, part
            continue
        for name, setting in part.items():
            yield f"{section}.{name}", setting


def _name(file: Path, point: Mapping[str, Any]) -> str:
    """The data and what else the matrix sets; the recipe's own name where that sets no data."""
    data = [key for key in point if key in ("data", "data.path")]
    labels = [
        _label(key, point[key]) for key in [*data, *(key for key in point if key not in data)]
    ]
    name = "_".join(labels if data else [_plain(file.stem), *labels])
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _label(key: str, value: Any) -> str:
    if isinstance(value, dict):
        if NAME in value:
            return _plain(str(value[NAME]))
        if key == "data":
            return _label("data.path", value.get("path", "none"))
        parts = [_label(f"{key}.{name}", setting) for name, setting in value.items()]
        return "_".join(parts) or f"no-{key}"
    if key == "data.path":
        return "+".join(_plain(Path(path).stem) for path in _listed(value))
    word = "+".join(_plain(Path(str(part)).name) for part in _listed(value))
    name = "" if key in BARE else SHORT.get(key, key.split(".")[-1])
    return f"{name}{'' if not name or word[0].isdigit() else '-'}{word}"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _plain(text: str) -> str:
    """Text as a part of a file name on any system."""
    return re.sub(r"[^\w.+-]+", "-", text).strip(".-_") or "none"
