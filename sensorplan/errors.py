"""Everything that sensorplan raises on purpose, and the exit code that each ends with.

A message says where, what was found and what is allowed, in one line:
``heat.toml [mask] sparsity = 1.4; expected 0 <= sparsity < 1``.
"""

from typing import ClassVar


class SensorplanError(Exception):
    """A problem that the user can understand and mend."""

    exit_code: ClassVar[int] = 1


class RecipeError(SensorplanError):
    """Wrong usage: an option or a recipe setting that is not allowed."""

    exit_code: ClassVar[int] = 2


class DataError(SensorplanError):
    """The data cannot be read, or not be planned on."""

    exit_code: ClassVar[int] = 3


class TrainingError(SensorplanError):
    """Training did not give a usable forecaster."""

    exit_code: ClassVar[int] = 4


class OutputError(SensorplanError):
    """An output exists already or could not be written."""

    exit_code: ClassVar[int] = 5


class ConstraintError(SensorplanError):
    """No plan can meet the constraints."""

    exit_code: ClassVar[int] = 6
