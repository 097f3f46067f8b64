"""The guts of each command: from a recipe to a plan folder, or to what a file holds."""

from sensorplan.pipeline.comparing import ComparisonResult, compare
from sensorplan.pipeline.curving import CurveResult, draw_curve
from sensorplan.pipeline.fitting import FitResult, fit
from sensorplan.pipeline.inspecting import Inspection, inspect
from sensorplan.pipeline.recording import Progress

__all__ = [
    "ComparisonResult",
    "CurveResult",
    "FitResult",
    "Inspection",
    "Progress",
    "compare",
    "draw_curve",
    "fit",
    "inspect",
]
