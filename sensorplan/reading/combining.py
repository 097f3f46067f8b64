"""Several files as one dataset: joined by their coordinates, or one after the other along time."""

from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from sensorplan.reading.dimensions import time_dimension
from sensorplan.reading.notes import Notes, listed


def combined(datasets: Sequence[xr.Dataset], files: Sequence[Path], notes: Notes) -> xr.Dataset:
    """Join datasets lazily.

    Raises:
        DataError: They do not fit together.
    """
    notes.found("files", len(files), listed([file.name for file in files], 4))
    parts = [_without_scalars(dataset) for dataset in datasets]
    try:
        whole = xr.combine_by_coords(
            parts,
            join="exact",
            data_vars="minimal",
            coords="minimal",
            compat="equals",
            combine_attrs="override",
        )
    except ValueError:
        return _along_time(parts, files, notes)
    assert isinstance(whole, xr.Dataset)
    return whole


def _without_scalars(dataset: xr.Dataset) -> xr.Dataset:
    """Without single values (a run's date, say), which differ between files; but for the CRS."""
    single = [
        name
        for name, variable in dataset.variables.items()
        if variable.ndim == 0 and not {"grid_mapping_name", "crs_wkt"} & set(variable.attrs)
    ]
    return dataset.drop_vars(single)


def _along_time(parts: Sequence[xr.Dataset], files: Sequence[Path], notes: Notes) -> xr.Dataset:
    time = time_dimension(parts[0], notes)
    try:
        whole = xr.concat(
            parts,
            dim=time,
            join="outer",
            data_vars="minimal",
            coords="minimal",
            compat="no_conflicts",
            combine_attrs="override",
        )
    except (ValueError, TypeError, KeyError) as error:
        reason = str(error).strip().split("\n")[0]
        raise notes.error(f"the files do not fit together: {reason}") from error
    for dim in map(str, whole.dims):
        for part, file in zip(parts, files, strict=True):
            if dim == time or part.sizes[dim] == whole.sizes[dim]:
                continue
            sizes = f"{file.name} has {part.sizes[dim]} of {whole.sizes[dim]} along {dim}"
            if whole[dim].dtype.kind == "f":
                raise notes.error(f"the files do not share one grid: {sizes}")
            notes.warn(f"{sizes}; the others are missing in it")
    return whole
