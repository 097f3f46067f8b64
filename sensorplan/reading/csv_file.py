"""One CSV file as columns of text and numbers, with the line that each row stands in."""

import csv
import gzip
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sensorplan.errors import DataError
from sensorplan.reading.conventions import STATION_NAMES, by_name
from sensorplan.reading.notes import Notes, listed

_MISSING = tuple(
    spelling
    for word in ("", "na", "n/a", "nan", "null", "none", "-", "--", "#n/a", "missing")
    for spelling in {word, word.upper(), word.title(), word.replace("nan", "NaN")}
)
_DATES = tuple(
    f"{date}{clock}"
    for date in ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y")
    for clock in ("", " %H:%M", " %H:%M:%S")
)


@dataclass(frozen=True)
class Table:
    """A CSV file.

    Attributes:
        file: Where it is.
        frame: Its columns, by line; those of times and ids as text.
    """

    file: Path
    frame: pd.DataFrame

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [str(column) for column in self.frame.columns]

    def is_text(self, column: str) -> bool:
        """True when no value of a column is a number."""
        values = self.frame[column].dropna()
        return len(values) > 0 and bool(pd.to_numeric(values, errors="coerce").isna().all())


def open_table(
    file: Path, notes: Notes, ids: Collection[str] = STATION_NAMES, history: bool = True
) -> Table:
    """Read a CSV file; comma, semicolon or tab between the columns.

    Args:
        file: Where it is.
        notes: Where findings go.
        ids: Names in small letters of columns that hold ids, to be kept as text.
        history: Whether it is one: two columns or more, of which the first may be times.

    Raises:
        DataError: The file is no such table.
    """
    before, header, delimiter = _header(file, 2 if history else 1)
    if delimiter != ",":
        comma = ", decimal comma" if delimiter == ";" else ""
        notes.found("columns", f"separated by {delimiter!r}{comma}", "the header")
    text = {c: str for c in header if by_name(c) == "time" or c.lower() in ids}
    if history:
        text[header[0]] = str
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                file,
                sep=delimiter,
                header=None,
                names=header,
                index_col=False,
                skiprows=before + 1,
                skip_blank_lines=False,
                dtype=text,
                na_values={c: list(_MISSING) for c in header if c not in text},
                keep_default_na=False,
                decimal="," if delimiter == ";" else ".",
                skipinitialspace=True,
                low_memory=False,
                encoding="utf-8-sig",
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        raise DataError(f"{file}: no CSV table ({str(error).strip().splitlines()[0]})") from error
    frame.index = pd.RangeIndex(before + 2, before + 2 + len(frame), name="line")
    blank = (frame.isna() | (frame == "")).all(axis=1)
    return Table(file, frame[~blank])


def _header(file: Path, fewest: int) -> tuple[int, list[str], str]:
    """Lines before the header, the names in it, and what separates them."""
    opener: Any = gzip.open if file.suffix == ".gz" else open
    try:
        with opener(file, "rt", encoding="utf-8-sig", newline="") as stream:
            before, line = 0, stream.readline()
            while line and (line.startswith("#") or not line.strip()):
                before, line = before + 1, stream.readline()
            stream.read()
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 text ({error.reason})") from error
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from error
    if not line:
        raise DataError(f"{file}: empty; expected a header and rows")
    delimiter = max(",;\t", key=line.count)
    names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter))]
    for position, name in enumerate(names):
        if name in names[:position]:
            raise DataError(
                f"{file}: two columns are called {name!r}, columns {names.index(name) + 1} and "
                f"{position + 1}; expected unique names"
            )
    if len(names) < fewest:
        raise DataError(f"{file}: one column ({listed(names)}); expected time and values")
    return before, names, delimiter


def parse_numbers(table: Table, column: str) -> "pd.Series[float]":
    """A column as floats.

    Raises:
        DataError: A value is no number.
    """
    values = table.frame[column]
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    wrong = numbers.isna() & values.notna()
    if wrong.any():
        place = int(wrong.to_numpy().argmax())
        raise DataError(
            f"{table.file} line {values.index[place]}, column {column}: {values.iloc[place]!r}; "
            "expected a number"
        )
    return numbers


def parse_times(table: Table, column: str, notes: Notes) -> "pd.Series":
    """A column as dates, or as numbers where all of it is numbers.

    Raises:
        DataError: A value is no time, or dates can be read in two ways.
    """
    text = table.frame[column].str.strip()
    numbers = pd.to_numeric(text, errors="coerce")
    if numbers.notna().all() and not text.str.fullmatch(r"(19|20)\d{6}").all():
        return numbers.astype(float)
    dates = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None)
    if dates.notna().all():
        if text.str.contains(r"(?:Z|:\d\d[+-]\d\d:?\d\d)$").any():
            notes.found("time zone", "UTC", "times with a zone are turned into UTC")
        return dates
    ways = {way: pd.to_datetime(text, format=way, errors="coerce") for way in _DATES}
    complete = [way for way, parsed in ways.items() if parsed.notna().all()]
    if not complete:
        best = max([dates, *ways.values()], key=lambda parsed: int(parsed.notna().sum()))
        place = int(best.isna().to_numpy().argmax())
        raise DataError(
            f"{table.file} line {text.index[place]}, column {column}: {text.iloc[place]!r} is no "
            "time; expected ISO 8601 such as 2024-05-01T06:00"
        )
    if any(not ways[way].equals(ways[complete[0]]) for way in complete[1:]):
        raise DataError(
            f"{table.file}, column {column}: dates such as {text.iloc[0]} may have the day or the "
            "month first; expected ISO 8601 such as 2024-05-01T06:00"
        )
    notes.found("dates", complete[0], f"the only way to read all of the column {column}")
    return ways[complete[0]]
