"""What the commands print: a result for people, or as JSON."""

import math
import os
import re
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from rich.box import Box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Column, Table
from rich.text import Text

from sensorplan.cli.log import LOG
from sensorplan.cli.streams import one_line, to_stderr, writing_stdout
from sensorplan.exports.wording import number as number

RULE = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)  # below the headings
GAP = 2  # between columns
GLUE = "\ue000"  # a space at which no line ends
UNIT = re.compile(r"(?<=\d) (?=\S)| (?=[A-Za-z]+-\d\b)")  # the spaces of ``8.9 ug m-3``


def show(result: str | RenderableType) -> None:
    """Print a result to stdout: as wide as the terminal, or in a file and a pipe 80 columns.

    Raises:
        OutputError: stdout cannot be written.
    """
    with writing_stdout():
        if isinstance(result, str):
            print(result)
            return
        width, height = shutil.get_terminal_size()
        console = Console(
            width=width,
            height=height,
            color_system=None if os.environ.get("NO_COLOR") else "auto",
            markup=False,
            emoji=False,
            highlight=False,
        )
        with console.capture() as printed:
            console.print(result, crop=False)
        for line in printed.get().removesuffix("\n").split("\n"):
            print(line.replace(GLUE, " ").rstrip())


def show_warnings(warnings: Sequence[str]) -> None:
    """Print each warning as a line on stderr."""
    for warning in warnings:
        to_stderr(f"Warning: {warning}")
        LOG.warning("%s", one_line(warning))


def prose(sentence: str) -> Table:
    """A sentence; its lines end between words, and not between a number and what it counts."""
    return _grid([[sentence]])


def whole(line: str) -> Text:
    """A line that is never broken, for a path to be copied."""
    return Text(line, no_wrap=True, overflow="ignore")


class WholeTable(Table):
    """A table that breaks lines where it can, and is rather wider than the screen than cut.

    ``max_width`` and ``min_width`` of a column say how wide it is unbroken and at least.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Take from the column that can spare most, until the table fits."""
        for column in self.columns:
            column.width = column.max_width
        room = options.max_width - GAP * (len(self.columns) - 1)
        for _ in range(sum(map(_width, self.columns)) - room):
            richest = max(self.columns, key=_spare)
            if not _spare(richest):
                break
            richest.width = _width(richest) - 1
        wide = sum(map(_width, self.columns)) + GAP * len(self.columns)
        return super().__rich_console__(console, options.update(max_width=wide))


def files_of(name: str, folder: Path, files: str) -> list[RenderableType]:
    """A folder, to be copied, and below it what lies there."""
    return [whole(f"{name}: {folder}"), _grid([(" " * len(name), files)])]


def facts_of(facts: Mapping[str, str]) -> Table:
    """A line for each fact: its name and its value."""
    return _grid([*facts.items()])


def table_of(
    columns: Sequence[str], rows: Sequence[Sequence[str]], words: Collection[str] = ()
) -> Table:
    """A table of names in the first column, and of numbers.

    On a narrow screen lines end within headings and the cells of columns of words; all other cells
    stay whole, and wider than the screen when it must be.

    Args:
        columns: The headings.
        rows: A cell for each column.
        words: Headings of the columns of words.
    """
    table = WholeTable(box=RULE, show_edge=False, pad_edge=False, padding=(0, GAP - 1, 0, 0))
    for place, column in enumerate(columns):
        cells = [row[place] for row in rows]
        wordy = column in words
        table.add_column(
            column,
            justify="left" if wordy or not place else "right",
            max_width=_longest([column, *cells]),
            min_width=_longest([*_words([column]), *(_words(cells) if wordy else cells)]),
        )
    for row in rows:
        table.add_row(*map(_glued, row))
    return table


def numbers(values: Sequence[float | None]) -> list[str]:
    """The numbers of a column, all to the same decimal: three digits of the smallest.

    >>> numbers([8.9137, 12.3, None])
    ['8.91', '12.30', '']
    """
    sizes = [abs(value) for value in values if value and math.isfinite(value)]
    small, large = (math.floor(math.log10(f(sizes, default=100))) for f in (min, max))
    decimals = max(0, min(2 - small, 4 - large))
    return ["" if value is None else f"{value:,.{decimals}f}" for value in values]


def _grid(rows: Sequence[Sequence[str]]) -> Table:
    grid = WholeTable(box=None, show_header=False, pad_edge=False, padding=(0, GAP, 0, 0))
    for column in zip(*rows, strict=True):
        grid.add_column(max_width=_longest(column), min_width=_longest(_words(column)))
    for row in rows:
        grid.add_row(*map(_glued, row))
    return grid


def _glued(text: str) -> Text:
    return Text(UNIT.sub(GLUE, text))


def _words(texts: Iterable[str]) -> list[str]:
    return [word for text in texts for word in _glued(text).plain.split()]


def _longest(texts: Iterable[str]) -> int:
    return max(map(cell_len, texts), default=0)


def _width(column: Column) -> int:
    return column.width or 0


def _spare(column: Column) -> int:
    return _width(column) - (column.min_width or 0)
