import numpy as np
import pytest
import torch
from factories import cut_windows, make_sensor_data, network_of
from hypothesis import given
from hypothesis import strategies as st

from sensorplan.errors import RecipeError
from sensorplan.forecasters import build_backbone
from sensorplan.forecasters.attention import SHARPEST, WeightedAttention

WIDTH = 6


def make_attention(heads=2, sharpness=6.0):
    torch.manual_seed(0)
    attention = WeightedAttention(WIDTH, heads).double()
    with torch.no_grad():
        attention.log_sharpness.fill_(np.log(sharpness))
        attention.key.weight += 0.3 * torch.randn_like(attention.key.weight)
    return attention


def by_hand(attention, asking, tokens, weight):
    """``[query, width]`` for one window, in plain loops over heads and queries."""
    averages = []
    for head in range(attention.heads):
        rows = slice(16 * head, 16 * head + 16)
        keys = tokens @ attention.key.weight[rows].T
        queries = asking @ attention.query.weight[rows].T
        own = slice(15 * head, 15 * head + 15)
        values = tokens @ attention.value.weight[own].T + attention.value.bias[own]
        sharpness = attention.log_sharpness[head].exp().item()
        of_head = []
        for query in queries:
            cosine = keys @ query / (keys.norm(dim=1) * query.norm())
            share = weight * (sharpness * cosine).exp()
            of_head.append(share @ values / share.sum())
        averages.append(torch.stack(of_head))
    return torch.cat(averages, 1)


@given(
    heads=st.sampled_from([1, 3]),
    tokens=st.integers(1, 9),
    queries=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_attention_is_a_weighted_average(heads, tokens, queries, seed):
    attention = make_attention(heads)
    rng = torch.Generator().manual_seed(seed)
    tokens = torch.randn(2, tokens, WIDTH, generator=rng).double()
    asking = torch.randn(queries, WIDTH, generator=rng).double()
    weight = torch.rand(2, tokens.shape[1], 1, generator=rng).double()
    found = attention(attention.ask(asking).unsqueeze(0), tokens, weight)
    for window in range(2):
        expected = by_hand(attention, asking, tokens[window], weight[window, :, 0])
        torch.testing.assert_close(found[window], expected)


@pytest.mark.parametrize("sharpness", [0.1, 6.0, 1000.0])
def test_a_token_left_out_costs_no_digits(sharpness):
    """However high its score is and however low those of the others, in single precision."""
    attention = make_attention(1, sharpness).float()
    with torch.no_grad():
        attention.key.weight.copy_(attention.query.weight)
    asked = torch.randn(1, WIDTH)
    kept = -asked + 0.01 * torch.randn(3, WIDTH)
    tokens = torch.cat([asked.expand(500, -1), kept]).unsqueeze(0)
    weight = torch.cat([torch.zeros(500, 1), torch.rand(3, 1)]).unsqueeze(0)
    queries = attention.ask(asked).unsqueeze(0)
    with_others = attention(queries, tokens, weight)
    alone = attention(queries, tokens[:, 500:], weight[:, 500:])
    torch.testing.assert_close(with_others, alone, rtol=1e-5, atol=1e-6)


def test_sharpness_is_bounded():
    attention = make_attention(sharpness=1e6)
    queries = attention.ask(torch.randn(4, WIDTH).double())
    torch.testing.assert_close(queries.norm(dim=-1), torch.full((2, 4), SHARPEST).double())


def test_the_gradient_to_a_weight_of_zero_is_that_of_the_average():
    attention = make_attention()
    tokens, asking = torch.randn(1, 5, WIDTH).double(), torch.randn(3, WIDTH).double()
    weight = torch.tensor([1.0, 0, 0.5, 0, 2]).double().view(1, 5, 1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda w: attention(attention.ask(asking).unsqueeze(0), tokens, w), (weight,)
    )


def make_vit(nodes=9, gaps=0.2, **options):
    windows = cut_windows(make_sensor_data(nodes=nodes, gaps=gaps))
    torch.manual_seed(0)
    return build_backbone("vit", options, network_of(windows)), windows


@pytest.mark.parametrize("kept", [0, 4])
def test_a_compact_forecaster_can_be_exported(kept):
    vit, windows = make_vit()
    compact = vit.compact((torch.arange(9) < kept).float()).eval()
    batch = windows.batch(windows.split.train[:3])
    inputs = batch.history[:, :kept], batch.seen[:, :kept], batch.calendar
    exported = torch.export.export(compact, inputs)
    torch.testing.assert_close(exported.module()(*inputs), compact(*inputs))


@pytest.mark.parametrize("options", [{"layers": 0}, {"layers": "3", "heads": "2"}, {"width": 8}])
def test_options_change_the_size(options):
    (changed, _), (usual, _) = make_vit(**options), make_vit()
    sizes = [sum(p.numel() for p in vit.parameters()) for vit in (changed, usual)]
    assert sizes[0] != sizes[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": -1}, "option layers = -1; expected layers >= 0$"),
        ({"heads": "two"}, "option heads = two; expected a whole number, heads >= 1$"),
        ({"depth": 3}, "option depth = 3; unknown option; known: layers, heads, width$"),
    ],
)
def test_options_that_are_not_allowed(options, message):
    with pytest.raises(RecipeError, match=f"^backbone vit: {message}"):
        make_vit(**options)
