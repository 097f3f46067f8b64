"""One process at a time: by locks that the system frees when a process ends, also by a kill.

A lock is a hidden file that says who holds it. The file that a killed process leaves is no lock any
more, and the next process takes it over.
"""

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from sensorplan.errors import OutputError

LOOK_EVERY = 0.05  # seconds, while another process holds a lock
BRIEFLY = 0.3  # seconds that it may take to let go
FOR_EVER = -1.0


@contextmanager
def alone(
    folder: Path,
    lock: Path,
    work: str,
    patience: float = BRIEFLY,
    waiting: Callable[[], None] | None = None,
) -> Iterator[str]:
    """Keep other processes from a folder; where the file system has no locks, go on without.

    Args:
        folder: The folder.
        lock: File of its lock, which is removed at the end; folders above it are made.
        work: What a process does in there, say ``is making this plan``.
        patience: Seconds to wait for another process.
        waiting: Called now and then meanwhile.

    Returns:
        A warning where there are no locks; else empty.

    Raises:
        OutputError: Another process is at work in there.
    """

    def look() -> bool:
        if waiting:
            waiting()
        return False

    held = FileLock(lock, fallback_to_soft=False)
    made = [above for above in lock.parents if not above.exists()]
    warning = ""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held.acquire(timeout=patience, poll_interval=LOOK_EVERY, cancel_check=look)
    except Timeout as error:
        if not lock.exists():  # and nobody holds it
            raise OutputError(f"{folder}: cannot be written; name another folder") from error
        raise OutputError(
            f"{folder}: {_holder(lock)} {work}; wait until it ends, end it, or name another folder"
        ) from error
    except OSError as error:
        warning = (
            f"{folder}: cannot be locked ({error.strerror or error}); "
            f"nothing keeps a second process away while one {work}"
        )
    try:
        _sign(held)
        yield warning
    finally:
        _let_go(held)
        for above in made:
            with suppress(OSError):  # it is in use
                above.rmdir()


def _sign(held: FileLock) -> None:
    since = datetime.now().astimezone().isoformat(" ", "seconds")
    if held.is_locked:
        with suppress(OSError):
            text = f"process {os.getpid()} on {platform.node()} (since {since})"
            Path(held.lock_file).write_text(text, encoding="utf-8")


def _let_go(held: FileLock) -> None:
    if held.is_locked:
        with suppress(OSError):  # Windows removes it with the lock
            Path(held.lock_file).unlink()
        held.release()


def _holder(lock: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return lock.read_text(encoding="utf-8") or "another process"
    return "another process"
