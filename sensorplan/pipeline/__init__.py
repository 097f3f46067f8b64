"""The guts of each command: from a recipe to a plan folder, or to what a file holds."""

from sensorplan.pipeline.fitting import FitResult, fit
from sensorplan.pipeline.stages import Progress
from sensorplan.pipeline.inspecting import Inspection, inspect

__all__ = ["FitResult", "Inspection", "Progress", "fit", "inspect"]
