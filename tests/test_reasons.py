"""Reasons for each region, and how they are written."""

import csv
import io
import json
from codecs import BOM_UTF8
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from factories import cut_windows, make_history_of, make_sensor_data, make_trainer
from pyproj import Geod
from test_exports import frame_of, make_plan, make_ranking, make_reasons, planar, table_of, write
from test_pipeline import quick, rows_of, write_stations

from sensorplan.cli.resilience_screen import resilience_lines
from sensorplan.evaluation import mask_errors, reasons
from sensorplan.evaluation.reasons import (
    find_ties,
    own_errors,
    substitutes,
    tie_candidates,
    tie_effort,
)
from sensorplan.exports import folder
from sensorplan.exports.maps import export_map
from sensorplan.exports.reasons import resilience_csv
from sensorplan.exports.tables import ranking_csv
from sensorplan.exports.wording import resilience_words
from sensorplan.metrics import Errors, Sums
from sensorplan.pipeline import fit
from sensorplan.rankers.moments import PAIR_SHRINKAGE, correlation, pair_correlation
from sensorplan.recipe import override
from sensorplan.regions import nodalize

pytestmark = pytest.mark.usefixtures("no_denormals")


def table(content):
    return list(csv.DictReader(io.StringIO(content.decode())))


# Own errors


def errors_of(squares, count):
    squares, count = np.array(squares, float), np.array(count)
    regions = Sums(squares, squares, count)
    return Errors(regions.total, regions.total, regions)


def test_own_errors_are_those_of_each_region():
    plan = errors_of([8, 18, 0, 5], [2, 2, 0, 1])
    everything = errors_of([2, 18, 0, 0], [2, 2, 0, 1])
    own, ratio = own_errors(plan, everything)
    np.testing.assert_allclose(own, [2, 3, np.nan, np.sqrt(5)])
    np.testing.assert_allclose(ratio, [2, 1, np.nan, np.nan])


# Correlation and substitutes


@pytest.mark.parametrize("channels", [1, 2])
def test_correlation_is_pairwise_complete(channels):
    history = make_history_of(6, gaps=0.4, channels=channels)
    found = correlation(history, np.array([1, 4]), np.array([0, 2, 5]))
    values, valid = history.pooled()
    for i, row in enumerate((1, 4)):
        for j, column in enumerate((0, 2, 5)):
            both = valid[:, row] & valid[:, column]
            x, y = values[both, row].astype(float), values[both, column].astype(float)
            expected = x @ y / np.sqrt((x @ x) * (y @ y)) * len(x) / (len(x) + PAIR_SHRINKAGE)
            assert found[i, j] == pytest.approx(expected, rel=1e-4)


def test_what_never_varies_has_no_correlation():
    history = make_history_of(4)
    history.anomalies[:, 2] = 0
    assert (correlation(history, np.array([2]), np.array([0, 1])) == 0).all()


def twin(values):
    """Node 9 follows node 1, and node 10 is the opposite of node 2."""
    rng = np.random.default_rng(5)
    values[:, 9] = values[:, 1] + 0.01 * rng.normal(size=values[:, 1].shape)
    values[:, 10] = 20 - values[:, 2]


@pytest.mark.parametrize("channels", [1, 2])
def test_correlation_of_pairs_is_that_of_all(channels):
    history = make_history_of(6, gaps=0.4, channels=channels)
    rows, columns = np.array([1, 4]), np.array([[0, 2, 5], [4, 3, 1]])
    whole = correlation(history, rows, np.arange(6))
    expected = np.take_along_axis(whole, columns, 1)
    np.testing.assert_allclose(pair_correlation(history, rows, columns), expected, rtol=1e-5)


@pytest.mark.parametrize("many", [4096, 3])
@pytest.mark.parametrize("rows", [1, 5, 1000])
def test_a_substitute_is_the_kept_region_that_explains_most(rows, many, monkeypatch):
    monkeypatch.setattr(reasons, "ROWS", rows)
    monkeypatch.setattr(reasons, "MANY", many)
    history = make_history_of(12, change=twin, gaps=0.2)
    kept = np.array([0, 1, 2, 9])
    found, share = substitutes(history, np.isin(np.arange(12), kept))
    squares = correlation(history, np.arange(12), np.arange(12)) ** 2
    np.fill_diagonal(squares, 0)
    np.testing.assert_array_equal(found, kept[squares[:, kept].argmax(1)])
    np.testing.assert_allclose(share, squares[:, kept].max(1), rtol=1e-5)
    assert (found[1], found[9], found[10]) == (9, 1, 2)


