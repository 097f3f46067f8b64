"""k-centre: regions spread so that none is far from a kept one.

Source: Gonzalez 1985, Clustering to minimize the maximum intercluster distance, Theoretical
Computer Science 38, 293-306 (farthest-point traversal).
"""

import numpy as np
from scipy.spatial import cKDTree

from sensorplan.rankers.history import History, observed_first
from sensorplan.sensors import Floats, Ints

ROUNDING = 1 + 1e-9  # of a radius


@observed_first
def rank_by_k_centre(history: History) -> tuple[Ints, Floats]:
    """Order regions by farthest-point traversal, from the one nearest to the middle of all.

    Importance is the distance to the nearest region above, as a share of the largest; the first
    has 1. Degrees are compared by the chord between them. Regions without a position come last.

    Raises:
        DataError: There are no positions.
    """
    places = history.coordinates("k-centre")
    known = np.flatnonzero(np.isfinite(places).all(axis=1))
    order, gains = _farthest_points(places[known])
    rest = np.setdiff1d(np.arange(history.regions), known)
    return np.concatenate([known[order], rest]), np.concatenate([gains, np.zeros(len(rest))])


def _farthest_points(places: Floats) -> tuple[Ints, Floats]:
    """Order of ``[point, coordinate]`` places, and the distance of each to those before it.

    No point lies farther from those taken than the next to be taken, so that only points within
    that distance of it can come nearer to one taken.
    """
    tree = cKDTree(places)
    first = int(np.argmin(np.linalg.norm(places - places.mean(0), axis=1)))
    order, gains = [first], [0.0]
    nearest = ((places - places[first]) ** 2).sum(1)  # squared distance to those taken; -1: taken
    nearest[first] = -1
    while (radius := np.sqrt(max(nearest.max(), 0))) > 0:
        new = int(np.argmax(nearest))
        order.append(new)
        gains.append(float(radius))
        near = tree.query_ball_point(places[new], radius * ROUNDING)
        nearest[near] = np.minimum(nearest[near], ((places[near] - places[new]) ** 2).sum(1))
        nearest[new] = -1
    same = np.flatnonzero(nearest == 0)  # where another was taken
    gains[0] = gains[1] if len(gains) > 1 else 1.0
    return np.concatenate([order, same]), np.concatenate([gains, np.zeros(len(same))])
