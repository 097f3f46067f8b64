"""`sensorplan inspect`."""

from sensorplan.cli import options
from sensorplan.cli.app import app


@app.command()
def inspect(
    data: options.Data = None,
    recipe: options.RecipeFile = None,
    variable: options.Variable = None,
    select: options.Select = None,
    missing: options.Missing = None,
    resample: options.Resample = None,
    stations: options.Stations = None,
    adjacency: options.Adjacency = None,
    lookback: options.Lookback = None,
    horizon: options.Horizon = None,
    patch: options.Patch = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what a file holds and what fit would do with it.

    Says what was recognised, and why.
    """
    settings = options.build_recipe(
        recipe,
        select,
        data=options.data_section(data, variable, missing, resample, stations, adjacency),
        window={"lookback": lookback, "horizon": horizon, "patch": patch},
    )
    from sensorplan.cli import inspect_screen, screen
    from sensorplan.pipeline import inspect as run_inspect

    inspection = run_inspect(settings)
    screen.show(
        inspect_screen.inspection_json(inspection)
        if as_json
        else inspect_screen.inspection_lines(inspection)
    )
    screen.show_warnings(inspection.warnings)
