"""`batch`: from recipes to plan folders, several at a time, with a manifest of all of them."""

import os
import queue
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensorplan.batch.ledger import Ledger
from sensorplan.batch.manifest import Manifest, PlanEntry
from sensorplan.batch.status import Tell, Watch
from sensorplan.devices import MOST_THREADS, cores, gpu_count
from sensorplan.errors import OutputError, RecipeError
from sensorplan.locking import alone
from sensorplan.recipe import Recipe, Variant, load_variants, move_paths

if TYPE_CHECKING:
    from distributed import Client, Future

LISTEN_EVERY = 0.2  # seconds in which Ctrl-C is heard
LOCK = ".running"  # in the batch folder, while a batch runs


@dataclass(frozen=True)
class BatchResult:
    """What a batch made.

    Attributes:
        folder: Where it lies.
        manifest: Of all plans in the folder, as in `manifest.json`.
        plans: Of this run, in order.
        skipped: Names of those that were there already.
    """

    folder: Path
    manifest: Manifest
    plans: tuple[PlanEntry, ...]
    skipped: tuple[str, ...]

    @property
    def failed(self) -> list[PlanEntry]:
        """The plans of this run that failed."""
        return [plan for plan in self.plans if plan.state == "failed"]


def run_batch(
    files: Sequence[Path],
    *,
    settings: Sequence[str] = (),
    workers: int | None = None,
    scheduler: str | None = None,
    out: Path | None = None,
    force: bool = False,
    watch: Watch | None = None,
    tell: Tell | None = None,
) -> BatchResult:
    """Make every plan that recipes ask for, but those that are done and intact.

    A plan that fails fails alone, and the plan of a worker that dies is made by another.

    Args:
        files: The recipes.
        settings: ``SECTION.NAME=VALUE`` each, over all of them.
        workers: Plans at a time, each in a process of its own with its share of the cores; None:
            one a core, and where plans take a GPU one a GPU.
        scheduler: Address of a running Dask cluster to take instead; its workers see the same
            files under the same names.
        out: The batch folder; None: the first recipe's stem with ``.batch``, in the working folder.
        force: Make also what is done and intact, and replace plans that the manifest does not know.
        watch: Told of every change.
        tell: Told at once what the user should know of checkpoints and locks.

    Raises:
        RecipeError: A recipe, setting or argument is not allowed, or nothing answers at the
            address.
        DataError: The manifest in the folder is damaged.
        OutputError: The folder cannot be written, or another batch is made in it.
        KeyboardInterrupt: The manifest is written, and the workers are ended.
    """
    if find_spec("distributed") is None:
        raise RecipeError("batch needs the package distributed; pip install 'sensorplan[batch]'")
    if workers is not None and workers < 1:
        raise RecipeError(f"--workers {workers}; expected workers >= 1")
    if workers is not None and scheduler is not None:
        raise RecipeError("--workers and --scheduler; expected one, a cluster has its own workers")
    variants = load_variants(files, settings)
    folder = out or Path(f"{files[0].stem}.batch")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; expected a new folder, or that of a batch")
    hear = tell or (lambda line: None)
    with alone(folder, folder / LOCK, "is making this batch") as warning:
        if warning:
            hear(warning)
        ledger = Ledger(folder, watch or (lambda status: None), hear)
        wanted = ledger.begin(variants, force)
        try:
            if wanted and scheduler is not None:
                _make_on_cluster(scheduler, wanted, ledger)
            elif wanted:
                _make_here(workers, variants, wanted, ledger)
        except KeyboardInterrupt:
            hear(f"{folder}: the same command goes on with the plans that are not done")
            raise
        finally:
            manifest = ledger.end()
    plans = tuple(ledger.entries[variant.name] for variant in variants)
    return BatchResult(folder, manifest, plans, tuple(ledger.skipped))


