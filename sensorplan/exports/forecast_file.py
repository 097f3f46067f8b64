"""A forecast as a CF netCDF file or Zarr store."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from sensorplan.errors import OutputError, RecipeError
from sensorplan.exports.files import check_file, check_parent, new_file
from sensorplan.exports.forecast_axes import NodeAxes, node_axes, time_coordinates
from sensorplan.sensors import Bools, Channel, Floats, Geometry, Ints, TimeAxis

NETCDF, ZARR = (".nc", ".nc4"), ".zarr"
NO_CELL = -1
ZARR_MARKS = ("zarr.json", ".zgroup", ".zmetadata")


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of all sensors from some origins.

    Attributes:
        values: ``[origin, lead, node, channel]`` in each channel's own unit; NaN for a sensor that
            cannot be forecast.
        lower: The same shape, lower end of the interval.
        upper: The same shape, upper end.
        level: Of the interval.
        widening: ``[origin]`` how much wider than usual the interval is.
        time: The axis, up to the last time that is forecast.
        origins: ``[origin]`` place in `time` of the last step that was known.
        sensors: ``[node]`` names.
        kept: ``[node]`` True for the sensors that the plan keeps.
        channels: What is measured.
        geometry: Where the sensors are; None without positions.
    """

    values: NDArray[np.float32]
    lower: NDArray[np.float32]
    upper: NDArray[np.float32]
    level: float
    widening: Floats
    time: TimeAxis
    origins: Ints
    sensors: tuple[str, ...]
    kept: Bools
    channels: tuple[Channel, ...]
    geometry: Geometry | None


def check_forecast_target(target: Path, overwrite: bool) -> None:
    """See that a forecast may be written to `target`; touches nothing.

    Raises:
        RecipeError: The name says no format that there is.
        OutputError: Something stands there, the folder around it cannot be written, or a package
            is missing.
    """
    if target.suffix == ZARR:
        _check_store(target, overwrite)
    elif target.suffix in NETCDF:
        check_file(target, overwrite)
    else:
        why = "netCDF cannot go to stdout" if str(target) == "-" else "unknown ending"
        raise RecipeError(f"-o {target}: {why}; expected a file name that ends in .nc or .zarr")


def _check_store(target: Path, overwrite: bool) -> None:
    if find_spec("zarr") is None:
        raise OutputError(
            f"{target}: a Zarr store needs the package zarr; pip install 'sensorplan[zarr]'"
        )
    if target.exists():
        if not overwrite:
            raise OutputError(f"{target}: exists already; --overwrite replaces it")
        if not any((target / mark).exists() for mark in ZARR_MARKS):
            raise OutputError(f"{target}: is no Zarr store; --overwrite replaces only one")
    check_parent(target)


def write_forecasts(
    target: Path, forecasts: Forecasts, attributes: Mapping[str, str], overwrite: bool
) -> None:
    """Write a forecast: all of it or nothing.

    Args:
        target: A name that ends in ``.nc`` or ``.zarr``.
        forecasts: What to write.
        attributes: Of the file.
        overwrite: Replace an older one.

    Raises:
        OutputError: The target is not allowed (`check_forecast_target`), or the system refused to
            write.
    """
    check_forecast_target(target, overwrite)
    dataset = forecast_dataset(forecasts).assign_attrs(attributes)
    wide = [name for name, variable in dataset.data_vars.items() if variable.ndim > 2]
    with new_file(target) as new:
        try:
            if target.suffix == ZARR:
                dataset.to_zarr(new, mode="w", zarr_format=2, consolidated=True)
            else:
                packed = {name: {"zlib": True, "complevel": 1} for name in wide}
                dataset.to_netcdf(new, format="NETCDF4", engine="netcdf4", encoding=packed)
        except RuntimeError as error:  # what the netCDF library says of a full disk
            raise OutputError(f"{target}: cannot be written; {error}") from error


def forecast_dataset(forecasts: Forecasts) -> xr.Dataset:
    """The forecast by CF conventions; times stay numbers with their unit."""
    axes = node_axes(forecasts.sensors, forecasts.geometry)
    times = time_coordinates(forecasts.time, forecasts.origins, forecasts.values.shape[1])
    dims = ("forecast_reference_time", "lead", *axes.dims)
    taken = {*times, *axes.coordinates, "kept", "interval_widening"}
    variables: dict[str, xr.Variable] = {}
    for number, channel in enumerate(forecasts.channels):
        name = _free_name(channel.name, taken)
        own = _variables(forecasts, number, name)
        taken |= own.keys()
        for part, (values, attributes) in own.items():
            variables[part] = xr.Variable(
                dims, axes.spread(values[..., number], np.nan), attributes
            )
    return xr.Dataset({**variables, **_flags(forecasts, axes)}, {**times, **axes.coordinates})


def _variables(
    forecasts: Forecasts, number: int, name: str
) -> dict[str, tuple[NDArray[np.float32], dict[str, Any]]]:
    """Forecast of a channel and the two ends of its interval, with what is said of them."""
    channel, level = forecasts.channels[number], forecasts.level
    units = {"units": channel.units} if channel.units else {}
    linked = f"{name}_lower {name}_upper kept interval_widening"
    said = f"end of the {100 * level:g} % interval of {channel.long_name}"
    return {
        name: (
            forecasts.values,
            {
                "long_name": f"forecast of {channel.long_name}",
                "ancillary_variables": linked,
                **units,
            },
        ),
        f"{name}_lower": (
            forecasts.lower,
            {"long_name": f"lower {said}", "interval_level": level, **units},
        ),
        f"{name}_upper": (
            forecasts.upper,
            {"long_name": f"upper {said}", "interval_level": level, **units},
        ),
    }


def _flags(forecasts: Forecasts, axes: NodeAxes) -> dict[str, xr.Variable]:
    """Which sensors are kept, and how wide intervals are."""
    flags = axes.spread(forecasts.kept.astype(np.int8), NO_CELL)
    kept = xr.Variable(
        axes.dims,
        flags,
        {
            "long_name": "whether the plan keeps the sensor",
            "flag_values": np.array([0, 1], np.int8),
            "flag_meanings": "dropped kept",
        },
        {"_FillValue": np.int8(NO_CELL)} if (flags == NO_CELL).any() else {},
    )
    widening = xr.Variable(
        "forecast_reference_time",
        forecasts.widening,
        {
            "long_name": "width of the intervals over the usual one, by the latest errors of the "
            "kept sensors",
            "units": "1",
        },
    )
    return {"kept": kept, "interval_widening": widening}


def _free_name(name: str, taken: Set[str]) -> str:
    """A name that netCDF takes, with a ``_`` behind it where another variable has it."""
    free = name.strip().replace("/", "_")
    while {free, f"{free}_lower", f"{free}_upper"} & taken:
        free += "_"
    return free
