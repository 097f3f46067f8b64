import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorplan.stretch import Stretch


def made(steps=20, regions=4, channels=2, most_values=1000):
    rng = np.random.default_rng(0)
    valid = rng.random((steps, regions, channels)) > 0.2
    anomalies = np.where(valid, rng.normal(size=valid.shape), 0).astype(np.float32)
    stretch = Stretch(
        (steps, regions, channels), most_values, lambda asked: (anomalies[asked], valid[asked])
    )
    return stretch, anomalies, valid


@given(st.integers(1, 60), st.integers(0, 12), st.integers(1, 400), st.integers(0, 50))
def test_every_step_meets_the_one_a_lag_later_exactly_once(steps, lag, most_values, width):
    parts = list(made(steps, most_values=most_values)[0].parts(lag, width))
    pairs = [(first, first + lag) for part in parts for first in part[: len(part) - lag]]
    assert pairs == [(first, first + lag) for first in range(steps - lag)]
    for part in parts:
        assert (np.diff(part) == 1).all()
        assert len(part) <= max(most_values // max(8, width), 4 * lag, 1)


def test_some_regions_are_read_in_their_order():
    stretch, anomalies, valid = made()
    some = stretch.of(np.array([3, 0, 1])).of(np.array([2, 0]))
    assert some.shape == (20, 2, 2)
    found = some.at(np.array([4, 7]))
    np.testing.assert_array_equal(found[0], anomalies[[4, 7]][:, [1, 3]])
    np.testing.assert_array_equal(found[1], valid[[4, 7]][:, [1, 3]])
    assert stretch.of(np.arange(4)) is stretch


@pytest.mark.parametrize("pooled", [False, True])
def test_channels_are_columns_or_further_rows(pooled):
    _, anomalies, valid = made()
    stretch = Stretch(
        (20, 4, 2), 1000, lambda asked: (anomalies[asked], valid[asked]), pooled=pooled
    )
    expected = [
        np.array([array[step, :, channel] for step in (4, 5) for channel in (0, 1)])
        if pooled
        else array[[4, 5]].reshape(2, 8)
        for array in (anomalies, valid)
    ]
    for found, wanted in zip(stretch.matrix(np.array([4, 5])), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert stretch.matrix_shape == ((40, 4) if pooled else (20, 8))
    np.testing.assert_array_equal(np.concatenate(list(stretch.parts())), np.arange(20))


def test_what_was_found_is_kept_for_the_same_steps_and_regions_alone():
    stretch, *_ = made()
    asked = []

    def find(of):
        return of.once("size", lambda: asked.append(of) or of.shape)

    assert find(stretch) == find(stretch) == (20, 4, 2)
    assert find(stretch.of(np.array([1, 2]))) == find(stretch.of(np.array([1, 2]))) == (20, 2, 2)
    assert find(stretch.of(np.array([1, 3]))) == (20, 2, 2)
    assert len(asked) == 3