def _make_here(
    workers: int | None, asked: Sequence[Variant], wanted: Sequence[Variant], ledger: Ledger
) -> None:
    """Make plans in new processes, each with the threads that it has when all of them are made.

    With others the last digits of its sums would differ, and its checkpoints be of another run.
    """
    from sensorplan.batch.cluster import local_cluster

    gpus = gpu_count()
    if not any(variant.recipe.run.device != "cpu" for variant in asked):
        gpus = 0
    share = min(workers or gpus or cores(), len(asked))
    threads = min(max(1, cores() // share), MOST_THREADS)
    on_gpu = [bool(gpus) and variant.recipe.run.device != "cpu" for variant in wanted]
    tasks = [(variant.name, variant.recipe) for variant in wanted]
    with local_cluster(min(share, len(wanted)), threads, gpus) as client:
        _make_all(client, tasks, on_gpu, ledger, ledger.folder, threads)


def _make_on_cluster(address: str, wanted: Sequence[Variant], ledger: Ledger) -> None:
    from sensorplan.batch.cluster import GPU, running_cluster

    on_gpu = [variant.recipe.run.device in ("cuda", "mps") for variant in wanted]
    tasks = [(variant.name, move_paths(variant.recipe, os.path.abspath)) for variant in wanted]
    with running_cluster(address) as client:
        there = client.scheduler_info(n_workers=-1)["workers"].values()
        if any(on_gpu) and there and not any(worker["resources"].get(GPU) for worker in there):
            raise RecipeError(
                f"--scheduler {address}: a recipe wants a GPU, which no worker offers; "
                "expected workers started with --resources GPU=1"
            )
        _make_all(client, tasks, on_gpu, ledger, ledger.folder.absolute(), None)


def _make_all(
    client: "Client",
    plans: Sequence[tuple[str, Recipe]],
    on_gpu: Sequence[bool],
    ledger: Ledger,
    folder: Path,
    threads: int | None,
) -> None:
    """Have plans made by workers, and enter what becomes of each."""
    from sensorplan.batch.cluster import GPU
    from sensorplan.batch.task import Task, make_plan

    topic = f"sensorplan-{uuid.uuid4().hex}"
    news: queue.SimpleQueue[Any] = queue.SimpleQueue()
    client.subscribe_topic(topic, lambda event: news.put(event[1]))
    waiting: dict[Future[Any], str] = {}
    for number, (name, recipe) in enumerate(plans):
        future = client.submit(
            make_plan,
            Task(name, recipe, folder / name, topic, threads),
            key=f"{topic}/{name}",
            resources={GPU: 1} if on_gpu[number] else None,
            priority=-number,
            pure=False,
        )
        waiting[future] = name
        future.add_done_callback(news.put)
    try:
        while waiting:
            try:
                told = news.get(timeout=LISTEN_EVERY)
            except queue.Empty:
                continue
            if not isinstance(told, list | tuple):
                ledger.finish(_entry_of(told, ledger.entries[waiting.pop(told)]))
            elif len(told) == 2:
                ledger.note(*told)
            elif told[0] in waiting.values():
                ledger.tell(*told)
    finally:
        client.cancel(list(waiting))
        client.unsubscribe_topic(topic)


def _entry_of(future: "Future[Any]", entry: PlanEntry) -> PlanEntry:
    """The entry of a plan whose task has come to an end."""
    from distributed import KilledWorker

    if future.status == "cancelled":
        return entry.failed("the scheduler was lost, or took the plan back")
    error = future.exception()
    if isinstance(error, KilledWorker):
        return entry.failed(
            f"{error.allowed_failures + 1} workers were ended from outside while they made it, "
            "perhaps for lack of memory"
        )
    if error is not None:
        return entry.failed(f"the worker could not run it: {type(error).__name__}: {error}")
    outcome = future.result()
    if outcome.plan is None:
        return entry.failed(outcome.error, outcome.trace)
    return entry.finished(outcome.plan, outcome.files, outcome.seconds)
