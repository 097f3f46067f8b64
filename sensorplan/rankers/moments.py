"""Second moments of a history with gaps: covariances, and the modes that stand in for them.

Filling gaps with the mean would make gappy sensors look uninformative. So covariances are pairwise
complete, shrunk where few pairs were observed and made positive definite again; networks too large
for a matrix of all pairs have the loadings of leading modes instead.
"""

from dataclasses import dataclass

import numpy as np

from sensorplan.forecasters import Network
from sensorplan.forecasters.network import mode_loadings
from sensorplan.rankers.history import History
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


def covariance(history: History) -> Floats:
    """``[region, region]`` positive definite covariance, from pairs of values observed together."""
    raw = lagged_covariance(history, 0)
    values, valid = history.pooled()
    np.fill_diagonal(raw, (values.astype(float) ** 2).sum(0) / valid.sum(0))
    strength, shapes = np.linalg.eigh((raw + raw.T) / 2)
    repaired: Floats = (shapes * np.maximum(strength, 1e-6)) @ shapes.T
    return repaired


def lagged_covariance(history: History, lag: int) -> Floats:
    """``[later region, region]`` covariance of regions `lag` steps later with regions now."""
    now, seen = history.pooled(end=len(history.anomalies) - lag)
    later, seen_later = history.pooled(first=lag)
    pairs: Floats | int = len(now)
    if not (seen.all() and seen_later.all()):
        pairs = seen_later.T.astype(np.float32) @ seen.astype(np.float32)
    return (later.T @ now).astype(float) / (pairs + PAIR_SHRINKAGE)


def correlation(history: History, rows: Ints, columns: Ints) -> Floats:
    """``[row, column]`` correlation of some regions with others, from values observed together.

    It is shrunk towards 0 where few pairs were observed, and 0 where one of the two never varies.
    """
    values, valid = history.pooled()
    first, second = values[:, rows], values[:, columns]
    seen, seen_too = (valid[:, some].astype(np.float32) for some in (rows, columns))
    pairs = seen.T @ seen_too
    power = ((first**2).T @ seen_too) * (seen.T @ second**2)
    strength = (first.T @ second) / np.sqrt(np.maximum(power, np.finfo(np.float32).tiny))
    shrunk: Floats = strength * (pairs / (pairs + PAIR_SHRINKAGE))
    return shrunk


def leads_within(history: History) -> list[int]:
    """A few steps ahead that stand for all of the horizon."""
    last = min(history.horizon, len(history.anomalies) - 1)
    return sorted({round(lead) for lead in np.linspace(1, last, LEADS)})


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
        loadings = mode_loadings(network, MODES_OF_LARGE, history.seed).astype(float)
        variance = np.einsum("tr,tr->r", values, values) / valid.sum(0)
    return Modes(loadings, NUGGET + np.maximum(variance - (loadings**2).sum(1), 0))
