"""Virtual force: sensors repel each other; the one under the greatest pressure goes first.

Source: the repulsion of Zou and Chakrabarty 2003, Sensor deployment and target localization based
on virtual forces, IEEE INFOCOM, 1293-1303 (doi 10.1109/INFCOM.2003.1208965), here by elimination.
"""

import heapq

import numpy as np

from sensorplan.rankers.history import History, observed_first
from sensorplan.rankers.nearest import NearestLeft
from sensorplan.sensors import Bools, Floats, Ints

NEIGHBOURS = 6  # that repel a region: sensors spread evenly lie in a hexagonal lattice


@observed_first
def rank_by_virtual_force(history: History) -> tuple[Ints, Floats]:
    """Order regions by removing, again and again, the one that its kept neighbours push hardest.

    The paper moves k sensors until repulsion has spread them. Those that stand in the field cannot
    move, and k moved points would not nest from one budget to the next; so what is crowded leaves
    instead. One sensor pushes another by 1 / distance if it is near; near are the six nearest kept
    ones rather than those within a radius, which would have to grow as the network thins. The sizes
    of the forces are summed, not their vectors: those on a sensor hemmed in from all sides cancel
    out. The paper's attraction, obstacles and preferred areas have no part in it, nor has the data,
    except that regions never observed come last.

    Importance is the harmonic mean of the distances to those neighbours when the region was
    removed, or of an earlier one if that was larger, as a share of the largest. Of equals the
    highest index is removed. Regions without a position come last.

    Raises:
        DataError: There are no positions.
    """
    nearest = NearestLeft(history.coordinates("virtual-force"))
    known = np.flatnonzero(nearest.left)
    neighbours = np.full((history.regions, NEIGHBOURS), -1)
    spacing = np.full(history.regions, np.inf)  # harmonic mean distance
    named_by: list[set[int]] = [set() for _ in range(history.regions)]  # as a neighbour
    queue: list[tuple[float, int]] = []  # of spacings, with those of before among them
    stale = known
    removed, spacings_then = [], []
    for _ in known[1:]:
        for region, before in zip(stale.tolist(), neighbours[stale].tolist(), strict=True):
            for other in before:
                if other >= 0:
                    named_by[other].discard(region)
        neighbours[stale], squares = nearest.of(stale, NEIGHBOURS)
        spacing[stale] = _harmonic_mean(np.sqrt(squares))
        for region, after in zip(stale.tolist(), neighbours[stale].tolist(), strict=True):
            heapq.heappush(queue, (float(spacing[region]), -region))
            for other in after:
                if other >= 0:
                    named_by[other].add(region)
        gone = _first(queue, spacing, nearest.left)
        removed.append(gone)
        spacings_then.append(spacing[gone])
        nearest.remove(gone)
        for other in neighbours[gone].tolist():
            if other >= 0:
                named_by[other].discard(gone)
        stale = np.array(sorted(named_by[gone]), int)
    gains = np.maximum.accumulate(spacings_then)[::-1]
    last = np.flatnonzero(nearest.left)
    rest = np.setdiff1d(np.arange(history.regions), known)
    top = gains[:1] if len(gains) else np.ones(1)  # the last one has no neighbour
    return (
        np.concatenate([last, np.array(removed[::-1], int), rest]),
        np.concatenate([top, gains, np.zeros(len(rest))]),
    )


def _first(queue: list[tuple[float, int]], spacing: Floats, left: Bools) -> int:
    """The region that is left and has the least spacing, of equals the highest index."""
    while True:
        known, negative = heapq.heappop(queue)
        if left[-negative] and spacing[-negative] == known:
            return -negative


def _harmonic_mean(distances: Floats) -> Floats:
    """``[row]`` over the finite ``[row, neighbour]`` distances; 0 where one is 0."""
    with np.errstate(divide="ignore"):
        forces = (1 / distances).sum(1)
        mean: Floats = np.isfinite(distances).sum(1) / forces
    return mean
