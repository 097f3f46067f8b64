"""How far ahead a forecast is, in the unit that people say it in."""

import numpy as np

from sensorplan.reading.time_axis import months_of
from sensorplan.sensors import Floats, TimeAxis

UNITS = (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1))


def lead_times(time: TimeAxis, horizon: int) -> tuple[Floats, str]:
    """``[lead]`` time ahead of each step that is forecast, and its unit.

    The unit is the largest that divides a step; for numeric time it is the file's own, which may be
    empty.
    """
    ahead = np.arange(1, horizon + 1)
    months = months_of(time)
    if months:
        size, unit = (12, "years") if months % 12 == 0 else (1, "months")
        return ahead * months / size, unit
    if time.calendar is None:
        return ahead * time.step, time.unit
    unit, size = next((u for u in UNITS if time.step % u[1] == 0), UNITS[-1])
    return ahead * time.step / size, unit