def test_in_a_large_network_those_most_alike_are_asked(monkeypatch):
    def wave(values):
        """Neighbours on a ring are alike, and those opposite are each other's negative."""
        time, place = np.arange(len(values))[:, None], np.arange(60) * 2 * np.pi / 60
        noise = 0.1 * np.random.default_rng(3).normal(size=(len(values), 60))
        values[..., 0] = np.sin(0.4 * time + place) + noise

    history, mask = make_history_of(60, change=wave), np.arange(60) % 7 == 0
    _, best = substitutes(history, mask)
    monkeypatch.setattr(reasons, "MANY", 10)
    monkeypatch.setattr(reasons, "ALIKE", 2)
    found, share = substitutes(history, mask)
    assert (share <= best + 1e-6).all()
    assert (share > 0.95 * best).all()
    assert mask[found].all()
    assert (found != np.arange(60)).all()


def test_no_substitute_for_the_silent_nor_for_the_only_one():
    def silence(values):
        values[:, 3] = np.nan

    history = make_history_of(5, change=silence)
    found, share = substitutes(history, np.arange(5) == 1)
    assert found.tolist() == [1, -1, 1, -1, 1]
    assert (share[[1, 3]] == 0).all()


# Ties


def test_the_effort_for_ties_is_bounded():
    assert tie_effort(207, 83, 124) == (2, 64)
    assert tie_effort(20_000, 28, 12_000) == (3, 16)
    assert tie_effort(30, 12, 1)[0] == 1
    assert tie_effort(30, 30, 0)[0] == 0


def test_candidates_are_dropped_observed_and_alike():
    history = make_history_of(12, change=twin)
    mask = np.isin(np.arange(12), [1, 2, 4])
    found = tie_candidates(history, ~mask, np.array([1, 2]), 2)
    assert found[:, 0].tolist() == [9, 10]
    assert not mask[found].any()


@pytest.fixture(scope="module")
def twins():
    data = make_sensor_data(times=400, nodes=12, calendar=None)
    values = data.values.copy()
    twin(values)
    trainer = make_trainer(replace(data, values=values), batch_size=32, lookback=6)
    trainer.train(80, 3e-3, trainer.random_masks)
    return trainer


def test_a_twin_ties_and_a_follower_does_not(twins):
    mask = np.isin(np.arange(12), [0, 1, 2])
    told, judged = [], np.array([0, 1])
    candidates = np.array([[3, 4], [7, 9]])
    swapped = np.isin(np.arange(12), [0, 2, 9])
    assert mask_errors(twins, swapped).rmse < 1.02 * mask_errors(twins, mask).rmse
    loose = find_ties([twins], mask, judged, candidates, 200, done=told.append)
    assert told == [1, 2]
    assert loose[0] == ()
    assert 7 not in loose[1]
    assert [loose[region] for region in range(2, 12)] == [()] * 10


def test_ties_are_within_the_bound_and_the_best_comes_first(twins, monkeypatch):
    mask, judged = np.isin(np.arange(12), [0, 1, 2]), np.array([1])
    candidates = np.array([[7, 9, 5]])
    monkeypatch.setattr(reasons, "TIE", 100.0)
    (order,) = (find_ties([twins], mask, judged, candidates, 200)[1],)
    assert order[0] == 9
    assert set(order) == {5, 7, 9}
    monkeypatch.setattr(reasons, "TIE", -0.9)
    assert find_ties([twins], mask, judged, candidates, 200)[1] == ()


def test_a_swap_that_is_not_allowed_is_no_tie(twins, monkeypatch):
    monkeypatch.setattr(reasons, "TIE", 100.0)
    mask, judged = np.isin(np.arange(12), [0, 1, 2]), np.array([1])
    candidates = np.array([[7, 9, 5]])
    found = find_ties([twins], mask, judged, candidates, 200, lambda swapped: not swapped[9])
    assert set(found[1]) == {5, 7}


def test_the_test_stretch_has_no_say_in_ties(twins, monkeypatch):
    mask, judged = np.isin(np.arange(12), [0, 1, 2]), np.array([1])
    candidates = np.array([[9, 7, 5]])
    monkeypatch.setattr(reasons, "TIE", 0.05)
    before = find_ties([twins], mask, judged, candidates, 200)
    end = twins.windows.split.bounds[1]
    later = twins.windows.series.anomalies[end:].clone()
    twins.windows.series.anomalies[end:] = 100
    after = find_ties([twins], mask, judged, candidates, 200)
    twins.windows.series.anomalies[end:] = later
    assert before == after
    assert before[1]


# Exports


