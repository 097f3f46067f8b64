"""The graph of a network: from the data's own adjacency or from positions, to weighted links."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from sensorplan.forecasters.sums import weighted_sums
from sensorplan.regions import Topology
from sensorplan.sensors import Floats, Ints

OWN_WEIGHT = 4.0  # of a region for itself, where its nearest neighbour weighs at most 1


class Links(NamedTuple):
    """Weighted links from sources to rows, row after row, as in a sparse matrix.

    Attributes:
        sources: ``[link]``.
        starts: ``[row]`` place of each row's first link.
        weights: ``[link]``.
    """

    sources: Tensor
    starts: Tensor
    weights: Tensor

    @property
    def number(self) -> int | None:
        """Number of links, see `blank_links`."""
        return len(self.sources)

    @classmethod
    def from_matrix(cls, matrix: sparse.csr_array) -> "Links":
        """The entries of a ``[row, source]`` matrix."""
        return cls(
            torch.from_numpy(matrix.indices.astype(np.int64)),
            torch.from_numpy(matrix.indptr[:-1].astype(np.int64)),
            torch.from_numpy(matrix.data.astype(np.float32)),
        )

    def spread(self, table: Tensor) -> Tensor:
        """``[row, batch, width]`` weighted sums over the sources of ``[source, batch, width]``."""
        return weighted_sums(table, self.sources, self.starts, self.weights)

    def to_rows(self, rows: Tensor) -> "Links":
        """The links of some rows ``[row]`` alone, in that order."""
        counts = self._counts()[rows]
        starts = counts.cumsum(0) - counts
        moved = torch.repeat_interleave(self.starts[rows] - starts, counts)
        places = moved + torch.arange(len(moved), device=moved.device)
        return Links(self.sources[places], starts, self.weights[places])

    def from_sources(self, kept: Tensor) -> "Links":
        """The links from the kept sources alone, ``[source]`` True; those are counted anew."""
        there = kept[self.sources]
        rows = torch.repeat_interleave(self._counts())[there]
        counts = torch.bincount(rows, minlength=len(self.starts))
        place = kept.cumsum(0) - 1
        return Links(place[self.sources[there]], counts.cumsum(0) - counts, self.weights[there])

    def _counts(self) -> Tensor:
        """``[row]`` number of links."""
        return self.starts.diff(append=self.starts.new_tensor([len(self.sources)]))


class AllLinks(NamedTuple):
    """Links from every source to every row.

    Attributes:
        weights: ``[row, source]``.
    """

    weights: Tensor

    @property
    def number(self) -> int | None:
        """None, see `blank_links`."""
        return None

    def spread(self, table: Tensor) -> Tensor:
        """``[row, batch, width]`` weighted sums over the sources of ``[source, batch, width]``."""
        return (self.weights @ table.flatten(1)).view(-1, *table.shape[1:])

    def to_rows(self, rows: Tensor) -> "AllLinks":
        """The links of some rows alone."""
        return AllLinks(self.weights[rows])

    def from_sources(self, kept: Tensor) -> "AllLinks":
        """The links from the kept sources alone, ``[source]`` True."""
        return AllLinks(self.weights[:, kept])


class HeldLinks(nn.Module):
    """Links of several kinds as buffers, so that they are saved and moved with a module."""

    def __init__(self, several: Sequence[Links | AllLinks]) -> None:
        super().__init__()
        self.kinds = [type(links) for links in several]
        for i, links in enumerate(several):
            for name, tensor in links._asdict().items():
                self.register_buffer(f"{name}{i}", tensor.detach().clone().contiguous())

    def get(self) -> tuple[Links | AllLinks, ...]:
        """What was given."""
        return tuple(
            kind(*(getattr(self, f"{name}{i}") for name in kind._fields))
            for i, kind in enumerate(self.kinds)
        )


def blank_links(number: int | None, rows: int, sources: int) -> Links | AllLinks:
    """Links of weight 0, as many as others have; None stands for `AllLinks`."""
    if number is None:
        return AllLinks(torch.zeros(rows, sources))
    places = torch.zeros(number, dtype=torch.int64)
    return Links(places, torch.zeros(rows, dtype=torch.int64), torch.zeros(number))


class Graph(NamedTuple):
    """What is linked, as sparse ``[region, region]`` matrices; a row's links lead to it.

    Attributes:
        transitions: One where the graph has no direction, two (there and back) where it has one.
        reach: What a region's forecast is read out from: itself, and regions further around it.
    """

    transitions: tuple[sparse.csr_array, ...]
    reach: sparse.csr_array


def make_graph(topology: Topology, neighbours: int) -> Graph | None:
    """The graph of a network; None where neither adjacency nor positions link two regions."""
    adjacency, positions = topology.adjacency, topology.positions
    if adjacency is not None:
        linked = (adjacency > 0).sum() > (np.diagonal(adjacency) > 0).sum()
        return graph_of_adjacency(adjacency, 2 * neighbours) if linked else None
    if positions is None or np.isfinite(positions).all(axis=1).sum() < 2:
        return None
    return graph_of_positions(positions, topology.geographic, neighbours)


def graph_of_adjacency(adjacency: Floats, strongest: int) -> Graph:
    """The data's own graph, cut to the strongest links of each region.

    A region reaches as many others: those where random walks of one and two steps, in any
    direction, most likely end.

    Args:
        adjacency: ``[region, region]`` weights, from row to column; only those above 0 are links,
            and none leads back to its own region.
        strongest: Links that a region keeps, in each direction.
    """
    links = np.where(np.eye(len(adjacency), dtype=bool), 0, np.maximum(adjacency, 0))
    there, back = (_strongest(sparse.csr_array(way), strongest) for way in (links, links.T))
    step = _divided(there.maximum(back), "sum")
    walks = step + step @ step
    walks.setdiag(0)
    reach = _divided(_strongest(walks, strongest), "max")
    same = abs(there - back).max() == 0
    return Graph((there,) if same else (there, back), _with_own(reach))


def graph_of_positions(positions: Floats, geographic: bool, neighbours: int) -> Graph:
    """The nearest neighbours of each region, and twice as many that it reaches.

    Weights are a Gaussian kernel of the distance (great circles on Earth), on the local scale of
    both ends: the distance to their own last neighbour (Zelnik-Manor and Perona 2004, self-tuning
    spectral clustering). So a region far from all others weighs next to nothing, and one without
    position is linked with none.

    Args:
        positions: ``[region, 2]`` see `Topology`; two at least are finite.
        geographic: True when positions are degrees.
        neighbours: How many, at most.
    """
    placed = np.flatnonzero(np.isfinite(positions).all(axis=1))
    points = np.radians(positions[placed]) if geographic else positions[placed]
    count = min(2 * neighbours, len(placed) - 1)
    nearest = NearestNeighbors(n_neighbors=count, metric="haversine" if geographic else "euclidean")
    distance, found = nearest.fit(points).kneighbors()  # [placed, count], without itself
    scale = np.maximum(distance[:, min(neighbours, count) - 1], 1e-12)
    weight = np.exp(-(distance**2) / (scale[:, None] * scale[found]))
    near, reach = (
        _matrix(placed, placed[found[:, :columns]], weight[:, :columns], len(positions))
        for columns in (neighbours, count)
    )
    return Graph((near,), _with_own(reach))


def unlinked(regions: int) -> Graph:
    """The graph in which every region is alone."""
    return Graph((), _with_own(sparse.csr_array((regions, regions))))


def _matrix(rows: Ints, columns: Ints, weights: Floats, regions: int) -> sparse.csr_array:
    entries = weights.ravel(), (np.repeat(rows, columns.shape[1]), columns.ravel())
    return sparse.csr_array(entries, shape=(regions, regions))


def _strongest(matrix: sparse.csr_array, most: int) -> sparse.csr_array:
    """The largest entries of each row."""
    matrix.eliminate_zeros()
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((-matrix.data, rows))
    kept = order[np.arange(len(order)) - matrix.indptr[rows] < most]
    entries = matrix.data[kept], (rows[kept], matrix.indices[kept])
    return sparse.csr_array(entries, shape=matrix.shape)


def _divided(matrix: sparse.csr_array, by: str) -> sparse.csr_array:
    """Each row divided by its ``sum`` or its ``max``, unless that is 0."""
    divisor = getattr(abs(matrix), by)(axis=1)
    divisor = np.asarray(divisor.todense() if sparse.issparse(divisor) else divisor).ravel()
    return sparse.csr_array(sparse.diags_array(1 / np.where(divisor > 0, divisor, 1)) @ matrix)


def _with_own(reach: sparse.csr_array) -> sparse.csr_array:
    return sparse.csr_array(reach + OWN_WEIGHT * sparse.eye_array(reach.shape[0]))
