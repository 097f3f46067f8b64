import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sensorplan.packing import fingerprint, pack, unpack

NUMBERS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
VALUES = st.recursive(
    NUMBERS
    | arrays.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.bool_, np.uint8]),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


def same(one, other):
    """Equal to the last bit, and of the same kinds."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape) == (other.dtype, other.shape) and (
            one.tobytes() == other.tobytes()
        )
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or repr(one) == repr(other)
    return one == other


@given(VALUES)
def test_values_come_back_as_they_were(value):
    assert same(unpack(pack(value)), value)


def test_tensors_come_back_as_tensors_of_their_own():
    weights = torch.arange(6.0).view(2, 3)
    kept = {"a": weights, "b": weights.T, "step": torch.tensor(3.0), "scale": np.float64(0.1)}
    found = unpack(pack(kept))
    assert torch.equal(found["a"], weights)
    assert torch.equal(found["b"], weights.T)
    assert found["step"].shape == ()
    assert found["scale"] == 0.1
    found["a"].zero_()
    assert torch.equal(found["b"], weights.T)


def test_states_of_optimiser_and_random_streams_come_back():
    parameter = torch.nn.Parameter(torch.ones(3))
    optimiser = torch.optim.AdamW([parameter], lr=0.1)
    parameter.sum().backward()
    optimiser.step()
    state, draws = optimiser.state_dict(), np.random.default_rng(0).bit_generator.state
    found = unpack(pack({"optimiser": state, "draws": draws}))
    assert found["draws"] == draws
    assert found["optimiser"]["param_groups"] == state["param_groups"]
    assert torch.equal(found["optimiser"]["state"][0]["exp_avg"], state["state"][0]["exp_avg"])


def test_what_cannot_be_packed_is_refused():
    with pytest.raises(TypeError, match=r"^set: cannot be packed$"):
        pack({"a": [{1, 2}]})


def test_fingerprints_tell_values_apart():
    values = [1, 1.0, "1", [1], (1,), {"a": 1}, {"b": 1}, np.ones(1), np.ones((1, 1)), np.zeros(1)]
    assert len({fingerprint(value) for value in values}) == len(values)
    assert fingerprint({"a": np.ones(3)}) == fingerprint({"a": np.ones(3)})
