"""The backbones by name: ours, and those that other packages add."""

from importlib.metadata import entry_points

from sensorplan.errors import RecipeError
from sensorplan.forecasters.backbone import Backbone
from sensorplan.forecasters.mixer import Mixer

FORECASTERS: dict[str, type[Backbone]] = {"mixer": Mixer}

GROUP = "sensorplan.forecasters"
"""Entry points of this group name a `Backbone` each."""


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
