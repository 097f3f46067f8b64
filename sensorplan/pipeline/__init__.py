"""The guts of each command: from a recipe to a plan folder, or to what a file holds."""

from sensorplan.pipeline.comparing import ComparisonResult, compare
from sensorplan.pipeline.curving import CurveResult, draw_curve
from sensorplan.pipeline.diffing import Difference, diff
from sensorplan.pipeline.exporting import ExportedModel, export_model
from sensorplan.pipeline.fitting import FitResult, fit
from sensorplan.pipeline.following import follow
from sensorplan.pipeline.forecasting import ForecastResult, forecast
from sensorplan.pipeline.inspecting import Inspection, inspect
from sensorplan.pipeline.recording import Progress
from sensorplan.pipeline.scoring import Evaluation, evaluate
from sensorplan.team import joined

__all__ = [
    "ComparisonResult",
    "CurveResult",
    "Difference",
    "Evaluation",
    "ExportedModel",
    "FitResult",
    "ForecastResult",
    "Inspection",
    "Progress",
    "compare",
    "diff",
    "draw_curve",
    "evaluate",
    "export_model",
    "fit",
    "follow",
    "forecast",
    "inspect",
    "joined",
]
