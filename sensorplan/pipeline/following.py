"""What `fit` does in the processes of a team that do not lead."""

from sensorplan.devices import choose_device, prepare_torch
from sensorplan.pipeline.preparing import read_regions
from sensorplan.pipeline.weighing import weigh
from sensorplan.recipe import Recipe
from sensorplan.training import Trainer
from sensorplan.windows import make_windows


def follow(recipe: Recipe) -> None:
    """Take part in the trainings of the first process, until it is done.

    Args:
        recipe: The same settings as there.

    Raises:
        SensorplanError: The data or the settings cannot be used.
    """
    device = choose_device(recipe.run.device)
    prepare_torch()
    data, regions = read_regions(recipe)
    windows = make_windows(data, regions, recipe.window, device)
    windows = weigh(recipe.training.weight, windows, data, regions)
    Trainer(windows, recipe.training, recipe.run.seed, recipe.mask.robust or 0.0).take_part()
