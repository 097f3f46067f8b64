"""`sensorplan export-model`."""

from pathlib import Path
from typing import Annotated

import typer

from sensorplan.cli import options
from sensorplan.cli.app import app


@app.command()
def export_model(
    plan: options.PlanFolder,
    format: Annotated[
        str | None,
        typer.Option(
            help="onnx or torchscript. Default: what the ending of the -o file says, else onnx."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="The file (.onnx or .pt). Default: the plan's name, in the working folder.",
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Write the forecaster of a plan as ONNX or TorchScript.

    It takes readings of the kept sensors, gives values of all, and needs no sensorplan to run.
    """
    from sensorplan.cli import model_screen, screen
    from sensorplan.pipeline import export_model as run_export

    exported = run_export(plan, form=format, out=output, overwrite=overwrite)
    show = model_screen.model_json if as_json else model_screen.model_lines
    screen.show(show(exported))
    screen.show_warnings(exported.warnings)
