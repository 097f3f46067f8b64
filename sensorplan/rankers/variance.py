"""Regions by their own variance: where much happens, keep a sensor."""

import numpy as np

from sensorplan.rankers.history import History, observed_first
from sensorplan.sensors import Floats, Ints


@observed_first
def rank_by_variance(history: History) -> tuple[Ints, Floats]:
    """Order regions by the variance of their anomalies, in the unit of the errors squared.

    With several channels it is their mean; importance is the share of the largest variance.
    """
    count = np.maximum(history.valid.sum(0), 1)  # [region, channel]
    own = (history.anomalies.astype(float) ** 2).sum(0) / count * history.scale**2
    variance = own.mean(1)
    order = np.argsort(-variance, kind="stable")
    return order, variance[order]
