"""`sensorplan diff`."""

from pathlib import Path
from typing import Annotated

import typer

from sensorplan.cli import options
from sensorplan.cli.app import app
from sensorplan.cli.streams import to_stderr
from sensorplan.errors import RecipeError


@app.command()
def diff(
    plan_a: Annotated[Path, typer.Argument(metavar="PLAN_A", help="A folder that fit wrote.")],
    plan_b: Annotated[Path, typer.Argument(metavar="PLAN_B", help="Another, say a newer one.")],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Also write the sensors that changed sides, as CSV; - is stdout, and all of it.",
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Say what changed between two plans.

    Which sensors one keeps and the other does not, and whether the second forecasts better.
    """
    if as_json and output == "-":
        raise RecipeError("--json and -o - both want stdout; name a file with -o")
    from sensorplan.cli import diff_screen, screen
    from sensorplan.pipeline import diff as run_diff

    target = None if output in (None, "-") else Path(str(output))
    difference = run_diff(plan_a, plan_b, out=target, overwrite=overwrite)
    if output == "-":
        screen.show(difference.to_csv().decode().rstrip())
        return
    show = diff_screen.diff_json if as_json else diff_screen.diff_lines
    screen.show(show(difference))
    if target is not None:
        to_stderr(f"Wrote {target}")
