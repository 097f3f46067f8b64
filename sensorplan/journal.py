"""The journal of a run: what its steps gave, so that a run that was killed can go on.

A run does the same steps in the same order whenever it is given the same settings, data, code and
machine. So it is resumed by running it again: the journal gives back what each step gave that was
done before, the training that was under way goes on from its state, and all else is computed anew.
"""

import copy
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from sensorplan.checkpoints import Checkpoint, Checkpoints, Tell
from sensorplan.errors import TrainingError
from sensorplan.packing import pack, unpack

State = dict[str, Any]
"""What `pack` takes, by name."""


class Resumable(Protocol):
    """What can be put aside and taken up again."""

    def state(self) -> State:
        """All that it goes on from."""

    def restore(self, state: State) -> None:
        """Go on from there."""


class StageClock(Protocol):
    """What knows the stage of the run, and how long each took."""

    @property
    def now(self) -> str:
        """The stage under way."""

    def so_far(self) -> dict[str, float]:
        """Seconds of each stage, the one under way included."""

    def go_on_from(self, earlier: Mapping[str, float]) -> None:
        """Add the seconds that an earlier process took to stages that are still to come."""


class UnderWay:
    """A step while it is computed.

    Attributes:
        state: To go on from; None: from the start.
    """

    def __init__(self, state: State | None, offer: Callable[[int, Callable[[], State]], None]):
        self.state = state
        self.offer = offer
        """Called with a number and what gives the state then, wherever the step could go on."""


class Journal:
    """What the steps of a run gave.

    Args:
        folder: The plan folder, whose checkpoints are read and written; None: none are, and every
            step is computed.
        every: Seconds between two checkpoints; 0: none.
        clock: Knows the stage of the run.
        tell: Told at once what the user should know of checkpoints.
    """

    def __init__(
        self,
        folder: Path | None = None,
        every: float = 0.0,
        clock: StageClock | None = None,
        tell: Tell | None = None,
    ) -> None:
        self._folder = folder if every else None
        self._every = every
        self._clock = clock
        self._checkpoints: Checkpoints | None = None
        self._told = tell
        self.notes: list[str] = []
        self._done: list[tuple[str, Any]] = []
        self._next = 0  # of those, the step that is asked for next
        self._under_way: tuple[str, State] | None = None
        self._due = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, KeyboardInterrupt) and self._checkpoints and self._checkpoints.any:
            self._tell(f"{self._folder}: the same command goes on from the last checkpoint")
        self.close()

    def open(self, run: Callable[[], Mapping[str, str]]) -> None:
        """Take up what an earlier process has left of the same run.

        Args:
            run: Gives what the run depends on, by name.
        """
        if self._folder is None:
            return
        self._checkpoints = Checkpoints(self._folder, run(), self._tell)
        found = self._checkpoints.newest()
        if found is not None:
            self._take_up(found)
        self._due = time.monotonic() + self._every

    def close(self) -> None:
        """Write no more."""
        self._checkpoints = None

    def step(self, name: str, compute: Callable[[UnderWay], Any]) -> Any:
        """What a step gives: what it gave before, or computed now.

        Args:
            name: Of the step.
            compute: Gives a value that `pack` takes. No step may lie within another.

        Raises:
            TrainingError: The checkpoint holds another step in this place.
        """
        if self._checkpoints is None:
            return compute(UnderWay(None, lambda number, state: None))
        if self._next < len(self._done):
            before, value = self._done[self._next]
            self._expect(before, name)
            self._next += 1
            return value
        state = None
        if self._under_way is not None:
            before, state = self._under_way
            self._expect(before, name)
            self._under_way = None

        def offer(number: int, state: Callable[[], State]) -> None:
            if time.monotonic() >= self._due:
                self._write((name, state()), number)

        value = compute(UnderWay(state, offer))
        self._done.append((name, copy.deepcopy(value)))
        self._next += 1
        if time.monotonic() >= self._due:
            self._write(None, None)
        return value

    def _write(self, under_way: tuple[str, State] | None, number: int | None) -> None:
        assert self._checkpoints is not None
        seconds = self._clock.so_far() if self._clock else {}
        content = {"done": self._done, "under_way": under_way, "seconds": seconds}
        self._checkpoints.write(pack(content), self._clock.now if self._clock else "", number)
        self._due = time.monotonic() + self._every

    def _take_up(self, found: Checkpoint) -> None:
        content = unpack(found.content)
        self._done, self._under_way = content["done"], content["under_way"]
        if self._clock:
            self._clock.go_on_from(content["seconds"])
        step = "" if found.step is None else f", step {found.step}"
        self._tell(f"resumed at {found.stage}{step}")

    def _expect(self, before: str, name: str) -> None:
        if before != name:
            raise TrainingError(
                f"{self._folder}: its checkpoint goes on with '{before}', this run with '{name}'; "
                "remove its folder checkpoints to start afresh"
            )

    def _tell(self, line: str) -> None:
        self.notes.append(line)
        if self._told:
            self._told(line)
