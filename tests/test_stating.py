"""From options and tables to constraints over the regions."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import shapely
from factories import make_sensor_data
from pyproj import Geod, Transformer

from sensorplan.constraints import GroupLimit, state_constraints
from sensorplan.errors import DataError, RecipeError
from sensorplan.reading.sites import within_areas
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
    assert list(constraints.excluded_by) == [f"status excluded in {table}", "--only-listed"]
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


def test_sites_in_one_cell(tmp_path):
    """Required ones are all paid; a cell is out when all of its sites are."""
    head = "id,lat,lon,status,cost\nA,50.1,8.1,{},9\nB,50.05,8.05,{},7\n"

    def cost_of(*statuses):
        table = write(tmp_path / "t.csv", head.format(*statuses))
        found, _ = state(grid(), sites=table)
        return found.cost[0], bool(found.required[0]), bool(found.excluded[0])

    assert cost_of("required", "required") == (16, True, False)
    assert cost_of("required", "") == (9, True, False)
    assert cost_of("candidate", "excluded") == (9, False, False)
    assert cost_of("candidate", "") == (7, False, False)
    table = write(tmp_path / "t.csv", head.format("excluded", "excluded"))
    assert state(grid(), sites=table)[0].excluded[0]


@pytest.mark.parametrize(
    ("crs", "box"),
    [
        ("EPSG:9311", (-2_000_000, -1_200_000, 2_000_000, 1_200_000)),
        ("EPSG:3995", (-3_000_000, -3_000_000, 3_000_000, 3_000_000)),
        ("EPSG:3832", (2_000_000, -2_000_000, 5_000_000, 2_000_000)),
        ("EPSG:4326", (170, -20, 190, 20)),
        ("EPSG:4326", (-190, -20, -170, 20)),
    ],
)
def test_areas_hold_what_lies_inside_in_their_own_crs(tmp_path, crs, box):
    """Straight sides there are no straight sides in degrees; poles and the antimeridian too."""
    latitudes, longitudes = np.arange(-87.5, 90, 5), np.arange(-177.5, 180, 5)
    where = np.array([(y, x) for y in latitudes for x in longitudes])
    gpd.GeoDataFrame(geometry=[shapely.box(*box)], crs=crs).to_file(tmp_path / "a.gpkg")
    found = within_areas(str(tmp_path / "a.gpkg"), where, geographic=True)
    into = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = into.transform(where[:, 1], where[:, 0])
    turns = (-360, 0, 360) if crs == "EPSG:4326" else (0,)
    inside = np.any(
        [(box[0] <= x + t) & (x + t <= box[2]) & (box[1] <= y) & (y <= box[3]) for t in turns], 0
    )
    assert found.tolist() == inside.tolist()
    assert 10 < inside.sum() < len(where) / 2


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


def test_rows_without_geometry_still_ask(tmp_path):
    frame = gpd.GeoDataFrame(
        {"id": ["S001", "S002"], "status": ["required", "required"]},
        geometry=[shapely.Point(8, 50), None],
        crs="EPSG:4326",
    )
    frame.to_file(tmp_path / "t.gpkg")
    constraints, _ = state(stations(), sites=str(tmp_path / "t.gpkg"))
    assert chosen(constraints.names, constraints.required) == ["S001", "S002"]


def test_whole_numbers_are_ids_though_some_are_missing(tmp_path):
    data = replace(stations(3), sensors=("1", "2", "3"))
    frame = gpd.GeoDataFrame(
        {"id": [1.0, None], "status": ["required", None]},
        geometry=[shapely.Point(8, 50), shapely.Point(8, 51)],
        crs="EPSG:4326",
    )
    frame.to_file(tmp_path / "t.gpkg")
    constraints, _ = state(data, sites=str(tmp_path / "t.gpkg"))
    assert constraints.required.tolist() == [True, False, False]


def test_a_list_of_ids_is_enough_for_only_listed(tmp_path):
    constraints, notes = state(
        stations(), sites=write(tmp_path / "t.csv", "id\nS001\nS003\n"), only_listed=True
    )
    assert chosen(constraints.names, ~constraints.excluded) == ["S001", "S003"]
    assert notes == []


def test_what_says_nothing_is_said(tmp_path):
    far = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs="EPSG:4326")
    far.to_file(tmp_path / "far.gpkg")
    table = write(tmp_path / "t.csv", "id,status,owner\nS001,required,me\n")
    _, notes = state(stations(), sites=table, exclude_area=[str(tmp_path / "far.gpkg")])
    assert [note.partition(": ")[2] for note in notes][1] == "columns that say nothing here: owner"
    assert notes[0].startswith("--exclude-area: no sensor of ")


def test_semicolons_and_decimal_commas(tmp_path):
    table = write(tmp_path / "p.csv", "lat;lon\n51,5;9,25\n")
    constraints, _ = state(stations(), cover="900KM", cover_points=table)
    assert constraints.targets.tolist() == [[51.5, 9.25]]
    assert constraints.cover.length == 900_000


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
        ({"exclude": [""]}, r"^--exclude : names no sensor; expected ids$"),
        ({"require": [","]}, r"^--require ,: names no sensor; expected ids$"),
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
        ("1: :2", r"^--per-group 1: :2; expected MIN:MAX"),
        ("west=1:", r"^--per-group west=\.\.\.: no such group in .*; expected one of north$"),
    ],
)
def test_limits_that_are_none(tmp_path, limit, message):
    table = write(tmp_path / "t.csv", "id,group\nS000,north\n")
    with pytest.raises(RecipeError, match=message):
        state(stations(), sites=table, per_group=[limit])


@pytest.mark.parametrize("limits", [["1:", ":2"], ["north=1:", "north=:2"]])
def test_two_limits_for_the_same_are_refused(tmp_path, limits):
    table = write(tmp_path / "t.csv", "id,group\nS000,north\n")
    with pytest.raises(RecipeError, match=r": a second limit for the same; expected one, say 1:5$"):
        state(stations(), sites=table, per_group=limits)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,status\nS000,maybe\n", r"t\.csv line 2: status 'maybe'; expected one of required, ex"),
        ("id,cost\nS000,-2\n", r"t\.csv line 2, column cost: -2; expected a number of 0 or more$"),
        ("id,cost\nS000,much\n", r"t\.csv line 2, column cost: 'much'; expected a number$"),
        ("id,cost\nS000,1\nS000,1\n", r"t\.csv line 3: the site S000 stands twice$"),
        ("id,status\n", r"t\.csv: holds no site; expected one a row$"),
        ("id,state\nS000,required\n", r"t\.csv: has none of the columns status, cost, group"),
        ("lat,lon,status\n50,8,required\n", r"t\.csv: has no ids; expected the column id"),
        ("id,lat,lon,cost\nS000,200,8,1\n", r"t\.csv line 2: 200, 8 is no latitude and long"),
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
    with pytest.raises(DataError, match=r"--cover needs positions; S002 have none \(--cover-p"):
        state(data, cover="3km", exclude=["S002"])
