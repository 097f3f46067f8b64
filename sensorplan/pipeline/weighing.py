"""What the loss is to care for, as the recipe says."""

from pathlib import Path

import numpy as np

from sensorplan.errors import DataError, RecipeError
from sensorplan.evaluation.areas import node_areas
from sensorplan.reading.notes import listed
from sensorplan.reading.weights import read_weights
from sensorplan.recipe import WEIGHTS
from sensorplan.regions import Regions
from sensorplan.sensors import Floats, SensorData
from sensorplan.windows import Windows, weigh_extremes, weigh_regions


def weigh(weight: str | None, windows: Windows, data: SensorData, regions: Regions) -> Windows:
    """The windows with the weights that the recipe asks for.

    Raises:
        RecipeError: The file names no sensor, or is none.
        DataError: There are no positions, or the file cannot be used.
    """
    if weight is None:
        return windows
    if weight == "extremes":
        return weigh_extremes(windows, data, regions)
    if weight == "area":
        return weigh_regions(windows, _areas(data, regions))
    if not Path(weight).is_file():
        raise RecipeError(
            f"--weight {weight}: no such file; expected {', '.join(WEIGHTS)} or a table of "
            "id,weight"
        )
    return weigh_regions(windows, _of_file(weight, data, regions))


def _areas(data: SensorData, regions: Regions) -> Floats:
    """``[region]`` area that each stands for; the mean of the others without a position."""
    areas = node_areas(data.geometry)
    if areas is None:
        raise DataError(f"{data.source.path}: --weight area needs positions; the data has none")
    filled = np.where(regions.members >= 0, areas[regions.members], 0.0)
    area: Floats = filled.sum(1)
    return np.where(area > 0, area, area[area > 0].mean())


def _of_file(file: str, data: SensorData, regions: Regions) -> Floats:
    """``[region]`` weight that the file gives it, 1 where it gives none."""
    weights = read_weights(file)
    unknown = [name for name in weights if name not in regions.names]
    if unknown:
        raise RecipeError(
            f"--weight {file}: {listed(unknown)}: no sensor of {data.source.path}; expected "
            f"some of {listed(regions.names)}"
        )
    weight = np.array([weights.get(name, 1.0) for name in regions.names])
    if not weight.any():
        raise RecipeError(f"--weight {file}: every weight is 0; expected some above")
    return weight
