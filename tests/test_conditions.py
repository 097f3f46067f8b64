"""Errors by condition, against loops over every single target."""

import warnings
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from factories import make_sensor_data

from sensorplan.conditions import ConditionRow
from sensorplan.evaluation import condition_rows, forecast_errors, weakest_condition
from sensorplan.evaluation.areas import node_areas
from sensorplan.metrics import ratio_interval, squares_interval
from sensorplan.recipe import WindowSettings
from sensorplan.regions import nodalize, patchify
from sensorplan.windows import make_windows
from sensorplan.windows.tails import quantiles

HOURS = ("night", "morning", "afternoon", "evening")


def everything(batch):
    return 0.4 * batch.future + 0.2


def plan(batch):
    return torch.sin(5 * batch.future)


def make_case(data, *, patch=None, **window):
    regions = patchify(data, patch) if patch else nodalize(data)
    settings = WindowSettings(**{"lookback": 4, "horizon": 3, **window})
    return make_windows(data, regions, settings, torch.device("cpu")), data, regions


def rows_of(data, **options):
    windows, data, regions = make_case(data, **options)
    rows = condition_rows(windows, data, regions, everything, plan)
    return {(row.condition, row.value): row for row in rows}


def season_of(label):
    month = int(label[5:7])
    return next(
        name
        for name, months in (
            ("DJF", (12, 1, 2)),
            ("MAM", (3, 4, 5)),
            ("JJA", (6, 7, 8)),
            ("SON", (9, 10, 11)),
        )
        if month in months
    )


