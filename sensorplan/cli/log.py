"""The log file of a run: a line for each thing that happens, as it happens.

Lines are appended: a job that runs every night keeps one log, and nothing is overwritten.
"""

import logging
import shlex
import sys
from contextlib import suppress
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Annotated

import typer

from sensorplan.cli.streams import one_line, to_stderr
from sensorplan.errors import OutputError
from sensorplan.version import versions

LOG = logging.getLogger("sensorplan")
LOG.addHandler(logging.NullHandler())
LINE = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")


class LogFile(WatchedFileHandler):
    """A file that is flushed after every line, and opened again where another took its place."""

    begun = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Log no more, and say so; the run goes on, unless it has not begun.

        Raises:
            OutputError: The first line could not be written.
        """
        LOG.removeHandler(self)
        reason = f"--log {self.baseFilename}: cannot be written ({sys.exc_info()[1]})"
        if not self.begun:
            raise OutputError(reason)
        to_stderr(f"Warning: {reason}; the run goes on without")

    def close(self) -> None:
        """End the log, whether what was not written yet can be written or not."""
        with suppress(OSError):
            super().close()


def open_log(context: typer.Context, path: Path | None) -> None:
    """Begin the log, before any work; the end of the command closes it.

    Raises:
        OutputError: The file cannot be written.
    """
    if path is None or context.resilient_parsing:
        return
    try:
        file = LogFile(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise OutputError(f"--log {path}: cannot be written ({error.strerror})") from error
    file.setFormatter(LINE)
    LOG.addHandler(file)
    LOG.setLevel(logging.INFO)
    root = context.find_root()  # outlives the place where errors are caught
    root.call_on_close(file.close)
    root.call_on_close(lambda: LOG.removeHandler(file))
    LOG.info("run: %s, in %s", shlex.join(["sensorplan", *sys.argv[1:]]), Path.cwd())
    file.begun = True
    LOG.info("versions: %s", ", ".join(f"{name} {own}" for name, own in versions().items()))


def tell(line: str) -> None:
    """Say what the user should know, also when quiet."""
    to_stderr(line)
    LOG.info("%s", one_line(line))


Log = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        callback=open_log,
        help="Append what happens, and when, to this file.",
    ),
]
