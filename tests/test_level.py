import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from sensorplan.forecasters.level import carry_level, leave_level


def make_windows(seed, channels, per_window):
    rng = np.random.default_rng(seed)
    seen = rng.random((3, 5, 4, channels)) < 0.6  # [batch, region, step, channel]
    history = rng.normal(size=seen.shape) * seen
    gate = rng.random((3, 5) if per_window else 5) * (rng.random(5) < 0.7)
    return history, seen, gate


@given(seed=st.integers(0, 999), channels=st.sampled_from([1, 3]), per_window=st.booleans())
def test_the_level_is_the_mean_of_what_the_kept_regions_saw(seed, channels, per_window):
    history, seen, gate = make_windows(seed, channels, per_window)
    deviation, level = leave_level(
        torch.from_numpy(history).flatten(2),
        torch.from_numpy(seen).double().flatten(2),
        torch.from_numpy(gate),
        channels,
    )
    assert level.shape == (3, 1, channels)
    for window in range(3):
        gates = gate[window] if per_window else gate
        for channel in range(channels):
            weight = gates[:, None] * seen[window, :, :, channel]
            values = history[window, :, :, channel]
            expected = (weight * values).sum() / (weight.sum() + 1)
            np.testing.assert_allclose(level[window, 0, channel], expected, atol=1e-12)
    by_step = deviation.view(3, 5, 4, channels).numpy()
    np.testing.assert_allclose(by_step + level[:, :, None].numpy() * seen, history, atol=1e-12)
    assert not by_step[~seen].any()


def test_the_level_is_carried_on_by_its_gain():
    level = torch.tensor([[[1.0, 10.0]], [[2.0, 20.0]]])  # [batch, 1, channel]
    gain = torch.tensor([[1.0, 1.0], [0.5, 0.1], [0.0, 0.2]])  # [horizon, channel]
    carried = carry_level(level, gain)
    expected = torch.tensor([[1.0, 10, 0.5, 1, 0, 2], [2.0, 20, 1, 2, 0, 4]])
    torch.testing.assert_close(carried, expected.unsqueeze(1))
