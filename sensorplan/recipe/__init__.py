"""Every setting of a run, and the strict TOML recipe that holds them."""

from sensorplan.recipe.files import dump_recipe, load_recipe, override
from sensorplan.recipe.keywords import (
    ConstraintKeywords,
    CurveKeywords,
    DataKeywords,
    Keywords,
    with_keywords,
)
from sensorplan.recipe.settings import (
    IN_MEMORY,
    SIZES,
    WEIGHTS,
    ConstraintSettings,
    DataSettings,
    FigureFormat,
    MaskSettings,
    Recipe,
    RunSettings,
    TrainingSettings,
    WindowSettings,
)

__all__ = [
    "IN_MEMORY",
    "SIZES",
    "WEIGHTS",
    "ConstraintKeywords",
    "ConstraintSettings",
    "CurveKeywords",
    "DataKeywords",
    "DataSettings",
    "FigureFormat",
    "Keywords",
    "MaskSettings",
    "Recipe",
    "RunSettings",
    "TrainingSettings",
    "WindowSettings",
    "dump_recipe",
    "load_recipe",
    "override",
    "with_keywords",
]
