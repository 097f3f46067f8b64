"""CSV: wide and long histories, station tables, edge lists."""

import gzip

import numpy as np
import pandas as pd
import pytest
from reading_samples import findings, grid, read_dataset, read_path, stations

from sensorplan.errors import DataError

WIDE = """time,A,B 2
2020-01-01T00:00,1,2.5
2020-01-01T01:00,,4
2020-01-01T02:00,5,6
"""
LONG = """time,id,speed,flow
2020-01-01 00:00,7,1,10
2020-01-01 00:00,08,2,20
2020-01-01 01:00,7,3,
2020-01-01 02:00,08,5,50
2020-01-01 02:00,7,4,40
"""


@pytest.fixture
def save(tmp_path):
    def _save(text, name="data.csv", encoding="utf-8"):
        (tmp_path / name).write_bytes(text.encode(encoding))
        return str(tmp_path / name)

    return _save


def test_wide(save):
    data = read_path(save(WIDE))
    assert data.sensors == ("A", "B 2")
    np.testing.assert_array_equal(data.values[..., 0], [[1, 2.5], [np.nan, 4], [5, 6]])
    assert data.time.step_label == "1 h"
    assert data.geometry is None
    assert data.channels[0].name == "value"
    assert findings(data)["table"] == "wide"


def test_long(save):
    data = read_path(save(LONG))
    assert data.sensors == ("7", "08")
    assert data.channels[0].name == "speed"
    np.testing.assert_array_equal(data.values[..., 0], [[1, 2], [3, np.nan], [4, 5]])
    assert "holds also flow" in data.warnings[0]
    both = read_path(save(LONG), variable=("flow", "speed"))
    np.testing.assert_array_equal(both.values[0, :, 0], [10, 20])


def test_station_table(save):
    table = save("id,lat,lon,elevation,name\n08,51,370,12,Bee\n7,50,8,,Ay\n9,1,2,3,Cee\n", "st.csv")
    data = read_path(save(LONG), stations=table)
    assert data.geometry.positions.tolist() == [[50, 8], [51, 10]]
    assert data.geometry.crs == "EPSG:4326"
    assert data.attributes["name"] == ("Ay", "Bee")
    np.testing.assert_array_equal(data.attributes["altitude"], [np.nan, 12])
    assert "1 station of the station table without data: 9" in data.warnings[-1]
    assert data.source.sha256 != read_path(save(LONG)).source.sha256


def test_a_station_without_position(save):
    data = read_path(save(LONG), stations=save("id,lat,lon\n7,50,8\n", "st.csv"))
    assert np.isnan(data.geometry.positions[1]).all()
    assert findings(data)["positions"] == "1 of 2 sensors"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,north\n7,5\n", r"st\.csv: has the columns id, north; expected id, lat and lon"),
        ("id,lat,lon\n7,5,6\n7,5,6\n", r"st\.csv line 3: the station 7 stands twice"),
        ("id,lat,lon\n7,north,6\n", r"st\.csv line 2, column lat: 'north'; expected a number"),
    ],
)
def test_wrong_station_tables(save, text, message):
    with pytest.raises(DataError, match=message):
        read_path(save(LONG), stations=save(text, "st.csv"))


def test_no_station_table(save):
    with pytest.raises(DataError, match=r"away\.csv: no such file; expected a station table"):
        read_path(save(LONG), stations="away.csv")


EDGES = "to,From,weight\n08,7,0.5\n7,08,2\n7,7,1\n"


def test_edge_list(save):
    data = read_path(save(LONG), adjacency=save(EDGES, "edges.csv"))
    assert data.adjacency.tolist() == [[1, 0.5], [2, 0]]
    assert data.adjacency.dtype == np.float32
    assert findings(data)["adjacency"] == "3 edges"
    assert data.source.sha256 != read_path(save(LONG)).source.sha256


def test_edges_without_weight_weigh_1(save):
    data = read_path(save(LONG), adjacency=save("from;to\n7;08\n", "edges.csv"))
    assert data.adjacency.tolist() == [[0, 1], [0, 0]]


