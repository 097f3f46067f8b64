"""stdout and stderr: what goes where, and how it ends."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

import typer

from sensorplan.errors import OutputError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def to_stderr(line: str) -> None:
    """Print one line to stderr, brackets and all."""
    typer.echo(" ".join(line.splitlines()), err=True)


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


MOST_BARS = 12  # at once; of more, the oldest go


class StageReport:
    """Progress on stderr: bars with the time left on a terminal, else one line a stage."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID | None] = {}

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            self._bars = _bars()
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bars:
            self._bars.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report that `done` of `total` parts of a stage are done; a total of 0 is not known."""
        if self._quiet:
            return
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=None) if self._bars else None
            if not self._bars:
                to_stderr(f"{stage} ...")
            elif len(self._tasks) > MOST_BARS:
                oldest = [*self._tasks.values()][-MOST_BARS - 1]
                assert oldest is not None
                self._bars.update(oldest, visible=False)
        task = self._tasks[stage]
        if self._bars and task is not None:
            self._bars.update(task, completed=done, total=total or None)


def _bars() -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True, markup=False, emoji=False, highlight=False),
    )
