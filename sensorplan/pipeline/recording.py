"""What every result says of its run: stages and their times, data, versions, what was not seen."""

import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version

from sensorplan.plan import DataRecord
from sensorplan.regions import Regions
from sensorplan.sensors import SensorData
from sensorplan.version import __version__
from sensorplan.windows import Windows

SHOWN = 5  # names in a warning
LIBRARIES = ("torch", "numpy", "scikit-learn", "xarray")

Progress = Callable[[str, int, int], None]
"""Called with a stage, the parts of it that are done, and its parts in all."""


class Stages:
    """Times each stage, and passes progress on.

    Attributes:
        progress: Where the progress of each goes.
        seconds: Of each finished stage.
    """

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress or (lambda stage, done, total: None)
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str, total: int = 1) -> Iterator[Callable[[int], None]]:
        """A stage of so many parts; gives what to call with the number of parts that are done."""
        begin = time.perf_counter()
        self.progress(stage, 0, total)
        yield lambda done: self.progress(stage, done, total)
        self.progress(stage, total, total)
        self.seconds[stage] = round(time.perf_counter() - begin, 3)


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


def versions() -> dict[str, str]:
    """Of sensorplan, Python and the libraries that the result depends on."""
    return {
        "sensorplan": __version__,
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
    }


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