def test_an_edge_list_goes_over_the_graph_of_the_file(save, tmp_path):
    square = (("sensor", "to"), np.ones((3, 3)))
    dataset = stations().assign(adj=square)
    dataset["speed"][:, 1] = np.nan  # B, left out
    edges = save("from,to,weight\nC,A,3\nB,A,1\n", "edges.csv")
    assert read_dataset(dataset, tmp_path).adjacency.tolist() == [[1, 1], [1, 1]]
    assert read_dataset(dataset, tmp_path, adjacency=edges).adjacency.tolist() == [[0, 0], [3, 0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("from,weight\n7,5\n", r": has the columns from, weight; expected from, to and, unless"),
        ("from,to\n", r": no edge; expected one a row"),
        ("from,to\n7,\n08,7\n", r" line 2: to is empty; expected the id of a sensor"),
        ("from,to\n7,08\n7,8\n", r" line 3: to 8 is no sensor of .*; expected one of 7, 08$"),
        ("from,to\nx,7\n", r" line 2: from x is no sensor of "),
        ("from,to,weight\n7,08,far\n", r" line 2, column weight: 'far'; expected a number$"),
        ("from,to,weight\n7,08,1\n08,7,-2\n", r" line 3, column weight: -2; expected a number ab"),
        ("from,to,weight\n7,08,0\n", r" line 2, column weight: 0; expected a number above 0$"),
        ("from,to\n7,7\n08,08\n", r": every edge leads from a sensor to itself; expected edges b"),
        ("from,to,weight\n7,08,\n", r" line 2, column weight: nan; expected a number above 0$"),
        ("from,to,weight\n7,08,inf\n", r" line 2, column weight: inf; expected a number above 0$"),
        (
            "from,to\n7,08\n08,7\n\n7,08\n",
            r" line 5: a second edge from 7 to 08 \(the first in line 2\); expected one$",
        ),
    ],
)
def test_wrong_edge_lists(save, text, message):
    with pytest.raises(DataError, match=r"edges\.csv" + message):
        read_path(save(LONG), adjacency=save(text, "edges.csv"))


def test_no_edge_list(save):
    with pytest.raises(DataError, match=r"^away\.csv: no such file; expected an edge list"):
        read_path(save(LONG), adjacency="away.csv")


def test_a_grid_takes_no_edge_list(save, tmp_path):
    with pytest.raises(DataError, match=r"a grid, whose cells need no edge list \(e\.csv\)"):
        read_dataset(grid(), tmp_path, adjacency="e.csv")


def test_positions_and_labels_in_a_long_table(save):
    data = read_path(
        save(
            "time,station,value,lat,lon,altitude,name\n"
            "0,a,1,50,8,100,Ay\n0,b,2,51,9,200,Bee\n1,a,3,50,8,100,Ay\n1,b,4,51,9,200,Bee\n"
        )
    )
    assert data.geometry.positions.tolist() == [[50, 8], [51, 9]]
    assert data.attributes == {"altitude": (100, 200), "name": ("Ay", "Bee")}
    assert [c.name for c in data.channels] == ["value"]


def test_text_that_changes_is_not_used(save):
    data = read_path(save("time,id,v,flag\n0,a,1,ok\n1,a,2,bad\n2,a,3,ok\n"))
    assert data.attributes == {}
    assert "the column flag is no number, or a place that moves; not used" in data.warnings[0]


def test_two_values_of_one_time_and_id(save):
    with pytest.raises(
        DataError, match=r"data\.csv line 7: a second value of 7 at 2020-01-01.*first in line 2\)"
    ):
        read_path(save(LONG + "2020-01-01 00:00,7,9,9\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (WIDE.replace("6", "six"), r"data\.csv line 4, column B 2: 'six'; expected a number"),
        (LONG.replace("4,40", "x,40"), r"data\.csv line 6, column speed: 'x'; expected a number"),
        (WIDE.replace("A,B 2", "A,A"), "two columns are called 'A', columns 2 and 3"),
        (WIDE.replace("2020-01-01T01:00", "noon"), r"line 3, column time: 'noon' is no time"),
        ("", "empty; expected a header and rows"),
        ("time,A\n", r"data\.csv: empty; no values along time"),
        ("time\n1\n", r"one column \(time\); expected time and values"),
        (WIDE + "2020-01-01T03:00,1,2,3\n", r"data\.csv: no CSV table"),
        ("time,A\n1/2/2020,1\n2/2/2020,2\n", "may have the day or the month first"),
    ],
)
def test_wrong_tables(save, text, message):
    with pytest.raises(DataError, match=message):
        read_path(save(text))


