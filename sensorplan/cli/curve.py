"""`sensorplan curve`."""

from pathlib import Path
from typing import Annotated

import typer

from sensorplan.cli import options
from sensorplan.cli.app import app
from sensorplan.cli.log import Log
from sensorplan.cli.progress import StageReport

KneeLoss = Annotated[
    str | None,
    typer.Option(
        "--max-loss",
        metavar="SHARE",
        help="Loss of accuracy up to which the curve is followed, say 5% (the default).",
    ),
]
Folder = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="The curve folder to write.")
]


@app.command()
def curve(
    data: options.Data = None,
    recipe: options.RecipeFile = None,
    set_: options.Set = None,
    max_loss: KneeLoss = None,
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
    weight: options.Weight = None,
    seed: options.Seed = None,
    device: options.Device = None,
    figure_format: options.FigureFormat = None,
    memory: options.MemoryBound = None,
    out: Folder = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    log: Log = None,
    as_json: options.AsJson = False,
) -> None:
    """Draw accuracy against sparsity, and how far one can go.

    Learned plans from 5 % to 95 % off beside random ones, the best baseline and the linear limit.
    The folder is DATA-stem.curve unless --out names another. Settings come from --recipe; options
    replace what it says, and its method and sparsity play no part.
    """
    share = options.parse_share(max_loss, "--max-loss")
    settings = options.build_recipe(
        recipe,
        select,
        backbone_option,
        set_,
        data=options.data_section(data, variable, missing, resample, stations, adjacency),
        window={"lookback": lookback, "horizon": horizon, "patch": patch},
        training={"backbone": backbone, "weight": weight},
        run={"seed": seed, "device": device, "figure_format": figure_format, "memory": memory},
    )
    from sensorplan.cli import curve_screen, screen
    from sensorplan.curve import MAX_LOSS
    from sensorplan.pipeline import draw_curve

    with StageReport(quiet) as progress:
        result = draw_curve(
            settings,
            max_loss=share or settings.mask.max_loss or MAX_LOSS,
            out=out,
            overwrite=overwrite,
            progress=progress,
        )
    show = curve_screen.curve_json if as_json else curve_screen.curve_lines
    screen.show(show(result))
    screen.show_warnings(result.record.warnings)
