"""stdout and stderr: what goes where, and how it ends."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from sensorplan.errors import OutputError


def one_line(text: str) -> str:
    """The text without its line ends."""
    return " ".join(text.splitlines())


def to_stderr(line: str) -> None:
    """Print one line to stderr, brackets and all."""
    typer.echo(one_line(line), err=True)


def accept_any_text() -> None:
    """Let stdout escape what its encoding lacks (odd file names) instead of failing on it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def silence_stdout() -> None:
    """Send what is still to be flushed nowhere, so that the exit does not fail on it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@contextmanager
def writing_stdout() -> Iterator[None]:
    """Write a result to stdout, to the last byte.

    Raises:
        OutputError: stdout cannot be written.
        BrokenPipeError: Its reader has gone.
    """
    if sys.stdout is None:
        raise OutputError("stdout: is closed")
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        silence_stdout()
        raise OutputError(f"stdout: cannot be written ({error.strerror})") from error
