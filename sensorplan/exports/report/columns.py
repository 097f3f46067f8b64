"""The ranking as columns that the page's script reads."""

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import pandas as pd

from sensorplan.exports.reasons import DECIMALS
from sensorplan.exports.tables import FREQUENCY

DIGITS = {"importance": 6, FREQUENCY: 3, **DECIMALS}  # as `tables.ranking_csv` writes them


@dataclass(frozen=True)
class Column:
    """One column of the ranking.

    Attributes:
        name: In `ranking.csv`.
        values: ``[region]`` floats, NaN where missing; or a list of texts, None where missing.
        numeric: Which of the two.
        decimals: Of a number in a file; None: as many as it has.
    """

    name: str
    values: Any
    numeric: bool
    decimals: int | None

    @property
    def key(self) -> str:
        """In the page's data; no name of a user's column can be that of one of ours."""
        return f"column:{self.name}"

    def described(self) -> dict[str, object]:
        """What the script must know of it."""
        return {
            "name": self.name,
            "key": self.key,
            "numeric": self.numeric,
            "decimals": self.decimals,
        }


def ranking_columns(frame: gpd.GeoDataFrame) -> list[Column]:
    """The columns of `ranking.csv` that hold anything.

    Args:
        frame: The table of the plan's regions, best first.
    """
    table = pd.DataFrame(frame.drop(columns="geometry")).dropna(axis="columns", how="all")
    return [_column(str(name), table[name]) for name in table]


def _column(name: str, values: pd.Series) -> Column:
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        floats = values.to_numpy(dtype=float, na_value=float("nan"))
        return Column(name, floats, True, DIGITS.get(name))
    texts = [None if pd.isna(value) else str(value) for value in values]
    return Column(name, texts, False, None)
