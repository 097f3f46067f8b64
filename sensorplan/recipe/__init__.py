"""Every setting of a run, and the strict TOML recipe that holds them."""

from sensorplan.recipe.files import dump_recipe, load_recipe, override
from sensorplan.recipe.settings import (
    WEIGHTS,
    ConstraintSettings,
    DataSettings,
    MaskSettings,
    Recipe,
    RunSettings,
    TrainingSettings,
    WindowSettings,
)

__all__ = [
    "WEIGHTS",
    "ConstraintSettings",
    "DataSettings",
    "MaskSettings",
    "Recipe",
    "RunSettings",
    "TrainingSettings",
    "WindowSettings",
    "dump_recipe",
    "load_recipe",
    "override",
]
