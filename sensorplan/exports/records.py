"""Tables of records as CSV."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd
from pydantic import ValidationError

from sensorplan.errors import DataError
from sensorplan.plan import Record

Row = TypeVar("Row", bound=Record)


def records_csv(rows: Sequence[Record], kind: type[Record], digits: int = 6) -> bytes:
    """One row a record, in the order given; a column a field; empty where there is no value.

    Args:
        rows: The records.
        kind: Their class, which names the columns even where there is no row.
        digits: Of a number.
    """
    table = pd.DataFrame([row.model_dump() for row in rows], columns=list(kind.model_fields))
    return table.to_csv(index=False, lineterminator="\n", float_format=f"%.{digits}g").encode()


def read_records(file: Path, kind: type[Row]) -> list[Row]:
    """The records in such a file, NaN where a number is empty; none where there is no file.

    Args:
        file: As `records_csv` wrote it.
        kind: Of the records.

    Raises:
        DataError: It cannot be read, or is damaged.
    """
    numbers = {name for name, field in kind.model_fields.items() if field.annotation is float}
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = [*csv.DictReader(lines)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from error
    except (ValueError, csv.Error) as error:
        raise DataError(f"{file}: damaged ({error})") from error
    try:
        return [
            kind.model_validate(
                {k: "nan" if k in numbers and value == "" else value for k, value in row.items()}
            )
            for row in rows
        ]
    except (ValidationError, TypeError) as error:
        expected = ", ".join(kind.model_fields)
        raise DataError(f"{file}: damaged, expected rows of {expected}") from error