def test_the_table_names_substitutes_and_ties():
    data = make_sensor_data()
    regions = nodalize(data)
    ranking = make_ranking(regions)
    rows = {row["sensor"]: row for row in table(ranking_csv(table_of(regions, ranking, data)))}
    first = int(np.flatnonzero(ranking.keep(4))[0])
    name = data.sensors[first]
    other = next(i for i in range(12) if i != first)
    assert rows[name]["substitute"] == rows[name]["substitute_km"] == ""
    assert rows[name]["substitute_r2"] == ""
    assert len(rows[name]["ties"].split(";")) == 2
    assert rows[data.sensors[other]]["substitute"] == name
    latitude, longitude = data.geometry.positions[[other, first]].T
    metres = Geod(ellps="WGS84").inv(longitude[0], latitude[0], longitude[1], latitude[1])[2]
    assert float(rows[data.sensors[other]]["substitute_km"]) == pytest.approx(
        metres / 1000, abs=6e-4
    )
    assert rows["S001"]["own_rmse"] == rows["S001"]["own_rmse_ratio"] == ""
    assert (rows["S002"]["own_rmse"], rows["S002"]["own_rmse_ratio"]) == ("0.333333", "0.3333")
    for row in rows.values():
        assert (row["removal_penalty"] == "") == (row["decision"] == "drop")
    assert rows[name]["removal_penalty"] == f"{first / 1000:.6f}"


def test_planar_data_has_distances_in_its_unit():
    data = planar(make_sensor_data(grid=(3, 4)))
    regions = nodalize(data)
    rows = table(ranking_csv(frame_of(data)))
    assert "substitute_km" not in rows[0]
    first = int(np.flatnonzero(make_ranking(regions).keep(4))[0])
    for row in rows:
        region = regions.names.index(row["sensor"])
        gap = np.hypot(*(data.geometry.positions[region] - data.geometry.positions[first]))
        if region != first:
            assert float(row["substitute_distance"]) == pytest.approx(gap, rel=1e-5)


def test_without_positions_there_is_no_distance():
    rows = table(ranking_csv(frame_of(make_sensor_data(positions=False))))
    assert {row["substitute_km"] for row in rows} == {""}
    assert {bool(row["substitute"]) for row in rows} == {True, False}


def test_a_column_of_the_file_gives_way():
    data = replace(make_sensor_data(), attributes={"ties": tuple("abcdefghijkl")})
    rows = table(ranking_csv(frame_of(data)))
    assert {row["ties_"] for row in rows} == set("abcdefghijkl")


@pytest.mark.parametrize("positions", [True, False])
def test_the_reasons_go_to_every_format(tmp_path, monkeypatch, positions):
    monkeypatch.setattr(folder, "draw_plan", lambda *arguments: {})
    write(tmp_path / "a.plan", make_sensor_data(positions=positions))
    features = json.loads((tmp_path / "a.plan" / "deployment.geojson").read_bytes())["features"]
    by_csv = rows_of(tmp_path / "a.plan" / "ranking.csv")
    for feature, row in zip(features, by_csv, strict=True):
        assert (feature["properties"]["substitute"] or "") == row["substitute"]
        assert (feature["properties"]["ties"] or "") == row["ties"]
        assert (feature["properties"]["removal_penalty"] is None) == (row["decision"] == "drop")
    export_map(tmp_path / "a.plan", tmp_path / "map.gpkg", "gpkg")
    export_map(tmp_path / "a.plan", tmp_path / "map.csv", "csv")
    expected = (tmp_path / "a.plan" / "ranking.csv").read_bytes()
    assert (tmp_path / "map.csv").read_bytes().removeprefix(BOM_UTF8) == expected


def test_resilience_csv_holds_every_case():
    regions = nodalize(make_sensor_data())
    plan = make_plan(regions, make_ranking(regions), 4)
    made = make_reasons(regions)
    content = resilience_csv(made, plan)
    rows = table(content)
    assert [row["case"] for row in rows] == ["intact", *["single"] * 4, "pair", "random"]
    assert rows[0] == dict.fromkeys(rows[0], "") | {
        "case": "intact",
        "failed": "0",
        "rmse": "1.1",
        "rmse_ratio": "1.0",
    }
    assert rows[1]["sensors"] == made.failures[0].sensors[0]
    assert [rows[1][name] for name in ("failed", "rmse", "rmse_ratio", "ci_low", "ci_high")] == [
        *("1", "1.111", "1.01", "0.99", "1.03")
    ]
    assert rows[5]["sensors"] == ";".join(made.resilience.worst_pair.sensors)
    assert [rows[6][name] for name in ("failed", "share", "draws", "rmse_ratio", "p95")] == [
        *("1", "0.05", "20", "1.02", "1.04")
    ]
    assert rows[6]["rmse"] == "1.122"
    assert pd.read_csv(io.BytesIO(content))["p95"].notna().sum() == 1


# From a file to its folder


