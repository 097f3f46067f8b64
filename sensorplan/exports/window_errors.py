"""Errors of each test window, as `test_errors.csv` holds them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sensorplan.errors import DataError
from sensorplan.metrics import Errors
from sensorplan.sensors import Floats, Ints

ERRORS_FILE = "test_errors.csv"
_SUMS = ("squares_plan", "squares_all", "absolutes_plan", "absolutes_all")
_COLUMNS = ("time", *_SUMS, "count")
_TYPES = {"time": str, "count": np.int64, **dict.fromkeys(_SUMS, float)}


@dataclass(frozen=True)
class WindowErrors:
    """What `test_errors.csv` says of the plan.

    Attributes:
        origins: ``[window]`` the last time that each forecast knows.
        squares: ``[window]`` sum of squared errors.
        count: ``[window]`` number of values that were judged.
    """

    origins: tuple[str, ...]
    squares: Floats
    count: Ints


def window_errors_csv(origins: Sequence[str], plan: Errors, everything: Errors) -> bytes:
    """`test_errors.csv`: one row a test window.

    Args:
        origins: ``[window]`` the last time that each forecast knows.
        plan: Errors of the plan.
        everything: Those from all sensors, on the same windows.
    """
    own, other = plan.by_window, everything.by_window
    columns = origins, own.squares, other.squares, own.absolutes, other.absolutes, own.count
    table = pd.DataFrame(dict(zip(_COLUMNS, columns, strict=True)))
    return table.to_csv(index=False, lineterminator="\n", float_format="%.10g").encode()


def read_window_errors(folder: Path) -> WindowErrors | None:
    """The errors in a plan folder; None in a plan from before there were any.

    Raises:
        DataError: The file cannot be read, or is damaged.
    """
    file = folder / ERRORS_FILE
    if not file.exists():
        return None
    try:
        table = pd.read_csv(file, dtype=_TYPES)
        if tuple(table) != _COLUMNS or len(table) < 2 or table.isna().any(axis=None):
            raise ValueError(f"expected two rows or more of {', '.join(_COLUMNS)}")
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise DataError(f"{file}: damaged ({error})") from error
    return WindowErrors(
        tuple(table["time"]), table["squares_plan"].to_numpy(), table["count"].to_numpy()
    )
