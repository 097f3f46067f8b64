import os
import signal
import time

import pytest
import torch

from sensorplan.errors import DataError, TrainingError
from sensorplan.pipeline.workers import do_each


def own(task, progress):
    """Say where it was done, with how many threads, and whether Ctrl-C ends it."""
    progress("stage", task, 9)
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    return task, os.getpid(), torch.get_num_threads(), ignored


def fails_at_one(task, progress):
    if task == 1:
        raise DataError("one.nc: nothing in it")
    time.sleep(120)


def killed(task, progress):
    os.kill(os.getpid(), signal.SIGKILL)


def test_each_in_a_process_of_its_own_and_results_in_order(monkeypatch):
    monkeypatch.setattr("sensorplan.pipeline.workers.cores", lambda: 2)
    seen = []
    results = do_each(own, [3, 1, 2], 2, lambda *report: seen.append(report))
    assert [task for task, *_ in results] == [3, 1, 2]
    processes = {process for _, process, *_ in results}
    assert os.getpid() not in processes
    assert 1 <= len(processes) <= 2
    assert {(threads, ignored) for *_, threads, ignored in results} == {(1, True)}
    assert sorted(seen) == [("stage", 1, 9), ("stage", 2, 9), ("stage", 3, 9)]


@pytest.mark.parametrize(("tasks", "workers"), [([1, 2], 1), ([1], 4), ([], 2)])
def test_nothing_to_share_stays_in_this_process(tasks, workers):
    seen = []
    results = do_each(own, tasks, workers, lambda *report: seen.append(report))
    assert [task for task, *_ in results] == tasks
    assert {process for _, process, *_ in results} <= {os.getpid()}
    assert len(seen) == len(tasks)


def test_an_error_of_one_ends_the_others():
    begin = time.monotonic()
    with pytest.raises(DataError, match=r"^one\.nc: nothing in it$"):
        do_each(fails_at_one, [0, 1], 2, lambda *report: None)
    assert time.monotonic() - begin < 60


def test_a_process_that_is_killed_is_said():
    with pytest.raises(TrainingError, match=r"one of 2 processes was ended .* --workers 1 needs"):
        do_each(killed, [0, 1], 2, lambda *report: None)


def test_ctrl_c_ends_the_workers():
    def interrupted(*report):
        raise KeyboardInterrupt

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        do_each(waits, [0, 1], 2, interrupted)
    assert time.monotonic() - begin < 60


def waits(task, progress):
    progress("stage", 0, 1)
    time.sleep(120)
