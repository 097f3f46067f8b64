"""`sensorplan fit`."""

from sensorplan.cli import options
from sensorplan.cli.app import app
from sensorplan.cli.streams import StageReport


@app.command()
def fit(
    data: options.Data = None,
    recipe: options.RecipeFile = None,
    sparsity: options.Sparsity = None,
    budget: options.Budget = None,
    max_loss: options.MaxLoss = None,
    method: options.Method = None,
    variable: options.Variable = None,
    select: options.Select = None,
    missing: options.Missing = None,
    resample: options.Resample = None,
    stations: options.Stations = None,
    adjacency: options.Adjacency = None,
    lookback: options.Lookback = None,
    horizon: options.Horizon = None,
    patch: options.Patch = None,
    backbone: options.Backbone = None,
    backbone_option: options.BackboneOption = None,
    seed: options.Seed = None,
    device: options.Device = None,
    out: options.Out = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Plan which sensors to keep, and write a plan folder.

    The folder is DATA-stem.plan unless --out names another. Settings come from --recipe; options
    replace what it says.
    """
    settings = options.build_recipe(
        recipe,
        select,
        backbone_option,
        data=options.data_section(data, variable, missing, resample, stations, adjacency),
        window={"lookback": lookback, "horizon": horizon, "patch": patch},
        mask={
            "sparsity": sparsity,
            "budget": budget,
            "max_loss": options.parse_share(max_loss, "--max-loss"),
            "method": method,
        },
        training={"backbone": backbone},
        run={"seed": seed, "device": device},
    )
    from sensorplan.cli import screen
    from sensorplan.pipeline import fit as run_fit

    with StageReport(quiet) as progress:
        result = run_fit(settings, out=out, overwrite=overwrite, progress=progress)
    screen.show(screen.fit_json(result) if as_json else screen.fit_lines(result))
    screen.show_warnings(result.plan.warnings)
