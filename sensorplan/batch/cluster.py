"""The workers: those of a running Dask cluster, or processes on this machine."""

import asyncio
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import dask
from distributed import Client, Nanny, Scheduler, SpecCluster, WorkerPlugin

from sensorplan.errors import RecipeError, TrainingError

for _name in ("distributed", "distributed.client"):  # what was lost, the manifest says
    logging.getLogger(_name).setLevel(logging.CRITICAL)

HERE = "127.0.0.1"
CONNECT_WITHIN = 10  # seconds
END_WITHIN = 0.5  # seconds
BEGIN_AGAIN = 3  # times, when a worker is ended from outside as it begins
SCHEDULER = {"host": HERE, "dashboard": False, "dashboard_address": f"{HERE}:0"}  # any free port
GPU = "GPU"  # a resource, of which each plan takes one


@contextmanager
def running_cluster(address: str) -> Iterator[Client]:
    """A client of the cluster whose scheduler is at an address.

    Raises:
        RecipeError: None answers there.
    """
    try:
        client = Client(address, timeout=CONNECT_WITHIN, set_as_default=False)
    except (OSError, ValueError) as error:
        raise RecipeError(
            f"--scheduler {address}: no Dask scheduler answers; expected say tcp://host:8786"
        ) from error
    with client:
        yield client


@contextmanager
def local_cluster(workers: int, threads: int, gpus: int) -> Iterator[Client]:
    """A client of so many new processes, which nobody outside of this machine can reach.

    Args:
        workers: Processes.
        threads: Of each.
        gpus: Processes that have a GPU each.

    Raises:
        TrainingError: They do not begin.
    """
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": {}}),  # leaves our own alone
        _started(workers, threads, gpus) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.register_plugin(LeaveInterrupts())
        try:
            yield client
        except BaseException:  # Ctrl-C: what the workers are at is not waited for
            cluster.sync(_end_workers, cluster)
            raise


def _started(workers: int, threads: int, gpus: int) -> SpecCluster:
    for _ in range(BEGIN_AGAIN):
        with suppress(RuntimeError):
            return _new_cluster(workers, threads, gpus)
    try:
        return _new_cluster(workers, threads, gpus)
    except RuntimeError as error:
        raise TrainingError(
            f"the workers do not begin ({error.__cause__ or error}); they may have been ended from "
            "outside, perhaps for lack of memory"
        ) from error


def _new_cluster(workers: int, threads: int, gpus: int) -> SpecCluster:
    return SpecCluster(
        workers={number: worker_spec(number, threads, gpus) for number in range(workers)},
        scheduler={"cls": Scheduler, "options": SCHEDULER},
        silence_logs=logging.CRITICAL,
    )


async def _end_workers(cluster: SpecCluster) -> None:
    await asyncio.gather(*(nanny.close(timeout=END_WITHIN) for nanny in cluster.workers.values()))


def worker_spec(number: int, threads: int, gpus: int) -> dict[str, Any]:
    """How to start one worker: one plan at a time, with its share of the cores.

    Args:
        number: Of the worker, from 0.
        threads: Of its own.
        gpus: Workers that have a GPU each: the first ones.
    """
    count = str(threads)
    environment = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), count)
    options: dict[str, Any] = {
        "nthreads": 1,
        "host": HERE,
        "memory_limit": 0,  # a plan needs what it needs
        "silence_logs": logging.CRITICAL,
    }
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = str(number) if number < gpus else ""
        options["resources"] = {GPU: 1} if number < gpus else {}
    return {"cls": Nanny, "options": {**options, "env": environment}}


class LeaveInterrupts(WorkerPlugin):  # type: ignore[misc]  # distributed is half typed
    """Ctrl-C is for who asked for the batch, not for the workers beside it."""

    def setup(self, worker: Any) -> None:
        """In a new worker."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
