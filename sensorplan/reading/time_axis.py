"""A regular time axis: sorted, each step once, missing steps put in; or means, when asked for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensorplan.reading.notes import Notes, counted
from sensorplan.reading.rows import Values, bin_means, row_of, rows_of, spread_over
from sensorplan.reading.stamps import DAY, SECOND, Stamps
from sensorplan.sensors import Floats, Ints, TimeAxis

_OFF_STEP = 0.01  # share of a step by which a stamp may lie off
_MONTH_SPREAD = 0.1  # share of a month within which monthly stamps lie
_MOST_INSERTED = 10  # missing steps for each one that is there
_UNITS = (("d", DAY), ("h", 3600 * SECOND), ("min", 60 * SECOND), ("s", SECOND), ("ms", 1000))


def regularise(
    values: Values, stamps: Stamps, resample: str | None, notes: Notes
) -> tuple[Values, TimeAxis]:
    """Bring a history onto a regular time axis.

    Args:
        values: ``[time, node, channel]``.
        stamps: The time of each row of `values`.
        resample: Length of the bins to average over; None: never.
        notes: Where findings and warnings go.

    Returns:
        The values, missing where a step was put in, and their axis.

    Raises:
        DataError: Fewer than two steps, two different rows of one time, or irregular steps.
    """
    if resample is None:
        values, stamps = _without_duplicates(values, stamps, notes)
    values, stamps = _sorted(values, stamps, notes)
    if resample is not None:
        values, stamps = _resampled(values, stamps, resample, notes)
    if len(stamps) < 2:
        raise notes.error("holds a single time step; expected a history of many")
    steps, placed, label = _monthly(stamps) or _fixed(stamps, notes)
    notes.found("step", label, "the most frequent one; all others are multiples of it")
    if len(placed) > len(stamps):
        values = _spread(values, steps, placed, notes)
    return values, _axis(placed, label)


def _without_duplicates(values: Values, stamps: Stamps, notes: Notes) -> tuple[Values, Stamps]:
    order = np.argsort(stamps.numbers, kind="stable")
    again = np.flatnonzero(np.diff(stamps.numbers[order]) == 0)
    if not len(again):
        return values, stamps
    for first, second in zip(order[again], order[again + 1], strict=True):
        if not np.array_equal(row_of(values, first), row_of(values, second), equal_nan=True):
            raise notes.error(
                f"{stamps.label(first)} stands twice with different values, at positions "
                f"{first} and {second} (counted from 0); expected each time once, "
                "or average with --resample"
            )
    repeated = order[again + 1]
    notes.warn(
        f"{counted(len(repeated), 'time step')} repeated with equal values, "
        f"the first {stamps.label(repeated[0])}; taken once"
    )
    kept = np.delete(np.arange(len(stamps)), repeated)
    return rows_of(values, kept), stamps[kept]


def _sorted(values: Values, stamps: Stamps, notes: Notes) -> tuple[Values, Stamps]:
    backward = np.flatnonzero(np.diff(stamps.numbers) < 0)
    if not len(backward):
        return values, stamps
    place = int(backward[0])
    notes.warn(
        f"time is not ascending: {stamps.label(place + 1)} comes after {stamps.label(place)} "
        f"at position {place + 1}; sorted"
    )
    order = np.argsort(stamps.numbers, kind="stable")
    return rows_of(values, order), stamps[order]


def _resampled(values: Values, stamps: Stamps, bins: str, notes: Notes) -> tuple[Values, Stamps]:
    if stamps.calendar is None:
        raise notes.error(f"time is numeric, without a calendar; --resample {bins} needs dates")
    try:
        means, dates = bin_means(values, stamps.dates(), bins)
    except (ValueError, ZeroDivisionError) as error:
        raise notes.error(
            f"--resample {bins}: no length of time; expected such as 5min, 1h, 1D or 1MS"
        ) from error
    if len(means) > len(values):
        notes.warn(
            f"--resample {bins} is shorter than the steps of the data: "
            f"{len(values)} steps become {len(means)}, most of them empty"
        )
    notes.found("resampled", bins, f"as asked; {len(values)} to {len(means)} steps")
    return means, Stamps.of_dates(dates)


def _monthly(stamps: Stamps) -> tuple[Ints, Stamps, str] | None:
    """Steps of whole months, at about the same place in each; None for any other axis."""
    if stamps.calendar is None or np.diff(stamps.numbers).min() < 28 * DAY:
        return None
    months = stamps.months()
    apart = np.diff(months)
    length = int(_usual(apart))
    equal = len(apart) > 1 and np.ptp(np.diff(stamps.numbers)) == 0
    off_month = np.ptp(_share_of_month(stamps, months)) > (0 if equal else _MONTH_SPREAD)
    if off_month or length < 1 or (apart % length).any():
        return None
    steps = (months - months[0]) // length
    every = months[0] + length * np.arange(steps[-1] + 1)
    placed = _in_months(stamps, months, every)
    placed.numbers[steps] = stamps.numbers
    label = _several(length // 12, "year") if length % 12 == 0 else _several(length, "month")
    return steps, placed, label


def _in_months(stamps: Stamps, months: Ints, wanted: Ints) -> Stamps:
    """A time in each of the wanted months, at about the place that stamps have in theirs."""
    starts, ends = stamps.month_starts(months), stamps.month_starts(months + 1)
    first, last = stamps.month_starts(wanted), stamps.month_starts(wanted + 1)
    if np.ptp(stamps.numbers - starts) == 0:
        numbers = first + (stamps.numbers - starts)[0]
    elif np.ptp(ends - stamps.numbers) == 0:
        numbers = last - (ends - stamps.numbers)[0]
    else:
        share = np.median(_share_of_month(stamps, months))
        numbers = first + np.int64(share * (last - first))
    return Stamps(numbers, stamps.calendar, stamps.unit)


def _share_of_month(stamps: Stamps, months: Ints) -> Floats:
    starts, ends = stamps.month_starts(months), stamps.month_starts(months + 1)
    share: Floats = (stamps.numbers - starts) / (ends - starts)
    return share


def _fixed(stamps: Stamps, notes: Notes) -> tuple[Ints, Stamps, str]:
    """Steps of one length.

    Raises:
        DataError: A step is no multiple of the most frequent one.
    """
    apart = np.diff(stamps.numbers)
    base = _base(stamps)
    counts = np.rint(apart / base).astype(np.int64)
    steps = np.concatenate([[0], np.cumsum(counts)])
    off = np.abs(stamps.numbers - stamps.numbers[0] - steps * base) > _OFF_STEP * abs(base)
    irregular = (counts < 1) | off[1:]
    if irregular.any():
        place = int(irregular.argmax())
        raise notes.error(
            f"time is irregular: {stamps.label(place)} and {stamps.label(place + 1)} (position "
            f"{place + 1}) are {_length(apart[place], stamps)} apart; expected multiples of "
            f"{_length(base, stamps)}, the most frequent step{_way_out(base, stamps)}"
        )
    if steps[-1] + 1 > (_MOST_INSERTED + 1) * len(stamps):
        raise notes.error(
            f"of {steps[-1] + 1} steps of {_length(base, stamps)} from {stamps.label(0)} to "
            f"{stamps.label(-1)} only {len(stamps)} are there; expected at least one in "
            f"{_MOST_INSERTED + 1}{_way_out(apart.max(), stamps)}"
        )
    placed = Stamps(
        stamps.numbers[0] + np.arange(steps[-1] + 1) * base, stamps.calendar, stamps.unit
    )
    return steps, placed, _length(base, stamps)


def _base(stamps: Stamps) -> float | int:
    """The most frequent step; of dates in whole seconds where stamps carry rounding errors."""
    apart = np.diff(stamps.numbers)
    relative = np.round(apart / np.median(apart), 3)
    base = np.median(apart[relative == _usual(relative)])
    if stamps.calendar is None:
        return float(base)
    whole = round(base / SECOND) * SECOND
    return whole if abs(base - whole) < 1e-6 * base else int(base)


def _usual(numbers: NDArray[Any]) -> Any:
    """The most frequent number, the smallest of several."""
    distinct, times = np.unique(numbers, return_counts=True)
    return distinct[times.argmax()]


def _length(step: float, stamps: Stamps) -> str:
    """A step for people: ``5 min``, or a number with the file's unit."""
    if stamps.calendar is None:
        return f"{step:.10g} {stamps.unit}".strip()
    for name, size in _UNITS:
        if step % size == 0:
            return f"{step // size:g} {name}"
    return f"{step / SECOND:g} s"


