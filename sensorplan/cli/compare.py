"""`sensorplan compare`."""

from pathlib import Path
from typing import Annotated

import typer

from sensorplan.cli import constraint_options as obey
from sensorplan.cli import options
from sensorplan.cli.app import app
from sensorplan.cli.log import Log
from sensorplan.cli.progress import StageReport

Folder = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="The folder of tables to write.")
]
Sparsities = Annotated[
    list[float] | None,
    typer.Option(
        "--sparsity",
        metavar="SHARE",
        help="Share of the sensors to switch off, 0 <= s < 1; repeatable. "
        "Default: 0.4, 0.6, 0.8 and 0.9.",
    ),
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        metavar="NAME",
        help="A method, by its name in fit; repeatable. Default: all of them.",
    ),
]
Folds = Annotated[
    int, typer.Option(help="Stretches of later time to judge on, each with the history before it.")
]
Seeds = Annotated[int, typer.Option(help="Runs with another seed each, from --seed on.")]
Judges = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="What forecasts from the sensors kept: neural or ridge; repeatable. Default: both.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        help="Folds at a time, each in a process of its own. Default: one a core; on a GPU 1."
    ),
]


@app.command()
def compare(
    data: options.Data = None,
    recipe: options.RecipeFile = None,
    set_: options.Set = None,
    sparsity: Sparsities = None,
    method: Methods = None,
    folds: Folds = 3,
    seeds: Seeds = 1,
    judge: Judges = None,
    workers: Workers = None,
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
    out: Folder = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    log: Log = None,
    as_json: options.AsJson = False,
) -> None:
    """Set all methods side by side, at several sparsities.

    Each plans on earlier time and is judged on later time, in several folds. Tables and a figure go
    to DATA-stem.compare unless --out names another folder.
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
        training={"backbone": backbone, "weight": weight},
        run={"seed": seed, "device": device, "figure_format": figure_format},
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
            workers=workers,
            out=out,
            overwrite=overwrite,
            progress=progress,
        )
    show = compare_screen.comparison_json if as_json else compare_screen.comparison_lines
    screen.show(show(result))
    screen.show_warnings(result.comparison.warnings)
