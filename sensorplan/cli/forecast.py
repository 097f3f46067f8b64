"""`sensorplan forecast`."""

from pathlib import Path
from typing import Annotated

import typer

from sensorplan.cli import options
from sensorplan.cli.app import app
from sensorplan.cli.log import Log
from sensorplan.cli.progress import StageReport

ForecastFile = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="netCDF (.nc) or Zarr (.zarr) to write. Default: DATA-stem.forecast.nc.",
    ),
]
From = Annotated[
    str,
    typer.Option(
        metavar="WHICH", help="last: from the last time of the data; all: from each time."
    ),
]


@app.command()
def forecast(
    plan: options.PlanFolder,
    data: options.NewData,
    output: ForecastFile = None,
    origins: From = "last",
    interval: options.Interval = "90%",
    variable: options.Variable = None,
    select: options.Select = None,
    missing: options.Missing = None,
    resample: options.Resample = None,
    stations: options.Stations = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    log: Log = None,
    as_json: options.AsJson = False,
) -> None:
    """Forecast every sensor from new data of the kept ones.

    Writes a CF netCDF file or Zarr store, with intervals. The data may hold the kept sensors alone,
    in any order; what the options leave out is read as in the plan.
    """
    settings = options.build_recipe(
        None, select, data=options.data_section(data, variable, missing, resample, stations)
    )
    level = options.parse_share(interval, "--interval")
    from sensorplan.cli import forecast_screen, screen
    from sensorplan.pipeline import forecast as run_forecast

    assert level is not None
    with StageReport(quiet) as progress:
        result = run_forecast(
            plan,
            settings.data,
            out=output,
            origins=origins,
            level=level,
            overwrite=overwrite,
            progress=progress,
        )
    show = forecast_screen.forecast_json if as_json else forecast_screen.forecast_lines
    screen.show(show(result))
    screen.show_warnings(result.warnings)
