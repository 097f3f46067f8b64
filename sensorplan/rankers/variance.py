"""Regions by their own variance: where much happens, keep a sensor."""

import numpy as np

from sensorplan.rankers.history import History, observed_first
from sensorplan.sensors import Floats, Ints


@observed_first
def rank_by_variance(history: History) -> tuple[Ints, Floats]:
    """Order regions by the variance of their anomalies, in the unit of the errors squared.

    With several channels it is the mean over those observed. Importance is the share of the largest
    variance.
    """
    count, power = np.zeros(history.scale.shape, np.int64), np.zeros(history.scale.shape)
    for part in history.parts():
        count += part.valid.sum(0)  # [region, channel]
        power += (part.anomalies.astype(float) ** 2).sum(0)
    own = power / np.maximum(count, 1) * history.scale**2
    variance = own.sum(1) / (count > 0).sum(1)
    order = np.argsort(-variance, kind="stable")
    return order, variance[order]
