from pathlib import Path

import numpy as np
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from reading_samples import grid

from sensorplan.memory import Memory
from sensorplan.reading.chunks import in_chunks
from sensorplan.reading.layout import Layout
from sensorplan.reading.values import time_parts


def chunked(dataset, size):
    return in_chunks(dataset, size)["t2m"].chunks


def test_an_array_in_one_piece_is_cut_along_time(tmp_path):
    grid().to_netcdf(tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc") as dataset:
        assert chunked(dataset, 3 * 12 * 4) == ((3, 3, 2), (3,), (4,))
        assert chunked(dataset, 10**6) == ((8,), (3,), (4,))


def test_chunks_are_the_files_own_or_several_of_them(tmp_path):
    grid().to_netcdf(tmp_path / "a.nc", encoding={"t2m": {"chunksizes": (2, 3, 2)}})
    with xr.open_dataset(tmp_path / "a.nc") as dataset:
        time, rows, columns = chunked(dataset, 4 * 12 * 4)
        assert 4 * max(time) * max(rows) * max(columns) <= 4 * 12 * 4
        assert all(size % 2 == 0 for size in time)
        assert all(size % 2 == 0 for size in columns)


def test_nothing_is_loaded_and_ids_stay_as_they_are(tmp_path):
    dataset = grid().assign(names=("lat", ["a", "b", "c"]))
    cut = in_chunks(dataset, 100)
    assert cut["t2m"].chunks is not None
    assert cut["names"].chunks is None
    xr.testing.assert_identical(cut.compute(), dataset)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(1, 12))
def test_parts_are_all_steps_in_whole_chunks_where_they_fit(sizes, most):
    steps = sum(sizes)
    values = xr.DataArray(np.zeros((steps, 3), "f4"), dims=("time", "sensor"))
    dataset = values.chunk({"time": tuple(sizes)}).to_dataset(name="v")
    memory = Memory("1GB", 0.75e9 + 128 * 2 * 3 * most, Path())
    parts = list(time_parts(Layout(("v",), "time", ("sensor",), dataset), memory))
    assert [step for part in parts for step in range(part.start, part.stop)] == [*range(steps)]
    assert all(part.stop - part.start <= most for part in parts)
    for first, size in zip(np.cumsum([0, *sizes[:-1]]).tolist(), sizes, strict=True):
        times_read = sum(part.start < first + size and part.stop > first for part in parts)
        assert size > most or times_read == 1
