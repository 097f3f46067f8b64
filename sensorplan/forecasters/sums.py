"""Weighted sums over ragged groups of regions: each target's neighbours, each row's links."""

import torch
from torch import Tensor
from torch.nn import functional


def weighted_sums(table: Tensor, sources: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    """Sum weighted sources by group; a group without any gives 0.

    Args:
        table: ``[source, batch, width]``.
        sources: ``[link]`` place in the table, group after group.
        starts: ``[group]`` place of each group's first link.
        weights: ``[link]``.

    Returns:
        ``[group, batch, width]``.
    """
    if torch.compiler.is_exporting():  # a bag would become a loop, link by link
        begun = sources.new_zeros(len(sources) + 1)
        begun = begun.index_put((starts,), torch.ones_like(starts), accumulate=True)
        group = begun[:-1].cumsum(0) - 1  # [link]
        weighted = weights[:, None, None] * table.index_select(0, sources)
        zeros = table.new_zeros(len(starts), *table.shape[1:])
        return zeros.index_put((group,), weighted, accumulate=True)
    summed = functional.embedding_bag(
        sources, table.flatten(1), starts, per_sample_weights=weights, mode="sum"
    )
    return summed.view(-1, *table.shape[1:])
