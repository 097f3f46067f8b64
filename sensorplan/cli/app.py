"""The application that commands register with, and how each of them ends."""

import os
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sensorplan.cli.log import LOG
from sensorplan.cli.streams import accept_any_text, one_line, silence_stdout, to_stderr
from sensorplan.errors import OutputError, RecipeError, SensorplanError
from sensorplan.version import __version__

INTERRUPTED = 130


class Commands(TyperGroup):
    """The commands, with the one place that turns an error into a line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            result = super().invoke(ctx)
        except SensorplanError as error:
            LOG.error("%s", one_line(str(error)), exc_info=True)
            to_stderr(f"Error: {error}")
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            LOG.error("interrupted")
            to_stderr("Interrupted")
            raise typer.Exit(INTERRUPTED) from error
        except BrokenPipeError as error:  # the reader of stdout has seen enough
            LOG.error("stdout: its reader has gone")
            silence_stdout()
            raise typer.Exit(OutputError.exit_code) from error
        except Exception as error:
            LOG.exception("%s", one_line(repr(error)))
            raise
        LOG.info("done")
        return result


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
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Find the sensors of a network that can be switched off, and what that costs."""
    accept_any_text()
    shared = "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"
    if shared and ctx.invoked_subcommand != "fit":
        raise RecipeError(
            f"torchrun with {os.environ['WORLD_SIZE']} processes; {ctx.invoked_subcommand} runs in "
            "one, expected fit"
        )
