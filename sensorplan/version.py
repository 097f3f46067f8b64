"""The version, in one place, and those of the libraries that results depend on."""

import platform
from importlib.metadata import version

__version__ = "0.1.0"

LIBRARIES = ("torch", "numpy", "scikit-learn", "xarray")


def versions() -> dict[str, str]:
    """Of sensorplan, Python and the libraries that the result depends on."""
    return {
        "sensorplan": __version__,
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
    }
