"""From options and tables to constraints over the regions."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from factories import make_sensor_data
from pyproj import Geod

from sensorplan.constraints import GroupLimit, state_constraints
from sensorplan.errors import DataError, RecipeError
from sensorplan.recipe import ConstraintSettings
from sensorplan.regions import nodalize, patchify


def state(data, patch=None, **settings):
    regions = patchify(data, patch) if patch else nodalize(data)
    return state_constraints(ConstraintSettings.model_validate(settings), data, regions)


def stations(nodes=6, **options):
    return make_sensor_data(times=40, nodes=nodes, **options)


def grid(rows=4, columns=5):
    return make_sensor_data(times=40, grid=(rows, columns))


def chosen(names, mask):
    return [name for name, one in zip(names, mask, strict=True) if one]


def write(path, text):
    path.write_text(text)
    return str(path)


def test_nothing_asked():
    constraints, notes = state(stations())
    assert not constraints.any
    assert notes == []


def test_ids_in_place_and_in_files(tmp_path):
    file = write(tmp_path / "ids.txt", "S002\n\nS003, S004\n")
    constraints, _ = state(stations(), require=["S000,S001", f"@{file}"], exclude=["S005"])
    assert chosen(constraints.names, constraints.required) == [f"S00{i}" for i in range(5)]
    assert chosen(constraints.names, constraints.excluded) == ["S005"]
    assert list(constraints.excluded_by) == ["--exclude"]


def test_a_table_of_sites(tmp_path):
    table = write(
        tmp_path / "t.csv",
        "id,status,cost,group\nS000,required,3,north\nS001,excluded,4,north\n"
        "S002,candidate,5,south\nS003,,6,\nX9,,7,south\n",
    )
    constraints, notes = state(
        stations(), sites=table, only_listed=True, max_cost=9, per_group=["1:", "south=:1"]
    )
    assert chosen(constraints.names, constraints.required) == ["S000"]
    assert chosen(constraints.names, constraints.excluded) == ["S001", "S004", "S005"]
    assert list(constraints.excluded_by) == ["status excluded", "--only-listed"]
    assert constraints.cost[:4].tolist() == [3, 4, 5, 6]
    assert constraints.group == ("north", "north", "south", "", "", "")
    assert constraints.limits == {"north": GroupLimit(1, None), "south": GroupLimit(0, 1)}
    assert len(notes) == 1
    assert notes[0].endswith("so not used: X9")


def test_a_geopackage_and_a_csv_say_the_same(tmp_path):
    data = stations()
    frame = gpd.GeoDataFrame(
        {"id": ["S001", "S002"], "status": ["required", None], "cost": [2.0, 3.0]},
        geometry=[shapely.Point(8, 50)] * 2,
        crs="EPSG:4326",
    ).to_crs("EPSG:25832")
    frame.to_file(tmp_path / "t.gpkg")
    table = write(tmp_path / "t.csv", "id,status,cost\nS001,required,2\nS002,,3\n")
    for file in (str(tmp_path / "t.gpkg"), table):
        constraints, _ = state(data, sites=file, only_listed=True, max_cost=4)
        assert chosen(constraints.names, constraints.required) == ["S001"]
        assert constraints.excluded.sum() == 4
        assert constraints.cost[1:3].tolist() == [2, 3]


def test_sites_by_their_place_on_a_grid(tmp_path):
    """The cell of 0.25 degrees around each; two in one cell cost what the cheaper one does."""
    data = grid()
    table = write(
        tmp_path / "t.csv",
        "id,lat,lon,status,cost\nA,50.1,8.1,required,4\nB,50.6,8.6,candidate,9\n"
        "C,50.55,8.55,candidate,7\n",
    )
    constraints, _ = state(data, sites=table, only_listed=True)
    kept = chosen(constraints.names, ~constraints.excluded)
    assert kept == ["50.0000_8.0000", "50.5000_8.5000"]
    assert chosen(constraints.names, constraints.required) == kept[:1]
    assert constraints.cost[~constraints.excluded].tolist() == [4, 7]
    patched, _ = state(data, patch=(2, 2), sites=table)
    assert patched.required.tolist() == [True] + [False] * 5
    with pytest.raises(DataError, match=r"line 2: A, required, lies in no cell of"):
        state(data, sites=write(tmp_path / "u.csv", "id,lat,lon,status\nA,60,8,required\n"))


def test_a_cell_or_its_patch_by_name():
    constraints, _ = state(grid(), patch=(2, 2), require=["50.0000_8.2500"])
    assert constraints.required.tolist() == [True] + [False] * 5
    by_patch, _ = state(grid(), patch=(2, 2), require=[constraints.names[0]])
    assert by_patch.required.tolist() == constraints.required.tolist()


def test_a_site_without_history_is_refused(tmp_path):
    table = write(tmp_path / "t.csv", "id,lat,lon,status\nnew,50,8,candidate\n")
    with pytest.raises(DataError, match=r"line 2: new, candidate, has no history .* on a grid"):
        state(stations(), sites=table)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857"])
def test_areas_in_any_crs(tmp_path, crs):
    data = grid()
    area = gpd.GeoDataFrame(geometry=[shapely.box(7.9, 49.9, 8.3, 50.3)], crs="EPSG:4326")
    area.to_crs(crs).to_file(tmp_path / "a.gpkg")
    constraints, _ = state(data, exclude_area=[str(tmp_path / "a.gpkg")])
    inside = [
        f"{latitude:.4f}_{longitude:.4f}" for latitude in (50, 50.25) for longitude in (8, 8.25)
    ]
    assert chosen(constraints.names, constraints.excluded) == inside


def test_distances_have_units():
    data = stations()
    constraints, _ = state(data, min_distance="1.5 km", cover="900000m")
    assert (constraints.min_distance.length, constraints.cover.length) == (1500, 900_000)
    assert constraints.targets is constraints.positions


def test_points_to_cover(tmp_path):
    table = write(tmp_path / "p.csv", "name,lat,lon\nt,51,9\nv,51.5,9.5\n")
    constraints, _ = state(stations(), cover="200km", cover_points=table)
    assert constraints.targets.tolist() == [[51, 9], [51.5, 9.5]]
    assert Geod(ellps="WGS84").inv(9, 51, 9.5, 51.5)[2] < 200_000


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"require": ["S9"]}, r"^--require S9: no such sensor in .*; expected one of S000, S001"),
        ({"require": ["@no.txt"]}, r"^--require @no\.txt: cannot be read"),
        ({"min_distance": "3"}, r"^--min-distance 3; expected a distance in km or m, say 3km$"),
        ({"min_distance": "3miles"}, r"^--min-distance 3miles; expected a distance in km or m"),
        ({"cover": "0km"}, r"^--cover 0km; expected a distance above 0"),
        ({"cover": "1.2.3km"}, r"^--cover 1\.2\.3km; expected a distance above 0"),
        ({"only_listed": True}, r"^--only-listed and --per-group need --sites"),
        ({"per_group": ["1:"]}, r"^--only-listed and --per-group need --sites"),
        ({"cover_points": "p.csv"}, r"^--cover-points needs --cover"),
        ({"max_cost": 3.0}, r"^--max-cost 3: no cost of S000, S001.*; expected a column cost"),
    ],
)
def test_what_is_not_allowed(settings, message):
    with pytest.raises(RecipeError, match=message):
        state(stations(), **settings)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("3:1", r"^--per-group 3:1; expected MIN:MAX"),
        ("three", r"^--per-group three; expected MIN:MAX"),
        ("west=1:", r"^--per-group west=1:: no such group in .*; expected one of north$"),
    ],
)
def test_limits_that_are_none(tmp_path, limit, message):
    table = write(tmp_path / "t.csv", "id,group\nS000,north\n")
    with pytest.raises(RecipeError, match=message):
        state(stations(), sites=table, per_group=[limit])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,status\nS000,maybe\n", r"t\.csv line 2: status 'maybe'; expected one of required, ex"),
        ("id,cost\nS000,-2\n", r"t\.csv line 2, column cost: -2; expected a number of 0 or more$"),
        ("id,cost\nS000,much\n", r"t\.csv line 2, column cost: 'much'; expected a number$"),
        ("id,cost\nS000,1\nS000,1\n", r"t\.csv line 3: the site S000 stands twice$"),
        ("name,cost\nS000,1\n", r"t\.csv: has the columns name, cost; expected id, or lat and lon"),
    ],
)
def test_tables_that_are_none(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        state(stations(), sites=write(tmp_path / "t.csv", text))


def test_files_that_are_none(tmp_path):
    with pytest.raises(DataError, match=r"no\.csv: no such file; expected a table of sites"):
        state(stations(), sites=str(tmp_path / "no.csv"))
    text = write(tmp_path / "a.geojson", "nothing")
    with pytest.raises(DataError, match=r"a\.geojson: no vector file"):
        state(stations(), exclude_area=[text])
    points = gpd.GeoDataFrame(geometry=[shapely.Point(8, 50)], crs="EPSG:4326")
    points.to_file(tmp_path / "p.gpkg")
    with pytest.raises(DataError, match=r"p\.gpkg: holds no polygon; expected the areas"):
        state(stations(), exclude_area=[str(tmp_path / "p.gpkg")])
    table = write(tmp_path / "p.csv", "name,lat,lon\nt,51,\n")
    with pytest.raises(DataError, match=r"p\.csv: a point without position; expected lat and lon"):
        state(stations(), cover="3km", cover_points=table)


def test_distances_need_positions():
    with pytest.raises(DataError, match=r"--min-distance needs positions; the data has none$"):
        state(stations(positions=False), min_distance="3")
    with pytest.raises(DataError, match=r"--exclude-area needs positions"):
        state(stations(positions=False), exclude_area=["a.gpkg"])
    data = stations()
    data.geometry.positions[2] = np.nan
    with pytest.raises(DataError, match=r"--min-distance needs positions; S002 have none"):
        state(data, min_distance="3km")
    constraints, _ = state(data, min_distance="3km", exclude=["S002"])
    assert constraints.excluded[2]
    with pytest.raises(DataError, match=r"--cover needs positions; S002 have none"):
        state(data, cover="3km", exclude=["S002"])