def _several(number: int, unit: str) -> str:
    return f"{number} {unit}{'s' if number > 1 else ''}"


def _way_out(step: float, stamps: Stamps) -> str:
    """How to resample, where there is a calendar."""
    if stamps.calendar is None:
        return ""
    bins = ((3600, "1h"), (86400, "1D"), (2_600_000, "1MS"))
    offset = next((name for seconds, name in bins if step <= seconds * SECOND), "1YS")
    return f"; average with --resample {offset}"


def _spread(values: Values, steps: Ints, placed: Stamps, notes: Notes) -> Values:
    """Rows at their step, NaN rows between."""
    spread = spread_over(values, steps, len(placed))
    absent = np.setdiff1d(np.arange(len(placed)), steps)
    notes.warn(
        f"{counted(len(absent), 'time step')} not in the file, the first "
        f"{placed.label(absent[0])}; put in as missing"
    )
    return spread


def _axis(stamps: Stamps, label: str) -> TimeAxis:
    mean = float(stamps.numbers[-1] - stamps.numbers[0]) / (len(stamps) - 1)
    if stamps.calendar is None:
        return TimeAxis(stamps.labels(), mean, label, stamps.unit, None)
    return TimeAxis(
        stamps.labels(),
        mean / SECOND,
        label,
        "s",
        stamps.calendar,
        stamps.time_of_day(),
        stamps.day_of_week(),
        stamps.time_of_year(),
    )


def continued(time: TimeAxis, steps: int) -> TimeAxis:
    """The axis with so many more steps behind it; months stay months."""
    stamps = Stamps.of_labels(time.labels, time.calendar, time.unit)
    ahead, months = np.arange(1, steps + 1), months_of(time)
    if months:
        every = stamps.months()
        later = _in_months(stamps, every, every[-1] + months * ahead).numbers
    elif time.calendar is None:
        later = stamps.numbers[-1] + time.step * ahead
    else:
        later = stamps.numbers[-1] + (stamps.numbers[-1] - stamps.numbers[-2]) * ahead
    longer = Stamps(np.concatenate([stamps.numbers, later]), stamps.calendar, stamps.unit)
    return _axis(longer, time.step_label)


def months_of(time: TimeAxis) -> int:
    """Whole months in a step; 0 where steps are of one length."""
    number, _, unit = time.step_label.partition(" ")
    in_months = {"month": 1, "year": 12}.get(unit.removesuffix("s"), 0)
    return int(number) * in_months if time.calendar and in_months else 0
