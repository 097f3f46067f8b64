"""A plan folder as an object."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import geopandas as gpd
import pandas as pd
import xarray as xr

from sensorplan.conditions import ConditionRow
from sensorplan.curve import CurvePoint
from sensorplan.exports.files import write_folder
from sensorplan.exports.folder import check_target
from sensorplan.exports.map_figure import map_figure
from sensorplan.exports.maps import read_deployment
from sensorplan.exports.records import read_records
from sensorplan.exports.summary import summary_html
from sensorplan.exports.tables import map_warnings
from sensorplan.exports.wording import verdict
from sensorplan.notebook.asking import AnyPath, Data, asked_for, table_of, told, warn
from sensorplan.plan import Metrics, Plan
from sensorplan.recipe import DataKeywords, dump_recipe, load_recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sensorplan.pipeline import Progress

RECIPE_FILE = "recipe.toml"


class SensorPlan:
    """A plan in its folder.

    Attributes:
        folder: Where it lies; a temporary one goes with the object.
        record: The plan, as `plan.json` holds it.
        warnings: Plain sentences.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.record = Plan.load(folder)
        self.warnings = (*self.record.warnings, *map_warnings(read_deployment(folder)))

    @property
    def verdict(self) -> str:
        """The plan in one sentence."""
        return verdict(self.record)

    @property
    def kept(self) -> list[str]:
        """Names of the sensors (or cells, or patches) to keep, best first."""
        return list(self.record.kept)

    @property
    def dropped(self) -> list[str]:
        """Names of those to switch off, best first."""
        return list(self.record.dropped)

    @property
    def metrics(self) -> Metrics:
        """The evidence."""
        return self.record.metrics

    @property
    def ranking(self) -> pd.DataFrame:
        """One row a sensor (or cell, or patch), best first, with the columns of `ranking.csv`."""
        return pd.DataFrame(self.to_geodataframe().drop(columns="geometry"))

    @property
    def curve(self) -> pd.DataFrame:
        """Accuracy against sparsity, with the columns of `curve.csv`."""
        return table_of(read_records(self.folder / "curve.csv", CurvePoint), CurvePoint)

    @property
    def conditions(self) -> pd.DataFrame:
        """Errors by season, hour, lead and size of value, with the columns of `conditions.csv`."""
        return table_of(read_records(self.folder / "conditions.csv", ConditionRow), ConditionRow)

    def to_geodataframe(self, sparsity: float | None = None) -> gpd.GeoDataFrame:
        """The ranking with the place of each sensor: the map.

        Args:
            sparsity: Cut the ranking here, in [0, 1), instead of where the plan does.
        """
        return read_deployment(self.folder, sparsity)

    def plot(self, sparsity: float | None = None) -> "Figure":
        """Draw the map, as in `map.png`; arguments as in `to_geodataframe`."""
        return map_figure(self.to_geodataframe(sparsity), self.record)

    def forecast(
        self,
        data: Data,
        *,
        origins: str = "last",
        interval: float = 0.9,
        progress: "bool | Progress" = False,
        **settings: Unpack[DataKeywords],
    ) -> xr.Dataset:
        """Forecast every sensor from new data of the kept ones.

        Args:
            data: The new data, as `fit` takes it.
            origins: ``last``: from the last time of the data; ``all``: from each.
            interval: Level of the intervals.
            progress: As in `fit`.
            settings: How to read the data: ``variable``, ``select``, ``missing``, ``resample``,
                ``stations``; what is left out is as in the plan.

        Returns:
            What ``sensorplan forecast`` writes.

        Warns:
            UserWarning: Of what makes the forecast less sure, such as sensors that are silent.

        Raises:
            SensorplanError: See `sensorplan.errors` for the kinds.
        """
        from sensorplan.pipeline import forecast

        asked = asked_for(data, None, settings, DataKeywords.__annotations__, traced=False)
        with tempfile.TemporaryDirectory() as scratch:
            result = forecast(
                self.folder,
                asked.recipe.data,
                dataset=asked.dataset,
                out=Path(scratch) / "forecast.nc",
                origins=origins,
                level=interval,
                progress=told(progress),
            )
            dataset = xr.load_dataset(result.file, decode_timedelta=False).drop_encoding()
        when = dataset.attrs["history"].split()[0]
        dataset.attrs["history"] = f"{when} sensorplan.open_plan({str(self.folder)!r}).forecast"
        warn(result.warnings)
        return dataset

    def save(self, folder: AnyPath, *, overwrite: bool = False) -> Path:
        """Copy the plan folder; its recipe finds the data from there.

        Args:
            folder: Where to.
            overwrite: Replace an older plan there, but keep what the user added to it.

        Raises:
            OutputError: Something stands there, or it could not be written.
        """
        target = Path(folder)
        check_target(target, overwrite)
        files = {file.name: file.read_bytes() for file in self.folder.iterdir() if file.is_file()}
        if RECIPE_FILE in files:
            recipe = load_recipe(self.folder / RECIPE_FILE)
            files[RECIPE_FILE] = dump_recipe(recipe, target)
        write_folder(target, files)
        return target

    def report(self, file: AnyPath, *, overwrite: bool = False) -> Path:
        """Write the plan as one HTML page that needs nothing else.

        Args:
            file: Where to.
            overwrite: Replace an older file.

        Raises:
            RecipeError: A package that the page needs is not installed.
            OutputError: Something stands there, or it could not be written.
        """
        from sensorplan.exports.report import write_report

        write_report(self.folder, Path(file), overwrite)
        return Path(file)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self.folder)!r}: {self.verdict}>"

    def _repr_html_(self) -> str:
        return summary_html(self.record, self.warnings)


def open_plan(folder: AnyPath) -> SensorPlan:
    """The plan in a folder that `fit` or the command line wrote.

    Raises:
        DataError: The folder is missing or damaged.
    """
    return SensorPlan(Path(folder))
