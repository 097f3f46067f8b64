"""Data in memory: brought to what a file gives, traced to the file it came from, or summed up."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import xarray as xr

from sensorplan.errors import DataError
from sensorplan.reading.month_units import with_month_units
from sensorplan.reading.notes import Notes, listed
from sensorplan.reading.opening import DECODING
from sensorplan.recipe import IN_MEMORY
from sensorplan.sensors import SensorData

UNNAMED = "value"

InMemory = xr.Dataset | xr.DataArray | pd.DataFrame


def as_dataset(data: InMemory) -> tuple[xr.Dataset, tuple[str, ...]]:
    """Data in memory as a dataset, and the variable that it is about where it is only one.

    Args:
        data: A dataset; an array; or a frame with one row a time and one column a sensor.

    Raises:
        DataError: A name is no text, or stands for two things.
    """
    if isinstance(data, xr.Dataset):
        return data, ()
    if isinstance(data, pd.DataFrame):
        data = xr.DataArray(data, dims=("time", "sensor"))
    name = UNNAMED if data.name is None else str(data.name)
    try:
        dataset = data.to_dataset(name=name)
    except ValueError as error:
        raise DataError(f"{IN_MEMORY}: {error}") from error
    dataset.encoding["source"] = data.encoding.get("source")
    return dataset, (name,)


def normalised(dataset: xr.Dataset, notes: Notes) -> xr.Dataset:
    """The dataset with what its opening left undecoded decoded as in a file; lazy stays lazy.

    Raises:
        DataError: A name is no text, a dimension has several indexes, or times cannot be decoded.
    """
    odd = [name for name in {*dataset.variables, *dataset.dims} if not isinstance(name, str)]
    if odd:
        raise notes.error(f"has names that are no text: {listed(sorted(map(repr, odd)))}")
    for name, index in dataset.indexes.items():
        if isinstance(index, pd.MultiIndex):
            raise notes.error(f"{name} is a MultiIndex; expected one index, as reset_index gives")
    try:
        return xr.decode_cf(
            with_month_units(dataset.copy(deep=False), notes),
            **{**DECODING, "decode_coords": "all"},
        )
    except (ValueError, OverflowError) as error:
        raise notes.error(str(error).strip().split("\n")[0].split(". Try")[0]) from error


def file_of(dataset: xr.Dataset) -> Path | None:
    """The file or store that a dataset was opened from and may still be, so far as shapes tell."""
    source = dataset.encoding.get("source")
    cut = any(
        variable.encoding.get("original_shape", variable.shape) != variable.shape
        for variable in dataset.variables.values()
    )
    return Path(source) if isinstance(source, str) and not cut and Path(source).exists() else None


@contextmanager
def openable(file: Path) -> Iterator[Path]:
    """A file that may be opened though another has it open: a copy, or a store as it is.

    The HDF5 library crashes when text is read from a file that was opened before, is still open
    there, and was opened and closed once in between.

    Raises:
        OSError: There is no room for a copy.
    """
    if file.is_dir():
        yield file
        return
    with TemporaryDirectory() as folder:
        yield Path(shutil.copy(file, folder))


def content_checksum(data: SensorData) -> str:
    """SHA-256 over all that was read: values, times, names, positions and graph."""
    geometry = data.geometry
    words = (
        data.sensors,
        [vars(channel) for channel in data.channels],
        data.time.labels,
        (data.time.calendar, data.time.unit, data.counted),
        geometry and (geometry.kind, geometry.crs, geometry.shape),
        dict(data.attributes),
    )
    digest = hashlib.sha256(json.dumps(words, default=str).encode())
    places = (geometry.positions, geometry.corners) if geometry else ()
    for array in (data.held, data.adjacency, *places):
        if array is not None:
            little = array.dtype.newbyteorder("<")
            digest.update(np.ascontiguousarray(array, little).tobytes())
    return digest.hexdigest()
