"""What a backbone may know of a network before training: sizes, modes, neighbours, positions."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.extmath import randomized_svd

from sensorplan.regions import Topology
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.sketch import sketch_loadings
from sensorplan.stretch import Stretch

FILL_SWEEPS = 6  # of the iterated reconstruction that stands in for missing values
LOADING_SHRINKAGE = 20.0  # observations
MODES = 16
NEIGHBOURS = 8
TOGETHER = 4096  # series whose loadings are fitted at a time


@dataclass(frozen=True)
class Network:
    """A network as a backbone sees it.

    Attributes:
        lookback: Steps of history.
        horizon: Steps of future.
        anomalies: ``[time, region, channel]`` standardised training history, 0 where missing.
        valid: ``[time, region, channel]`` True where observed.
        calendar_features: Number of calendar features.
        topology: Where the regions are.
        seed: Of the randomised modes.
        breaks: Steps at which the training history leaps, for it is a sample of a longer one.
        most_values: That may be held at a time; None: any number.
        whole: The training history of which that is a sample; None: it is no sample.
    """

    lookback: int
    horizon: int
    anomalies: Floats
    valid: Bools
    calendar_features: int
    topology: Topology
    seed: int = 0
    breaks: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    most_values: int | None = None
    whole: Stretch | None = None

    @property
    def regions(self) -> int:
        """Number of regions."""
        return int(self.anomalies.shape[1])

    @property
    def channels(self) -> int:
        """Channels of a region."""
        return int(self.anomalies.shape[2])

    @cached_property
    def loadings(self) -> Floats:
        """``[region, channel * mode]``, see `mode_loadings`."""
        return mode_loadings(self, MODES, self.seed)

    @cached_property
    def neighbours(self) -> tuple[Ints, Floats]:
        """See `nearest_by_correlation`."""
        return nearest_by_correlation(self.loadings, NEIGHBOURS)


def mode_loadings(network: Network, modes: int, seed: int) -> Floats:
    """Loadings of every series on the leading modes (POD) of the network.

    Gaps are filled by reconstruction from the modes, a few sweeps of soft imputation (Mazumder et
    al. 2010); the loadings are then fitted to observed values only, shrunk where few were observed.
    Where the history is a sample of a longer one, they are those of the longer one
    (`sketch_loadings`).

    Returns:
        ``[region, channel * mode]``, such that the dot product of two regions' rows estimates the
        correlation of their series, summed over channels.
    """
    if network.whole is not None:
        return sketch_loadings(network.whole, modes)
    times = len(network.anomalies)
    series = network.anomalies.reshape(times, -1)
    valid = network.valid.reshape(times, -1)
    modes = max(1, min(modes, min(series.shape) - 1))
    gaps = not valid.all()
    filled = series
    for _ in range(FILL_SWEEPS if gaps else 1):
        scores, strength, shapes = randomized_svd(filled, modes, n_iter=4, random_state=seed)
        if gaps:
            shrunk = strength - strength[-1] ** 2 / np.maximum(strength, 1e-12)
            filled = np.where(valid, series, (scores * shrunk) @ shapes)
    scores = scores * np.sqrt(times)  # [time, mode], unit variance
    target = (scores.T @ series).T[..., None]  # [series, mode, 1]
    loadings = np.empty((series.shape[1], modes), np.float32)
    for first in range(0, len(loadings), TOGETHER):
        part = slice(first, first + TOGETHER)
        gram = _products(scores, valid[:, part], alike=len(loadings) > TOGETHER)
        system = gram + LOADING_SHRINKAGE * np.eye(modes)
        loadings[part] = np.linalg.solve(system, target[part])[..., 0]
    return loadings.reshape(network.regions, -1)


def _products(scores: Floats, valid: Bools, alike: bool) -> Floats:
    """``[series, mode, mode]`` products of scores, summed over the steps with a value.

    Args:
        scores: ``[time, mode]``.
        valid: ``[time, series]``.
        alike: Take one sum for all series, if there is no gap in any.
    """
    if alike and valid.all():
        return (scores.T @ scores)[None]
    times, modes = scores.shape
    products = (scores[:, :, None] * scores[:, None, :]).reshape(times, -1)
    sums: Floats = valid.T.astype(scores.dtype) @ products
    return sums.reshape(-1, modes, modes)


def nearest_by_correlation(loadings: Floats, count: int) -> tuple[Ints, Floats]:
    """The regions whose series correlate most with each region's, itself left out.

    The largest dot products are the nearest neighbours once every row is lifted to the same length
    by one more coordinate (Bachrach et al. 2014).

    Returns:
        ``[region, count]`` indices, and their estimated correlations; fewer columns in a smaller
        network.
    """
    regions = len(loadings)
    count = min(count, regions - 1)
    squares = (loadings**2).sum(1)
    lifted = np.column_stack([loadings, np.sqrt(squares.max() - squares)])
    asked = np.column_stack([loadings, np.zeros(regions, loadings.dtype)])
    way = "kd_tree" if regions > TOGETHER else "auto"  # auto takes the square of their number
    nearest = NearestNeighbors(n_neighbors=count + 1, algorithm=way).fit(lifted)
    found = nearest.kneighbors(asked, return_distance=False)
    # Its own row goes if it is among those found, else the farthest: stable sort puts it last.
    own = found == np.arange(regions)[:, None]
    found = np.take_along_axis(found, np.argsort(own, axis=1, kind="stable"), 1)[:, :count]
    return found, np.einsum("nm,nkm->nk", loadings, loadings[found])


def identity_features(loadings: Floats, positions: Floats | None) -> Floats:
    """``[region, feature]`` what tells regions apart: mode loadings, and waves of the position."""
    columns = [loadings / np.maximum(np.abs(loadings).max(0), 1e-6)]
    if positions is not None and np.isfinite(positions).any():
        known = np.asarray(np.isfinite(positions).all(axis=1))
        centred = np.where(known[:, None], positions - positions[known].mean(0), 0)
        place = centred / max(np.abs(centred).max(), 1e-9)
        columns += [place] + [wave(k * np.pi * place) for k in (1, 2) for wave in (np.sin, np.cos)]
    return np.concatenate(columns, 1).astype(np.float32)
