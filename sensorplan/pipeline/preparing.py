"""What every command starts with: the data, its regions and the budget."""

from pathlib import Path
from typing import TYPE_CHECKING

from sensorplan.constraints import Constraints, Rules, ensure_feasible, state_constraints
from sensorplan.errors import DataError, RecipeError
from sensorplan.memory import Memory, return_what_is_freed
from sensorplan.plan import budget_at
from sensorplan.reading import read
from sensorplan.recipe import DataSettings, Recipe
from sensorplan.regions import Regions, nodalize, parse_patch, patchify
from sensorplan.sensors import SensorData
from sensorplan.windows import Windows

if TYPE_CHECKING:
    import xarray as xr

DEFAULT_SPARSITY = 0.5
GLOB = str.maketrans(dict.fromkeys("*?[]", "_"))


def read_regions(
    recipe: Recipe, dataset: "xr.Dataset | None" = None, folder: Path | None = None
) -> tuple[SensorData, Regions]:
    """The data and its regions.

    Args:
        recipe: All settings.
        dataset: What the recipe's path holds, where it is in memory already.
        folder: Where a history goes that does not fit into the memory allowed; None: where the
            command runs.

    Raises:
        RecipeError: No data is named.
        DataError: The data cannot be used; among others, it has fewer than two regions.
    """
    _first_path(recipe.data)
    bound = recipe.run.memory
    memory = None
    if bound is not None:
        memory = Memory.of(bound, folder or Path())
        return_what_is_freed()
    data = read(recipe.data, dataset, memory)
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


def state_rules(
    recipe: Recipe, data: SensorData, regions: Regions
) -> tuple[Constraints, Rules, list[str]]:
    """What a plan must obey, once it is sure that one can; and what the user should know of it.

    Raises:
        RecipeError: A setting is not allowed, or names no sensor.
        DataError: A file of a constraint cannot be used.
        ConstraintError: No plan can obey.
    """
    constraints, notes = state_constraints(recipe.constraints, data, regions)
    if recipe.mask.max_loss is not None and constraints.any:
        raise RecipeError(
            "--max-loss together with constraints; expected --sparsity, --budget or --max-cost "
            "to say how many are kept"
        )
    return constraints, ensure_feasible(constraints, regions_to_keep(recipe, constraints)), notes


def regions_to_keep(recipe: Recipe, constraints: Constraints) -> int | None:
    """The budget; with a largest loss it is not known yet, and this is the default one.

    Returns:
        None where only a largest cost says how many.

    Raises:
        RecipeError: It is over the number of regions.
    """
    mask, regions = recipe.mask, len(constraints.names)
    sparsity = mask.phases[-1] if mask.phases else mask.sparsity
    steps = [regions, *(budget_at(share, regions) for share in mask.phases)]
    if len(set(steps)) < len(steps):
        raise RecipeError(
            f"--phases {', '.join(f'{share:g}' for share in mask.phases)}: of {regions} sensors "
            f"(or patches) they keep {', '.join(map(str, steps[1:]))}; expected fewer in each"
        )
    budget, option = mask.budget, f"--budget {mask.budget}"
    if mask.add is not None:
        budget = int(constraints.required.sum()) + mask.add
        option = f"--add {mask.add}, with {budget - mask.add} required"
    if budget is None and sparsity is None and constraints.max_cost is not None:
        return None
    if budget is None:
        return budget_at(DEFAULT_SPARSITY if sparsity is None else sparsity, regions)
    if not 1 <= budget <= regions:
        raise RecipeError(
            f"{option}: there are {regions} sensors (or patches) to choose from; "
            f"expected 1 <= budget <= {regions}"
        )
    return budget


def with_window(recipe: Recipe, windows: Windows) -> Recipe:
    """The recipe with the lookback and horizon that were used."""
    window = {"lookback": windows.split.lookback, "horizon": windows.split.horizon}
    return recipe.model_copy(update={"window": recipe.window.model_copy(update=window)})


def _first_path(data: DataSettings) -> str:
    if not data.path:
        raise RecipeError("no data: name a file, or a recipe whose [data] path names one")
    return data.path[0]
