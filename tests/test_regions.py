from dataclasses import replace

import numpy as np
import pytest
from factories import make_sensor_data
from hypothesis import given
from hypothesis import strategies as st

from sensorplan.errors import DataError
from sensorplan.regions import nodalize, parse_patch, patchify
from sensorplan.sensors import Geometry


def make_grid(rows=4, columns=6, *, land=(), channels=1, latitude=None, longitude=None):
    """A grid of 3 steps whose values all differ, without the `land` cells (row, column)."""
    data = make_sensor_data(times=3, grid=(rows, columns), channels=channels, calendar=None)
    sea = [i for i in range(rows * columns) if divmod(i, columns) not in set(land)]
    old = data.geometry
    positions = old.positions.copy()
    if latitude is not None:
        positions[:, 0] = np.repeat(latitude, columns)
    if longitude is not None:
        positions[:, 1] = np.tile(longitude, rows)
    geometry = Geometry(
        "cells",
        old.crs,
        positions[sea],
        old.shape,
        old.rows[sea],
        old.columns[sea],
        old.corners[sea],
    )
    values = np.arange(3 * len(sea) * channels, dtype=np.float32).reshape(3, len(sea), channels)
    names = tuple(data.sensors[i] for i in sea)
    return replace(data, values=values, sensors=names, geometry=geometry)


def test_nodalize_makes_every_node_a_region():
    data = make_sensor_data(times=5, nodes=4, channels=2)
    regions = nodalize(data)
    assert regions.names == data.sensors
    assert not regions.patched
    assert regions.members.tolist() == [[0], [1], [2], [3]]
    np.testing.assert_array_equal(regions.positions, data.geometry.positions)
    np.testing.assert_array_equal(regions.gather(data.values), data.values)
    assert nodalize(make_sensor_data(positions=False)).positions is None


def test_gather_leaves_the_history_alone():
    for data, make in (
        (make_sensor_data(times=5), nodalize),
        (make_grid(), lambda data: patchify(data, (2, 2))),
    ):
        before = data.values.copy()
        make(data).gather(data.values)[:] = -1
        np.testing.assert_array_equal(data.values, before)


@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    channels=st.integers(1, 3),
    data=st.data(),
)
def test_patches_hold_every_cell_once_and_scatter_undoes_gather(size, channels, data):
    rows, columns = size
    patch = data.draw(st.tuples(st.integers(1, rows), st.integers(1, columns)))
    cells = [(r, c) for r in range(rows) for c in range(columns)]
    land = data.draw(st.lists(st.sampled_from(cells), unique=True, max_size=len(cells) - 1))
    grid = make_grid(rows, columns, land=land, channels=channels)
    regions = patchify(grid, patch)

    filled = regions.members[regions.members >= 0]
    assert sorted(filled) == list(range(len(grid.sensors)))
    assert (regions.members >= 0).any(1).all()  # no patch without a cell
    gathered = regions.gather(grid.values)
    assert gathered.shape == (3, len(regions), patch[0] * patch[1] * channels)
    np.testing.assert_array_equal(regions.scatter(gathered, len(grid.sensors)), grid.values)
    empty = np.repeat(regions.members < 0, channels, axis=1)
    np.testing.assert_array_equal(np.isnan(gathered[0]), empty)

    # Every member of a patch lies in one block of the grid.
    block = [
        {(grid.geometry.rows[n] // patch[0], grid.geometry.columns[n] // patch[1]) for n in own}
        for own in ([m for m in row if m >= 0] for row in regions.members)
    ]
    assert all(len(blocks) == 1 for blocks in block)
    assert len(set().union(*block)) == len(regions)


def test_slots_follow_rows_and_channels_stay_together():
    data = make_grid(2, 4, channels=2)
    gathered = patchify(data, (2, 2)).gather(data.values)  # [time, region, slot * channel]
    second = gathered[0, 1].reshape(4, 2)  # cells 2, 3, 6, 7
    np.testing.assert_array_equal(second, data.values[0, [2, 3, 6, 7]])


def test_rim_patches_have_empty_slots():
    regions = patchify(make_grid(3, 5), (2, 2))
    assert len(regions) == 6
    assert regions.patched
    assert (regions.members >= 0).sum(1).tolist() == [4, 4, 2, 2, 2, 1]
    assert regions.members[5].tolist() == [14, -1, -1, -1]


def test_a_patch_of_land_alone_is_no_region():
    land = [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2)]
    regions = patchify(make_grid(2, 4, land=land), (2, 2))
    assert len(regions) == 1
    assert (regions.members[0] >= 0).tolist() == [False, True, True, True]


def test_patches_are_named_by_their_centre():
    data = make_grid(2, 4, latitude=[50.0, 51.0], longitude=[8.0, 9.0, 10.0, 11.5])
    regions = patchify(data, (2, 2))
    np.testing.assert_allclose(regions.positions, [[50.5, 8.5], [50.5, 10.75]])
    assert regions.names == ("50.5000_8.5000", "50.5000_10.7500")


@pytest.mark.parametrize(
    ("longitude", "patch", "expected"),
    [
        ([170, 175, -180, -175], 4, [177.5]),
        ([170, 175, -180, -175], 2, [172.5, -177.5]),
        ([175, -180, -175, -170], 2, [177.5, -172.5]),
        ([170, 179, -178, -170], 4, [-180]),
        ([-175, -85, 5, 95], 4, [-40]),  # wide, but not across the dateline
        ([-180, -90, 0, 90], 4, [-45]),  # the whole globe
    ],
)
def test_centre_of_a_patch_across_the_dateline(longitude, patch, expected):
    data = make_grid(2, 4, latitude=[0.0, 1.0], longitude=[float(x) for x in longitude])
    regions = patchify(data, (2, patch))
    np.testing.assert_allclose(regions.positions[:, 1], expected)
    np.testing.assert_allclose(regions.positions[:, 0], 0.5)


def test_planar_centres_are_not_unwrapped():
    data = make_grid(1, 2, latitude=[0.0], longitude=[-500.0, 500.0])
    data = replace(data, geometry=replace(data.geometry, crs=None))
    assert patchify(data, (1, 2)).positions.tolist() == [[0, 0]]


def test_a_patch_needs_a_grid():
    for data in (make_sensor_data(), make_sensor_data(positions=False)):
        with pytest.raises(DataError, match=r"^made\.nc: --patch needs a grid"):
            patchify(data, (2, 2))


@pytest.mark.parametrize("patch", [(5, 1), (1, 7), (5, 7)])
def test_a_patch_fits_into_the_grid(patch):
    with pytest.raises(DataError, match=r"larger than the grid of made\.nc; expected at most 4x6"):
        patchify(make_grid(), patch)


def test_a_patch_may_be_the_whole_grid():
    assert len(patchify(make_grid(), (4, 6))) == 1


def test_parse_patch():
    assert parse_patch("4x12") == (4, 12)
