"""k-centre: regions spread so that none is far from a kept one.

Source: Gonzalez 1985, Clustering to minimize the maximum intercluster distance, Theoretical
Computer Science 38, 293-306 (farthest-point traversal).
"""

import numpy as np

from sensorplan.rankers.history import History, observed_first
from sensorplan.sensors import Floats, Ints


@observed_first
def rank_by_k_centre(history: History) -> tuple[Ints, Floats]:
    """Order regions by farthest-point traversal, from the one nearest to the middle of all.

    Importance is the distance to the nearest region above, as a share of the largest; the first
    has 1. Degrees are compared by the chord between them. Regions without a position come last.

    Raises:
        DataError: There are no positions.
    """
    places = history.coordinates("k-centre")
    known = np.isfinite(places).all(axis=1)
    first = int(np.nanargmin(np.linalg.norm(places - places[known].mean(0), axis=1)))
    nearest = np.where(known, np.inf, -1.0)  # squared distance to those taken
    order, gains = [first], []
    for _ in range(int(known.sum()) - 1):
        nearest = np.fmin(nearest, ((places - places[order[-1]]) ** 2).sum(1))
        nearest[order[-1]] = -1
        order.append(int(np.argmax(nearest)))
        gains.append(float(np.sqrt(nearest[order[-1]])))
    gains = [*(gains[:1] or [1.0]), *gains, *[0.0] * int((~known).sum())]
    return np.concatenate([order, np.flatnonzero(~known)]), np.array(gains)
