"""`sensorplan export-map`."""

import sys
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from sensorplan.cli import options
from sensorplan.cli.app import app
from sensorplan.cli.streams import to_stderr, writing_stdout
from sensorplan.errors import RecipeError


@app.command()
def export_map(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A folder that fit wrote.")],
    format: Annotated[
        str | None,
        typer.Option(
            help="geojson, gpkg, kml, csv, png, svg or pdf. Default: what the ending of the -o "
            "file says, else geojson."
        ),
    ] = None,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="FILE", help="The file; - is stdout.")
    ] = "-",
    sparsity: Annotated[
        float | None,
        typer.Option(help="Cut the ranking here instead of where the plan does; 0 <= s < 1."),
    ] = None,
    overwrite: options.Overwrite = False,
) -> None:
    """Write the map of a plan in a format that another tool reads."""
    from sensorplan.cli import screen
    from sensorplan.exports.maps import MapFormat
    from sensorplan.exports.maps import export_map as write_map

    target = None if output == "-" else Path(output)
    if format is None:
        ending = target.suffix.removeprefix(".").lower() if target else ""
        format = {"": "geojson", "json": "geojson"}.get(ending, ending)
        if format not in get_args(MapFormat):
            known = ", ".join(get_args(MapFormat))
            raise RecipeError(f"-o {output}: unknown ending; expected one of {known}, or --format")
    if target is None and format in ("png", "pdf") and sys.stdout.isatty():
        raise RecipeError(f"--format {format} is not for a terminal; name a file with -o")
    with writing_stdout():
        warnings = write_map(plan, target, cast(MapFormat, format), sparsity, overwrite)
    screen.show_warnings(warnings)
    if target is not None:
        to_stderr(f"Wrote {target}")
