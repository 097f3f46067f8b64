"""What `batch` shows while it runs, and what it prints."""

import json
import logging
import sys
import time
from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sensorplan.cli.log import LOG
from sensorplan.cli.progress import StageReport
from sensorplan.cli.screen import RULE, files_of, prose, table_of
from sensorplan.cli.streams import one_line, to_stderr

if TYPE_CHECKING:
    from sensorplan.batch import BatchResult, PlanEntry, State, Status

LIVE = {"plan": None, "state": 7, "stage": None, "done": 5, "time": 6}  # width of each column
MOST_ROWS = 20  # of the live table
ORDER: tuple["State", ...] = ("running", "failed", "queued", "done")


class BatchReport:
    """The plans on stderr and in the log.

    On stderr a live table on a terminal, else a line for each that begins or ends.
    """

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._live: Live | None = None
        self._plans: dict[str, Status] = {}
        self._begun: dict[str, float] = {}
        self._took: list[float] = []
        self._stages = StageReport(quiet=True)  # to the log

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            console = Console(stderr=True, markup=False, emoji=False, highlight=False)
            if not console.is_dumb_terminal:
                self._live = Live(console=console, get_renderable=self._table, transient=True)
                self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, status: "Status") -> None:
        """A plan has changed."""
        before = self._plans.get(status.name)
        self._plans = {**self._plans, status.name: status}  # the table is drawn in another thread
        if status.state == "running":
            self._begun.setdefault(status.name, time.monotonic())
        elif status.state == "done" and not status.note and status.seconds is not None:
            self._took = [*self._took, status.seconds]
        if status.recipe:
            LOG.info(
                "%s: settings: %s", status.name, status.recipe.model_dump_json(exclude_none=True)
            )
        if before is not None and before.state != status.state:
            self._tell(status)
        if status.state == "running":
            self._stages(f"{status.name}: {status.stage}", status.done, status.total)

    def _tell(self, status: "Status") -> None:
        """Say that the state of a plan has changed."""
        line = self._line(status)
        if not (self._quiet or self._live):
            to_stderr(line)
        for warning in status.warnings:
            LOG.warning("%s: %s", status.name, one_line(warning))
        LOG.log(logging.ERROR if status.state == "failed" else logging.INFO, "%s", one_line(line))

    def time_left(self) -> float | None:
        """Seconds until all are done, if the rest takes as long as these did; None: unknown."""
        running = [plan.name for plan in self._plans.values() if plan.state == "running"]
        if not self._took:
            return None
        usual = sum(self._took) / len(self._took)
        queued = sum(plan.state == "queued" for plan in self._plans.values())
        now = time.monotonic()
        left = sum(max(0.0, usual - (now - self._begun[name])) for name in running)
        return (left + usual * queued) / max(1, len(running))

    def _line(self, status: "Status") -> str:
        words = [f"{status.name}:", status.state]
        if status.seconds is not None and not status.note:
            words += ["in", _duration(status.seconds)]
        if status.note:
            words[-1] += f", {status.note}"
        if status.state in ("done", "failed"):
            ended = sum(plan.state in ("done", "failed") for plan in self._plans.values())
            left = self.time_left()
            more = "" if not left else f", about {_duration(left)} left"
            words.append(f"({ended} of {len(self._plans)}{more})")
        return " ".join(words)

    def _table(self) -> RenderableType:
        plans = sorted(self._plans.values(), key=lambda plan: ORDER.index(plan.state))
        counts = Counter(plan.state for plan in plans)
        left = self.time_left()
        said = ", ".join(f"{counts[state]} {state}" for state in ORDER if counts[state])
        title = said + (f"; about {_duration(left)} left" if left else "")
        table = Table(box=RULE, show_edge=False, pad_edge=False, expand=True)
        for column, width in LIVE.items():
            table.add_column(column, no_wrap=True, width=width, ratio=None if width else 1)
        for plan in plans[:MOST_ROWS]:
            share = f"{100 * plan.done / plan.total:.0f} %" if plan.total > 1 else ""
            seconds = plan.seconds
            if plan.state == "running":
                seconds = time.monotonic() - self._begun[plan.name]
            table.add_row(
                Text(plan.name),
                plan.state,
                Text(plan.stage or plan.note),
                share,
                "" if seconds is None else _duration(seconds),
            )
        more = len(plans) - MOST_ROWS
        return Group(Text(title), table, *([Text(f"and {more} more")] if more > 0 else []))


def batch_json(result: "BatchResult") -> str:
    """The manifest as in `manifest.json`, with the folder and what became of this run's plans."""
    content = {
        **json.loads(result.manifest.to_json()),
        "folder": str(result.folder),
        "asked": [plan.name for plan in result.plans],
        "skipped": list(result.skipped),
        "failed": [plan.name for plan in result.failed],
    }
    return json.dumps(content, indent=2)


def batch_lines(result: "BatchResult") -> RenderableType:
    """How many plans there are, what went wrong, a table of them, and where the files lie."""
    made = len(result.plans) - len(result.skipped) - len(result.failed)
    said = [f"{made} made"]
    said += [f"{len(result.skipped)} there already"] if result.skipped else []
    said += [f"{len(result.failed)} failed"] if result.failed else []
    number, warned = len(result.plans), sum(bool(plan.warnings) for plan in result.plans)
    parts: list[RenderableType] = [
        prose(f"{number} {'plan' if number == 1 else 'plans'}: {', '.join(said)}."),
        *(prose(f"{plan.name}: {plan.error}") for plan in result.failed),
        "",
        table_of(
            ("plan", "kept", "RMSE / all sensors", "value kept", "time"),
            [_row(plan) for plan in result.plans],
        ),
        *([prose(f"Plans with warnings: {warned}; manifest.json has them.")] if warned else []),
        "",
        *files_of("Plans", result.folder, "manifest.json, summary.csv"),
    ]
    return Group(*parts)


def _row(plan: "PlanEntry") -> tuple[str, ...]:
    metrics = plan.metrics
    if metrics is None:
        return plan.name, plan.state, "", "", ""
    value = "none" if metrics.value_kept is None else f"{100 * metrics.value_kept:.0f} %"
    seconds = "" if plan.seconds is None else _duration(plan.seconds)
    return (
        plan.name,
        f"{plan.budget} of {plan.regions}",
        f"{metrics.rmse_ratio:.3f}",
        value,
        seconds,
    )


def _duration(seconds: float) -> str:
    """``8 s``, ``3 min`` or ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
