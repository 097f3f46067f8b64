"""Writing that a kill or a power cut leaves whole: the old or the new, never a part.

What is written reaches the disk before it takes its name, and the name before anything else goes
on.
"""

import ctypes
import os
import sys
from pathlib import Path

AT_FDCWD, EXCHANGE = -100, 2  # of Linux's renameat2 and of macOS's renamex_np


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file to the end, and see that it is on the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """See that the names in a folder are on the disk; Windows does so itself."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_below(folder: Path) -> None:
    """See that all files and names below a folder are on the disk."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            sync_below(entry)
        elif entry.is_file() and not entry.is_symlink():
            with entry.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder)


def exchange(one: Path, other: Path) -> bool:
    """Let two names change places in one step; False where the system cannot, and nothing is done.

    Linux and macOS can, on most file systems.
    """
    names = os.fsencode(one), os.fsencode(other)
    if sys.platform not in ("linux", "darwin"):
        return False
    system = ctypes.CDLL(None, use_errno=True)
    if hasattr(system, "renameat2"):
        failed = system.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], EXCHANGE)
    elif hasattr(system, "renamex_np"):
        failed = system.renamex_np(*names, EXCHANGE)
    else:
        return False
    return not failed
