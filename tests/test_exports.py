"""The tables and the GeoJSON of a plan."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import rfc7946
import shapely
from factories import make_sensor_data

from sensorplan.conditions import LeadError
from sensorplan.curve import CurvePoint
from sensorplan.exports.folder import write_plan
from sensorplan.exports.geojson import geojson
from sensorplan.exports.shapes import region_shapes
from sensorplan.exports.tables import curve_csv, deployment, map_warnings, ranking_csv
from sensorplan.masking import MaskRound
from sensorplan.plan import DataRecord, Metrics, Plan, Ranking, Score
from sensorplan.reasons import Failure, RandomFailures, Reasons, Resilience
from sensorplan.regions import nodalize, patchify


def make_plan(regions, ranking, budget):
    names = [regions.names[i] for i in ranking.order]

    def score(rmse):
        return Score(rmse=rmse, mae=0.7 * rmse)

    return Plan(
        method="dynst",
        sparsity=1 - budget / len(regions),
        budget=budget,
        kept=tuple(names[:budget]),
        dropped=tuple(names[budget:]),
        data=DataRecord(
            path="somewhere/made.nc",
            sha256="0" * 64,
            variable=("v0",),
            units=("K",),
            sensors=int((regions.members >= 0).sum()),
            regions=len(regions),
            times=240,
            step="1 h",
        ),
        split={},
        seed=0,
        candidates={"dynst": -0.5},
        metrics=Metrics(
            all_sensors=score(1.0),
            plan=score(1.1),
            persistence=score(3.0),
            climatology=score(1.3),
            unit="ug m-3",
            rmse_ratio=1.1,
            value_kept=0.67,
        ),
        warnings=(),
        timings={},
        versions={},
        settings={},
    )


def make_ranking(regions, seed=0):
    order = np.random.default_rng(seed).permutation(len(regions))
    importance = np.empty(len(regions))
    importance[order] = np.linspace(1, 0, len(regions)) ** 2
    return Ranking(order, importance)


def make_frequency(regions):
    """Twelfths: more than three decimals."""
    return np.arange(len(regions)) % 12 / 12


def make_reasons(regions, budget=4):
    """Made-up reasons of the same plan; one region has no substitute, one no own error."""
    count = len(regions)
    kept = make_ranking(regions).keep(budget)
    names = [regions.names[i] for i in np.flatnonzero(kept)]
    penalty = np.where(kept, np.round(np.arange(count) / 1000, 6), np.nan)
    failures = tuple(
        Failure(sensors=(name,), rmse_ratio=1.01, ci_low=0.99, ci_high=1.03) for name in names
    )
    pair = Failure(sensors=tuple(names[:2]), rmse_ratio=1.05, ci_low=1.0, ci_high=1.1)
    random = {"0.05": RandomFailures(failed=1, draws=20, mean=1.02, p95=1.04)}
    substitute = np.full(count, int(np.flatnonzero(kept)[0]))
    substitute[substitute[0]] = -1
    own = np.where(np.arange(count) == 1, np.nan, 1 / 3)
    ties = [()] * count
    ties[int(np.flatnonzero(kept)[0])] = tuple(int(i) for i in np.flatnonzero(~kept)[:2])
    return Reasons(
        Resilience(
            judged=len(names), windows=64, worst=failures[0], worst_pair=pair, random=random
        ),
        failures,
        penalty,
        own,
        own,
        substitute,
        np.full(count, 0.25),
        tuple(ties),
    )


REASONS = (
    *("removal_penalty", "own_rmse", "own_rmse_ratio"),
    *("substitute", "substitute_r2", "substitute_km", "ties"),
)


def make_curve():
    return [
        CurvePoint(
            method="dynst",
            sparsity=s,
            budget=round(12 * (1 - s)),
            rmse=1 + s**2,
            mae=0.7,
            rmse_ratio=1 + s**2,
            ci_low=0.98 + s**2,
            ci_high=1.02 + s**2,
        )
        for s in (0.25, 0.5, 0.75)
    ]


def frame_of(data, patch=None):
    regions = patchify(data, patch) if patch else nodalize(data)
    ranking = make_ranking(regions)
    return table_of(regions, ranking, data)


def table_of(regions, ranking, data):
    return deployment(
        make_plan(regions, ranking, 4),
        ranking,
        make_frequency(regions),
        make_reasons(regions),
        regions,
        data,
    )


def make_leads(leads=3):
    return [
        LeadError(
            lead=lead,
            ahead=6.0 * lead,
            unit="hours",
            targets=100,
            rmse_all=1 + 0.1 * lead,
            rmse_plan=1.1 * (1 + 0.1 * lead),
            rmse_ratio=1.1,
            ci_low=1.05,
            ci_high=1.15,
            rmse_persistence=1 + 0.4 * lead,
            rmse_climatology=1.8,
        )
        for lead in range(1, leads + 1)
    ]


def make_rounds(ranking, budget):
    """All, a few too many, and the plan but for its last region, which the last round brings."""
    masks = [ranking.keep(size) for size in (len(ranking.order), max(budget, 1) + 2, budget)]
    other = masks[-1].copy()
    other[ranking.order[budget - 1]] = False
    other[ranking.order[-1]] = True
    rounds = {
        "start": masks[0],
        "prune": masks[1],
        "refine": other,
        "jury": other,
        "plan": masks[-1],
    }
    return tuple(MaskRound(stage, mask, int(stage == "plan")) for stage, mask in rounds.items())


def write(target, data, *, patch=None, overwrite=False, extra_files=None, rounds=None):
    regions = patchify(data, patch) if patch else nodalize(data)
    ranking = make_ranking(regions)
    return write_plan(
        target,
        plan=make_plan(regions, ranking, 4),
        ranking=ranking,
        keep_frequency=make_frequency(regions),
        reasons=make_reasons(regions),
        regions=regions,
        data=data,
        curve=make_curve(),
        leads=make_leads(),
        rounds=make_rounds(ranking, 4) if rounds is None else rounds,
        figure_format="png",
        extra_files=extra_files or {},
        overwrite=overwrite,
    )


def planar(data):
    return replace(data, geometry=replace(data.geometry, crs=None))


def shifted(data, degrees):
    """The grid with its longitudes turned, cells across the dateline left unwrapped."""
    geometry = data.geometry
    turn = np.where(geometry.positions[:, 1] + degrees >= 180, degrees - 360, degrees)
    corners = geometry.corners + np.stack([turn, 0 * turn], axis=1)[:, None, :]
    positions = geometry.positions + np.column_stack([0 * turn, turn])
    return replace(data, geometry=replace(geometry, corners=corners, positions=positions))


def rows_of(content):
    return list(csv.DictReader(io.StringIO(content.decode())))


def shapes_of(content):
    return [
        f["geometry"] and shapely.geometry.shape(f["geometry"])
        for f in json.loads(content)["features"]
    ]


def test_ranking_csv_is_the_order_with_the_decision():
    data = make_sensor_data()
    regions = nodalize(data)
    ranking = make_ranking(regions)
    content = ranking_csv(table_of(regions, ranking, data))
    rows = rows_of(content)
    assert list(rows[0]) == [
        *("rank", "sensor", "decision", "importance", "latitude", "longitude", "keep_frequency"),
        *REASONS,
    ]
    assert [row["rank"] for row in rows] == [str(i) for i in range(1, 13)]
    assert [row["sensor"] for row in rows] == [data.sensors[i] for i in ranking.order]
    assert [row["decision"] for row in rows] == ["keep"] * 4 + ["drop"] * 8
    first = ranking.order[0]
    assert float(rows[0]["latitude"]) == pytest.approx(data.geometry.positions[first, 0], abs=1e-7)
    assert float(rows[0]["longitude"]) == pytest.approx(data.geometry.positions[first, 1], abs=1e-7)
    assert rows[1]["importance"] == f"{ranking.importance[ranking.order[1]]:.6f}"
    frequencies = [row["keep_frequency"] for row in rows]
    assert frequencies == [f"{make_frequency(regions)[i]:.3f}" for i in ranking.order]
    assert b"\r" not in content


def test_ranking_csv_has_empty_cells_where_there_is_no_position():
    rows = rows_of(ranking_csv(frame_of(make_sensor_data(positions=False))))
    assert {(row["latitude"], row["longitude"]) for row in rows} == {("", "")}
    assert "y" not in rows[0]


def test_planar_positions_stand_in_their_own_columns():
    frame = frame_of(planar(make_sensor_data(grid=(3, 4))))
    rows = rows_of(ranking_csv(frame))
    assert list(rows[0])[4:] == [
        *("latitude", "longitude", "y", "x", "keep_frequency"),
        *(name.replace("_km", "_distance") for name in REASONS),
    ]
    assert rows[0]["latitude"] == ""
    assert f"{float(rows[0]['y']):.4f}_{float(rows[0]['x']):.4f}" == rows[0]["sensor"]


def test_attributes_follow_the_sensors_but_not_the_patches():
    data = make_sensor_data(grid=(4, 4))
    data = replace(
        data,
        attributes={
            "code": tuple(f"0{i}" for i in range(16)),
            "Rank": (None,) * 16,
            "keep_frequency": (1,) * 16,
        },
    )
    frame = frame_of(data)
    assert list(frame.columns)[-5:] == [*("ties", "code", "Rank_", "keep_frequency_", "geometry")]
    assert [int(code) for code in frame["code"]] == [data.sensors.index(s) for s in frame["sensor"]]
    assert "code" not in frame_of(data, (2, 2)).columns


def test_curve_csv_has_the_columns_of_the_contract():
    content = curve_csv(make_curve())
    assert content.splitlines()[0] == b"method,sparsity,budget,rmse,mae,rmse_ratio,ci_low,ci_high"
    assert content.splitlines()[2] == b"dynst,0.5,6,1.25,0.7,1.25,1.23,1.27"
    assert curve_csv([]).splitlines() == content.splitlines()[:1]


def check_rfc7946(content):
    """The rules of the standard, and no polygon that crosses itself."""
    assert all(shape.is_valid for shape in filter(None, shapes_of(content)))
    return rfc7946.check(content)


@pytest.mark.parametrize(("grid", "patch"), [(None, None), ((5, 6), None), ((5, 6), (2, 4))])
def test_geojson_follows_the_standard(grid, patch):
    frame = frame_of(make_sensor_data(grid=grid), patch)
    collection = check_rfc7946(geojson(frame))
    kinds = {feature["geometry"]["type"] for feature in collection["features"]}
    assert kinds == ({"Polygon"} if grid else {"Point"})
    properties = [feature["properties"] for feature in collection["features"]]
    assert [p["rank"] for p in properties] == list(range(1, len(frame) + 1))
    assert [p["decision"] for p in properties] == frame["decision"].tolist()
    assert set(properties[0]) == {
        *("sensor", "rank", "decision", "importance", "keep_frequency", *REASONS)
    }
    assert [p["keep_frequency"] for p in properties] == frame["keep_frequency"].tolist()


def test_points_are_longitude_first_at_the_sensor_of_the_name():
    data = make_sensor_data()
    for feature in json.loads(geojson(frame_of(data)))["features"]:
        latitude, longitude = data.geometry.positions[
            data.sensors.index(feature["properties"]["sensor"])
        ]
        assert feature["geometry"]["coordinates"] == pytest.approx([longitude, latitude], abs=1e-7)


def test_clockwise_corners_come_out_counter_clockwise():
    data = make_sensor_data(grid=(3, 3))
    corners = data.geometry.corners[:, ::-1]
    check_rfc7946(
        geojson(frame_of(replace(data, geometry=replace(data.geometry, corners=corners))))
    )


def test_patches_tile_the_grid_without_overlap():
    data = make_sensor_data(grid=(5, 7))
    shapes = region_shapes(patchify(data, (2, 3)), data.geometry)
    assert shapely.area(shapes).sum() == pytest.approx(5 * 7 * 0.25**2)
    assert shapely.union_all(shapes).equals(shapely.box(7.875, 49.875, 9.625, 51.125))
    assert set(shapely.get_num_coordinates(shapes)) == {5}


def test_a_patch_leaves_out_its_missing_cells():
    whole = make_sensor_data(grid=(3, 3), times=4)
    keep = np.arange(9) != 4
    geometry = replace(
        whole.geometry,
        **{
            name: getattr(whole.geometry, name)[keep]
            for name in ("positions", "rows", "columns", "corners")
        },
    )
    data = replace(
        whole,
        values=whole.values[:, keep],
        sensors=tuple(np.array(whole.sensors)[keep]),
        geometry=geometry,
    )
    content = geojson(frame_of(data, (3, 3)))
    check_rfc7946(content)
    (ring,) = shapes_of(content)
    assert len(ring.interiors) == 1
    assert ring.area == pytest.approx(8 * 0.25**2)


@pytest.mark.parametrize("patch", [None, (2, 2)])
def test_cells_across_the_dateline_are_split(patch):
    data = shifted(make_sensor_data(grid=(2, 6)), 171.25)  # the fourth column lies across
    content = geojson(frame_of(data, patch))
    check_rfc7946(content)
    shapes = shapes_of(content)
    split = [s for s in shapes if s.geom_type == "MultiPolygon"]
    assert split
    assert all({p.bounds[0] for p in s.geoms} >= {-180.0} for s in split)
    assert sum(s.area for s in shapes) == pytest.approx(12 * 0.25**2)


def test_a_cell_that_ends_at_the_dateline_stays_whole():
    data = shifted(make_sensor_data(grid=(1, 4)), 171.125)
    data.geometry.corners[3, :, 0] -= 360  # the last from -180.25 to -180
    shapes = region_shapes(nodalize(data), data.geometry)
    assert {s.geom_type for s in shapes} == {"Polygon"}
    assert max(s.bounds[2] for s in shapes) == 180


def test_a_sensor_without_a_position_has_a_null_geometry():
    data = make_sensor_data()
    data.geometry.positions[5] = np.nan
    frame = frame_of(data)
    content = geojson(frame)
    check_rfc7946(content)
    lost = [f for f in json.loads(content)["features"] if f["geometry"] is None]
    assert [f["properties"]["sensor"] for f in lost] == ["S005"]
    assert map_warnings(frame) == ["1 of 12 sensors have no position and are not on the map"]


def test_planar_data_without_any_position_has_no_warning_of_the_wrong_place():
    data = planar(make_sensor_data())
    data.geometry.positions[...] = np.nan
    assert map_warnings(frame_of(data)) == [
        "the data holds no positions: the map shows the ranking only"
    ]


def test_planar_coordinates_are_told_in_the_file_and_to_the_caller():
    data = planar(make_sensor_data(grid=(2, 3)))
    data.geometry.corners[...] *= 1e-6  # micrometres in metres
    frame = frame_of(data)
    content = geojson(frame)
    collection = json.loads(content)
    assert "not longitude and latitude" in collection["planar_coordinates"]
    assert not any("bbox" in part for part in (collection, *collection["features"]))
    assert {s.is_valid and s.area > 0 for s in shapes_of(content)} == {True}
    assert any("planar" in warning for warning in map_warnings(frame))


def test_attributes_that_json_does_not_know_become_null_or_text():
    odd = (np.nan, None, np.float32(1.5), np.datetime64("2020-01-01"), np.inf, "a", True, 3)
    data = replace(make_sensor_data(nodes=8), attributes={"odd": odd})
    features = json.loads(geojson(frame_of(data)), parse_constant=pytest.fail)["features"]
    written = {f["properties"]["sensor"]: f["properties"]["odd"] for f in features}
    assert [written[s] for s in data.sensors] == [None, None, 1.5, "2020-01-01", None, "a", True, 3]
