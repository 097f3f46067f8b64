"""What the commands print: a result for people, or as JSON."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from sensorplan.cli.streams import to_stderr, writing_stdout
from sensorplan.exports.wording import number as number


def show(result: str | RenderableType) -> None:
    """Print a result to stdout.

    Raises:
        OutputError: stdout cannot be written.
    """
    with writing_stdout():
        if isinstance(result, str):
            print(result)
        else:
            Console(markup=False, emoji=False, highlight=False).print(result, crop=False)


def show_warnings(warnings: Sequence[str]) -> None:
    """Print each warning as a line on stderr."""
    for warning in warnings:
        to_stderr(f"Warning: {warning}")


def table_of(first: str, *numeric: str) -> Table:
    """A table of numbers, without lines at the sides."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(first)
    for column in numeric:
        table.add_column(column, justify="right")
    return table


def whole(line: str) -> Text:
    """A line that is never broken, for a path to be copied."""
    return Text(line, no_wrap=True, overflow="ignore")
