"""`sensorplan fit`."""

from sensorplan.cli import constraint_options as obey
from sensorplan.cli import options
from sensorplan.cli.app import app
from sensorplan.cli.log import Log, tell
from sensorplan.cli.progress import StageReport


@app.command()
def fit(
    data: options.Data = None,
    recipe: options.RecipeFile = None,
    set_: options.Set = None,
    sparsity: options.Sparsity = None,
    budget: options.Budget = None,
    max_loss: options.MaxLoss = None,
    phases: options.Phases = None,
    robust: options.Robust = None,
    add: obey.Add = None,
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
    sites: obey.Sites = None,
    only_listed: obey.OnlyListed = False,
    require: obey.Require = None,
    exclude: obey.Exclude = None,
    exclude_area: obey.ExcludeArea = None,
    min_distance: obey.MinDistance = None,
    cover: obey.Cover = None,
    cover_points: obey.CoverPoints = None,
    max_cost: obey.MaxCost = None,
    per_group: obey.PerGroup = None,
    backbone: options.Backbone = None,
    backbone_option: options.BackboneOption = None,
    weight: options.Weight = None,
    seed: options.Seed = None,
    device: options.Device = None,
    figure_format: options.FigureFormat = None,
    checkpoint_every: options.CheckpointEvery = None,
    memory: options.MemoryBound = None,
    out: options.Out = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    log: Log = None,
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
        set_,
        data=options.data_section(data, variable, missing, resample, stations, adjacency),
        window={"lookback": lookback, "horizon": horizon, "patch": patch},
        constraints=obey.constraint_section(
            sites,
            only_listed,
            require,
            exclude,
            exclude_area,
            min_distance,
            cover,
            cover_points,
            max_cost,
            per_group,
        ),
        mask={
            "sparsity": sparsity,
            "budget": budget,
            "add": add,
            "phases": options.parse_shares(phases, "--phases"),
            "robust": options.parse_share(robust, "--robust"),
            "max_loss": options.parse_share(max_loss, "--max-loss"),
            "method": method,
        },
        training={"backbone": backbone, "weight": weight},
        run={
            "seed": seed,
            "device": device,
            "figure_format": figure_format,
            "checkpoint_every": checkpoint_every,
            "memory": memory,
        },
    )
    from sensorplan.cli import fit_screen, screen
    from sensorplan.pipeline import fit as run_fit
    from sensorplan.pipeline import follow, joined

    with joined() as team:
        if not team.leads:
            follow(settings)
            return
        with StageReport(quiet) as progress:
            result = run_fit(settings, out=out, overwrite=overwrite, progress=progress, tell=tell)
    screen.show(fit_screen.fit_json(result) if as_json else fit_screen.fit_lines(result))
    screen.show_warnings(result.plan.warnings)
