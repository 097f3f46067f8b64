"""One setting of a recipe by its dotted key: ``mask.sparsity``, ``data.select.level``."""

import tomllib

from pydantic import ValidationError

from sensorplan.errors import RecipeError
from sensorplan.recipe.explaining import explain, known_names, section_of
from sensorplan.recipe.files import override
from sensorplan.recipe.settings import Recipe, Section


def parse_setting(text: str) -> tuple[str, object]:
    """``mask.sparsity=0.5`` to its key and its value: a TOML value, or else plain text.

    Raises:
        RecipeError: It is no such pair.
    """
    key, sign, value = (part.strip() for part in text.partition("="))
    if not (key and sign and value):
        raise RecipeError(f"--set {text}; expected SECTION.NAME=VALUE, say mask.sparsity=0.5")
    try:
        parsed = tomllib.loads(f"value = {value}")
    except tomllib.TOMLDecodeError as error:
        if value[0] in "[{\"'":
            raise RecipeError(f"--set {text}; no valid TOML: {error}") from error
        return key, value
    return key, parsed["value"] if len(parsed) == 1 else value


def assign(recipe: Recipe, key: str, value: object, said: str) -> Recipe:
    """The recipe with one setting replaced.

    Args:
        recipe: The recipe.
        key: ``SECTION.NAME``, ``SECTION.NAME.ENTRY`` of a table, or ``SECTION`` alone for all of
            it, where what `value` leaves out is the default.
        value: As TOML has it.
        said: How the user said it, for the message.

    Raises:
        RecipeError: There is no such setting, or it cannot have that value.
    """
    section, *path = key.split(".")
    if section not in Recipe.model_fields:
        home = section_of(section)
        hint = known_names(section, list(Recipe.model_fields))
        raise RecipeError(
            f"{said}; {f'expected {home}.{key}' if home else f'unknown section{hint}'}"
        )
    settings = getattr(recipe, section)
    if not path:
        return recipe.model_copy(update={section: _whole(section, value, said)})
    name, *entry = path
    if name not in type(settings).model_fields:
        raise RecipeError(
            f"{said}; unknown key{known_names(name, list(type(settings).model_fields))}"
        )
    if entry:
        if not isinstance(getattr(settings, name), dict):
            raise RecipeError(f"{said}; expected {section}.{name}, which has no entries")
        if isinstance(value, dict | list):
            raise RecipeError(f"{said}; expected one value")
        value = {".".join(entry): value}
    return override(recipe, section, spelled=lambda _: said, **{name: value})


def _whole(section: str, value: object, said: str) -> Section:
    """A section of a recipe from its table."""
    content = {section: value}
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        found, problem = explain(error, content)
        where = f"{found} " if isinstance(value, dict) else ""
        raise RecipeError(f"{said}; {where}{problem}") from error
    settings = getattr(recipe, section)
    assert isinstance(settings, Section)
    return settings
