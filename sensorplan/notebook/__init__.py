"""Plans in Python: what the commands do, with data that may be in memory, and results as objects.

Each function asks the pipeline, as its command does. What is slow to load is loaded inside them.
"""

from sensorplan.notebook.commands import compare, draw_curve, fit
from sensorplan.notebook.opened import SensorPlan, open_plan

__all__ = ["SensorPlan", "compare", "draw_curve", "fit", "open_plan"]
