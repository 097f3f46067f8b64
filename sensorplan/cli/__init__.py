"""The command line: parse, call, print.

stdout carries the result only; progress, warnings and errors go to stderr. What is slow to load is
loaded inside the commands, so that ``--help`` answers at once.
"""

import sys
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer
from typer.core import TyperGroup

from sensorplan.cli import options
from sensorplan.cli.streams import (
    StageReport,
    accept_any_text,
    silence_stdout,
    to_stderr,
    writing_stdout,
)
from sensorplan.errors import OutputError, RecipeError, SensorplanError
from sensorplan.version import __version__

INTERRUPTED = 130


class Commands(TyperGroup):
    """The commands, with the one place that turns an error into a line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except SensorplanError as error:
            to_stderr(f"Error: {error}")
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            to_stderr("Interrupted")
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError as error:  # the reader of stdout has seen enough
            silence_stdout()
            raise typer.Exit(OutputError.exit_code) from error


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sensorplan {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Find the sensors of a network that can be switched off, and what that costs."""
    accept_any_text()


@app.command()
def fit(
    data: options.Data = None,
    recipe: options.RecipeFile = None,
    sparsity: options.Sparsity = None,
    budget: options.Budget = None,
    method: options.Method = None,
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
        data={
            "path": data,
            "variable": variable,
            "missing": missing,
            "resample": resample,
            "stations": stations,
        },
        window={"lookback": lookback, "horizon": horizon, "patch": patch},
        mask={"sparsity": sparsity, "budget": budget, "method": method},
        run={"seed": seed, "device": device},
    )
    from sensorplan.cli import screen
    from sensorplan.pipeline import fit as run_fit

    with StageReport(quiet) as progress:
        result = run_fit(settings, out=out, overwrite=overwrite, progress=progress)
    screen.show(screen.fit_json(result) if as_json else screen.fit_lines(result))
    screen.show_warnings(result.plan.warnings)


@app.command()
def inspect(
    data: options.Data = None,
    recipe: options.RecipeFile = None,
    variable: options.Variable = None,
    select: options.Select = None,
    missing: options.Missing = None,
    resample: options.Resample = None,
    stations: options.Stations = None,
    lookback: options.Lookback = None,
    horizon: options.Horizon = None,
    patch: options.Patch = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what a file holds and what fit would do with it.

    Says what was recognised, and why.
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
    )
    from sensorplan.cli import screen
    from sensorplan.pipeline import inspect as run_inspect

    inspection = run_inspect(settings)
    screen.show(
        screen.inspection_json(inspection) if as_json else screen.inspection_lines(inspection)
    )
    screen.show_warnings(inspection.warnings)


@app.command()
def export_map(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A folder that fit wrote.")],
    format: Annotated[
        str | None,
        typer.Option(
            help="geojson, gpkg, csv or png. Default: what the ending of the -o file says, "
            "else geojson."
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
    if target is None and format == "png" and sys.stdout.isatty():
        raise RecipeError("--format png is not for a terminal; name a file with -o")
    with writing_stdout():
        warnings = write_map(plan, target, cast(MapFormat, format), sparsity, overwrite)
    screen.show_warnings(warnings)
    if target is not None:
        to_stderr(f"Wrote {target}")
