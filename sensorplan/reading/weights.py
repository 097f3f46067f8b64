"""Weights of sensors, from a CSV table."""

from pathlib import Path

import numpy as np

from sensorplan.errors import DataError
from sensorplan.reading.conventions import STATION_NAMES
from sensorplan.reading.csv_file import open_table, parse_numbers
from sensorplan.reading.notes import Notes, listed


def read_weights(file: str) -> dict[str, float]:
    """Weight of each sensor by its id.

    Raises:
        DataError: The file is no table, lacks a column, has an id twice, or a weight that is no
            number of 0 or more.
    """
    table = open_table(Path(file), Notes(file), history=False)
    ids = next((c for c in table.columns if c.lower() in STATION_NAMES), None)
    column = next((c for c in table.columns if c.lower() == "weight"), None)
    if ids is None or column is None:
        raise DataError(f"{file}: has the columns {listed(table.columns)}; expected id and weight")
    names, weights = table.frame[ids].astype(str).str.strip(), parse_numbers(table, column)
    again = names.duplicated()
    if again.any():
        line = names.index[int(again.to_numpy().argmax())]
        raise DataError(f"{file} line {line}: the sensor {names[line]} stands twice")
    numbers = weights.to_numpy()
    wrong = ~(np.isfinite(numbers) & (numbers >= 0))
    if wrong.any():
        line = weights.index[int(wrong.argmax())]
        raise DataError(
            f"{file} line {line}, column weight: {weights[line]:g}; expected a number of 0 or more"
        )
    return dict(zip(names, weights, strict=True))
