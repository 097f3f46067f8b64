"""From constraints and a size to the rules over the mask."""

from itertools import pairwise

import numpy as np
from scipy import sparse

from sensorplan.constraints.distances import near
from sensorplan.constraints.rules import ROUNDING, Rules
from sensorplan.constraints.stated import Constraints
from sensorplan.sensors import Floats, Ints


def free_rules(regions: int, budget: int) -> Rules:
    """A size, and nothing else."""
    nothing = np.zeros(regions, bool)
    matrix = sparse.csc_array(np.ones((1, regions)))
    size = np.array([float(budget)])
    return Rules(nothing, nothing, matrix, size, size, budget, None)


def make_rules(constraints: Constraints, budget: int | None) -> Rules:
    """The rules of constraints and a size.

    Args:
        constraints: What is asked.
        budget: Regions to keep; None: as many as the largest cost allows.
    """
    regions = len(constraints.names)
    blocks: list[sparse.csr_array] = []
    lower: list[Floats] = []
    upper: list[Floats] = []

    def add(block: sparse.csr_array, low: float | Floats, high: float | Floats) -> None:
        blocks.append(block)
        lower.append(np.broadcast_to(np.asarray(low, float), block.shape[0]))
        upper.append(np.broadcast_to(np.asarray(high, float), block.shape[0]))

    if constraints.min_distance:
        add(_conflicts(constraints), -np.inf, 1)
    if constraints.cover:
        add(_coverage(constraints), 1, np.inf)
    for group, limit in constraints.limits.items():
        members = sparse.csr_array(np.array([[name == group for name in constraints.group]], float))
        add(members, limit.low, np.inf if limit.high is None else limit.high)
    if constraints.max_cost is not None:
        assert constraints.cost is not None
        add(sparse.csr_array(constraints.cost[None] / constraints.max_cost), -np.inf, 1)
    if budget is None:
        add(sparse.csr_array(np.ones((1, regions))), 1, np.inf)
    if budget is not None:
        add(sparse.csr_array(np.ones((1, regions))), budget, budget)
    return Rules(
        required=constraints.required,
        excluded=constraints.excluded,
        matrix=sparse.csc_array(sparse.vstack(blocks) if blocks else (0, regions)),
        lower=np.concatenate([np.empty(0), *lower]),
        upper=np.concatenate([np.empty(0), *upper]),
        budget=budget,
        cost=constraints.cost if constraints.max_cost is not None else None,
    )


def _conflicts(constraints: Constraints) -> sparse.csr_array:
    """``[pair, region]`` a row for each two regions nearer to each other than allowed."""
    assert constraints.min_distance is not None
    assert constraints.positions is not None
    free = np.flatnonzero(~constraints.excluded)
    points = constraints.positions[free]
    below = constraints.min_distance.length * (1 - ROUNDING)  # exactly as far apart is allowed
    pairs = near(points, points, below, constraints.geographic)
    pairs = free[pairs[pairs[:, 0] < pairs[:, 1]]]
    rows = np.repeat(np.arange(len(pairs)), 2)
    shape = (len(pairs), len(constraints.names))
    return sparse.csr_array((np.ones(pairs.size), (rows, pairs.ravel())), shape=shape)


def _coverage(constraints: Constraints) -> sparse.csr_array:
    """``[target, region]`` a row for each target: the regions that cover it."""
    assert constraints.cover is not None
    assert constraints.targets is not None
    assert constraints.positions is not None
    free = np.flatnonzero(~constraints.excluded)
    points, reach = constraints.positions[free], constraints.cover.length * (1 + ROUNDING)
    targets, places = near(constraints.targets, points, reach, constraints.geographic).T
    shape = (len(constraints.targets), len(constraints.names))
    cover = sparse.csr_array((np.ones(len(targets)), (targets, free[places])), shape=shape)
    return cover[_first_of_each(cover)]


def _first_of_each(matrix: sparse.csr_array) -> Ints:
    """Rows of a matrix of 1 and 0 without those that say what another does."""
    matrix.sort_indices()
    ends = matrix.indptr
    rows = {
        matrix.indices[a:b].tobytes(): row for row, (a, b) in reversed([*enumerate(pairwise(ends))])
    }
    return np.array(sorted(rows.values()), int)
