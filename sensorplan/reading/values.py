"""Values of the chosen variables as one float32 array; all that means missing is NaN."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sensorplan.memory import Memory
from sensorplan.reading.layout import Layout
from sensorplan.reading.notes import Notes, counted
from sensorplan.sensors import Bools, Channel
from sensorplan.spool import Spool

_DEFAULT_FILL = 9.96e36  # netCDF's own fill of float and double is 9.96921e36
READ_SHARE = 2  # of the values that may be held, one in so many is read at a time
_USUAL_SENTINELS = (-9999.0, -9999.9, -999.0, -999.9, -99.0, -99.9, 9999.0, 99999.0, 999.0, 1e20)


@dataclass
class Tally:
    """What one variable holds that means missing, or may; of the parts of it that were cleaned.

    Attributes:
        asked: Values equal to each of the sentinels that were named.
        filled: Values that netCDF fills in where nothing was written.
        infinite: Infinite values.
        low: The smallest value.
        high: The largest value.
        suspects: How often a value stands there that often means missing, and was the smallest or
            the largest of a part.
    """

    asked: list[int]
    filled: int = 0
    infinite: int = 0
    low: float = np.inf
    high: float = -np.inf
    suspects: Counter[float] = field(default_factory=Counter)

    def clean(self, array: NDArray[Any], missing: Sequence[float]) -> NDArray[np.float32]:
        """A part of the values as float32, NaN for all that means missing; and count that."""
        with np.errstate(over="ignore"):
            values = array.astype(np.float32)
        for place, sentinel in enumerate(missing):
            gone = np.isclose(array, sentinel, rtol=1e-6, atol=0)
            values[gone] = np.nan
            self.asked[place] += int(gone.sum())
        filled = np.abs(values) >= _DEFAULT_FILL
        infinite = np.isinf(values)
        self.infinite += int(infinite.sum())
        self.filled += int((filled & ~infinite).sum())
        values[filled] = np.nan
        if not np.isnan(values).all():
            ends = float(np.nanmin(values)), float(np.nanmax(values))
            self.low, self.high = min(self.low, ends[0]), max(self.high, ends[1])
            self.suspects.update({end: int((values == end).sum()) for end in ends if _usual(end)})
        return values

    def tell(self, name: str, missing: Sequence[float], notes: Notes) -> None:
        """Say of a variable what was taken as missing, and what may mean it."""
        for sentinel, count in zip(missing, self.asked, strict=True):
            notes.found(
                "missing", f"{sentinel:g}", f"as asked; {counted(count, 'value')} of {name}"
            )
        if self.infinite:
            notes.warn(f"{counted(self.infinite, 'infinite value')} in {name}; taken as missing")
        if self.filled:
            notes.warn(
                f"{counted(self.filled, 'value')} in {name} never written "
                "(netCDF fill); taken as missing"
            )
        for extreme in (self.low, self.high):
            if (times := self.suspects[extreme]) > 1:
                notes.warn(
                    f"{extreme:g} stands {times} times in {name} and may mean missing; "
                    f"if it does, name it with --missing {extreme:g}"
                )


def load_values(layout: Layout, missing: Sequence[float], notes: Notes) -> NDArray[np.float32]:
    """``[time, node, channel]`` the chosen variables, loaded one after the other."""
    values = np.empty(shape_of(layout), np.float32)
    for channel, name in enumerate(layout.variables):
        tally = Tally([0] * len(missing))
        array = _load(layout.dataset[name].transpose(*_order(layout)), notes)
        values[..., channel] = tally.clean(array, missing).reshape(len(values), -1)
        tally.tell(name, missing, notes)
    return values


def spool_values(
    layout: Layout, missing: Sequence[float], memory: Memory, notes: Notes
) -> tuple[Spool, Bools]:
    """The chosen variables ``[time, node, channel]`` on disk, read some steps at a time.

    Returns:
        The values, and ``[node]`` True where there is any.

    Raises:
        OutputError: The disk has no room for them.
    """
    shape = shape_of(layout)
    spool = Spool(memory.folder, shape, memory.most_values)
    tallies = [Tally([0] * len(missing)) for _ in layout.variables]
    observed = np.zeros(shape[1], bool)
    for part in time_parts(layout, memory):
        values = np.empty((part.stop - part.start, *shape[1:]), np.float32)
        for channel, (name, tally) in enumerate(zip(layout.variables, tallies, strict=True)):
            some = layout.dataset[name].isel({layout.time: part})
            array = _load(some.transpose(*_order(layout)), notes)
            values[..., channel] = tally.clean(array, missing).reshape(len(values), -1)
        observed |= np.isfinite(values).any(axis=(0, 2))
        spool.append(values)
    for name, tally in zip(layout.variables, tallies, strict=True):
        tally.tell(name, missing, notes)
    return spool, observed


def time_parts(layout: Layout, memory: Memory) -> Iterator[slice]:
    """Steps that are read at a time: whole chunks where they fit, so that each is read once."""
    steps, nodes, channels = shape_of(layout)
    most = max(1, memory.most_values // (READ_SHARE * nodes * channels))
    chunked = layout.dataset[layout.variables[0]].chunksizes.get(layout.time, (steps,))
    first = last = 0
    for end in np.cumsum(chunked).tolist():
        if end - first > most and last > first:
            yield slice(first, last)
            first = last
        while end - first > most:
            yield slice(first, first + most)
            first += most
        last = end
    if last > first:
        yield slice(first, last)


def shape_of(layout: Layout) -> tuple[int, int, int]:
    """Steps, nodes and variables."""
    steps, *nodes = (layout.dataset.sizes[dim] for dim in _order(layout))
    return steps, int(np.prod(nodes)), len(layout.variables)


def _order(layout: Layout) -> tuple[str, ...]:
    return layout.time, *layout.nodes


def channels(layout: Layout) -> tuple[Channel, ...]:
    """Name, unit and readable name of each variable."""
    return tuple(
        Channel(
            name,
            str(layout.dataset[name].attrs.get("units", "")),
            str(layout.dataset[name].attrs.get("long_name", name)),
        )
        for name in layout.variables
    )


def _load(variable: xr.DataArray, notes: Notes) -> NDArray[Any]:
    try:
        return np.asarray(variable.values)
    except (OSError, RuntimeError) as error:
        reason = str(error).split("\n")[0]
        raise notes.error(
            f"{variable.name} cannot be read; damaged or truncated ({reason})"
        ) from error


def _usual(extreme: float) -> bool:
    return bool(np.isclose(extreme, _USUAL_SENTINELS, rtol=1e-6).any())
