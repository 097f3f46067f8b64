"""Windows: the history as batches of (history, future), scaled by training data alone.

A batch is cut from the series when it is asked for, so that memory grows with times x sensors and
never with windows x lookback.
"""

from sensorplan.windows.climatology import CYCLES, Climatology
from sensorplan.windows.folds import rolling_origins
from sensorplan.windows.later import later_windows
from sensorplan.windows.making import make_windows
from sensorplan.windows.series import Held
from sensorplan.windows.split import Split, split_record, split_windows, step_default
from sensorplan.windows.streams import Batch, Windows
from sensorplan.windows.tails import TailWeight, tail_limits
from sensorplan.windows.weighting import weigh_extremes, weigh_regions

__all__ = [
    "CYCLES",
    "Batch",
    "Climatology",
    "Held",
    "Split",
    "TailWeight",
    "Windows",
    "later_windows",
    "make_windows",
    "rolling_origins",
    "split_record",
    "split_windows",
    "step_default",
    "tail_limits",
    "weigh_extremes",
    "weigh_regions",
]
