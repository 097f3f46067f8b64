"""The climatology of a history on disk: from sums over it, taken some steps at a time.

The same fit as `fit_climatology`. All that it asks of the values is their number, their squares and
their products with the calendar's columns, and those add up.
"""

import numpy as np

from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.windows.climatology import (
    CYCLE_SHRINKAGE,
    LEAST_SCALE,
    LEVEL_SHRINKAGE,
    SCALE_SHRINKAGE,
    Climatology,
)

SOLVED = 4096  # series at a time


class Moments:
    """Sums over a history; values are taken from a rough level of each series, for precision.

    Attributes:
        low: ``[series]`` the smallest value; NaN where nothing was observed.
        high: ``[series]`` the largest.
        observed: ``[series]`` True where anything was observed.
    """

    def __init__(self, series: int, features: int) -> None:
        size = 1 + features
        self.low, self.high = np.full((2, series), np.nan, np.float32)
        self.observed = np.zeros(series, bool)
        self._shift: Floats | None = None
        self._sums = np.zeros((size, series))
        self._squares = np.zeros(series)
        self._common = np.zeros((size, size))  # of steps at which every series was observed
        self._gram: Floats | None = None  # [series, size, size] of the others

    def add(self, values: Floats, valid: Bools, features: Floats) -> None:
        """Take some steps more.

        Args:
            values: ``[time, series]`` NaN where missing.
            valid: ``[time, series]``.
            features: ``[time, feature]``.
        """
        self.low = np.fmin(self.low, np.fmin.reduce(values))
        self.high = np.fmax(self.high, np.fmax.reduce(values))
        self.observed |= valid.any(0)
        if self._shift is None:
            count = valid.sum(0)
            means = np.where(valid, values, 0).sum(0, dtype=float) / np.maximum(count, 1)
            rough = means[count > 0].mean() if count.any() else 0.0
            self._shift = np.where(count > 0, means, rough).astype(np.float32)
        columns = np.column_stack([np.ones(len(values), np.float32), features])
        apart = np.where(valid, values - self._shift, np.float32(0))
        self._sums += columns.T @ apart
        self._squares += np.square(apart).sum(0, dtype=float)
        if valid.all():
            self._common += columns.T @ columns
            return
        products = (columns[:, :, None] * columns[:, None, :]).reshape(len(columns), -1)
        if self._gram is None:
            self._gram = np.zeros((valid.shape[1], *self._common.shape), np.float32)
        self._gram += (valid.astype(np.float32).T @ products).reshape(self._gram.shape)

    def climatology(self, series: Ints) -> Climatology:
        """Of some series, which lean on each other alone."""
        assert self._shift is not None
        parts = np.array_split(series, -(-len(series) // SOLVED))
        count = np.concatenate([self._gram_of(part)[:, 0, 0] for part in parts])
        shift, sums = self._shift[series].astype(float), self._sums[:, series]
        total = max(count.sum(), 1)
        mean = (sums[0] + count * shift).sum() / total
        level = (sums[0] + count * shift + LEVEL_SHRINKAGE * mean) / (count + LEVEL_SHRINKAGE)
        above = level - shift

        size = len(sums)
        whole, pooled = np.eye(size), np.zeros(size)
        place = np.array_split(np.arange(len(series)), len(parts))
        for part, at in zip(parts, place, strict=True):
            gram = self._gram_of(part)
            whole += gram.sum(0)
            pooled += (sums[:, at] - gram[:, 0].T * above[at]).sum(1)
        shared = np.linalg.solve(whole, pooled)

        penalty = np.diag([LEVEL_SHRINKAGE] + [CYCLE_SHRINKAGE] * (size - 1))
        weights, squares = np.empty((size, len(series))), np.empty(len(series))
        for part, at in zip(parts, place, strict=True):
            gram = self._gram_of(part)
            left = sums[:, at] - gram[:, 0].T * above[at] - (gram @ shared).T
            own = np.linalg.solve(gram + penalty, left.T[..., None])[..., 0]
            known = shared + own
            known[:, 0] += above[at]
            weights[:, at] = known.T
            explained = np.einsum("sk,skl,sl->s", known, gram, known)
            squares[at] = self._squares[part] - 2 * (known.T * sums[:, at]).sum(0) + explained
        squares = np.maximum(squares, 0)
        typical = np.sqrt(squares.sum() / total) or 1.0
        variance = (squares + SCALE_SHRINKAGE * typical**2) / (count + SCALE_SHRINKAGE)
        return Climatology(
            (shift + weights[0]).astype(np.float32),
            weights[1:].astype(np.float32),
            np.maximum(np.sqrt(variance), LEAST_SCALE * typical).astype(np.float32),
        )

    def _gram_of(self, series: Ints) -> Floats:
        """``[series, 1 + feature, 1 + feature]`` products of the columns where it was observed."""
        if self._gram is None:
            return np.broadcast_to(self._common, (len(series), *self._common.shape))
        return self._gram[series] + self._common
