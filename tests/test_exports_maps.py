"""`export-map`."""

import json
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from factories import make_sensor_data
from test_exports import REASONS, planar, write

from sensorplan.errors import DataError, OutputError, RecipeError
from sensorplan.exports import folder
from sensorplan.exports.maps import export_map, read_deployment


@pytest.fixture(autouse=True)
def _no_figures(monkeypatch):
    """Drawing takes its time; test_exports_figures.py looks at the pictures."""
    monkeypatch.setattr(folder, "map_png", lambda frame, plan: b"map")
    monkeypatch.setattr(folder, "curve_png", lambda curve, plan: b"curve")


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


def test_gpkg_round_trips_through_geopandas(tmp_path):
    write(tmp_path / "a.plan", make_sensor_data(grid=(4, 6)))
    export_map(tmp_path / "a.plan", tmp_path / "map.gpkg", "gpkg")
    frame, expected = gpd.read_file(tmp_path / "map.gpkg"), read_deployment(tmp_path / "a.plan")
    assert frame.crs == "EPSG:4326"
    assert frame["sensor"].tolist() == expected["sensor"].tolist()
    assert frame["decision"].tolist() == ["keep"] * 4 + ["drop"] * 20
    assert all(a.equals(b) for a, b in zip(frame.geometry, expected.geometry, strict=True))


def test_planar_gpkg_has_no_crs_and_planar_geojson_a_warning(tmp_path):
    write(tmp_path / "a.plan", planar(make_sensor_data(grid=(3, 3))))
    for format in ("gpkg", "geojson"):
        warnings = export_map(tmp_path / "a.plan", tmp_path / f"map.{format}", format)
        assert any("planar" in warning for warning in warnings) == (format == "geojson")
    assert gpd.read_file(tmp_path / "map.gpkg").crs is None
    assert "planar_coordinates" in json.loads((tmp_path / "map.geojson").read_bytes())


def test_csv_has_polygons_as_text(tmp_path):
    write(tmp_path / "a.plan", make_sensor_data(grid=(3, 3)))
    export_map(tmp_path / "a.plan", tmp_path / "map.csv", "csv")
    table = pd.read_csv(tmp_path / "map.csv")
    shapes = shapely.from_wkt(table["wkt"])
    np.testing.assert_allclose(shapely.get_x(shapely.centroid(shapes)), table["longitude"])


def test_csv_of_points_is_the_ranking(plan_folder, tmp_path):
    export_map(plan_folder, tmp_path / "map.csv", "csv")
    assert (tmp_path / "map.csv").read_bytes() == (plan_folder / "ranking.csv").read_bytes()


@pytest.mark.parametrize("format", ["geojson", "gpkg", "csv", "png"])
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
    with pytest.raises(RecipeError, match="--format shp; expected one of geojson, gpkg, csv, png"):
        export_map(plan_folder, tmp_path / "map.shp", "shp")


def test_text_and_pictures_go_to_stdout_but_no_database(plan_folder, capfdbinary):
    export_map(plan_folder, None)
    assert len(json.loads(capfdbinary.readouterr().out)["features"]) == 12
    export_map(plan_folder, None, "png")
    assert capfdbinary.readouterr().out.startswith(b"\x89PNG")
    with pytest.raises(RecipeError, match="gpkg cannot go to stdout"):
        export_map(plan_folder, None, "gpkg")


def test_an_existing_file_needs_overwrite(plan_folder, tmp_path):
    (tmp_path / "map.csv").write_text("mine")
    with pytest.raises(OutputError, match=r"map.csv: exists already; --overwrite"):
        export_map(plan_folder, tmp_path / "map.csv", "csv")
    assert (tmp_path / "map.csv").read_text() == "mine"
    export_map(plan_folder, tmp_path / "map.csv", "csv", overwrite=True)
    assert (tmp_path / "map.csv").read_text().startswith("rank,")
    with pytest.raises(OutputError, match=r"a.plan: is a folder; expected a file"):
        export_map(plan_folder, plan_folder, "csv", overwrite=True)


def test_attributes_keep_their_type(tmp_path):
    codes = tuple(f"00{i}" for i in range(12))
    write(tmp_path / "a.plan", replace(make_sensor_data(), attributes={"code": codes}))
    export_map(tmp_path / "a.plan", tmp_path / "map.gpkg", "gpkg")
    assert sorted(gpd.read_file(tmp_path / "map.gpkg")["code"]) == sorted(codes)


@pytest.mark.parametrize("format", ["geojson", "gpkg", "csv", "png"])
def test_a_plan_without_positions_goes_to_every_format(tmp_path, format):
    write(tmp_path / "a.plan", make_sensor_data(positions=False))
    warnings = export_map(tmp_path / "a.plan", tmp_path / f"map.{format}", format)
    shown = ["the data holds no positions: the map shows the ranking only"]
    assert warnings == (shown if format == "geojson" else [])
    assert (tmp_path / f"map.{format}").stat().st_size > 0


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
