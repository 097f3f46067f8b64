"""The stages of a command: timed, and told to whoever shows progress."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[str, int, int], None]
"""Called with a stage, the parts of it that are done, and its parts in all."""

Stage = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""From a stage's name and parts, a context that is told how many of the parts are done."""


class Stages:
    """Times each stage, and passes progress on; a `Stage`."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress or (lambda stage, done, total: None)
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str, total: int = 1) -> Iterator[Callable[[int], None]]:
        """Time a stage of some parts."""
        begin = time.perf_counter()
        self._progress(stage, 0, total)
        yield lambda done: self._progress(stage, done, total)
        self._progress(stage, total, total)
        self.seconds[stage] = round(time.perf_counter() - begin, 3)