def test_fit_says_what_failures_cost_and_why(tmp_path):
    recipe = quick(write_stations(tmp_path / "net.nc"), mask={"sparsity": 0.5})
    result = fit(recipe, out=tmp_path / "a.plan")
    again = fit(recipe, out=tmp_path / "b.plan")
    for name in ("resilience.csv", "ranking.csv", "deployment.geojson"):
        one, other = ((tmp_path / plan / name).read_bytes() for plan in ("a.plan", "b.plan"))
        assert one == other
    assert again.plan.resilience == result.plan.resilience
    found = result.plan.resilience
    rows = rows_of(tmp_path / "a.plan" / "resilience.csv")
    single = {row["sensors"]: row for row in rows if row["case"] == "single"}
    assert set(single) == set(result.plan.kept)
    assert found.judged == 4
    assert next(iter(single)) == found.worst.sensors[0]
    assert float(rows[0]["rmse"]) == pytest.approx(result.plan.metrics.plan.rmse, rel=1e-5)
    pair = next(row for row in rows if row["case"] == "pair")
    assert pair["sensors"].split(";")[0] == found.worst.sensors[0]
    for row in rows_of(tmp_path / "a.plan" / "ranking.csv"):
        kept = row["sensor"] in result.plan.kept
        assert bool(row["removal_penalty"]) == kept
        if kept:
            expected = float(single[row["sensor"]]["rmse_ratio"]) - 1
            assert float(row["removal_penalty"]) == pytest.approx(expected, abs=1e-6)
        assert row["substitute"] in set(result.plan.kept) - {row["sensor"]}
        assert float(row["substitute_km"]) > 0
        assert set(filter(None, row["ties"].split(";"))) <= set(result.plan.dropped)
        assert kept or not row["ties"]
        assert float(row["own_rmse"]) > 0


def test_a_required_region_ties_with_none_and_an_excluded_one_with_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(reasons, "TIE", 100.0)
    recipe = quick(
        write_stations(tmp_path / "net.nc"),
        mask={"sparsity": 0.5, "method": "variance"},
    )
    recipe = override(recipe, "constraints", require=("S003",), exclude=("S000",))
    fit(recipe, out=tmp_path / "a.plan")
    ties = {row["sensor"]: row["ties"] for row in rows_of(tmp_path / "a.plan" / "ranking.csv")}
    assert ties["S003"] == ""
    assert "S000" not in ";".join(ties.values())
    assert sum(map(bool, ties.values())) == 3


def test_all_regions_kept_have_no_ties(tmp_path):
    recipe = quick(
        write_stations(tmp_path / "net.nc", nodes=3), mask={"sparsity": 0.0, "method": "variance"}
    )
    fit(recipe, out=tmp_path / "a.plan")
    rows = rows_of(tmp_path / "a.plan" / "ranking.csv")
    assert {row["ties"] for row in rows} == {""}
    assert {row["own_rmse_ratio"] for row in rows} == {"1.0000"}


def test_one_kept_region_has_neither_pair_nor_substitute(tmp_path):
    recipe = quick(
        write_stations(tmp_path / "net.nc", nodes=4), mask={"budget": 1, "method": "variance"}
    )
    result = fit(recipe, out=tmp_path / "a.plan")
    assert result.plan.resilience.worst_pair is None
    first, *others = rows_of(tmp_path / "a.plan" / "ranking.csv")
    assert first["substitute"] == ""
    assert {row["substitute"] for row in others} == {first["sensor"]}
    (worst,) = resilience_words(result.plan)
    assert " and " not in worst


# On the screen


def plan_with(**changes):
    regions = nodalize(make_sensor_data())
    found = make_reasons(regions).resilience.model_copy(update=changes)
    plan = make_plan(regions, make_ranking(regions), 4)
    return plan.model_copy(update={"resilience": found})


def test_the_screen_tells_the_worst():
    plan = plan_with()
    worst, random = resilience_words(plan)
    first, second = plan.resilience.worst_pair.sensors
    assert worst == (
        f"Worst failure: without {first} the error is +1.0 % (-1.0 to +3.0 %); without {first} "
        f"and {second} +5.0 % (0.0 to +10.0 %)."
    )
    assert random == (
        "With 1 of the kept failing at random (5 %) it is +2.0 % on average, and +4.0 % in bad "
        "luck (one in 20)."
    )


def test_the_screen_says_when_not_all_were_judged():
    worst, _ = resilience_words(plan_with(judged=2))
    assert "(-1.0 to +3.0 %), of 2 of 4 kept that were judged; without" in worst


def test_an_older_plan_tells_nothing():
    assert resilience_lines(plan_with().model_copy(update={"resilience": None})) == []


def test_windows_of_the_factories_have_positions():
    """What the distances above rest on."""
    assert cut_windows(make_sensor_data()).topology.geographic