def brute_force(windows, data, regions):
    """Squared errors and weight of every valid target, by condition; by loops."""
    values = regions.gather(data.values)
    training = values[: windows.split.bounds[0]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of empty slots
        low, high = np.nanquantile(training.astype(float), (0.05, 0.95), axis=0)
    areas = node_areas(data.geometry)
    variables = len(data.channels)
    future = windows.series.anomalies.numpy()
    found = {}
    for start, lead in product(windows.split.test, range(windows.split.horizon)):
        step = start + windows.split.lookback + lead
        stamp = np.datetime64(data.time.labels[step], "s")
        hour = int((stamp - stamp.astype("datetime64[D]")).astype(int) // 3600)
        weekend = (stamp.astype("datetime64[D]").astype(int) + 3) % 7 >= 5
        for region, channel in np.ndindex(*values.shape[1:]):
            if not windows.series.valid[step, region, channel]:
                continue
            anomaly = torch.tensor(future[step, region, channel])
            batch = type("One", (), {"future": anomaly})
            squares = [
                float((f(batch) - anomaly) * windows.error_scale[region, channel]) ** 2
                for f in (everything, plan)
            ]
            value = values[step, region, channel]
            size = "middle"
            if value > high[region, channel]:
                size = "high"
            if value < low[region, channel]:
                size = "low"
            area = areas[regions.members[region, channel // variables]]
            placed = [(("area-weighted", ""), area)] if area else []
            for key, weight in (
                (("all", ""), 1),
                (("lead", str(lead + 1)), 1),
                (("season", season_of(data.time.labels[step])), 1),
                (("time_of_day", HOURS[hour // 6]), 1),
                (("day_of_week", "weekend" if weekend else "weekday"), 1),
                (("observed", size), 1),
                *placed,
            ):
                found.setdefault(key, []).append((start, *squares, weight))
    return {key: np.array(targets) for key, targets in found.items()}


def assert_agree(rows, expected):
    for key, row in rows.items():
        _, first, second, weight = expected[key].T
        assert row.targets == len(weight)
        rmse = [np.sqrt(np.average(squares, weights=weight)) for squares in (first, second)]
        assert (row.rmse_all, row.rmse_plan) == pytest.approx(rmse, rel=1e-4)
        assert row.rmse_ratio == pytest.approx(rmse[1] / rmse[0], rel=1e-4)


@pytest.mark.parametrize(
    ("made", "options"),
    [
        ({"nodes": 4, "gaps": 0.4, "times": 280}, {}),
        ({"nodes": 3, "channels": 2, "times": 200, "gaps": 0.2}, {"stride": 2}),
        ({"grid": (3, 4), "gaps": 0.3, "times": 200}, {"patch": (2, 3)}),
        ({"grid": (2, 3), "channels": 2, "times": 200, "gaps": 0.3}, {"patch": (2, 2)}),
    ],
)
def test_every_row_against_brute_force(made, options):
    data = make_sensor_data(**made)
    rows = rows_of(data, **options)
    expected = brute_force(*make_case(data, **options))
    assert_agree(rows, expected)
    kinds = [name for name, _ in rows]
    assert [kinds.count(name) for name in ("all", "time_of_day", "lead", "observed")] == [
        1,
        4,
        3,
        3,
    ]
    assert kinds.count("season") == 0  # all in January
    assert rows.keys() == {key for key in expected if key[0] in kinds}


def test_seasons_and_weekends_of_daily_data():
    data = make_sensor_data(nodes=3, times=600, hours=24, gaps=0.1)
    rows = rows_of(data)
    assert_agree(rows, brute_force(*make_case(data)))
    first = data.time.labels[480 + 4]
    assert [value for name, value in rows if name == "season"] == ["MAM", "JJA"]
    assert first[:7] == "2021-05"
    assert [value for name, value in rows if name == "day_of_week"] == ["weekday", "weekend"]
    assert not any(name == "time_of_day" for name, _ in rows)


def test_the_condition_is_that_of_the_target_and_not_of_the_window():
    """A forecast that is wrong at night alone, from windows that begin at any hour."""
    data = make_sensor_data(nodes=3, times=300)
    windows, data, regions = make_case(data)
    night = np.flatnonzero(data.time.time_of_day < 0.25)
    clear = windows.series.anomalies.clone()
    clear[torch.from_numpy(night)] += 7
    marked = replace(windows, series=replace(windows.series, anomalies=clear))

    def off_at_night(batch):  # the same windows without the mark, so wrong by 7 at night
        return torch.where(batch.future > 3.5, batch.future - 7, batch.future + 0.01)

    assert windows.series.anomalies.abs().max() < 3.5
    rows = condition_rows(marked, data, regions, everything, off_at_night)
    errors = {row.value: row.rmse_plan for row in rows if row.condition == "time_of_day"}
    scale = float(windows.error_scale.max())
    assert errors["night"] > 6 * float(windows.error_scale.min())
    assert max(errors[hour] for hour in HOURS[1:]) < 0.02 * scale


def test_a_calendar_of_360_days_has_seasons_but_no_weekends():
    data = make_sensor_data(nodes=3, times=400, hours=24)
    days = range(400)
    labels = tuple(
        f"{2000 + d // 360}-{1 + d % 360 // 30:02d}-{1 + d % 30:02d}T00:00:00" for d in days
    )
    assert labels[59] == "2000-02-30T00:00:00"
    time = replace(data.time, labels=labels, calendar="360_day", day_of_week=None)
    rows = rows_of(replace(data, time=time))
    leads = [(4 + 320 + w + lead) % 360 // 30 for w in range(74) for lead in range(3)]
    seasons = {season: rows["season", season].targets for season in ("DJF", "SON")}
    assert seasons == {
        "DJF": 3 * sum(month in (11, 0, 1) for month in leads),
        "SON": 3 * sum(month in (8, 9, 10) for month in leads),
    }
    assert not any(name == "day_of_week" for name, _ in rows)


def test_months_have_no_hours_and_years_no_seasons():
    data = make_sensor_data(nodes=3, times=120, hours=24 * 30.5)
    assert {name for name, _ in rows_of(data)} == {
        *("all", "season", "lead", "observed", "area-weighted")
    }
    yearly = make_sensor_data(nodes=3, times=120, hours=24 * 182.6)
    assert {name for name, _ in rows_of(yearly)} == {"all", "lead", "observed", "area-weighted"}


def test_numeric_time_without_positions():
    data = make_sensor_data(nodes=3, times=120, calendar=None, positions=False)
    assert [name for name, _ in rows_of(data)] == ["all"] + ["lead"] * 3 + ["observed"] * 3


def test_planar_positions_and_a_sensor_without_one():
    data = make_sensor_data(nodes=3, times=120)
    places = np.array([[0.0, 0.0], [0.0, 10.0], [np.nan, np.nan]])
    geometry = replace(data.geometry, crs=None, positions=places)
    data = replace(data, geometry=geometry)
    rows = rows_of(data)
    assert_agree(rows, brute_force(*make_case(data)))
    assert rows["area-weighted", ""].targets == rows["all", ""].targets * 2 / 3


def test_a_sensor_never_seen_in_training_takes_no_part():
    data = make_sensor_data(nodes=4, times=200)
    values = data.values.copy()
    values[:130, 2] = np.nan
    windows, data, regions = make_case(replace(data, values=values))
    rows = condition_rows(windows, data, regions, everything, plan)
    whole = forecast_errors(windows, windows.split.test, plan)
    assert rows[0].targets == whole.by_window.count.sum()
    assert sum(row.targets for row in rows if row.condition == "observed") == rows[0].targets


def test_the_interval_over_all_is_that_of_the_errors():
    windows, data, regions = make_case(make_sensor_data(nodes=4, gaps=0.2))
    row = condition_rows(windows, data, regions, everything, plan)[0]
    own, whole = (forecast_errors(windows, windows.split.test, f) for f in (plan, everything))
    interval = ratio_interval(own, whole, windows.split.overlap, seed=0)
    assert (row.ci_low, row.ci_high) == pytest.approx(interval, rel=1e-6)
    assert (row.rmse_plan, row.rmse_all) == pytest.approx((own.rmse, whole.rmse))


def test_the_interval_of_a_condition_is_that_of_the_windows_that_hold_it():
    """Windows without a target of it would only feign that more is known."""
    data = make_sensor_data(nodes=4, times=600, hours=24)
    rows = rows_of(data)
    windows, *_ = make_case(data)
    targets = brute_force(*make_case(data))["season", "JJA"]
    starts = np.unique(targets[:, 0])
    assert len(starts) < len(windows.split.test)
    squares = [
        np.array([targets[targets[:, 0] == start, column].sum() for start in starts])
        for column in (1, 2)
    ]
    row = rows["season", "JJA"]
    interval = squares_interval(squares[1], squares[0], windows.split.overlap, seed=0)
    assert (row.ci_low, row.ci_high) == pytest.approx(interval, rel=1e-4)


def test_without_an_error_or_with_one_window_there_is_no_interval():
    data = make_sensor_data(nodes=3, times=200)
    windows, data, regions = make_case(data)
    perfect = condition_rows(windows, data, regions, lambda batch: batch.future, plan)
    assert all(np.isnan([row.rmse_ratio, row.ci_low, row.ci_high]).all() for row in perfect)
    values = data.values.copy()
    values[160:] = np.nan
    values[170] = data.values[170]
    few = rows_of(replace(data, values=values), horizon=1)
    assert few["lead", "1"].targets == 3
    assert few["lead", "1"].rmse_ratio > 0
    assert np.isnan(few["lead", "1"].ci_low)


def make_row(condition, ratio, low, value="x"):
    return ConditionRow(
        condition=condition,
        value=value,
        targets=9,
        rmse_all=1,
        rmse_plan=ratio,
        rmse_ratio=ratio,
        ci_low=low,
        ci_high=2 * ratio - low,
    )


@pytest.mark.parametrize(
    ("overall", "rows", "expected"),
    [
        (1.04, [("lead", 1.06, 1.05), ("season", 1.09, 1.07)], "season"),
        (1.04, [("lead", 1.06, 1.05), ("season", 1.20, 1.01)], "lead"),
        (1.04, [("lead", 1.06, 1.043), ("season", np.nan, np.nan)], None),
        (0.9, [("lead", 0.98, 0.95)], None),
    ],
)
def test_the_weakest_condition_lies_clearly_above_the_whole(overall, rows, expected):
    found = weakest_condition(
        [make_row("all", overall, overall - 0.05), *(make_row(*r) for r in rows)]
    )
    assert (found and found.condition) == expected


@pytest.mark.parametrize("gaps", [0.0, 0.5, 0.95])
def test_quantiles_are_those_of_the_observed_values(gaps):
    rng = np.random.default_rng(3)
    values = rng.normal(size=(40, 7, 2)).astype(np.float32)
    values[rng.random(values.shape) < gaps] = np.nan
    values[:, 3] = np.nan
    values[:, 4] = 5
    found = quantiles(values, (0.05, 0.95))
    assert np.isnan(found[:, 3]).all()
    assert (found[:, 4] == 5).all()
    others = [0, 1, 2, 5, 6]
    expected = np.nanquantile(values[:, others].astype(float), (0.05, 0.95), axis=0)
    np.testing.assert_allclose(found[:, others], expected, rtol=1e-6)
