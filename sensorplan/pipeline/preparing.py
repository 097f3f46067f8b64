"""What every command starts with: the data, its regions and the budget."""

from pathlib import Path

from sensorplan.errors import DataError, RecipeError
from sensorplan.plan import budget_at
from sensorplan.reading import read
from sensorplan.recipe import DataSettings, MaskSettings, Recipe
from sensorplan.regions import Regions, nodalize, parse_patch, patchify
from sensorplan.sensors import SensorData
from sensorplan.windows import Windows

DEFAULT_SPARSITY = 0.5
GLOB = str.maketrans(dict.fromkeys("*?[]", "_"))


def read_regions(recipe: Recipe) -> tuple[SensorData, Regions]:
    """The data and its regions.

    Raises:
        RecipeError: No data is named.
        DataError: The data cannot be used; among others, it has fewer than two regions.
    """
    _first_path(recipe.data)
    data = read(recipe.data)
    patch = recipe.window.patch
    regions = patchify(data, parse_patch(patch)) if patch else nodalize(data)
    if len(regions) < 2:
        what = "patch" if patch else "sensor"
        raise DataError(f"{data.source.path}: holds 1 {what}; expected at least 2 to choose from")
    return data, regions


def default_folder(recipe: Recipe, ending: str = ".plan") -> Path:
    """``DATA-stem.plan``, or with another ending, in the working folder."""
    return default_target(recipe.data, ending)


def default_target(data: DataSettings, ending: str) -> Path:
    """The data's stem with an ending, in the working folder.

    Raises:
        RecipeError: No data is named.
    """
    return Path(Path(_first_path(data)).stem.translate(GLOB) + ending)


def regions_to_keep(mask: MaskSettings, regions: int) -> int:
    """The budget; with a largest loss it is not known yet, and this is the default one.

    Raises:
        RecipeError: It is over the number of regions.
    """
    if mask.budget is None:
        return budget_at(DEFAULT_SPARSITY if mask.sparsity is None else mask.sparsity, regions)
    if mask.budget > regions:
        raise RecipeError(
            f"--budget {mask.budget}: there are {regions} sensors (or patches) to choose from; "
            f"expected 1 <= budget <= {regions}"
        )
    return mask.budget


def with_window(recipe: Recipe, windows: Windows) -> Recipe:
    """The recipe with the lookback and horizon that were used."""
    window = {"lookback": windows.split.lookback, "horizon": windows.split.horizon}
    return recipe.model_copy(update={"window": recipe.window.model_copy(update=window)})


def _first_path(data: DataSettings) -> str:
    if not data.path:
        raise RecipeError("no data: name a file, or a recipe whose [data] path names one")
    return data.path[0]
