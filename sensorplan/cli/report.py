"""`sensorplan report`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sensorplan.cli import options
from sensorplan.cli.app import app
from sensorplan.cli.streams import to_stderr, writing_stdout
from sensorplan.errors import RecipeError


@app.command()
def report(
    plan: options.PlanFolder,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The file; - is stdout. Default: the plan's name with .html, in the working "
            "folder.",
        ),
    ] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Write a plan as one HTML page that needs nothing else.

    The verdict, a map to pan and zoom, the accuracy curve with a slider, the ranking, and all that
    speaks for and against the plan.
    """
    from sensorplan.exports.report import write_report

    if output == "-" and sys.stdout is not None and sys.stdout.isatty():
        raise RecipeError("-o - is a page of a megabyte or more, not for a terminal")
    target = (
        None
        if output == "-"
        else Path(output or f"{plan.absolute().name.removesuffix('.plan')}.html")
    )
    with writing_stdout():
        write_report(plan, target, overwrite)
    if target is not None:
        to_stderr(f"Wrote {target}")
