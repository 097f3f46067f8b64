"""`sensorplan batch`."""

from pathlib import Path
from typing import Annotated

import typer

from sensorplan.cli import options
from sensorplan.cli.app import app
from sensorplan.cli.log import Log, tell
from sensorplan.errors import TrainingError

Recipes = Annotated[
    list[Path],
    typer.Argument(metavar="RECIPES", help="TOML files of settings, each of one plan or a matrix."),
]
Workers = Annotated[
    int | None,
    typer.Option(
        help="Plans at a time, each in a process of its own. Default: one a core, or one a GPU."
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="A running Dask cluster to take instead, say tcp://host:8786."
    ),
]
Folder = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="The folder of all plans.")
]
Force = Annotated[bool, typer.Option("--force", help="Make also the plans that are done already.")]


@app.command()
def batch(
    recipes: Recipes,
    set_: options.Set = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    out: Folder = None,
    force: Force = False,
    quiet: options.Quiet = False,
    log: Log = None,
    as_json: options.AsJson = False,
) -> None:
    """Make many plans, on this machine or on a Dask cluster.

    Each recipe is one plan, or with a [matrix] many. Plan folders, manifest.json and summary.csv go
    to RECIPE-stem.batch unless --out names another folder. Plans that are done already are skipped.
    """
    from sensorplan.batch import run_batch
    from sensorplan.cli import batch_screen, screen

    with batch_screen.BatchReport(quiet) as report:
        result = run_batch(
            recipes,
            settings=set_ or (),
            workers=workers,
            scheduler=scheduler,
            out=out,
            force=force,
            watch=report,
            tell=tell,
        )
    screen.show(batch_screen.batch_json(result) if as_json else batch_screen.batch_lines(result))
    if result.failed:
        names = ", ".join(plan.name for plan in result.failed)
        raise TrainingError(f"{len(result.failed)} of {len(result.plans)} plans failed: {names}")
