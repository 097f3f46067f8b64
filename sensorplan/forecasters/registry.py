"""The backbones by name: ours, and those that other packages add."""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sensorplan.errors import RecipeError
from sensorplan.forecasters.backbone import Backbone, Compact, Options
from sensorplan.forecasters.blend import CompactBlend
from sensorplan.forecasters.conv import Conv
from sensorplan.forecasters.graph import DiffusionGraph
from sensorplan.forecasters.linear import Linear
from sensorplan.forecasters.mixer import Mixer
from sensorplan.forecasters.network import Network
from sensorplan.forecasters.vit import Vit
from sensorplan.recipe.explaining import expected

LINEAR = "linear"
BLEND = "blend"
"""Not a backbone: the name of `CompactBlend` in files."""

FORECASTERS: dict[str, type[Backbone]] = {
    "mixer": Mixer,
    "graph": DiffusionGraph,
    "vit": Vit,
    "conv": Conv,
    LINEAR: Linear,
}

GROUP = "sensorplan.forecasters"
"""Entry points of this group name a `Backbone` each."""

OF_KIND_OR_LIMIT = ("greater_than", "less_than", "int_", "float_", "bool_", "literal_")
"""What pydantic's names of such errors begin with."""


def build_backbone(name: str, options: Mapping[str, object], network: Network) -> Backbone:
    """The backbone of that name, made for a network; the caller seeds torch.

    Args:
        name: One of `FORECASTERS` or of another package.
        options: Its own settings, as text or as values.
        network: What it may know.

    Raises:
        RecipeError: There is no such backbone, or an option is not allowed.
        DataError: The network lacks what the backbone needs.
    """
    backbone = find_backbone(name)
    try:
        settings = backbone.options_type.model_validate(options)
    except ValidationError as error:
        first = error.errors()[0]
        option = ".".join(map(str, first["loc"]))
        found = f"backbone {name}: option {option} = {first['input']}"
        raise RecipeError(f"{found}; {_wrong(backbone.options_type, option, first)}") from error
    return backbone.build(network, settings)


def _wrong(options: type[Options], name: str, error: ErrorDetails) -> str:
    """What is wrong with an option, and what it may be."""
    problem = error["type"]
    if problem == "extra_forbidden":
        return f"unknown option; known: {', '.join(options.model_fields) or 'none'}"
    if problem.startswith(OF_KIND_OR_LIMIT):
        return f"expected {expected(options, name, problem)}"
    return error["msg"]  # of a check that another package made itself


def empty_compact(name: str, config: dict[str, Any]) -> Compact:
    """A compact forecaster of the same shape, ready to load a state.

    Args:
        name: Of its backbone, or `BLEND`.
        config: See `Compact.config`.

    Raises:
        RecipeError: There is no such backbone.
    """
    if name == BLEND:
        return CompactBlend.empty(config, empty_compact(config["backbone"], config["network"]))
    return find_backbone(name).empty_compact(config)


def find_backbone(name: str) -> type[Backbone]:
    """The backbone of that name.

    Raises:
        RecipeError: There is none, or the package that adds it does not give a `Backbone`.
    """
    if name in FORECASTERS:
        return FORECASTERS[name]
    added = {point.name: point for point in entry_points(group=GROUP)}
    if name not in added:
        known = ", ".join((*FORECASTERS, *sorted(added)))
        raise RecipeError(f"backbone {name}; expected one of {known}")
    where = f"backbone {name}: {added[name].value}"
    try:
        loaded = added[name].load()
    except (ImportError, AttributeError) as error:
        raise RecipeError(f"{where} cannot be imported ({error})") from error
    if not (isinstance(loaded, type) and issubclass(loaded, Backbone)):
        raise RecipeError(f"{where} is not a sensorplan.forecasters.Backbone")
    return loaded
