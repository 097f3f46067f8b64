"""Chunks in which a large array is loaded, a few at a time."""

from typing import Any

import xarray as xr
from dask.array.core import normalize_chunks

normalize: Any = normalize_chunks  # it has no types


def in_chunks(dataset: xr.Dataset, size: int) -> xr.Dataset:
    """The dataset with its arrays in lazy Dask chunks of at most so many bytes, where that can be.

    A chunk is one of the file's own, several of them, or a part of one that is larger. An array
    that the file holds in one piece is cut along its first dimension.
    """
    arrays = {
        name: variable.chunk(_chunks(variable, size))
        for name, variable in dataset.data_vars.items()
        if variable.ndim > 1 and variable.dtype.kind in "fiub"
    }
    chunked: xr.Dataset = dataset.assign(arrays)
    return chunked


def _chunks(array: xr.DataArray, size: int) -> dict[str, tuple[int, ...]]:
    dims = [str(dim) for dim in array.dims]
    stored = array.encoding.get("preferred_chunks", {})
    own = tuple(stored.get(dim, length) for dim, length in array.sizes.items())
    if own == array.shape:
        found = normalize(("auto", *(-1 for _ in dims[1:])), array.shape, size, array.dtype)
    else:
        before = normalize(own, array.shape)
        found = normalize(("auto",) * len(dims), array.shape, size, array.dtype, before)
    return dict(zip(dims, found, strict=True))
