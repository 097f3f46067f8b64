"""Every setting of a run, and the strict TOML recipe that holds them."""

from sensorplan.recipe.assigning import assign, parse_setting
from sensorplan.recipe.files import dump_recipe, load_recipe, move_paths, override
from sensorplan.recipe.keywords import (
    ConstraintKeywords,
    CurveKeywords,
    DataKeywords,
    Keywords,
    with_keywords,
)
from sensorplan.recipe.matrix import Variant, load_variants
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
    "Variant",
    "WindowSettings",
    "assign",
    "dump_recipe",
    "load_recipe",
    "load_variants",
    "move_paths",
    "override",
    "parse_setting",
    "with_keywords",
]
