"""The leading modes of a history on disk, from all of its steps: a low-rank sketch.

First a randomised SVD (Halko, Martinsson and Tropp 2011, arXiv 0909.4061, algorithm 4.4) with gaps
as zeros, over a Dask array that is chunked in time. Each pass multiplies a chunk and its transpose
while it is there, so that the file is read once a pass and nothing of the length of the history is
held: `dask.array.linalg.svd_compressed` reads it twice a power iteration and keeps arrays
``[step, mode]``, which for few series and many steps are as large as the history.

Gaps as zeros turn and shorten the modes. So further passes fit both sides to observed values only,
in turn, as in alternating least squares for matrices with gaps (Hastie et al. 2015, arXiv
1410.2596): the scores of each step from the series observed then, and the loadings of each series
from the scores of the steps at which it was observed. Soft imputation, which does the same for
histories in memory, would need a whole SVD for each of its sweeps.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.stretch import Stretch

PASSES = 4  # of the randomised SVD
OVERSAMPLES = 10
SWEEPS = 2  # of the fit to observed values, where there are gaps; else one
SHRINKAGE = 20.0  # observations, of the loadings of a series
VALUES_A_SUM = 8  # as many times what may be held at a time, in sums of products
SOLVED = 500  # systems at a time
TINY = 1e-6  # share of the largest: nothing


def sketch_loadings(stretch: Stretch, modes: int) -> Floats:
    """Loadings of every series on the leading modes (POD) of all steps.

    The draw is always the same, so that whoever asks for as many modes shares one sketch.

    Returns:
        ``[region, channel * mode]``, as `mode_loadings` gives them.
    """

    def find() -> Floats:
        most = min(stretch.matrix_shape) - 1
        loadings = leading_modes(stretch, max(1, min(modes, most)))
        for _ in range(SWEEPS):
            loadings, gaps = _refit(stretch, loadings)
            if not gaps:
                break
        return loadings.reshape(stretch.shape[1], -1).astype(np.float32)

    return stretch.once(("loadings", modes), find)


def leading_modes(stretch: Stretch, modes: int) -> Floats:
    """Right singular vectors, each as long as its scores vary, with gaps as zeros.

    Returns:
        ``[series, mode]``, where a series is a column of the matrix of the stretch.
    """
    import dask.array as da  # loads slowly

    parts = list(stretch.parts())
    rows, series = stretch.matrix_shape
    a_step = rows // stretch.shape[0]

    def block(block_info: Mapping[None, Mapping[str, list[tuple[int, int]]]]) -> Floats:
        first, end = block_info[None]["array-location"][0]
        return stretch.matrix(np.arange(first // a_step, end // a_step))[0]

    chunks = tuple(a_step * len(steps) for steps in parts), (series,)
    empty = np.empty((0, 0), np.float32)
    history: Any = da.map_blocks(block, chunks=chunks, dtype=np.float32, meta=empty)  # type: ignore[no-untyped-call]
    rank = min(modes + OVERSAMPLES, series)
    image = np.random.default_rng(0).standard_normal((series, rank), np.float32)
    for _ in range(PASSES):
        basis = np.linalg.qr(image)[0]
        image = history.T.dot(history.dot(basis)).compute(scheduler="synchronous")
    # The Nyström approximation of the product of the history with itself: no pass of its own.
    within = basis.T @ image
    strength, turn = np.linalg.eigh((within + within.T) / 2)
    half = (image @ turn) / np.sqrt(np.maximum(strength, TINY * strength[-1]))
    shapes, lengths, _ = np.linalg.svd(half, full_matrices=False)
    return np.asarray(shapes[:, :modes] * (lengths[:modes] / np.sqrt(rows)))


def _refit(stretch: Stretch, loadings: Floats) -> tuple[Floats, bool]:
    """A pass in which scores are fitted by loadings, and loadings by scores.

    With scores of unit variance the loadings of a series solve (G + `SHRINKAGE`) f = t, where G is
    the sum of the products of the scores over the steps at which it was observed, and t that of
    scores x values. What the scores vary by is known at the end alone, and is taken out there.

    Returns:
        ``[series, mode]`` loadings, and whether there was any gap.
    """
    guess = _Guess(loadings)
    rows, series = stretch.matrix_shape
    fitted = np.empty(loadings.shape)
    always, ever = np.ones(series, bool), np.zeros(series, bool)
    most = max(1, VALUES_A_SUM * stretch.most_values // guess.width)
    for start in range(0, series, most):
        some = slice(start, start + most)
        size = len(fitted[some])
        gram = np.zeros((size, guess.width), np.float32)
        target = np.zeros((size, guess.modes))
        spread = np.zeros((guess.modes, guess.modes))
        for steps in stretch.parts(width=guess.width):
            values, valid = stretch.matrix(steps)
            scores = guess.scores(values, valid, stretch.most_values)
            target += (scores.T @ values[:, some]).T
            square = scores.T @ scores
            spread += square / rows
            always &= valid.all(0)
            ever |= valid.any(0)
            whole, mixed = _gaps(valid[:, some])
            gram[whole] += guess.packed(square)
            if len(mixed):
                seen = valid[:, some][:, mixed].astype(np.float32)
                gram[mixed] += seen.T @ guess.products(scores)
        spread += TINY * spread.max() * np.eye(guess.modes)
        own = fitted[some]
        for first in range(0, size, SOLVED):
            part = slice(first, first + SOLVED)
            own[part] = _solve(guess.squared(gram[part]) + SHRINKAGE * spread, target[part])
    strength, turn = np.linalg.eigh(spread)
    return fitted @ (turn * np.sqrt(strength)) @ turn.T, bool((ever & ~always).any())


class _Guess:
    """Loadings that scores are fitted by.

    Attributes:
        modes: Their number.
        width: Number of different products of two scores.
    """

    def __init__(self, loadings: Floats) -> None:
        shapes, lengths, _ = np.linalg.svd(loadings, full_matrices=False)
        self._loadings = (shapes * lengths).astype(np.float32)
        self._to_unit = 1 + 1 / np.maximum(lengths**2, TINY * lengths[0] ** 2)
        self.modes = loadings.shape[1]
        self._first, self._second = np.triu_indices(self.modes)
        self.width = len(self._first)
        self._place = np.empty((self.modes, self.modes), np.int64)
        self._place[self._first, self._second] = np.arange(self.width)
        self._place[self._second, self._first] = np.arange(self.width)

    def products(self, rows: Floats) -> Floats:
        """``[row, product]`` of every two columns."""
        return np.asarray(rows[:, self._first] * rows[:, self._second])

    def packed(self, square: Floats) -> Floats:
        """``[product]`` of a symmetric ``[mode, mode]``."""
        return np.asarray(square[self._first, self._second])

    def squared(self, products: Floats) -> Floats:
        """``[row, mode, mode]`` of ``[row, product]``."""
        return products[:, self._place]

    def scores(self, values: Floats, valid: Bools, most: int) -> Floats:
        """``[row, mode]`` fitted to what was observed in each row, of about unit variance.

        Scores and the rest of a series are taken to be normal with variance 1: that of a whole
        series, so that rows with few values have small scores.

        Args:
            values: ``[row, series]``, 0 where missing.
            valid: ``[row, series]``.
            most: Products that may be held at a time.
        """
        whole, mixed = _gaps(valid)
        within = self._loadings[whole].T @ self._loadings[whole] + np.eye(self.modes)
        aimed = values @ self._loadings
        if not len(mixed):
            return np.asarray((np.linalg.solve(within, aimed.T).T * self._to_unit), np.float32)
        gram = np.zeros((len(values), self.width), np.float32)
        size = max(1, most // self.width)
        for start in range(0, len(mixed), size):
            some = mixed[start : start + size]
            gram += valid[:, some].astype(np.float32) @ self.products(self._loadings[some])
        fitted = _solve(self.squared(gram) + within, aimed)
        return np.asarray(fitted * self._to_unit, np.float32)


def _gaps(valid: Bools) -> tuple[Bools, Ints]:
    """Whether each series is whole ``[series]``, and which others have any value."""
    whole = np.asarray(valid.all(0))
    return whole, np.flatnonzero(valid.any(0) & ~whole)


def _solve(systems: Floats, right: Floats) -> Floats:
    """``[row, mode]`` systems ``[row, mode, mode]`` solved for right sides ``[row, mode]``."""
    return np.asarray(np.linalg.solve(systems, right[..., None])[..., 0])
