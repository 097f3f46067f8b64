"""What every result says of its run: stages and their times, data, versions, what was not seen."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from sensorplan.plan import DataRecord
from sensorplan.regions import Regions
from sensorplan.sensors import SensorData
from sensorplan.version import versions as versions
from sensorplan.windows import Windows

SHOWN = 5  # names in a warning

Progress = Callable[[str, int, int], None]
"""Called with a stage, the parts of it that are done, and its parts in all."""


class Stages:
    """Times each stage, and passes progress on.

    Attributes:
        progress: Where the progress of each goes.
        seconds: Of each finished stage; of a run that was resumed, over all its processes.
        now: The stage under way, or the last one.
    """

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress or (lambda stage, done, total: None)
        self.seconds: dict[str, float] = {}
        self.now = ""
        self._begin = 0.0
        self._earlier: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str, total: int = 1) -> Iterator[Callable[[int], None]]:
        """A stage of so many parts; gives what to call with the number of parts that are done.

        All parts count as done only when the stage ends.
        """
        total = max(total, 1)
        self.now, self._begin = stage, time.perf_counter()
        self.progress(stage, 0, total)
        yield lambda done: self.progress(stage, min(done, total - 1), total)
        self.progress(stage, total, total)
        self.seconds[stage] = self._spent()

    def so_far(self) -> dict[str, float]:
        """Seconds of each stage, the one under way included."""
        return {**self._earlier, **self.seconds, self.now: self._spent()}

    def go_on_from(self, earlier: Mapping[str, float]) -> None:
        """Add the seconds that an earlier process took to the stages that are still to come."""
        self._earlier = {
            stage: spent for stage, spent in earlier.items() if stage not in self.seconds
        }

    def _spent(self) -> float:
        return round(time.perf_counter() - self._begin + self._earlier.get(self.now, 0.0), 3)


def data_record(data: SensorData, regions: Regions) -> DataRecord:
    """Which data a result is for."""
    return DataRecord(
        path=data.source.path,
        sha256=data.source.sha256,
        variable=tuple(channel.name for channel in data.channels),
        units=tuple(channel.units for channel in data.channels),
        sensors=len(data.sensors),
        regions=len(regions),
        times=len(data.time),
        step=data.time.step_label,
    )


def unobserved(regions: Regions, windows: Windows) -> list[str]:
    """A warning when some regions cannot be judged."""
    names = [name for name, seen in zip(regions.names, windows.observed, strict=True) if not seen]
    if not names:
        return []
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    return [
        f"never observed in the training stretch: {len(names)} of {len(regions)} ({shown}); "
        "they rank last and take no part in the scores"
    ]
