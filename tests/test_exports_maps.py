"""`export-map`."""

import csv
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from factories import make_sensor_data
from test_exports import REASONS, planar, shifted, write
from test_exports_geojson import over_the_pole

from sensorplan.errors import DataError, OutputError, RecipeError
from sensorplan.exports import folder
from sensorplan.exports.geojson import plain
from sensorplan.exports.links import link_lines
from sensorplan.exports.maps import export_map, read_deployment


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    """Drawing takes its time; test_exports_figures.py looks at the pictures."""
    monkeypatch.setattr(folder, "draw_plan", lambda *arguments: {})


@pytest.fixture
def plan_folder(tmp_path):
    write(tmp_path / "a.plan", make_sensor_data())
    return tmp_path / "a.plan"


def test_geojson_is_the_same_as_in_the_folder(plan_folder, tmp_path):
    assert export_map(plan_folder, tmp_path / "map.geojson") == []
    expected = (plan_folder / "deployment.geojson").read_bytes()
    assert (tmp_path / "map.geojson").read_bytes() == expected
    frame = gpd.read_file(tmp_path / "map.geojson")
    assert frame.crs == "EPSG:4326"
    assert frame["rank"].tolist() == list(range(1, 13))


@pytest.mark.parametrize("patch", [None, (2, 2)])
def test_the_table_comes_back_from_the_folder(tmp_path, patch):
    data = make_sensor_data(grid=(4, 6))
    write(tmp_path / "a.plan", data, patch=patch)
    frame = read_deployment(tmp_path / "a.plan")
    assert len(frame) == (24 if patch is None else 6)
    centres = shapely.get_coordinates(shapely.centroid(frame.geometry.to_numpy()))
    np.testing.assert_allclose(centres, frame[["longitude", "latitude"]], atol=1e-6)


def crossing():
    """Cells across the antimeridian, one of them without an attribute."""
    data = shifted(make_sensor_data(grid=(4, 6)), 171.25)
    return replace(data, attributes={"height, m": (None, *range(23))})


def odd_stations():
    """Stations with names and attributes that a format can trip over."""
    names = ("NA", "007", "1e5", "a,b", 'q"', "ü", "<b>", "A&B", "=1+1")
    attributes = {"name": tuple(f"0{i}" for i in range(9)), "on": (True, False, True) * 3}
    return replace(make_sensor_data(nodes=9), sensors=names, attributes=attributes)


PLANS = {
    "stations": (odd_stations, None),
    "cells": (crossing, None),
    "patches": (crossing, (2, 2)),
    "pole": (over_the_pole, None),
}


@pytest.fixture(params=PLANS)
def each_plan(request, tmp_path):
    make, patch = PLANS[request.param]
    write(tmp_path / "a.plan", make(), patch=patch)
    return tmp_path / "a.plan"


def layers_of(format):
    return ["Keep", "Drop"] if format == "kml" else ["deployment" if format == "gpkg" else "map"]


@pytest.mark.parametrize("format", ["geojson", "gpkg", "kml"])
def test_geopandas_reads_the_same_from_every_format(each_plan, tmp_path, format):
    export_map(each_plan, tmp_path / f"map.{format}", format)
    expected = read_deployment(each_plan)
    found = pd.concat(
        [gpd.read_file(tmp_path / f"map.{format}", layer=layer) for layer in layers_of(format)],
        ignore_index=True,
    )
    assert found.crs == "EPSG:4326"
    assert shapely.equals(found.geometry.to_numpy(), expected.geometry.to_numpy()).all()
    if format == "kml":
        found = found.rename(columns={"name_": "name"})
    for column in expected.columns.drop(["geometry", "latitude", "longitude"]):
        assert [*map(plain, found[column])] == [*map(plain, expected[column])], column


