"""`evaluate` on data that a plan was made from, and on other data."""

import numpy as np
import pytest
import xarray as xr
from plans import make_plan
from test_forecasting import cut
from test_pipeline import write_grid, write_stations

from sensorplan.errors import DataError, RecipeError
from sensorplan.pipeline import evaluate
from sensorplan.recipe import DataSettings


@pytest.fixture(scope="module")
def stations(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stations")
    return make_plan(write_stations(folder / "net.nc"), folder / "net.plan")


def judge(plan, path, **options):
    return evaluate(plan.folder, DataSettings(path=(path,)), **options)


def test_stretch(dataset):
    return dataset.isel(time=slice(-48, None))


test_stretch.__test__ = False


@pytest.mark.parametrize("kind", ["stations", "two variables", "patches", "stride"])
def test_the_plans_own_scores_come_back(tmp_path, kind):
    sections = {}
    if kind == "patches":
        path = write_grid(tmp_path / "net.nc", times=240)
        sections = {"window": {"patch": "2x2"}}
    else:
        path = write_stations(tmp_path / "net.nc", channels=2)
    if kind == "two variables":
        sections = {"data": {"variable": ["v0", "v1"]}}
    if kind == "stride":
        sections = {"window": {"stride": 3}}
    plan = make_plan(path, tmp_path / "net.plan", **sections)
    found = judge(plan, cut(plan, tmp_path, test_stretch))
    assert found.windows == plan.plan.split["test"]["windows"]
    assert (found.first, found.last) == tuple(plan.plan.split["test"][k] for k in ("first", "last"))
    for name in ("plan", "persistence", "climatology"):
        expected = getattr(plan.plan.metrics, name)
        assert found.scores[name].rmse == pytest.approx(expected.rmse, rel=1e-5)
        assert found.scores[name].mae == pytest.approx(expected.mae, rel=1e-5)
    assert found.unit == plan.plan.metrics.unit
    assert found.interval_coverage == pytest.approx(plan.plan.interval_coverage["0.9"], abs=1e-3)
    assert found.warnings == ()
    assert found.missing == ()
    assert found.scored == found.sensors == plan.plan.data.sensors


def test_the_numbers_hang_together(stations, tmp_path):
    found = judge(stations, cut(stations, tmp_path, test_stretch))
    scores = found.scores
    assert found.skill_persistence == pytest.approx(
        1 - scores["plan"].rmse / scores["persistence"].rmse
    )
    assert found.skill_climatology == pytest.approx(
        1 - scores["plan"].rmse / scores["climatology"].rmse
    )
    assert [row.lead for row in found.by_lead] == [1, 2]
    squares = [row.rmse**2 for row in found.by_lead]
    assert min(squares) < scores["plan"].rmse ** 2 < max(squares)
    coverage = [row.coverage for row in found.by_lead]
    assert min(coverage) <= found.interval_coverage <= max(coverage)
    wider = judge(stations, cut(stations, tmp_path, test_stretch), level=0.95)
    assert wider.interval_coverage > found.interval_coverage
    assert (found.sensors, found.scored, found.windows) == (8, 8, 43)


def test_time_that_the_plan_was_made_from_is_named(stations, tmp_path):
    whole = judge(stations, stations.path)
    assert whole.windows == 235
    (warning,) = whole.warnings
    edges = stations.plan.split["train"]["first"], stations.plan.split["validation"]["last"]
    assert warning.startswith(
        f"192 of 235 windows reach into the time that the plan was trained and chosen on "
        f"({edges[0]} to {edges[1]}): this is not later data"
    )
    one = cut(stations, tmp_path, lambda dataset: dataset.isel(time=slice(-49, None)))
    assert judge(stations, one).warnings[0].startswith("1 of 44 windows reach into")


def test_sensors_that_are_not_there_are_not_judged(stations, tmp_path):
    def kept_only(dataset):
        return test_stretch(dataset).sel(station=[*stations.plan.kept])

    found = judge(stations, cut(stations, tmp_path, kept_only))
    assert found.scored == 4
    assert "4 of the plan's 8 sensors have values to judge; the scores are theirs" in found.warnings
    whole = judge(stations, cut(stations, tmp_path, test_stretch))
    assert found.scores["plan"].rmse != pytest.approx(whole.scores["plan"].rmse)

    def one_gone(dataset):
        return test_stretch(dataset).drop_sel(station=stations.plan.kept[0])

    worse = judge(stations, cut(stations, tmp_path, one_gone))
    assert worse.missing == stations.plan.kept[:1]
    assert any("1 of 4 kept sensors" in warning for warning in worse.warnings)


def test_a_lead_without_any_observed_value(stations, tmp_path):
    def six(dataset):
        last = xr.where(dataset["time"] == dataset["time"][-1], np.nan, 1)
        return (dataset * last).isel(time=slice(-6, None))

    found = judge(stations, cut(stations, tmp_path, six))
    assert found.windows == 1
    assert found.by_lead[0].rmse > 0
    assert set(found.by_lead[1].model_dump(exclude={"lead"}).values()) == {None}


def test_data_that_cannot_be_judged(stations, tmp_path):
    five = cut(stations, tmp_path, lambda dataset: dataset.isel(time=slice(-5, None)))
    with pytest.raises(
        DataError, match=r"holds 5 steps of 1 h; expected at least 6 \(lookback 4 \+"
    ):
        judge(stations, five)

    def past_only(dataset):
        return dataset.isel(time=slice(-6, None)).where(dataset["time"] < dataset["time"][-2])

    with pytest.raises(DataError, match=r"new\.nc: no value that was forecast is observed$"):
        judge(stations, cut(stations, tmp_path, past_only))
    with pytest.raises(RecipeError, match=r"^--interval 99%; expected one of 50%, "):
        judge(stations, stations.path, level=0.99)
