"""How much memory a run may take, and what follows for what it holds at a time."""

import ctypes
import os
import re
from dataclasses import dataclass
from pathlib import Path

from sensorplan.errors import RecipeError

UNITS = {"MB": 1e6, "GB": 1e9, "TB": 1e12, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
OWN = 0.75e9  # bytes that the program and its libraries take before any data
LEAST = 1e9  # bytes
WORK = 0.7e9  # bytes that training and judging take where nothing is bounded
BYTES_A_VALUE = 24  # of a history in memory, with the copies that are made of it
CHUNK_SHARE = 64  # of the room, one in so many
M_MMAP_THRESHOLD, LARGE = -3, 1 << 20  # an option of glibc's mallopt; bytes
SHARE = 128  # bytes of the room for each of the values that are held at a time


@dataclass(frozen=True)
class Memory:
    """A bound on the resident memory.

    Attributes:
        text: As the user gave it.
        size: Bytes.
        folder: Where a history goes that does not fit.
    """

    text: str
    size: float
    folder: Path

    @classmethod
    def of(cls, text: str, folder: Path) -> "Memory":
        """From a size such as ``4GB``.

        Args:
            text: The recipe has checked the form.
            folder: Where a history goes that does not fit, unless ``TMPDIR`` names another.

        Raises:
            RecipeError: It is less than the program itself needs.
        """
        number, unit = re.fullmatch(r"\s*([\d.]+)\s*(\w+)\s*", text).groups()  # type: ignore[union-attr]
        size = float(number) * UNITS[unit]
        if size < LEAST:
            raise RecipeError(
                f"--memory {text}: the program itself needs {OWN / 1e6:.0f} MB before any data; "
                f"expected at least {LEAST / 1e9:g}GB"
            )
        return cls(text, size, Path(os.environ.get("TMPDIR") or folder))

    def holds(self, values: int) -> bool:
        """Whether a history of so many values fits, with the work that is done on it."""
        return OWN + WORK + BYTES_A_VALUE * values <= self.size

    @property
    def chunk_bytes(self) -> int:
        """Bytes of one chunk of an array that is loaded in chunks."""
        return int((self.size - OWN) / CHUNK_SHARE)

    @property
    def most_values(self) -> int:
        """Values that one part of the work may hold at a time, where a history does not fit."""
        return int((self.size - OWN) / SHARE)


def bytes_for(values: int) -> float:
    """The bound with which so many values may be held at a time."""
    return max(LEAST, OWN + SHARE * values)


def return_what_is_freed() -> None:
    """Let arrays go back to the system as soon as they are freed, where glibc allocates them.

    By itself it keeps blocks of up to 32 MB for later, between others that are still in use, and
    the resident memory grows with every stage of a run.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)
