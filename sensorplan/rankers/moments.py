"""Second moments of a history with gaps: covariances, and the modes that stand in for them.

Filling gaps with the mean would make gappy sensors look uninformative. So covariances are pairwise
complete, shrunk where few pairs were observed and made positive definite again; networks too large
for a matrix of all pairs have the loadings of leading modes instead. Of a history on disk all steps
count: sums are taken a part at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sensorplan.forecasters import Network
from sensorplan.forecasters.network import mode_loadings
from sensorplan.rankers.history import History, found_once
from sensorplan.regions import Topology
from sensorplan.sensors import Floats, Ints

PAIR_SHRINKAGE = 20.0  # observations
NUGGET = 0.05  # variance of one sensor's own noise, in standardised anomalies
ALL_PAIRS = 2000  # regions up to which there is a covariance of all pairs
MODES = 300  # of that covariance, the leading ones; the rest counts as noise
MODES_OF_LARGE = 48  # where there is none
LEADS = 3  # that stand for the horizon


@dataclass(frozen=True)
class Modes:
    """A network as a sum of independent modes of unit variance, plus noise of each region.

    Attributes:
        loadings: ``[region, mode]``; the dot product of two rows is the covariance of two regions.
        noise: ``[region]`` variance that no other region shares.
    """

    loadings: Floats
    noise: Floats

    @property
    def gram(self) -> Floats:
        """``[mode, mode]`` loadings of all regions, multiplied."""
        return self.loadings.T @ self.loadings


@found_once
def covariance(history: History) -> Floats:
    """``[region, region]`` positive definite covariance, from pairs of values observed together."""
    raw = lagged_covariance(history, 0).copy()
    np.fill_diagonal(raw, _mean(history, lambda values: (values.astype(float) ** 2).sum(0)))
    strength, shapes = np.linalg.eigh((raw + raw.T) / 2)
    repaired: Floats = (shapes * np.maximum(strength, 1e-6)) @ shapes.T
    return repaired


@found_once
def lagged_covariance(history: History, lag: int) -> Floats:
    """``[later region, region]`` covariance of regions `lag` steps later with regions now."""
    products = np.zeros((history.regions, history.regions))
    pairs: Floats | int = 0
    for part in history.parts(lag):
        now, seen = part.pooled(end=len(part.anomalies) - lag)
        later, seen_later = part.pooled(first=lag)
        products += later.T @ now
        if seen.all() and seen_later.all():
            pairs = pairs + len(now)
        else:
            pairs = pairs + seen_later.T.astype(np.float32) @ seen.astype(np.float32)
    return products / (pairs + PAIR_SHRINKAGE)


def correlation(history: History, rows: Ints, columns: Ints) -> Floats:
    """``[row, column]`` correlation of some regions with others, from values observed together.

    It is shrunk towards 0 where few pairs were observed, and 0 where one of the two never varies.
    That of a history on disk is of its sample.
    """
    values, valid = history.pooled()
    first, second = values[:, rows], values[:, columns]
    seen, seen_too = (valid[:, some].astype(np.float32) for some in (rows, columns))
    power = ((first**2).T @ seen_too) * (seen.T @ second**2)
    return _shrunk(first.T @ second, power, seen.T @ seen_too)


def pair_correlation(history: History, rows: Ints, columns: Ints) -> Floats:
    """``[row, column]`` what `correlation` gives of some regions with a few others each.

    Args:
        history: Where the values are.
        rows: ``[row]`` regions.
        columns: ``[row, column]`` regions.
    """
    values, valid = history.pooled()
    first, seen = values[:, rows], valid[:, rows].astype(np.float32)
    found = np.empty(columns.shape, np.float32)
    for place, others in enumerate(columns.T):
        second, seen_too = values[:, others], valid[:, others].astype(np.float32)
        power = _sum(first**2, seen_too) * _sum(seen, second**2)
        found[:, place] = _shrunk(_sum(first, second), power, _sum(seen, seen_too))
    return found


def _sum(first: Floats, second: Floats) -> Floats:
    """``[region]`` products of ``[row, region]``, summed."""
    return np.asarray(np.einsum("tr,tr->r", first, second))


def _shrunk(products: Floats, power: Floats, pairs: Floats) -> Floats:
    strength = products / np.sqrt(np.maximum(power, np.finfo(np.float32).tiny))
    return np.asarray(strength * (pairs / (pairs + PAIR_SHRINKAGE)))


def leads_within(history: History) -> list[int]:
    """A few steps ahead that stand for all of the horizon."""
    last = min(history.horizon, len(history.anomalies) - 1)
    return sorted({round(lead) for lead in np.linspace(1, last, LEADS)})


@found_once
def network_modes(history: History) -> Modes:
    """Leading modes of the history: in a small network all, which is its covariance exactly."""
    if history.regions <= ALL_PAIRS:
        whole = covariance(history)
        strength, shapes = np.linalg.eigh(whole)
        leading = np.arange(len(strength))[::-1][:MODES]
        loadings = shapes[:, leading] * np.sqrt(strength[leading])
        variance = np.diag(whole)
    else:
        values, valid = history.pooled()
        network = Network(1, history.horizon, values[..., None], valid[..., None], 0, Topology())
        if history.whole is not None:
            network = replace(network, whole=replace(history.whole, pooled=True))
        loadings = mode_loadings(network, MODES_OF_LARGE, history.seed).astype(float)
        variance = _mean(history, lambda values: np.einsum("tr,tr->r", values, values))
    return Modes(loadings, NUGGET + np.maximum(variance - (loadings**2).sum(1), 0))


def _mean(history: History, add_up: Callable[[Floats], Floats]) -> Floats:
    """``[region]`` mean over the values observed.

    Args:
        history: Where they are.
        add_up: Sums ``[region]`` of something 0 where missing, from anomalies ``[row, region]``.
    """
    total: Floats | int = 0
    count: Ints | int = 0
    for part in history.parts():
        values, valid = part.pooled()
        total, count = total + add_up(values), count + valid.sum(0)
    return np.asarray(total / count)
