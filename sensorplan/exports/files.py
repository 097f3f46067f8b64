"""Files and folders that stand there complete or not at all, also after a kill or a power cut.

Each is written under a temporary name beside its own and then renamed; files and folders of plans,
curves and comparisons reach the disk before that. A folder that gives way to a new one changes
places with it in one step where the system can; where it cannot, a kill between the two renames
leaves it under a temporary name, and `settle` puts it back.
"""

import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sensorplan.durable import exchange, sync_below, sync_folder, write_durably
from sensorplan.errors import OutputError
from sensorplan.locking import FOR_EVER, alone

PARTIAL, OLD = ".partial-", ".old-"  # in temporary names, before some random letters


def check_file(target: Path, overwrite: bool) -> None:
    """See that a file may be written to `target`; touches nothing.

    Raises:
        OutputError: Something stands there and `overwrite` is False, it is a folder, or the folder
            around it cannot be written.
    """
    with _refused(target):
        if target.is_dir():
            raise OutputError(f"{target}: is a folder; expected a file name")
        if target.exists() and not overwrite:
            raise OutputError(f"{target}: exists already; --overwrite replaces it")
    check_parent(target)


def check_parent(target: Path) -> None:
    """See that `target` can be made: the nearest folder above it that exists takes a new file.

    Such a file is made and removed, for permissions alone do not tell: a folder of the system, one
    on a full disk, or one for whose disk the name is too long refuses it all the same.

    Raises:
        OutputError: It is no folder, or cannot be written.
    """
    with _refused(target):
        parent = next(p for p in target.absolute().parents if p.exists())
        if not parent.is_dir():
            raise OutputError(f"{target}: cannot be written; {parent} is a file, expected a folder")
        new = parent / _temporary_name(target)
        new.touch(exist_ok=False)
        new.unlink(missing_ok=True)


@contextmanager
def _refused(target: Path) -> Iterator[None]:
    """What the system refuses is told as an error of the target."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{target}: cannot be written; {error.strerror or error}") from error


def write_file(target: Path, content: bytes, overwrite: bool) -> None:
    """Write a file under a temporary name, then rename it.

    Raises:
        OutputError: The target is not allowed (`check_file`), or the system refused to write.
    """
    check_file(target, overwrite)
    with _new_path(target) as new:
        write_durably(new, content)
        _put(new, target.resolve())


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A temporary name to write a file or folder to, which then takes the place of `target`.

    Raises:
        OutputError: The system refused to write; `target` is as it was.
    """
    with _new_path(target) as new:
        yield new
        if new.is_dir() and target.exists():
            _swap(new, target.resolve())
        else:
            _put(new, target.resolve())


def write_folder(
    target: Path, files: Mapping[str, bytes], replaced: Collection[str] = frozenset()
) -> None:
    """Write a folder under a temporary name, then put it in the place of `target`.

    An existing folder gives way only when the new one is complete. What it holds under names that
    are neither in `files` nor `replaced` is copied to the new one: nothing that the user put there
    is lost.

    Args:
        target: The folder.
        files: Name and content of each file.
        replaced: Further names, which an older folder of the kind may hold.

    Raises:
        OutputError: The system refused to write; `target` is as it was.
    """
    with _new_path(target) as new, _writing(target):
        _settle(target)
        new.mkdir()
        for name, content in files.items():
            write_durably(new / name, content)
        if target.exists():
            _copy_others(target, new, replaced)
            sync_below(new)
            _swap(new, target.resolve())
        else:
            sync_folder(new)
            _put(new, target.resolve())


def settle(target: Path) -> None:
    """Put back or remove what a kill has left beside a folder under temporary names.

    Raises:
        OutputError: The system refused.
    """
    with _refused(target):
        if _lock_of(target).exists() or _left_over(target):
            with _writing(target):
                _settle(target)


def _settle(target: Path) -> None:
    place = target.resolve()
    for path in _left_over(target):
        if OLD in path.name and not place.exists():
            _put(path, place)
        else:
            _remove(path)


def _left_over(target: Path) -> list[Path]:
    """What lies beside a folder under a temporary name of it."""
    place = target.resolve()
    if not place.parent.is_dir():
        return []
    names = tuple(f".{place.name}{infix}" for infix in (PARTIAL, OLD))
    return sorted(path for path in place.parent.iterdir() if path.name.startswith(names))


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Let only one process at a time write a folder, or clean up beside it."""
    with alone(target, _lock_of(target), "is writing it", FOR_EVER):
        yield


def _lock_of(target: Path) -> Path:
    return hidden_beside(target, ".lock")


def hidden_beside(target: Path, ending: str) -> Path:
    """A hidden name beside a file or folder."""
    place = target.resolve()
    return place.with_name(f".{place.name}{ending}")


def _put(new: Path, target: Path) -> None:
    """Give `new` the name of `target`, for good."""
    new.replace(target)
    sync_folder(target.parent)


@contextmanager
def _new_path(target: Path) -> Iterator[Path]:
    """A free name beside `target`, in a folder that exists; what stays there is removed."""
    new = target.resolve().with_name(_temporary_name(target))
    with _refused(target):
        new.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield new
        finally:
            _remove(new)


def _temporary_name(target: Path) -> str:
    return f".{target.resolve().name}{PARTIAL}{secrets.token_hex(4)}"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _copy_others(source: Path, new: Path, replaced: Collection[str]) -> None:
    """Copy what `source` holds and `new` does not, but for what is replaced."""
    for entry in source.iterdir():
        if (new / entry.name).exists() or entry.name in replaced:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.copytree(entry, new / entry.name, symlinks=True)
        else:
            shutil.copy2(entry, new / entry.name, follow_symlinks=False)


def _swap(new: Path, target: Path) -> None:
    """Put folder `new` in the place of folder `target`, which comes back when that fails."""
    old = new
    if not exchange(new, target):
        old = new.with_name(new.name.replace(PARTIAL, OLD))
        target.rename(old)
        try:
            new.rename(target)
        except BaseException:
            old.rename(target)
            raise
    sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)
