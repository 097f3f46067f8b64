"""Edge lists: the graph between the sensors, for histories whose file has none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sensorplan.errors import DataError
from sensorplan.reading.csv_file import Table, open_table, parse_numbers
from sensorplan.reading.notes import Notes, counted, listed

_ENDS = ("from", "to")


def read_edges(file: str) -> Table:
    """Edge list: one edge a row.

    Returns:
        A table of ``from`` and ``to`` (ids as text) and ``weight`` (1 where the file has no such
        column), by line.

    Raises:
        DataError: The file is no table, lacks a column, has an end without id, a weight that is no
            number above 0, or an edge twice, or all edges lead from a sensor to itself.
    """
    if not Path(file).is_file():
        raise DataError(f"{file}: no such file; expected an edge list with from,to,weight")
    table = open_table(Path(file), Notes(file), ids=_ENDS)
    names = {column.lower(): column for column in reversed(table.columns)}
    if not names.keys() >= set(_ENDS):
        raise DataError(
            f"{file}: has the columns {listed(table.columns)}; expected from, to and, unless all "
            "are 1, weight"
        )
    if table.frame.empty:
        raise DataError(f"{file}: no edge; expected one a row")
    edges = pd.DataFrame({end: table.frame[names[end]].str.strip() for end in _ENDS})
    edges["weight"] = parse_numbers(table, names["weight"]) if "weight" in names else 1.0
    _refuse_wrong(file, edges)
    return Table(table.file, edges)


def adjacency_of(edges: Table, ids: Sequence[str], notes: Notes) -> NDArray[np.float32]:
    """``[sensor, sensor]`` weights of an edge list, from row to column.

    Raises:
        DataError: An end of an edge is no sensor.
    """
    place = pd.Index(ids)
    ends = [place.get_indexer(pd.Index(edges.frame[end])) for end in _ENDS]
    for end, found in zip(_ENDS, ends, strict=True):
        if (found < 0).any():
            row = int((found < 0).argmax())
            line, unknown = edges.frame.index[row], edges.frame[end].iloc[row]
            raise DataError(
                f"{edges.file} line {line}: {end} {unknown} is no sensor of {notes.path}; expected "
                f"one of {listed(ids)}"
            )
    adjacency = np.zeros((len(ids), len(ids)), np.float32)
    adjacency[tuple(ends)] = edges.frame["weight"]
    notes.found("adjacency", counted(len(edges.frame), "edge"), f"the edge list {edges.file}")
    return adjacency


def _refuse_wrong(file: str, edges: pd.DataFrame) -> None:
    for end in _ENDS:
        if (edges[end] == "").any():
            raise DataError(
                f"{file} line {_first_line(edges[end] == '')}: {end} is empty; expected the id of "
                "a sensor"
            )
    right = np.isfinite(edges["weight"]) & (edges["weight"] > 0)
    if not right.all():
        line = _first_line(~right)
        raise DataError(
            f"{file} line {line}, column weight: {edges['weight'].loc[line]:g}; expected a number "
            "above 0"
        )
    if (edges["from"] == edges["to"]).all():
        raise DataError(
            f"{file}: every edge leads from a sensor to itself; expected edges between two sensors"
        )
    again = edges.duplicated([*_ENDS])
    if again.any():
        line = _first_line(again)
        source, target = edges.loc[line, [*_ENDS]]
        first = _first_line((edges["from"] == source) & (edges["to"] == target))
        raise DataError(
            f"{file} line {line}: a second edge from {source} to {target} (the first in line "
            f"{first}); expected one"
        )


def _first_line(wrong: "pd.Series[bool]") -> int:
    return int(wrong.index[int(wrong.to_numpy().argmax())])
