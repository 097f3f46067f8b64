"""`sensorplan compare`."""

from sensorplan.cli import options
from sensorplan.cli.app import app
from sensorplan.cli.streams import StageReport


@app.command()
def compare(
    data: options.Data = None,
    recipe: options.RecipeFile = None,
    sparsity: options.Sparsities = None,
    method: options.Methods = None,
    folds: options.Folds = 3,
    seeds: options.Seeds = 1,
    judge: options.Judges = None,
    variable: options.Variable = None,
    select: options.Select = None,
    missing: options.Missing = None,
    resample: options.Resample = None,
    stations: options.Stations = None,
    lookback: options.Lookback = None,
    horizon: options.Horizon = None,
    patch: options.Patch = None,
    seed: options.Seed = None,
    device: options.Device = None,
    out: options.ComparisonOut = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Set all methods side by side, at several sparsities.

    Each plans on earlier time and is judged on later time, in several folds. Tables and a figure go
    to DATA-stem.compare unless --out names another folder.
    """
    settings = options.build_recipe(
        recipe,
        select,
        data={
            "path": data,
            "variable": variable,
            "missing": missing,
            "resample": resample,
            "stations": stations,
        },
        window={"lookback": lookback, "horizon": horizon, "patch": patch},
        run={"seed": seed, "device": device},
    )
    from sensorplan.cli import compare_screen, screen
    from sensorplan.pipeline import compare as run_compare

    with StageReport(quiet) as progress:
        result = run_compare(
            settings,
            sparsities=sparsity,
            folds=folds,
            seeds=seeds,
            judges=judge,
            methods=method,
            out=out,
            overwrite=overwrite,
            progress=progress,
        )
    show = compare_screen.comparison_json if as_json else compare_screen.comparison_lines
    screen.show(show(result))
    screen.show_warnings(result.comparison.warnings)
