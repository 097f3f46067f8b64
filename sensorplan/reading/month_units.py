"""Times counted in months or years: CF has them of one length, people mean the calendar."""

import re

import cftime
import numpy as np
import xarray as xr

from sensorplan.reading.notes import Notes
from sensorplan.reading.stamps import Stamps

_UNITS = re.compile(r"(month|year)s? since (.+)", re.IGNORECASE)


def with_month_units(dataset: xr.Dataset, notes: Notes) -> xr.Dataset:
    """Decode ``months since`` and ``years since`` by the calendar.

    Args:
        dataset: Opened without decoding times.
        notes: Where findings go.

    Raises:
        ValueError: The date after ``since`` is none.
    """
    for name, variable in dataset.variables.items():
        units = _UNITS.fullmatch(str(variable.attrs.get("units", "")).strip())
        if units is None:
            continue
        calendar = str(variable.attrs.get("calendar", "standard"))
        start = cftime.num2date(0, f"days since {units[2]}", calendar)
        count = np.asarray(variable.values, float) * (12 if units[1].lower() == "year" else 1)
        dates = _dates(count, start, calendar)
        notes.found("time unit", variable.attrs["units"], f"{name} counts calendar {units[1]}s")
        attributes = {k: v for k, v in variable.attrs.items() if k not in ("units", "calendar")}
        dataset = dataset.assign({name: (variable.dims, dates, attributes)})
    return dataset


def _dates(count: "np.typing.NDArray[np.float64]", start: cftime.datetime, calendar: str) -> object:
    """Whole months after a date; what is left over as a share of the month reached."""
    name = "standard" if calendar in ("standard", "gregorian", "proleptic_gregorian") else calendar
    whole = np.floor(count).astype(np.int64)
    anchor = Stamps.of_dates(np.array([start])).numbers[0]
    calendric = Stamps(np.array([anchor]), name, "s")
    month = calendric.months()[0]
    into_month = anchor - calendric.month_starts(np.array([month]))[0]
    begins, ends = (calendric.month_starts(month + whole + after) for after in (0, 1))
    numbers = begins + into_month + ((count - whole) * (ends - begins)).astype(np.int64)
    return np.asarray(Stamps(numbers, name, "s").dates())
