"""Attention to tokens of which each has a weight, with a gradient where that is 0."""

import torch
from torch import Tensor, nn
from torch.nn import functional

HEAD = 16  # width of a head; of its values one is taken by the weight
FIRST_SHARPNESS = 6.0
SHARPEST = 20.0


class WeightedAttention(nn.Module):
    """Each query's average over tokens, weighted by exp(score) x the weight of the token.

    The softmax of plain attention gives exp(score) over a sum that is the same for all that a
    query gets. So one pass, with each value scaled by its token's weight, and with the weight
    itself as one more value, gives two sums whose quotient is the weighted average. No logarithm of
    a weight is taken: a token of weight 0 is left out, and its weight has a gradient.

    Scores are cosines times a learned sharpness (Henry et al. 2020, arXiv 2010.04245), so they are
    bounded: a token that is left out, however high its score, costs the others no digits.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, heads * HEAD, bias=False)
        self.key = nn.Linear(width, heads * HEAD, bias=False)
        self.value = nn.Linear(width, self.width)
        self.log_sharpness = nn.Parameter(torch.full((heads, 1, 1), FIRST_SHARPNESS).log())
        with torch.no_grad():  # like attends to like, at first
            self.key.weight.copy_(self.query.weight)

    @property
    def width(self) -> int:
        """Width of what a query gets."""
        return self.heads * (HEAD - 1)

    def ask(self, tokens: Tensor) -> Tensor:
        """Queries ``[..., head, query, HEAD]`` of tokens ``[..., query, width]``."""
        direction = functional.normalize(self._by_head(self.query(tokens)), dim=-1)
        return direction * self.log_sharpness.exp().clamp(max=SHARPEST)

    def forward(self, queries: Tensor, tokens: Tensor, weight: Tensor) -> Tensor:
        """Average over the tokens.

        Args:
            queries: ``[batch or 1, head, query, HEAD]``, see `ask`.
            tokens: ``[batch, token, width]``.
            weight: ``[batch, token, 1]``, not 0 throughout.

        Returns:
            ``[batch, query, WeightedAttention.width]``.
        """
        keys = functional.normalize(self._by_head(self.key(tokens)), dim=-1)
        weights = weight.unsqueeze(1).expand(-1, self.heads, -1, -1)
        values = torch.cat([weights * self._by_head(self.value(tokens)), weights], -1)
        sums = functional.scaled_dot_product_attention(
            queries.expand(tokens.shape[0], -1, -1, -1), keys, values, scale=1.0
        )
        average = sums[..., :-1] / sums[..., -1:]  # [batch, head, query, HEAD - 1]
        return average.transpose(1, 2).flatten(2)

    def _by_head(self, projected: Tensor) -> Tensor:
        """``[..., token, head * width]`` to ``[..., head, token, width]``."""
        by_head = projected.view(
            *projected.shape[:-1], self.heads, projected.shape[-1] // self.heads
        )
        return by_head.transpose(-2, -3)
