"""CSV tables as a dataset like that of a station file."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

from sensorplan.errors import DataError
from sensorplan.reading.notes import Notes


def read_tables(files: Sequence[Path], notes: Notes) -> xr.Dataset:
    """The history in CSV files."""
    raise notes.error("CSV is not read yet")


def read_stations(file: str) -> pd.DataFrame:
    """The station table by id."""
    raise DataError(f"{file}: not read yet")
