"""What changed between two plans."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from plans import make_plan
from test_pipeline import rows_of, write_grid, write_stations

from sensorplan.errors import DataError, OutputError
from sensorplan.exports.window_errors import read_window_errors
from sensorplan.metrics import squares_interval
from sensorplan.pipeline import diff
from sensorplan.plan import Plan


@pytest.fixture(scope="module")
def random(stations, tmp_path_factory):
    """A plan of the same data by chance, larger by one sensor."""
    folder = tmp_path_factory.mktemp("random")
    mask = {"method": "random", "sparsity": 0.4}
    return make_plan(stations.path, folder / "random.plan", mask=mask)


def copied(plan, folder, *, errors=None, **changes):
    """A copy of a plan folder, with other fields in `plan.json` or other rows in its errors."""
    shutil.copytree(plan.folder, folder)
    content = json.loads((folder / "plan.json").read_bytes())
    for field, value in changes.items():
        content[field] = {**content[field], **value}
    (folder / "plan.json").write_text(json.dumps(content))
    if errors:
        table = pd.read_csv(folder / "test_errors.csv")
        errors(table).to_csv(folder / "test_errors.csv", index=False)
    return folder


def test_the_written_errors_are_those_of_the_plan(stations):
    table = pd.read_csv(stations.folder / "test_errors.csv")
    metrics, window = stations.plan.metrics, stations.plan.settings["window"]
    assert list(table) == [
        *("time", "squares_plan", "squares_all", "absolutes_plan", "absolutes_all", "count")
    ]
    assert len(table) == stations.plan.split["test"]["windows"]
    for name, score in (("plan", metrics.plan), ("all", metrics.all_sensors)):
        mean = table.sum(numeric_only=True) / table["count"].sum()
        assert np.sqrt(mean[f"squares_{name}"]) == pytest.approx(score.rmse)
        assert mean[f"absolutes_{name}"] == pytest.approx(score.mae)
    first = pd.Timestamp(stations.plan.split["test"]["first"])
    assert pd.Timestamp(table["time"][0]) == first + (window["lookback"] - 1) * pd.Timedelta("1h")


def test_sensors_that_changed_sides(stations, random):
    found = diff(stations.folder, random.folder)
    a, b = (
        {row["sensor"]: row for row in rows_of(plan.folder / "ranking.csv")}
        for plan in (stations, random)
    )
    changed = {name for name in a if a[name]["decision"] != b[name]["decision"]}
    assert {sensor.sensor for sensor in found.changed} == changed
    assert len(changed) >= 2
    for sensor in found.changed:
        first, second = a[sensor.sensor], b[sensor.sensor]
        assert first["decision"] == ("keep" if sensor.kept_in == "A" else "drop")
        assert (sensor.rank_a, sensor.rank_b) == (int(first["rank"]), int(second["rank"]))
        assert sensor.importance_a == float(first["importance"])
        assert sensor.keep_frequency_b == float(second["keep_frequency"])
        assert sensor.latitude == float(first["latitude"])
        assert sensor.y is None
    sides = [sensor.kept_in for sensor in found.changed]
    assert sides == sorted(sides)
    for side in ("a", "b"):
        ranks = [getattr(s, f"rank_{side}") for s in found.changed if s.kept_in == side.upper()]
        assert ranks == sorted(ranks)
    assert found.kept_in_both == len(set(stations.plan.kept) & set(random.plan.kept))
    assert found.dropped_in_both == len(set(stations.plan.dropped) & set(random.plan.dropped))
    assert (found.only_in_a, found.only_in_b) == ((), ())


def test_errors_on_the_same_windows_are_compared_in_pairs(stations, random):
    found = diff(stations.folder, random.folder)
    a, b = (read_window_errors(plan.folder) for plan in (stations, random))
    ratio = random.plan.metrics.plan.rmse / stations.plan.metrics.plan.rmse
    assert found.rmse_ratio == pytest.approx(ratio)
    assert (found.ci_low, found.ci_high) == squares_interval(b.squares, a.squares, 6, seed=0)
    assert found.ci_low < ratio < found.ci_high
    assert found.windows == stations.plan.split["test"]["windows"]
    assert found.not_paired is None
    assert (found.a.rmse, found.b.method) == (stations.plan.metrics.plan.rmse, "random")
    other_way = diff(random.folder, stations.folder)
    assert other_way.rmse_ratio == pytest.approx(1 / ratio)


@pytest.mark.parametrize(
    ("factor", "expected"), [(0.9, "better"), (1.004**2, "tie"), (1.1, "worse")]
)
def test_the_verdict(stations, tmp_path, factor, expected):
    def scaled(table):
        return table.assign(squares_plan=factor * table["squares_plan"])

    found = diff(stations.folder, copied(stations, tmp_path / "b", errors=scaled))
    assert found.rmse_ratio == pytest.approx(np.sqrt(factor))
    assert found.verdict == expected
    assert found.changed == ()


def test_a_plan_and_itself(stations):
    found = diff(stations.folder, stations.folder)
    assert (found.verdict, found.rmse_ratio, found.ci_low) == ("tie", 1, 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"data": {"sha256": "1" * 64}}, r"different data \(.*net.nc and .*net.nc, contents"),
        ({"data": {"variable": ["v1"]}}, r"different variables \(v0; v1\)"),
        ({"settings": {"data": {"select": {"level": "850"}}}}, r"\[data\] select differs \(none;"),
        (
            {"settings": {"window": {"lookback": 3, "horizon": 2, "stride": 1}}},
            r"\[window\] lookback differs \(4; 3\)",
        ),
        (
            {"errors": lambda table: table.iloc[5:]},
            r"different stretches \(forecasts from 2020-01-14T03:00:00 to .*; 2020-01-14T08:00:00",
        ),
        (
            {"errors": lambda table: table.assign(count=table["count"] - 1)},
            r"different values \([\d,]+ and [\d,]+ observed ones\)",
        ),
    ],
)
def test_why_errors_are_not_compared_in_pairs(stations, tmp_path, changes, reason):
    settings = changes.get("settings")
    if settings and "data" in settings:
        settings["data"] = {**stations.plan.settings["data"], **settings["data"]}
    other = copied(stations, tmp_path / "b", **changes)
    found = diff(stations.folder, other)
    assert re.search(reason, found.not_paired), found.not_paired
    pairs = found.windows, found.rmse_ratio, found.ci_low, found.ci_high, found.verdict
    assert pairs == (None,) * 5
    assert found.a.rmse == found.b.rmse == stations.plan.metrics.plan.rmse


def test_standard_deviations_of_different_stretches_are_not_compared(two, tmp_path):
    train = {**two.plan.split["train"], "last": "2020-01-10T00:00:00"}
    found = diff(two.folder, copied(two, tmp_path / "b", split={"train": train}))
    assert "standard deviations of different training stretches" in found.not_paired
    assert diff(two.folder, two.folder).not_paired is None


@pytest.mark.parametrize("older", ["a", "b"])
def test_an_older_plan_is_compared_by_its_sensors(stations, random, tmp_path, older):
    """It has no errors by window, and no keep_frequency."""
    old = copied(stations, tmp_path / "old.plan")
    (old / "test_errors.csv").unlink()
    table = pd.read_csv(old / "ranking.csv", dtype=str).drop(columns="keep_frequency")
    table.to_csv(old / "ranking.csv", index=False)
    content = json.loads((old / "deployment.geojson").read_bytes())
    for feature in content["features"]:
        del feature["properties"]["keep_frequency"]
    (old / "deployment.geojson").write_text(json.dumps(content))
    folders = (old, random.folder) if older == "a" else (random.folder, old)
    found = diff(*folders)
    assert f"no test_errors.csv in {old}, fitted by an older sensorplan" in found.not_paired
    assert {getattr(sensor, f"keep_frequency_{older}") for sensor in found.changed} == {None}
    assert len(found.changed) == len(diff(stations.folder, random.folder).changed)


def test_plans_over_different_sensors_share_some(stations, tmp_path):
    fewer = make_plan(write_stations(tmp_path / "few.nc", nodes=6), tmp_path / "few.plan")
    found = diff(stations.folder, fewer.folder)
    assert set(found.only_in_a) == {"S006", "S007"}
    assert found.only_in_b == ()
    assert found.kept_in_both + found.dropped_in_both + len(found.changed) == 6
    assert "different data" in found.not_paired
    assert set(diff(fewer.folder, stations.folder).only_in_b) == {"S006", "S007"}


def test_cells_and_patches_have_no_sensor_in_common(patches, tmp_path):
    cells = make_plan(write_grid(tmp_path / "grid.nc"), tmp_path / "cells.plan")
    with pytest.raises(DataError, match=r"cells.plan and .*: no sensor is in both"):
        diff(cells.folder, patches.folder)


def test_sensors_without_a_position(counted, tmp_path):
    mask = {"method": "random", "sparsity": 0.5}
    other = make_plan(counted.path, tmp_path / "other.plan", mask=mask)
    found = diff(counted.folder, other.folder)
    assert found.changed
    assert {(sensor.latitude, sensor.y) for sensor in found.changed} == {(None, None)}


def test_the_table_of_changed_sensors(stations, random, tmp_path):
    target = tmp_path / "out.csv"
    found = diff(stations.folder, random.folder, out=target)
    assert target.read_bytes() == found.to_csv()
    table = pd.read_csv(target)
    assert list(table) == [
        *("sensor", "kept_in", "rank_a", "rank_b", "importance_a", "importance_b"),
        *("keep_frequency_a", "keep_frequency_b", "latitude", "longitude", "y", "x"),
        *("settled", "removal_penalty", "substitute"),
    ]
    assert table["latitude"].tolist() == [sensor.latitude for sensor in found.changed]
    with pytest.raises(OutputError, match="exists already; --overwrite replaces it"):
        diff(stations.folder, random.folder, out=target)
    diff(stations.folder, stations.folder, out=target, overwrite=True)
    assert target.read_text().splitlines() == [",".join(table)]


def test_damaged_errors(stations, tmp_path):
    for name, text in (("a", "time,count\nx,1\n"), ("b", "not,\x00\n"), ("c", "")):
        folder = copied(stations, tmp_path / name)
        (folder / "test_errors.csv").write_text(text)
        with pytest.raises(DataError, match=r"test_errors.csv: damaged"):
            diff(stations.folder, folder)
    folder = copied(stations, tmp_path / "d")
    (folder / "test_errors.csv").unlink()
    (folder / "test_errors.csv").mkdir()
    with pytest.raises(DataError, match=r"test_errors.csv: cannot be read"):
        diff(stations.folder, folder)


def test_no_plan(stations, tmp_path):
    with pytest.raises(DataError, match=r"nothing/plan.json: cannot be read"):
        diff(stations.folder, tmp_path / "nothing")
    assert Plan.load(stations.folder).budget == 4
