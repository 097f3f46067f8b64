"""What is wrong with a recipe: where, what was found, what is allowed."""

import difflib
import json
from typing import Any

from pydantic import BaseModel, ValidationError

from sensorplan.recipe.settings import MATRIX, Recipe, Section


def explain(error: ValidationError, content: dict[str, Any]) -> tuple[str, str]:
    """The first problem in a recipe: where and what was found, and what is allowed.

    Args:
        error: Of `Recipe.model_validate`.
        content: What it was given.
    """
    first = error.errors()[0]
    section, *rest = (str(part) for part in first["loc"])
    if section not in Recipe.model_fields:
        return _unknown_section(section)
    model = Recipe.model_fields[section].annotation
    assert isinstance(model, type)
    assert issubclass(model, Section)
    if not isinstance(content[section], dict):
        return f"{section} = {as_text(content[section])};", f"expected a section [{section}]"
    if not rest:
        return f"[{section}]", str(first["ctx"]["error"])
    name = rest[0]
    found = f"[{section}] {name} = {as_text(content[section][name])};"
    if name not in model.model_fields:
        return found, f"unknown key{known_names(name, list(model.model_fields))}"
    return found, f"expected {expected(model, name, first['type'])}"


def section_of(name: str) -> str | None:
    """The section that has such a setting, if one does."""
    defaults = Recipe().model_dump()
    return next((section for section, settings in defaults.items() if name in settings), None)


def _unknown_section(name: str) -> tuple[str, str]:
    home = section_of(name)
    if home:
        return f"{name} stands outside of a section;", f"expected under [{home}]"
    return f"[{name}];", f"unknown section{known_names(name, [*Recipe.model_fields, MATRIX])}"


def known_names(name: str, known: list[str]) -> str:
    """What to say behind an unknown name: the nearest of the known ones, and all of them."""
    close = difflib.get_close_matches(name, known, n=1)
    hint = f", did you mean {close[0]}?" if close else ";"
    return f"{hint} known: {', '.join(known)}"


def as_text(value: object) -> str:
    """A value as the user may have written it."""
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
