"""Which sensors of a network can be switched off, and what that costs the forecast."""

from sensorplan.version import __version__

__all__ = ["__version__"]
