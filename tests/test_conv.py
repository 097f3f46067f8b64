from dataclasses import replace

import numpy as np
import pytest
import torch
from factories import cut_windows, make_sensor_data, network_of
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorplan.errors import DataError, RecipeError
from sensorplan.forecasters import build_backbone
from sensorplan.forecasters.conv_core import NormalizedConv


def make_conv(grid, *, cells=None, patch=None, **options):
    """A network for a grid, or for a few of its cells, and the first windows."""
    windows = cut_windows(make_sensor_data(times=160, grid=grid, gaps=0.1), patch=patch)
    if cells is not None:
        windows = replace(windows, topology=replace(windows.topology, cells=np.array(cells)))
    torch.manual_seed(0)
    conv = build_backbone("conv", options, network_of(windows))
    with torch.no_grad():
        for parameter in conv.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return conv, windows.batch(windows.split.train[:3])


def assert_compact_is_the_same(conv, batch):
    gate = (torch.arange(batch.history.shape[1]) % 3 != 1).float()
    kept = torch.nonzero(gate)[:, 0]
    with torch.no_grad():
        expected = conv(batch.history, batch.seen, batch.calendar, gate)
        found = conv.compact(gate)(batch.history[:, kept], batch.seen[:, kept], batch.calendar)
    assert expected.shape == batch.future.shape
    assert torch.isfinite(expected).all()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("grid", [(1, 2), (1, 9), (9, 1), (2, 3), (5, 5), (4, 8)])
@pytest.mark.parametrize("scales", [1, 3, 5])
def test_any_grid(grid, scales):
    assert_compact_is_the_same(*make_conv(grid, scales=scales))


def test_cells_that_are_no_region():
    shore = [(0, 6), (1, 0), (1, 4), (2, 3), (4, 0), (4, 6)]
    conv, batch = make_conv((2, 3), cells=shore)
    assert (conv.core.sizes.rows, conv.core.sizes.columns) == (8, 8)
    assert_compact_is_the_same(conv, batch)


def test_patches_are_the_cells():
    conv, batch = make_conv((6, 8), patch=(2, 4))
    assert batch.history.shape[1] == 6
    assert (conv.core.sizes.rows, conv.core.sizes.columns) == (4, 4)
    assert_compact_is_the_same(conv, batch)


def test_where_a_region_is_matters():
    """The same regions in other cells forecast something else."""
    order = [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]
    forecasts = []
    for cells in (order, order[3:] + order[:3]):
        conv, batch = make_conv((1, 6), cells=cells)
        gate = torch.tensor([1.0, 1, 0, 0, 0, 0])
        forecasts.append(conv(batch.history, batch.seen, batch.calendar, gate))
    assert (forecasts[0] - forecasts[1]).abs().max() > 1e-3


def test_stations_are_no_grid():
    windows = cut_windows(make_sensor_data())
    message = "^backbone conv: the sensors are no grid; expected gridded data, or another backbone"
    with pytest.raises(DataError, match=message):
        build_backbone("conv", {}, network_of(windows))


@pytest.mark.parametrize("scales", [0, 9])
def test_scales_are_limited(scales):
    with pytest.raises(RecipeError, match=rf"scales = {scales}; expected 1 <= scales <= 8$"):
        make_conv((2, 2), scales=scales)


# Normalised convolution


def make_average(reach, seed):
    torch.manual_seed(seed)
    average = NormalizedConv(reach).double()
    with torch.no_grad():
        average.log_kernel += torch.randn(reach, reach)
        average.log_shrinkage += torch.randn(())
    return average


@settings(max_examples=30)
@given(
    reach=st.sampled_from([1, 3, 5]),
    rows=st.integers(1, 6),
    columns=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_the_average_is_that_of_what_was_seen(reach, rows, columns, seed):
    average = make_average(reach, seed)
    value = torch.randn(rows, columns).double()
    weight = torch.rand(rows, columns).double() * (torch.rand(rows, columns) < 0.4)
    weighted = torch.stack([weight * value, weight]).unsqueeze(0)
    with torch.no_grad():
        found = average(weighted)[0]
        kernel, shrinkage = average.log_kernel.exp(), average.log_shrinkage.exp()
    half = reach // 2
    for row in range(rows):
        for column in range(columns):
            total, mass = 0.0, 0.0
            for i in range(max(0, row - half), min(rows, row + half + 1)):
                for j in range(max(0, column - half), min(columns, column + half + 1)):
                    share = kernel[i - row + half, j - column + half] * weight[i, j]
                    total, mass = total + share * value[i, j], mass + share
            expected = torch.tensor([total, mass]) / (mass + shrinkage)
            torch.testing.assert_close(found[:, row, column], expected.double())


def test_the_average_of_a_constant_is_it_times_the_certainty():
    average = make_average(5, 0)
    weight = torch.rand(2, 1, 7, 9).double()
    mean, certainty = average(torch.cat([3 * weight, weight], 1)).split(1, 1)
    torch.testing.assert_close(mean, 3 * certainty)
    assert ((certainty > 0) & (certainty < 1)).all()
