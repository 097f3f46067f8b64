"""How far a run is: on stderr, and in the log."""

import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sensorplan.cli.log import LOG
from sensorplan.cli.streams import to_stderr

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

MOST_BARS = 12  # at once; of more, the oldest go
TELL_EVERY = 30.0  # seconds between two lines on a stage that is under way


@dataclass
class _UnderWay:
    """A stage that is under way: when it began and was last told of, and its bar."""

    begun: float
    told: float
    bar: "TaskID | None"


class StageReport:
    """Progress on stderr: bars with the time left on a terminal, else a line now and then."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._bars: Progress | None = None
        self._stages: dict[str, _UnderWay] = {}

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            bars = _bars()
            if not bars.console.is_dumb_terminal:
                self._bars = bars
                bars.start()
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
        """Report that `done` of `total` parts of a stage are done: of the last, that it ends."""
        now = time.monotonic()
        if stage not in self._stages:
            self._stages[stage] = _UnderWay(now, now, self._new_bar(stage))
            self._tell(f"{stage} ...")
            LOG.info("%s: begins", stage)
        under_way = self._stages[stage]
        seconds = now - under_way.begun
        if self._bars and under_way.bar is not None:
            known = total if total > 1 or done else None
            self._bars.update(under_way.bar, completed=done, total=known)
        if done == total:
            LOG.info("%s: ends after %.1f s", stage, seconds)
            del self._stages[stage]
        elif done and now - under_way.told >= TELL_EVERY:
            under_way.told = now
            left = timedelta(seconds=round(seconds / done * (total - done)))
            line = f"{stage}: {100 * done // total} %, {left} left"
            self._tell(line)
            LOG.info("%s", line)

    def _tell(self, line: str) -> None:
        if not (self._quiet or self._bars):
            to_stderr(line)

    def _new_bar(self, stage: str) -> "TaskID | None":
        if not self._bars:
            return None
        bar = self._bars.add_task(stage, total=None)
        if len(self._bars.tasks) > MOST_BARS:
            self._bars.update(self._bars.tasks[-MOST_BARS - 1].id, visible=False)
        return bar


def _bars() -> "Progress":
    """Bars with the time left; the time that it took where that is not known, and at the end."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        Task,
        TaskProgressColumn,
        TextColumn,
    )
    from rich.table import Column
    from rich.text import Text

    class Seconds(ProgressColumn):
        max_refresh = 0.5

        def render(self, task: Task) -> Text:
            left = None if task.finished else task.time_remaining
            seconds = task.finished_time if task.finished else task.elapsed
            said = f"{timedelta(seconds=int(seconds or 0))}"
            return Text(said if left is None else f"{timedelta(seconds=int(left))} left")

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        Seconds(Column(no_wrap=True)),
        console=Console(stderr=True, markup=False, emoji=False, highlight=False),
    )