def test_not_utf8(save):
    with pytest.raises(DataError, match="not UTF-8 text"):
        read_path(save(WIDE.replace("A", "Ä"), encoding="latin-1"))


@pytest.mark.parametrize(
    ("stamps", "first"),
    [
        (("2020-01-13", "2020-01-14"), "2020-01-13T00:00:00"),
        (("20200113", "20200114"), "2020-01-13T00:00:00"),
        (("13.01.2020 06:00", "14.01.2020 06:00"), "2020-01-13T06:00:00"),
        (("1/13/2020", "1/14/2020"), "2020-01-13T00:00:00"),
        (("13/01/2020", "14/01/2020"), "2020-01-13T00:00:00"),
        (("2020-01-13T06:00+02:00", "2020-01-14T06:00+02:00"), "2020-01-13T04:00:00"),
        (("2020-01-13T06:00Z", "2020-01-14T06:00Z"), "2020-01-13T06:00:00"),
        (("100", "200"), "100"),
        (("0.5", "1"), "0.5"),
    ],
)
def test_spellings_of_time(save, stamps, first):
    data = read_path(save(f"date,A\n{stamps[0]},1\n{stamps[1]},2\n"))
    assert data.time.labels[0] == first


def test_the_first_column_is_time_when_none_is_called_so(save):
    frame = pd.read_csv(save(WIDE), index_col=0).rename_axis(index=None)
    data = read_path(save(frame.to_csv()))
    assert data.time.step_label == "1 h"
    assert data.sensors == ("A", "B 2")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators(save, separator):
    text = WIDE.replace(",", separator)
    text = text.replace("2.5", "2,5") if separator == ";" else text
    assert read_path(save(text)).values[0, :, 0].tolist() == [1, 2.5]


def test_comments_blank_lines_and_words_for_missing(save):
    data = read_path(
        save(f"# made by hand\n\n{WIDE}\n2020-01-01T03:00,NA,NaN\n\n2020-01-01T04:00,-,7\n")
    )
    assert data.valid[..., 0].sum(axis=1).tolist() == [2, 1, 2, 0, 1]


def test_lines_are_counted_past_comments(save):
    with pytest.raises(DataError, match="line 6, column B 2"):
        read_path(save("# one\n# two\n" + WIDE.replace("6", "six")))


def test_byte_order_mark_and_gzip(save, tmp_path):
    assert read_path(save(WIDE, encoding="utf-8-sig")).sensors == ("A", "B 2")
    (tmp_path / "z.csv.gz").write_bytes(gzip.compress(WIDE.encode()))
    assert read_path(str(tmp_path / "z.csv.gz")).sensors == ("A", "B 2")


def test_an_id_that_spells_missing(save):
    assert read_path(save(LONG.replace("08", "NA"))).sensors == ("7", "NA")


def test_several_tables(save):
    a = save(WIDE, "a.csv")
    b = save("time,B 2,C\n2020-01-01T03:00,1,2\n", "b.csv")
    data = read_path(a, b)
    assert data.sensors == ("A", "B 2", "C")
    assert data.valid[:, 2, 0].tolist() == [False, False, False, True]
    with pytest.raises(DataError, match=r"c\.csv: its columns differ"):
        read_path(a, save(LONG, "c.csv"))


def test_an_always_empty_column_is_left_out(save):
    data = read_path(save("time,A,B\n1,1,\n2,2,\n"))
    assert "1 sensor without any value left out: B" in data.warnings[0]