def test_a_spreadsheet_reads_the_same(each_plan, tmp_path):
    export_map(each_plan, tmp_path / "map.csv", "csv")
    text = (tmp_path / "map.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    expected = read_deployment(each_plan)
    assert [row["sensor"] for row in rows] == expected["sensor"].tolist()
    assert [float(row["longitude"]) for row in rows] == expected["longitude"].tolist()
    if "wkt" in rows[0]:
        shapes = shapely.from_wkt([row["wkt"] for row in rows])
        assert shapely.equals_exact(shapes, expected.geometry.to_numpy(), 1e-6).all()
    else:
        assert set(expected.geom_type) == {"Point"}


def test_csv_is_the_ranking_behind_a_byte_order_mark(plan_folder, tmp_path):
    export_map(plan_folder, tmp_path / "map.csv", "csv")
    ranking = (plan_folder / "ranking.csv").read_bytes()
    assert ranking.startswith(b"rank,sensor,")
    assert (tmp_path / "map.csv").read_bytes() == b"\xef\xbb\xbf" + ranking


def run(*command):
    """What a program of GDAL prints; it warns of nothing."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.skipif(
    shutil.which("ogrinfo") is None, reason="needs ogrinfo (Debian: apt-get install gdal-bin)"
)
@pytest.mark.parametrize("format", ["geojson", "gpkg", "kml", "csv"])
def test_ogrinfo_reads_the_same_from_every_format(each_plan, tmp_path, format):
    export_map(each_plan, tmp_path / f"map.{format}", format)
    expected = read_deployment(each_plan)
    file, rows = str(tmp_path / f"map.{format}"), []
    for layer in layers_of(format):
        listed = run("ogrinfo", "-ro", "-geom=NO", file, layer)
        for feature in listed.split("\nOGRFeature(")[1:]:
            found = re.findall(r"^  ([\w ,]+) \(\w+\) = (.*)$", feature, re.MULTILINE)
            rows.append({name: value for name, value in found if value not in ("", "(null)")})
    for column in {"sensor", "decision", "substitute", "name"} & {*expected}:
        known = [plain(value) for value in expected[column]]
        behind = "_" if (column, format) == ("name", "kml") else ""
        assert [row.get(f"{column}{behind}") for row in rows] == known, column
    for column in {"rank", "importance", "own_rmse", "height, m"} & {*expected}:
        numbers = [float(row.get(column, "nan")) for row in rows]
        np.testing.assert_array_equal(numbers, expected[column].astype(float), column)
    if format in ("gpkg", "kml"):
        layer = "links" if format == "gpkg" else "Links"
        summary = run("ogrinfo", "-ro", "-so", file, layer)
        count = len(link_lines(expected))
        assert f"Feature Count: {count}\n" in summary


@pytest.mark.parametrize("format", ["geojson", "kml"])
def test_planar_positions_are_no_longitudes(tmp_path, format):
    write(tmp_path / "a.plan", planar(make_sensor_data(grid=(3, 3))))
    message = rf"--format {format} holds latitude .* are planar \(y, x\); expected one of gpkg, csv"
    with pytest.raises(RecipeError, match=message):
        export_map(tmp_path / "a.plan", tmp_path / f"map.{format}", format)
    assert not (tmp_path / f"map.{format}").exists()
    assert "planar_coordinates" in json.loads(
        (tmp_path / "a.plan" / "deployment.geojson").read_bytes()
    )


@pytest.mark.parametrize("format", ["gpkg", "csv", "png", "svg", "pdf"])
def test_planar_positions_go_to_the_other_formats(tmp_path, format):
    write(tmp_path / "a.plan", planar(make_sensor_data(grid=(3, 3))))
    assert export_map(tmp_path / "a.plan", tmp_path / f"map.{format}", format) == []
    assert (tmp_path / f"map.{format}").stat().st_size > 0


@pytest.mark.parametrize("format", ["geojson", "gpkg", "kml"])
def test_a_sensor_without_a_position_is_told(tmp_path, format):
    data = make_sensor_data()
    data.geometry.positions[5] = np.nan
    write(tmp_path / "a.plan", data)
    assert export_map(tmp_path / "a.plan", tmp_path / f"map.{format}", format) == [
        "1 of 12 sensors have no position and are not on the map"
    ]


@pytest.mark.parametrize("format", ["gpkg", "kml"])
def test_a_cut_elsewhere_tells_of_lost_lines(plan_folder, tmp_path, format):
    target = tmp_path / f"map.{format}"
    (warning,) = export_map(plan_folder, target, format, sparsity=0.9)
    assert "have no line to their substitute" in warning
    assert export_map(plan_folder, target, format, sparsity=0.3, overwrite=True) == []


@pytest.mark.parametrize("format", ["geojson", "gpkg", "kml", "csv", "png", "svg", "pdf"])
def test_a_plan_from_before_the_keep_frequency_and_the_reasons_is_read(
    plan_folder, tmp_path, format
):
    later = ["keep_frequency", *REASONS]
    table = pd.read_csv(plan_folder / "ranking.csv").drop(columns=later)
    table.to_csv(plan_folder / "ranking.csv", index=False)
    places = json.loads((plan_folder / "deployment.geojson").read_bytes())
    for feature in places["features"]:
        for name in later:
            del feature["properties"][name]
    (plan_folder / "deployment.geojson").write_text(json.dumps(places))
    export_map(plan_folder, tmp_path / f"map.{format}", format)
    assert not set(later) & set(read_deployment(plan_folder))


@pytest.mark.parametrize(("sparsity", "kept"), [(0.0, 12), (0.25, 9), (0.9, 1), (0.999, 1)])
def test_the_ranking_can_be_cut_elsewhere(plan_folder, tmp_path, sparsity, kept):
    export_map(plan_folder, tmp_path / "map.geojson", sparsity=sparsity)
    features = json.loads((tmp_path / "map.geojson").read_bytes())["features"]
    decisions = [feature["properties"]["decision"] for feature in features]
    assert decisions == ["keep"] * kept + ["drop"] * (12 - kept)


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, float("nan")])
def test_a_sparsity_out_of_range_is_refused(plan_folder, tmp_path, sparsity):
    with pytest.raises(RecipeError, match=r"--sparsity .*; expected 0 <= sparsity < 1"):
        export_map(plan_folder, tmp_path / "map.geojson", sparsity=sparsity)


def test_an_unknown_format_lists_the_known(plan_folder, tmp_path):
    known = "geojson, gpkg, kml, csv, png, svg, pdf"
    with pytest.raises(RecipeError, match=f"--format shp; expected one of {known}"):
        export_map(plan_folder, tmp_path / "map.shp", "shp")


def test_text_and_pictures_go_to_stdout_but_no_database(plan_folder, capfdbinary):
    export_map(plan_folder, None)
    assert len(json.loads(capfdbinary.readouterr().out)["features"]) == 12
    export_map(plan_folder, None, "kml")
    assert capfdbinary.readouterr().out.startswith(b"<?xml version='1.0' encoding='utf-8'?>\n<kml")
    export_map(plan_folder, None, "png")
    assert capfdbinary.readouterr().out.startswith(b"\x89PNG")
    export_map(plan_folder, None, "svg")
    assert capfdbinary.readouterr().out.startswith(b"<?xml")
    export_map(plan_folder, None, "pdf")
    assert capfdbinary.readouterr().out.startswith(b"%PDF")
    with pytest.raises(RecipeError, match="gpkg cannot go to stdout"):
        export_map(plan_folder, None, "gpkg")


def test_an_existing_file_needs_overwrite(plan_folder, tmp_path):
    (tmp_path / "map.csv").write_text("mine")
    with pytest.raises(OutputError, match=r"map.csv: exists already; --overwrite"):
        export_map(plan_folder, tmp_path / "map.csv", "csv")
    assert (tmp_path / "map.csv").read_text() == "mine"
    export_map(plan_folder, tmp_path / "map.csv", "csv", overwrite=True)
    assert (tmp_path / "map.csv").read_text(encoding="utf-8-sig").startswith("rank,")
    with pytest.raises(OutputError, match=r"a.plan: is a folder; expected a file"):
        export_map(plan_folder, plan_folder, "csv", overwrite=True)


def test_attributes_keep_their_type(tmp_path):
    codes = tuple(f"00{i}" for i in range(12))
    write(tmp_path / "a.plan", replace(make_sensor_data(), attributes={"code": codes}))
    export_map(tmp_path / "a.plan", tmp_path / "map.gpkg", "gpkg")
    frame = gpd.read_file(tmp_path / "map.gpkg", layer="deployment")
    assert sorted(frame["code"]) == sorted(codes)


@pytest.mark.parametrize("format", ["geojson", "gpkg", "csv", "png"])
def test_a_plan_without_positions_goes_to_every_format_but_kml(tmp_path, format):
    write(tmp_path / "a.plan", make_sensor_data(positions=False))
    warnings = export_map(tmp_path / "a.plan", tmp_path / f"map.{format}", format)
    shown = ["the data holds no positions: the map shows the ranking only"]
    assert warnings == (shown if format in ("geojson", "gpkg") else [])
    assert (tmp_path / f"map.{format}").stat().st_size > 0
    message = (
        r"--format kml shows positions, .*a\.plan has none; expected one of geojson, gpkg, csv"
    )
    with pytest.raises(RecipeError, match=message):
        export_map(tmp_path / "a.plan", tmp_path / "map.kml", "kml")


def test_attributes_that_differ_in_case_alone_go_to_a_database(tmp_path):
    attributes = {
        "Height": (1.0,) * 12,
        "height": (2.0,) * 12,
        "rank": (3,) * 12,
        "RANK_": (4,) * 12,
    }
    write(tmp_path / "a.plan", replace(make_sensor_data(), attributes=attributes))
    export_map(tmp_path / "a.plan", tmp_path / "map.gpkg", "gpkg")
    frame = gpd.read_file(tmp_path / "map.gpkg", layer="deployment")
    found = frame.loc[0, ["Height", "height_", "rank_", "RANK__"]].tolist()
    assert found == [1, 2, 3, 4]


def test_names_that_look_missing_or_numeric_survive(tmp_path):
    names = ("NA", "007", "nan", "1e5", "a,b", 'q"', "ü")
    write(tmp_path / "a.plan", replace(make_sensor_data(nodes=7), sensors=names))
    assert sorted(read_deployment(tmp_path / "a.plan")["sensor"]) == sorted(names)


@pytest.mark.parametrize("file", ["plan.json", "ranking.csv", "deployment.geojson"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"a,b\n1,2\n", b'{"features": [{}]}'])
def test_a_damaged_folder_is_named(plan_folder, tmp_path, file, content):
    (plan_folder / file).unlink()
    if content is not None:
        (plan_folder / file).write_bytes(content)
    with pytest.raises(DataError, match=rf"{file}: (cannot be read|damaged)"):
        export_map(plan_folder, tmp_path / "map.geojson")
    assert not (tmp_path / "map.geojson").exists()


def test_files_of_two_plans_do_not_mix(plan_folder, tmp_path):
    lines = (plan_folder / "ranking.csv").read_text().splitlines(keepends=True)
    (plan_folder / "ranking.csv").write_text("".join([lines[0], lines[2], lines[1], *lines[3:]]))
    with pytest.raises(DataError, match=r"its sensors are not those of ranking\.csv"):
        export_map(plan_folder, tmp_path / "map.geojson")


def test_a_missing_plan_leaves_no_file(tmp_path):
    with pytest.raises(DataError, match=r"plan.json: cannot be read"):
        export_map(tmp_path / "none.plan", tmp_path / "map.geojson")
    assert list(tmp_path.iterdir()) == []
