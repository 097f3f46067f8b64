import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorplan import spool as spooling
from sensorplan.errors import OutputError
from sensorplan.spool import ABSENT, Spool, spread_steps


def make_spool(values, folder, most_values=1000):
    spool = Spool(folder, values.shape, most_values)
    for block in np.array_split(values, 3):
        spool.append(block)
    return spool


def made(shape=(20, 4, 2)):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    values[3, 1] = np.nan
    return values


@given(st.lists(st.integers(0, 19), max_size=30), st.permutations(range(4)), st.integers(1, 4))
def test_any_steps_and_nodes_are_read_as_from_an_array(steps, nodes, count):
    values, nodes = made(), np.array(nodes[:count])
    with tempfile.TemporaryDirectory() as folder:
        found = make_spool(values, Path(folder)).at_nodes(nodes).read(np.array(steps, int))
    np.testing.assert_array_equal(found, values[steps][:, nodes])


@given(st.lists(st.integers(-1, 19), min_size=1, max_size=30))
def test_rows_that_are_absent_are_missing(rows):
    values, rows = made(), np.array(rows)
    with tempfile.TemporaryDirectory() as folder:
        moved = make_spool(values, Path(folder)).at_rows(rows)
        found = moved.read(np.arange(len(rows)))
    expected = values[rows]
    expected[rows == ABSENT] = np.nan
    np.testing.assert_array_equal(found, expected)
    assert moved.shape == found.shape


def test_long_reads_are_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(spooling, "READ_AT_A_TIME", 3 * 8)
    values = made()
    np.testing.assert_array_equal(make_spool(values, tmp_path).read(np.arange(20)), values)


def test_parts_hold_no_more_than_allowed_and_are_all_steps(tmp_path):
    parts = list(make_spool(made(), tmp_path, most_values=3 * 8).parts())
    assert [len(part) for part in parts] == [3] * 6 + [2]
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(20))


def test_views_leave_the_first_as_it_was(tmp_path):
    spool = make_spool(made(), tmp_path)
    assert spool.until(5).at_nodes(np.array([2])).shape == (5, 1, 2)
    assert spool.shape == (20, 4, 2)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere it is removed when it is closed")
def test_the_file_has_no_name_that_could_be_left_behind(tmp_path):
    spool = make_spool(made(), tmp_path)
    assert not list(tmp_path.iterdir())
    assert np.isfinite(spool.read(np.array([0]))).all()


def test_a_disk_without_room_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(OutputError, match=r"takes 400000.0 GB on disk, .* set TMPDIR to a folder"):
        Spool(tmp_path, (10**9, 10**5, 1), 1000)


def test_a_disk_that_fills_up_is_told(tmp_path):
    spool = Spool(tmp_path, (2, 2, 1), 1000)
    with open("/dev/full", "wb", buffering=0) as full:
        spool._file._raw = full
        with pytest.raises(OutputError, match=r"No space left on device.*set TMPDIR"):
            spool.append(np.zeros((2, 2, 1), np.float32))


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(OutputError, match=r"gone: no temporary file can be made"):
        Spool(tmp_path / "gone", (2, 2, 1), 1000)


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 50))
def test_spread_steps_are_blocks_within_bounds(end, most, block):
    block = min(block, most)
    steps = spread_steps(end, most, block)
    assert len(steps) <= min(end, most)
    assert steps[0] == 0
    assert steps[-1] < end
    assert (np.diff(steps) > 0).all()
    if most < end:
        assert len(steps) % block == 0
        assert most < 2 * block or steps[-1] == end - 1
