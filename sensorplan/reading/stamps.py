"""Times as the file holds them: dates of any calendar, or plain numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cftime
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from sensorplan.reading.notes import Notes
from sensorplan.sensors import Floats, Ints

_EPOCH = "microseconds since 1970-01-01"
SECOND = 1_000_000  # microseconds
DAY = 86_400 * SECOND
_GREGORIAN = int(np.datetime64("1582-10-15", "us").astype(np.int64))
_DAYS = r"(19|20)\d{6}"


@dataclass(frozen=True)
class Stamps:
    """The times of a history.

    Attributes:
        numbers: ``[time]`` microseconds since 1970 in the calendar, or the file's own numbers.
        calendar: CF name; None for numeric time.
        unit: ``s``, or the unit of numeric time, which may be ``""``.
    """

    numbers: NDArray[Any]
    calendar: str | None
    unit: str

    @classmethod
    def of_dates(cls, dates: NDArray[Any]) -> "Stamps":
        """From ``datetime64`` values or cftime objects."""
        if dates.dtype.kind == "M":
            numbers = dates.astype("datetime64[us]").astype(np.int64)
            early = bool((numbers[~np.isnat(dates)] < _GREGORIAN).any())
            return cls(numbers, "proleptic_gregorian" if early else "standard", "s")
        calendar = dates[0].calendar
        return cls(np.asarray(cftime.date2num(dates, _EPOCH, calendar), np.int64), calendar, "s")

    @classmethod
    def of_labels(cls, labels: Sequence[str], calendar: str | None, unit: str) -> "Stamps":
        """From the text that `labels` gives."""
        if calendar is None:
            return cls(np.array(labels, float), None, unit)
        late = calendar == "standard" and min(labels) >= "1582-10-15"
        if late or calendar == "proleptic_gregorian":
            numbers = np.array(labels, "datetime64[us]").astype(np.int64)
            return cls(numbers, calendar, unit)
        dates = [
            cftime.datetime(*map(int, re.findall(r"\d+", label)), calendar=calendar)
            for label in labels
        ]
        return cls(np.asarray(cftime.date2num(dates, _EPOCH, calendar), np.int64), calendar, unit)

    @property
    def gregorian(self) -> bool:
        """True when the dates are those of numpy, so without the Julian calendar before 1582."""
        if self.calendar == "standard":
            return bool((self.numbers >= _GREGORIAN).all())
        return self.calendar == "proleptic_gregorian"

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, positions: Any) -> "Stamps":
        return Stamps(self.numbers[positions], self.calendar, self.unit)

    def dates(self) -> Any:
        """A pandas or a cftime index, which share ``year``, ``month``, ``dayofyear``..."""
        if self.gregorian:
            return pd.DatetimeIndex(self.numbers.astype("datetime64[us]"))
        return xr.CFTimeIndex(  # type: ignore[no-untyped-call]
            cftime.num2date(self.numbers, _EPOCH, self.calendar)
        )

    def labels(self) -> tuple[str, ...]:
        """Each time as text: ISO 8601, or the number."""
        if self.calendar is None:
            return tuple(f"{number:.10g}" for number in self.numbers)
        whole = bool((self.numbers % SECOND == 0).all())
        if self.gregorian:
            dates = self.numbers.astype("datetime64[us]")
            return tuple(np.datetime_as_string(dates, unit="s" if whole else "us").tolist())
        return tuple(
            d.isoformat(timespec="seconds" if whole else "microseconds") for d in self.dates()
        )

    def label(self, position: int) -> str:
        """One time as text."""
        return self[[position]].labels()[0]

    def months(self) -> Ints:
        """``[time]`` months since the year 0."""
        dates = self.dates()
        months: Ints = np.asarray(dates.year, np.int64) * 12 + np.asarray(dates.month) - 1
        return months

    def month_starts(self, months: Ints) -> Ints:
        """``[month]`` microseconds since 1970 at which some months begin."""
        if self.gregorian:
            starts = (months - 1970 * 12).astype("datetime64[M]")
            return starts.astype("datetime64[us]").astype(np.int64)
        dates = [cftime.datetime(m // 12, m % 12 + 1, 1, calendar=self.calendar) for m in months]
        return np.asarray(cftime.date2num(dates, _EPOCH, self.calendar), np.int64)

    def time_of_day(self) -> Floats:
        """``[time]`` share of the day passed."""
        return (self.numbers % DAY / DAY).astype(np.float32)

    def day_of_week(self) -> Floats | None:
        """``[time]`` 0 (Monday) to 6; None where the calendar has no weeks."""
        if self.calendar == "360_day":
            return None
        if self.gregorian:
            return ((self.numbers // DAY + 3) % 7).astype(np.float32)  # 1970-01-01 was a Thursday
        return np.asarray(self.dates().dayofweek, np.float32)

    def time_of_year(self) -> Floats:
        """``[time]`` share of the year passed."""
        january = self.months() // 12 * 12
        years, which = np.unique(january, return_inverse=True)
        starts, ends = self.month_starts(years), self.month_starts(years + 12)
        passed = (self.numbers - starts[which]) / (ends - starts)[which]
        return np.minimum(passed.astype(np.float32), np.nextafter(np.float32(1), np.float32(0)))


def read_stamps(coordinate: xr.DataArray | None, steps: int, notes: Notes) -> Stamps:
    """Times of a coordinate; the number of the step where there is none.

    Raises:
        DataError: A time is missing or not a time.
    """
    if coordinate is None:
        notes.found("time", f"0 to {steps - 1}", "no time coordinate; steps are counted")
        return Stamps(np.arange(steps, dtype=float), None, "")
    stamps, gone, why = _decoded(coordinate)
    if gone.any():
        place = int(gone.argmax())
        raise notes.error(
            f"{coordinate.name} holds no time at position {place} (counted from 0): "
            f"{coordinate.values[place]}"
        )
    notes.found("time", f"{coordinate.name}: {stamps.label(0)} to {stamps.label(-1)}", why)
    return stamps


def _decoded(coordinate: xr.DataArray) -> tuple[Stamps, NDArray[np.bool_], str]:
    values = coordinate.values
    if values.dtype.kind in "fiu":
        unit = str(coordinate.attrs.get("units", ""))
        numbers = values.astype(float)
        days = pd.Series([f"{number:.10g}" for number in numbers])
        if (unit == "" or unit.startswith("day as")) and days.str.fullmatch(_DAYS).all():
            dates = pd.to_datetime(days, format="%Y%m%d", errors="coerce").to_numpy("M8[us]")
            return Stamps.of_dates(dates), np.isnat(dates), "whole numbers YYYYMMDD"
        why = f"numbers without a calendar{', in ' + unit if unit else ''}"
        return Stamps(numbers, None, unit), ~np.isfinite(numbers), why
    if values.dtype.kind == "M":
        return Stamps.of_dates(values), np.isnat(values), "dates"
    if hasattr(values.flat[0], "calendar"):
        stamps = Stamps.of_dates(values)
        return stamps, np.zeros(len(values), bool), f"dates of the calendar {stamps.calendar}"
    text = pd.Series([v.decode() if isinstance(v, bytes) else str(v) for v in values])
    parsed = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
    dates = parsed.dt.tz_localize(None).to_numpy("datetime64[us]")
    return Stamps.of_dates(dates), np.isnat(dates), "ISO 8601 text"
