"""Tasks that do not need each other, several at a time, each in a process of its own."""

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.queues import SimpleQueue
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from sensorplan.devices import cores, prepare_torch
from sensorplan.errors import TrainingError
from sensorplan.pipeline.recording import Progress

Task = TypeVar("Task")
Result = TypeVar("Result")
Report = tuple[str, int, int]

LISTEN_EVERY = 0.2  # seconds between two looks at the progress of the workers

_reports: "SimpleQueue[Report] | None" = None
"""In a worker: where its progress goes."""


def do_each(
    work: Callable[[Task, Progress], Result],
    tasks: Sequence[Task],
    workers: int,
    progress: Progress,
) -> list[Result]:
    """Do every task, so many at a time, which share the cores; the last task begins first.

    Args:
        work: Does one task, and tells its progress; a function of a module. It, its tasks and its
            results can be pickled.
        tasks: The longest last.
        workers: Processes at a time; 1: all in this one.
        progress: Told of the progress of all.

    Returns:
        The results, in the order of the tasks.

    Raises:
        TrainingError: A worker was ended from outside.
        SensorplanError: What `work` raises; the other tasks are ended.
    """
    workers = min(workers, len(tasks))
    if workers <= 1:
        return [work(task, progress) for task in tasks]
    context = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads half
    reports: SimpleQueue[Report] = context.SimpleQueue()
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(
        workers, context, _become_worker, (reports, max(1, cores() // workers))
    ) as pool:
        try:
            begun = [pool.submit(_do, work, task) for task in reversed(tasks)]
            _listen(begun, reports, progress)
            return [future.result() for future in reversed(begun)]
        except BaseException as error:
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            if isinstance(error, BrokenProcessPool):
                raise TrainingError(
                    f"one of {workers} processes was ended from outside, perhaps for lack of "
                    "memory; --workers 1 needs the least"
                ) from error
            raise


def _listen(
    begun: Sequence["Future[Any]"], reports: "SimpleQueue[Report]", progress: Progress
) -> None:
    """Pass progress on until all are done, or one has failed."""
    waiting = set(begun)
    while waiting:
        done, waiting = wait(waiting, LISTEN_EVERY, FIRST_COMPLETED)
        while not reports.empty():
            progress(*reports.get())
        for future in done:
            future.result()


def _become_worker(reports: "SimpleQueue[Report]", threads: int) -> None:
    """In a new worker: leave Ctrl-C to the parent, and the other cores to the other workers."""
    global _reports
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _reports = reports
    threadpool_limits(threads)
    prepare_torch(threads)


def _do(work: Callable[[Task, Progress], Result], task: Task) -> Result:
    assert _reports
    reports = _reports
    return work(task, lambda stage, done, total: reports.put((stage, done, total)))
