"""Values of the chosen variables as one float32 array; all that means missing is NaN."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sensorplan.reading.layout import Layout
from sensorplan.reading.notes import Notes, counted
from sensorplan.sensors import Channel

_DEFAULT_FILL = 9.96e36  # netCDF's own fill of float and double is 9.96921e36
_USUAL_SENTINELS = (-9999.0, -9999.9, -999.0, -999.9, -99.0, -99.9, 9999.0, 99999.0, 999.0, 1e20)


def load_values(layout: Layout, missing: Sequence[float], notes: Notes) -> NDArray[np.float32]:
    """``[time, node, channel]`` the chosen variables, loaded one after the other."""
    dataset = layout.dataset
    order = (layout.time, *layout.nodes)
    shape = tuple(dataset.sizes[d] for d in order)
    values = np.empty((shape[0], int(np.prod(shape[1:])), len(layout.variables)), np.float32)
    for channel, name in enumerate(layout.variables):
        array = _load(dataset[name].transpose(*order), notes)
        values[..., channel] = _cleaned(array, name, missing, notes).reshape(shape[0], -1)
    return values


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


def _cleaned(
    array: NDArray[Any], name: str, missing: Sequence[float], notes: Notes
) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    for sentinel in missing:
        gone = np.isclose(array, sentinel, rtol=1e-6, atol=0)
        values[gone] = np.nan
        notes.found(
            "missing", f"{sentinel:g}", f"as asked; {counted(int(gone.sum()), 'value')} of {name}"
        )
    filled = np.abs(values) >= _DEFAULT_FILL
    infinite = np.isinf(values)
    if infinite.any():
        notes.warn(f"{counted(int(infinite.sum()), 'infinite value')} in {name}; taken as missing")
    if (filled & ~infinite).any():
        notes.warn(
            f"{counted(int((filled & ~infinite).sum()), 'value')} in {name} never written "
            "(netCDF fill); taken as missing"
        )
    values[filled] = np.nan
    _suspect_sentinels(values, name, notes)
    return values


def _suspect_sentinels(values: NDArray[np.float32], name: str, notes: Notes) -> None:
    if np.isnan(values).all():
        return
    for extreme in (np.nanmin(values), np.nanmax(values)):
        times = int((values == extreme).sum())
        if times > 1 and np.isclose(extreme, _USUAL_SENTINELS, rtol=1e-6).any():
            notes.warn(
                f"{extreme:g} stands {times} times in {name} and may mean missing; "
                f"if it does, name it with --missing {extreme:g}"
            )
