"""What the records of several commands hold: the data, the versions, what cannot be judged."""

import platform
from importlib.metadata import version

from sensorplan.plan import DataRecord
from sensorplan.regions import Regions
from sensorplan.sensors import SensorData
from sensorplan.version import __version__
from sensorplan.windows import Windows

SHOWN = 5  # names in a warning
LIBRARIES = ("torch", "numpy", "scikit-learn", "xarray")


def data_record(data: SensorData, regions: Regions) -> DataRecord:
    """Which data was used."""
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
    """Versions of sensorplan, Python and the libraries."""
    return {
        "sensorplan": __version__,
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
    }


def unobserved_note(regions: Regions, windows: Windows) -> list[str]:
    """A warning when some regions cannot be judged."""
    names = [name for name, seen in zip(regions.names, windows.observed, strict=True) if not seen]
    if not names:
        return []
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    return [
        f"never observed in the training stretch: {len(names)} of {len(regions)} ({shown}); "
        "they rank last and take no part in the scores"
    ]
