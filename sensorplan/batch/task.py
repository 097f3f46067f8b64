"""One plan, as a worker makes it."""

import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from distributed import get_worker
from threadpoolctl import threadpool_limits

from sensorplan.batch.contents import files_of
from sensorplan.devices import prepare_torch
from sensorplan.errors import SensorplanError
from sensorplan.pipeline import fit
from sensorplan.plan import Plan
from sensorplan.recipe import Recipe

TELL_EVERY = 0.5  # seconds between two reports of one stage

_turn = threading.Lock()
"""One plan at a time in a process: torch and matplotlib are of the process, not of a thread."""


@dataclass(frozen=True)
class Task:
    """What a worker needs to know.

    Attributes:
        name: Of the plan.
        recipe: All settings.
        folder: The plan folder.
        topic: Where progress is told.
        threads: Share of the cores; None: as the worker was started.
    """

    name: str
    recipe: Recipe
    folder: Path
    topic: str
    threads: int | None


@dataclass(frozen=True)
class Outcome:
    """What became of a plan: the plan and its files, or an error.

    Attributes:
        plan: As in `plan.json`.
        files: Name and SHA-256 of each.
        seconds: That it took.
        error: What the user can mend, or the name of the bug.
        trace: Of a bug.
    """

    seconds: float
    plan: Plan | None = None
    files: dict[str, str] | None = None
    error: str | None = None
    trace: str | None = None


def make_plan(task: Task) -> Outcome:
    """Make one plan, on a worker; whatever goes wrong in it is its outcome."""
    with _turn:
        if task.threads:
            threadpool_limits(task.threads)
            prepare_torch(task.threads)
        begin = time.perf_counter()
        teller = Teller(task)
        try:
            plan = fit(
                task.recipe,
                out=task.folder,
                overwrite=True,
                progress=teller,
                tell=teller.note,
                waiting=teller.wait,
            ).plan
            files = files_of(task.folder)
        except SensorplanError as error:
            return Outcome(time.perf_counter() - begin, error=str(error))
        except Exception as error:  # a plan fails alone, a bug in it included
            what = f"a bug: {type(error).__name__}: {error}"
            trace = traceback.format_exc()
            return Outcome(time.perf_counter() - begin, error=what, trace=trace)
        return Outcome(time.perf_counter() - begin, plan, files)


class UnwantedError(Exception):
    """Nobody waits for the plan any more."""


class Teller:
    """Passes the progress of a plan on to who asked for it, and ends it when nobody does."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._worker = get_worker()
        self._key = self._worker.get_current_task()
        self._told = ("", 0.0)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """As `pipeline.Progress`.

        Raises:
            UnwantedError: The plan was taken back.
        """
        known = self._worker.state.tasks.get(self._key)
        if known is None or known.state == "cancelled":
            raise UnwantedError
        now = time.monotonic()
        last, when = self._told
        if stage == last and done < total and now - when < TELL_EVERY:
            return
        self._told = (stage, now)
        self._worker.log_event(self._task.topic, [self._task.name, stage, done, total])

    def note(self, line: str) -> None:
        """Pass on what the user should know of the plan."""
        self._worker.log_event(self._task.topic, [self._task.name, line])

    def wait(self) -> None:
        """Say that another process is at the same plan, a worker say that was given up.

        Raises:
            UnwantedError: The plan was taken back.
        """
        self("wait for another process", 0, 1)
