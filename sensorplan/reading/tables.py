"""CSV histories as a dataset like that of a station file.

A wide table has a time column and one column a sensor; a long one has a time, an id and one or
more value columns.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from sensorplan.errors import DataError
from sensorplan.reading.conventions import STATION_NAMES, by_name
from sensorplan.reading.csv_file import Table, open_table, parse_numbers, parse_times
from sensorplan.reading.notes import Notes, listed

_WIDE = "value"


def read_tables(files: Sequence[Path], notes: Notes) -> xr.Dataset:
    """The history in CSV files, rows one after the other.

    Raises:
        DataError: A file is no table, a value is no number, or a time and id stand twice.
    """
    tables = [open_table(file, notes) for file in files]
    ids = _id_column(tables[0])
    for table in tables[1:]:
        if _id_column(table) != ids:
            raise DataError(f"{table.file}: its columns differ from those of {files[0]}")
    return _wide(tables, notes) if ids is None else _long(tables, ids, notes)


def read_stations(file: str) -> pd.DataFrame:
    """Station table.

    Returns:
        A frame by id (text) with ``latitude``, ``longitude`` and all further columns.

    Raises:
        DataError: The file is no table, lacks a column, or has an id twice.
    """
    if not Path(file).is_file():
        raise DataError(f"{file}: no such file; expected a station table with id,lat,lon")
    table = open_table(Path(file), Notes(file))
    ids = _id_column(table)
    places = {by_name(column): column for column in reversed(table.columns)}
    if ids is None or "latitude" not in places or "longitude" not in places:
        raise DataError(
            f"{file}: has the columns {listed(table.columns)}; expected id, lat and lon"
        )
    names = table.frame[ids].str.strip()
    if names.duplicated().any():
        again = names[names.duplicated()]
        raise DataError(f"{file} line {again.index[0]}: the station {again.iloc[0]} stands twice")
    frame = table.frame.drop(columns=ids).set_index(pd.Index(names, name="id"))
    for kind in ("latitude", "longitude", "altitude"):
        if kind in places:
            frame[places[kind]] = parse_numbers(table, places[kind]).to_numpy()
    return frame.rename(columns={places[k]: k for k in places if k in _PLACES})


_PLACES = ("latitude", "longitude", "altitude")


def _id_column(table: Table) -> str | None:
    return next((c for c in table.columns if c.lower() in STATION_NAMES), None)


def _time_column(table: Table, notes: Notes) -> str:
    for column in table.columns:
        if by_name(column) == "time":
            notes.found("time column", column, "its name")
            return column
    notes.found("time column", table.columns[0], "the first column; none is called time or date")
    return table.columns[0]


def _wide(tables: Sequence[Table], notes: Notes) -> xr.Dataset:
    parts = []
    for table in tables:
        time = _time_column(table, notes)
        sensors = [c for c in table.columns if c != time]
        if not sensors:
            raise DataError(f"{table.file}: only the column {time}; expected one column a sensor")
        part = pd.DataFrame({c: parse_numbers(table, c) for c in sensors})
        part.index = pd.Index(parse_times(table, time, notes), name=time)
        parts.append(part)
    frame = pd.concat(parts)
    notes.found("table", "wide", f"no id column; each of {frame.shape[1]} columns is a sensor")
    return xr.Dataset(
        {_WIDE: (("time", "sensor"), frame.to_numpy(float))},
        {"time": frame.index.to_numpy(), "sensor": _id_variable(list(frame.columns))},
    )


def _id_variable(ids: Sequence[str]) -> xr.Variable:
    return xr.Variable("sensor", np.array(ids, dtype=object), {"cf_role": "timeseries_id"})


def _long(tables: Sequence[Table], ids: str, notes: Notes) -> xr.Dataset:
    parts = []
    for table in tables:
        time = _time_column(table, notes)
        part = table.frame.drop(columns=[time, ids])
        numeric = [c for c in part if not table.is_text(str(c))]
        part = part.assign(**{str(c): parse_numbers(table, str(c)) for c in numeric})
        part.insert(0, "time", parse_times(table, time, notes))
        part.insert(1, "sensor", table.frame[ids].str.strip())
        parts.append(part)
    frame = pd.concat(parts, keys=[str(table.file) for table in tables], names=["file", "line"])
    notes.found("table", "long", f"ids in the column {ids}")
    _refuse_repeated(frame)
    sensors = frame["sensor"].drop_duplicates().to_list()
    times, rows = np.unique(frame["time"].to_numpy(), return_inverse=True)
    columns = pd.Index(sensors).get_indexer(pd.Index(frame["sensor"]))
    dataset = xr.Dataset(coords={"time": times, "sensor": _id_variable(sensors)})
    for name in [str(c) for c in frame.columns[2:]]:
        series = frame[name]
        if by_name(name) in _PLACES or series.dtype.kind not in "fiu":
            constant = _per_sensor(frame, name)
            if constant is None:
                notes.warn(f"the column {name} is no number, or a place that moves; not used")
            else:
                dataset.coords[name] = ("sensor", constant.loc[sensors].to_numpy())
        else:
            values = np.full((len(times), len(sensors)), np.nan)
            values[rows, columns] = series.to_numpy(float)
            dataset[name] = (("time", "sensor"), values)
    return dataset


def _refuse_repeated(frame: pd.DataFrame) -> None:
    repeated = frame.duplicated(["time", "sensor"])
    if not repeated.any():
        return
    file, line = repeated.index[int(repeated.to_numpy().argmax())]
    time, sensor = frame.loc[(file, line), ["time", "sensor"]]
    same = (frame["time"] == time) & (frame["sensor"] == sensor)
    _, first = same.index[int(same.to_numpy().argmax())]
    raise DataError(
        f"{file} line {line}: a second value of {sensor} at {time} (the first in line {first}); "
        "expected one a time and id"
    )


def _per_sensor(frame: pd.DataFrame, column: str) -> "pd.Series | None":
    """The one value of each sensor; None where a sensor has several."""
    by_sensor = frame.groupby("sensor", sort=False)[column]
    return by_sensor.first() if (by_sensor.nunique() <= 1).all() else None
