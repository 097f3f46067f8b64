"""`Spool`: a history that is too large for memory, in a temporary file, read by steps.

The file holds float32 values ``[row, node, channel]``, one row after the other, NaN where missing.
It has no name of its own where the system allows that, so it is gone with the process, whatever
ends it. It is read and never mapped: mapped pages would count as resident memory.
"""

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensorplan.errors import OutputError

Ints = NDArray[np.integer]
Values = NDArray[np.float32]

READ_AT_A_TIME = 2_000_000  # values
PART = 4 * READ_AT_A_TIME  # of a pass over all of it
ABSENT = -1  # row of a step that is missing
BLOCKS, FEWEST_IN_BLOCK = 50, 4  # in a sample; times what belongs together


class Spool:
    """A history on disk; it is written once, block after block, and then read.

    What `at_rows`, `at_nodes` and `until` give are views: other steps and nodes of the same file.

    Attributes:
        most_values: Values that whoever reads it may hold at a time.

    Args:
        folder: Where the file is put.
        shape: Rows, nodes and channels.
        most_values: See above.

    Raises:
        OutputError: The folder has no room for it, or cannot be written.
    """

    def __init__(self, folder: Path, shape: tuple[int, int, int], most_values: int) -> None:
        self.most_values = most_values
        self._folder, self._stored = folder, shape
        self._rows, self._nodes = np.arange(shape[0]), np.arange(shape[1])
        self._file = _File(folder, 4 * int(np.prod(shape, dtype=np.int64)))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Steps, nodes and channels."""
        return len(self._rows), len(self._nodes), self._stored[2]

    def __len__(self) -> int:
        return len(self._rows)

    def append(self, block: Values) -> None:
        """Write the next rows ``[row, node, channel]``.

        Raises:
            OutputError: The disk is full.
        """
        self._file.append(np.ascontiguousarray(block, np.float32))

    def another(self, steps: int) -> "Spool":
        """An empty one beside this one, with the same nodes and other steps."""
        return Spool(self._folder, (steps, *self.shape[1:]), self.most_values)

    def at_rows(self, rows: Ints) -> "Spool":
        """The same history at other steps.

        Args:
            rows: ``[time]`` step of this one at each step; `ABSENT` where it is missing.
        """
        return self._view(np.where(rows == ABSENT, ABSENT, self._rows[rows]), self._nodes)

    def at_nodes(self, nodes: Ints) -> "Spool":
        """The same history of some nodes, in that order."""
        return self._view(self._rows, self._nodes[nodes])

    def until(self, end: int) -> "Spool":
        """The first `end` steps."""
        return self._view(self._rows[:end], self._nodes)

    def read(self, steps: Ints) -> Values:
        """``[step, node, channel]`` the values at some steps; consecutive ones are read as one."""
        rows = self._rows[steps]
        values = np.empty((len(rows), *self.shape[1:]), np.float32)
        whole = np.array_equal(self._nodes, np.arange(self._stored[1]))
        most = max(1, READ_AT_A_TIME // self._row_values)
        breaks = np.flatnonzero((np.diff(rows) != 1) | (rows[:-1] == ABSENT)) + 1
        for first, last in zip([0, *breaks], [*breaks, len(rows)], strict=True):
            for start in range(first, last, most):
                end = min(start + most, last)
                if rows[start] == ABSENT:
                    values[start:end] = np.nan
                elif whole:
                    self._file.read(int(rows[start]) * self._row_values, values[start:end])
                else:
                    block = np.empty((end - start, *self._stored[1:]), np.float32)
                    self._file.read(int(rows[start]) * self._row_values, block)
                    np.take(block, self._nodes, axis=1, out=values[start:end])
        return values

    def parts(self, first: int = 0, end: int | None = None) -> Iterator[Ints]:
        """The steps from `first` to `end` in order, some at a time."""
        end = len(self) if end is None else end
        values = min(self.most_values, PART)
        most = max(1, values // int(np.prod(self.shape[1:])))
        for start in range(first, end, most):
            yield np.arange(start, min(start + most, end))

    def sample_steps(self, end: int, block: int = 1) -> Ints:
        """Of the first `end` steps as many as may be held, see `spread_steps`.

        Args:
            end: Steps to choose from.
            block: Consecutive steps that belong together; there are a few times as many in a block,
                where the sample is large enough.
        """
        most = max(1, self.most_values // int(np.prod(self.shape[1:])))
        return spread_steps(end, most, min(most, max(most // BLOCKS, FEWEST_IN_BLOCK * block)))

    @property
    def _row_values(self) -> int:
        return self._stored[1] * self._stored[2]

    def _view(self, rows: Ints, nodes: Ints) -> "Spool":
        view: Spool = object.__new__(Spool)
        view.__dict__.update(self.__dict__ | {"_rows": rows, "_nodes": nodes})
        return view


def spread_steps(end: int, most: int, block: int) -> Ints:
    """Blocks of consecutive steps, evenly spread from 0 to `end`.

    Args:
        end: Steps to choose from.
        most: Steps in all.
        block: Steps in a block, at most `most`.

    Returns:
        Ascending; all steps where `most` is no fewer.

    >>> spread_steps(100, 6, 3)
    array([ 0,  1,  2, 97, 98, 99])
    """
    if most >= end:
        return np.arange(end)
    firsts = np.linspace(0, end - block, max(1, most // block)).round().astype(int)
    return np.unique(firsts[:, None] + np.arange(block))


class _File:
    """A temporary file of float32 values; it is closed, and thereby gone, with its last user."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        try:
            free = shutil.disk_usage(folder).free
            if free < size:
                raise OutputError(
                    f"{folder}: the history takes {size / 1e9:.1f} GB on disk, {free / 1e9:.1f} GB "
                    "are free there; set TMPDIR to a folder with more room"
                )
            self._raw = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        except OSError as error:
            raise OutputError(
                f"{folder}: no temporary file can be made there ({error.strerror})"
            ) from error
        self._closing = weakref.finalize(self, self._raw.close)

    def append(self, values: Values) -> None:
        rest = values.data.cast("B")
        try:
            self._raw.seek(0, os.SEEK_END)
            while len(rest):
                rest = rest[self._raw.write(rest) :]
        except OSError as error:
            raise OutputError(
                f"{self._folder}: the history cannot be written there ({error.strerror}); "
                "set TMPDIR to a folder with more room"
            ) from error

    def read(self, first: int, into: Values) -> None:
        """Fill an array with the values from the `first` on."""
        rest = into.data.cast("B")
        self._raw.seek(4 * first)
        while len(rest):
            count = self._raw.readinto(rest)
            assert count, "the spool is shorter than its shape"
            rest = rest[count:]
