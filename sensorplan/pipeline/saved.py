"""The forecaster in a plan folder: what `fit` saves of a network, and what comes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import Tensor

from sensorplan.errors import DataError
from sensorplan.evaluation import LEVELS, Evidence, Forecast, Intervals, compact_forecast
from sensorplan.forecasters import Compact, from_bytes, to_bytes
from sensorplan.plan import Record
from sensorplan.recipe import Recipe
from sensorplan.regions import Regions, Topology
from sensorplan.sensors import Bools, Channel, Geometry, SensorData
from sensorplan.windows import Windows

FORECASTER_FILE = "forecaster.safetensors"


class Variable(Record):
    """What is measured, as `sensors.Channel` says it."""

    name: str
    units: str
    long_name: str


class Place(Record):
    """What `sensors.Geometry` says of all nodes together."""

    kind: Literal["points", "cells"]
    crs: str | None
    shape: tuple[int, int] | None


class About(Record):
    """What a forecast of new data must know of the data that the plan was made from.

    Attributes:
        lookback: Steps of history.
        horizon: Steps of future.
        stride: Steps from one window to the next.
        variables: One channel each.
        step: Length of a step for people.
        step_length: The same in `time_unit`.
        time_unit: See `sensors.TimeAxis`.
        calendar: See `sensors.TimeAxis`.
        harmonics: Of each calendar cycle.
        select: Position on each further dimension.
        missing: Values that mean missing.
        resample: Bins that were averaged over.
        sensors: ``[node]`` names.
        regions: ``[region]`` names.
        kept: Names of the kept regions, in the order of the forecaster's input.
        geometry: Of the positions; None without.
        counted: See `sensors.SensorData`.
        levels: ``[level]`` of the intervals.
    """

    lookback: int
    horizon: int
    stride: int
    variables: tuple[Variable, ...]
    step: str
    step_length: float
    time_unit: str
    calendar: str | None
    harmonics: dict[str, int]
    select: dict[str, str]
    missing: tuple[float, ...]
    resample: str | None
    sensors: tuple[str, ...]
    regions: tuple[str, ...]
    kept: tuple[str, ...]
    geometry: Place | None
    counted: tuple[int, ...] | None
    levels: tuple[float, ...]


@dataclass(frozen=True)
class Saved:
    """A forecaster with its network.

    Attributes:
        about: What is known of the data.
        compact: The forecaster.
        scaling: What `Windows.scaling` gave.
        regions: The regions, without a topology.
        mask: ``[region]`` the plan.
        geometry: Where the sensors are, without corners; None without positions.
        intervals: What its intervals are made of.
    """

    about: About
    compact: Compact
    scaling: Mapping[str, Tensor]
    regions: Regions
    mask: Bools
    geometry: Geometry | None
    intervals: Intervals

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What is measured."""
        return tuple(Channel(v.name, v.units, v.long_name) for v in self.about.variables)

    @property
    def kept_sensors(self) -> Bools:
        """``[node]`` True for the sensors in kept regions."""
        members = self.regions.members[self.mask]
        kept = np.zeros(len(self.about.sensors), bool)
        kept[members[members >= 0]] = True
        return kept

    @property
    def forecast(self) -> Forecast:
        """From a batch of all regions, of which the kept ones are seen."""
        return compact_forecast(self.compact, self.mask)


def save_forecaster(
    recipe: Recipe,
    data: SensorData,
    regions: Regions,
    windows: Windows,
    evidence: Evidence,
    intervals: Intervals,
) -> bytes:
    """The file `forecaster.safetensors` of a plan.

    Args:
        recipe: All settings.
        data: The history.
        regions: Its regions.
        windows: Its windows.
        evidence: The mask and the compact forecaster.
        intervals: What its intervals are made of.
    """
    split, geometry, time = windows.split, data.geometry, data.time
    about = About(
        lookback=split.lookback,
        horizon=split.horizon,
        stride=recipe.window.stride,
        variables=tuple(
            Variable(name=c.name, units=c.units, long_name=c.long_name) for c in data.channels
        ),
        step=time.step_label,
        step_length=time.step,
        time_unit=time.unit,
        calendar=time.calendar,
        harmonics=dict(windows.harmonics),
        select=recipe.data.select,
        missing=recipe.data.missing,
        resample=recipe.data.resample,
        sensors=data.sensors,
        regions=regions.names,
        kept=tuple(n for n, kept in zip(regions.names, evidence.mask, strict=True) if kept),
        geometry=_place(geometry),
        counted=data.counted,
        levels=LEVELS,
    )
    arrays: dict[str, NDArray[Any]] = {"mask": evidence.mask, "members": regions.members}
    if geometry is not None:
        arrays["positions"] = geometry.positions
        if geometry.rows is not None and geometry.columns is not None:
            arrays["cells"] = np.column_stack([geometry.rows, geometry.columns])
    network = {
        **windows.scaling(),
        "usual": intervals.usual,
        "quantiles": intervals.quantiles,
        **{name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()},
    }
    return to_bytes(
        evidence.shipped.backbone, evidence.shipped.compact, network, about.model_dump(mode="json")
    )


def _place(geometry: Geometry | None) -> Place | None:
    if geometry is None:
        return None
    return Place(kind=geometry.kind, crs=geometry.crs, shape=geometry.shape)


def load_forecaster(folder: Path) -> Saved:
    """The forecaster of a plan.

    Raises:
        DataError: The file is missing, damaged or of another sensorplan.
    """
    file = folder / FORECASTER_FILE
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(
            f"{file}: cannot be read ({error.strerror}); "
            "expected a folder written by sensorplan fit"
        ) from error
    compact, network, found = from_bytes(content, str(file))
    try:
        about = About.model_validate(found)
        for name, shape in _shapes(about, network).items():
            if network[name].shape != shape:
                raise ValueError(f"{name} is {tuple(network[name].shape)}, expected {shape}")
        members = network["members"].numpy()
        if members.max() >= len(about.sensors):
            raise ValueError(f"a member {members.max()} of {len(about.sensors)} sensors")
        return Saved(
            about,
            compact.eval(),
            {n: network[n] for n in ("observed", "level", "cycles", "error_scale", "unit")},
            Regions(about.regions, members, Topology()),
            network["mask"].numpy(),
            _geometry(about, network),
            Intervals(network["usual"], network["quantiles"]),
        )
    except (ValidationError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{file}: no forecaster of sensorplan, or damaged ({reason})") from error


def _shapes(about: About, network: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor that belongs to a network."""
    regions, nodes = len(about.regions), len(about.sensors)
    slots = network["members"].shape[1]
    channels = slots * len(about.variables)
    features = 2 * sum(about.harmonics.values())
    return {
        "observed": (regions,),
        "mask": (regions,),
        "members": (regions, slots),
        "level": (regions, channels),
        "error_scale": (regions, channels),
        "unit": (channels,),
        "cycles": (features, regions * channels),
        "usual": (regions, about.horizon * channels),
        "quantiles": (len(about.levels), about.horizon * channels),
        **({"positions": (nodes, 2)} if about.geometry else {}),
        **({"cells": (nodes, 2)} if about.geometry and about.geometry.kind == "cells" else {}),
    }


def _geometry(about: About, network: Mapping[str, Tensor]) -> Geometry | None:
    place = about.geometry
    if place is None:
        return None
    positions = network["positions"].numpy()
    if place.kind == "points":
        return Geometry(place.kind, place.crs, positions)
    rows, columns = network["cells"].numpy().T
    return Geometry(place.kind, place.crs, positions, place.shape, rows, columns)
