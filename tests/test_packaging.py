"""What the repository ships besides the package: samples, recipes, pinned versions, commands."""

import itertools
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import shapely

from sensorplan.pipeline import fit
from sensorplan.reading import read
from sensorplan.recipe import DataSettings, load_variants

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "sample_data"
RECIPES = sorted((ROOT / "recipes").glob("*.toml"))
SIZES = {  # the most bytes that each may have
    "pm10_germany.nc": 300_000,
    "pm10_germany_long.csv": 150_000,
    "pm10_germany_stations.csv": 5_000,
    "tas_north_america.nc": 700_000,
}


@pytest.mark.parametrize(("name", "limit"), SIZES.items())
def test_a_sample_is_small_and_documented(name, limit):
    assert 0 < (SAMPLES / name).stat().st_size <= limit
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert f"`{name}`" in text


def test_there_is_no_other_sample():
    assert {file.name for file in SAMPLES.glob("*.*")} == {*SIZES, "README.md", "make_samples.py"}


def test_each_origin_has_licence_attribution_and_changes():
    sections = (SAMPLES / "README.md").read_text(encoding="utf-8").split("\n## ")[1:]
    assert len(sections) == 2
    for section in sections:
        for fact in ("Origin", "Licence", "Attribution", "Changes"):
            assert f"- **{fact}**: " in section


def test_the_stations_have_gaps_and_positions():
    data = read(DataSettings(path=(str(SAMPLES / "pm10_germany.nc"),)))
    assert data.values.shape == (2192, 39, 1)
    assert data.channels[0].units == "ug m-3"
    assert 0.05 < 1 - data.valid.mean() < 0.10
    assert data.geometry is not None
    assert np.isfinite(data.geometry.positions).all()


def test_the_tables_hold_the_same_network():
    data = read(DataSettings(path=(str(SAMPLES / "pm10_germany.nc"),)))
    table = read(
        DataSettings(
            path=(str(SAMPLES / "pm10_germany_long.csv"),),
            stations=str(SAMPLES / "pm10_germany_stations.csv"),
        )
    )
    assert set(table.sensors) == set(data.sensors)
    order = [data.sensors.index(sensor) for sensor in table.sensors]
    start = data.time.labels.index(table.time.labels[0])
    expected = data.values[start : start + len(table.time), order]
    np.testing.assert_allclose(table.values, expected, atol=1e-3)
    assert table.geometry is not None
    assert data.geometry is not None
    np.testing.assert_allclose(table.geometry.positions, data.geometry.positions[order], atol=1e-5)


def test_the_grid_is_a_grid():
    data = read(DataSettings(path=(str(SAMPLES / "tas_north_america.nc"),)))
    assert data.geometry is not None
    assert data.geometry.shape == (37, 49)
    assert len(data.time) == 240


def test_the_scenarios_have_a_recipe():
    assert {file.stem for file in RECIPES} == {
        *("pm10_germany", "tas_north_america", "air_quality_costs", "benchmark_rankers"),
        *("traffic_network", "weather_stations", "gridded_reanalysis", "cfd_field"),
    }


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_recipe_loads_and_finds_its_data_or_says_where_to_get_it(file):
    for variant in load_variants([file]):
        for name in variant.recipe.data.path:
            assert Path(name).is_file() or Path(name).name.startswith("your_")
    text = file.read_text(encoding="utf-8")
    assert ("your_" in text) == ("The data is not part of sensorplan." in text)
    assert ("your_" in text) == ("https://" in text)
    command = "batch" if "[matrix]" in text else "fit --recipe"
    assert f"#   sensorplan {command} recipes/{file.name}" in text


FEW = ("training.steps=2", "training.fine_tune=2", "mask.method=variance", "window.stride=8")


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_recipe_on_a_sample_runs(file, tmp_path, no_denormals):
    if "your_" in file.read_text(encoding="utf-8"):
        pytest.skip("the data is not here")
    patched = load_variants([file])[0].recipe.window.patch is not None
    settings = (*FEW, "window.patch=12x12") if patched else FEW
    variant = load_variants([file], settings)[0]
    result = fit(variant.recipe, out=tmp_path / variant.name)
    assert result.plan.settings["mask"]["method"] == "variance"
    assert (result.folder / "ranking.csv").is_file()


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_recipe_explains_every_setting(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r"[\w.]+ =", line):
            assert before.startswith("#"), line


def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_constraint_is_one_exact_release():
    for pin in pins():
        assert re.fullmatch(r"[\w.-]+==[\d.]+(post\d+)?", pin), pin
    assert "torch==2.13.0" in pins()


def test_every_dependency_is_constrained():
    extras = project()["optional-dependencies"].values()
    wanted = [*project()["dependencies"], *(name for extra in extras for name in extra)]
    names = {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in wanted}
    pinned = {pin.split("==")[0].lower().replace("_", "-") for pin in pins()}
    assert names <= pinned


def test_the_makefile_names_what_there_is():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in re.findall(r"[\w/]+\.(?:nc|txt)\b", text):
        assert (ROOT / name).is_file(), name
    for command in ("ruff format --check", "ruff check", "mypy", "lint-imports", "pytest"):
        assert command in text


def test_the_readme_names_only_files_that_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    paths = re.findall(r"\b(?:sample_data|recipes|docs|benchmarks)/[\w./-]*\w", text)
    for name in {*links, *paths}:
        assert (ROOT / name).exists(), name


def test_a_wheel_holds_every_file_of_the_package(tmp_path):
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "sensorplan", tmp_path / "sensorplan", ignore=ignored)
    code = "import setuptools.build_meta as build; print(build.build_wheel('dist'))"
    command = [sys.executable, "-W", "ignore", "-c", code]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("sensorplan/")}
    files = (file for file in (tmp_path / "sensorplan").rglob("*") if file.is_file())
    assert held == {file.relative_to(tmp_path).as_posix() for file in files}


def test_the_outline_of_land_is_one():
    text = (ROOT / "sensorplan" / "exports" / "land.json").read_text(encoding="utf-8")
    land = shapely.from_geojson(text)
    assert land.is_valid
    assert land.bounds[0] >= -180
    assert land.bounds[2] <= 180
    for latitude, longitude, dry in [
        (52.5, 13.4, True),
        (-85, 0, True),
        (68, 179, True),
        (54.5, 6, False),
    ]:
        assert land.contains(shapely.Point(longitude, latitude)) == dry
    assert len(text) < 100_000
