"""Files to one lazy `xarray.Dataset`, and their checksum."""

import glob
import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import xarray as xr
from scipy.io import netcdf_file

from sensorplan.errors import DataError
from sensorplan.reading.chunks import in_chunks
from sensorplan.reading.combining import combined
from sensorplan.reading.month_units import with_month_units
from sensorplan.reading.notes import Notes
from sensorplan.reading.tables import read_tables
from sensorplan.recipe import IN_MEMORY

_TABLES = (".csv", ".tsv", ".txt", ".csv.gz")
_ZARR_MARKS = ("zarr.json", ".zgroup", ".zmetadata")
_CLASSIC = (b"CDF\x01", b"CDF\x02")
_NETCDF = (*_CLASSIC, b"CDF\x05", b"\x89HDF\r\n\x1a\n")
DECODING: dict[str, Any] = {
    "decode_times": xr.coders.CFDatetimeCoder(time_unit="us"),
    "decode_timedelta": False,
    "decode_coords": False,
}


def find_files(patterns: Sequence[str]) -> list[Path]:
    """Every file that the paths and globs name, in order.

    Raises:
        DataError: No path, no such file, a glob without a match, or data that was in memory.
    """
    if not patterns:
        raise DataError("no data given; expected a netCDF file, a Zarr store or a CSV table")
    return [path for pattern in patterns for path in _expand(pattern)]


def _expand(pattern: str) -> list[Path]:
    if pattern == IN_MEMORY:
        raise DataError(
            f"{IN_MEMORY}: data that was in memory, which cannot be read again; name a file of it, "
            "or give it from Python"
        )
    if Path(pattern).exists():
        return [Path(pattern)]
    if not glob.has_magic(pattern):
        raise DataError(f"{pattern}: no such file")
    matches = sorted(glob.glob(pattern, recursive=True))
    if not matches:
        raise DataError(f"{pattern}: no file matches")
    return [Path(match) for match in matches]


def checksum(files: Sequence[Path]) -> str:
    """SHA-256 over all contents; in a folder over relative names too, sorted."""
    digest = hashlib.sha256()
    for file in files:
        members = sorted(m for m in file.rglob("*") if m.is_file()) if file.is_dir() else [file]
        for member in members:
            if member != file:
                digest.update(member.relative_to(file).as_posix().encode())
            with member.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()


@contextmanager
def opened(
    files: Sequence[Path], notes: Notes, chunk_bytes: int | None = None
) -> Iterator[xr.Dataset]:
    """All files as one dataset; values of arrays load when asked for.

    Args:
        files: What to open.
        notes: Where findings and warnings go.
        chunk_bytes: Of the parts in which arrays can be loaded, at most; None: no matter.

    Raises:
        DataError: A file is none that can be read, or the files do not fit together.
    """
    if all(file.name.lower().endswith(_TABLES) for file in files):
        notes.found("format", "CSV", "file name")
        yield read_tables(files, notes)
        return
    chunks: dict[str, int] | None = {} if len(files) > 1 and chunk_bytes is None else None
    with ExitStack() as stack:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # xarray's own advice to programmers
            datasets = [stack.enter_context(_open(file, chunks, notes)) for file in files]
            if chunk_bytes is not None:
                datasets = [in_chunks(dataset, chunk_bytes) for dataset in datasets]
            dataset = datasets[0] if len(files) == 1 else combined(datasets, files, notes)
        yield dataset


def _open(file: Path, chunks: dict[str, int] | None, notes: Notes) -> xr.Dataset:
    if file.is_dir():
        if not any((file / mark).exists() for mark in _ZARR_MARKS):
            raise DataError(f"{file}: a folder, but no Zarr store; expected a file or a Zarr store")
        return _open_zarr(file, chunks, notes)
    return _open_netcdf(file, chunks, notes)


def _open_zarr(store: Path, chunks: dict[str, int] | None, notes: Notes) -> xr.Dataset:
    try:
        import zarr  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"{store}: a Zarr store needs the package zarr; pip install 'sensorplan[zarr]'"
        ) from error
    return _decoded(store, "zarr", chunks, notes)


def _open_netcdf(file: Path, chunks: dict[str, int] | None, notes: Notes) -> xr.Dataset:
    try:
        with file.open("rb") as stream:
            start = stream.read(8)
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from error
    if not start.startswith(_NETCDF):
        raise DataError(
            f"{file}: not a netCDF file; expected netCDF, a Zarr store or CSV ({_TABLES[0]})"
        )
    if start.startswith(_CLASSIC):
        _check_complete(file)
    return _decoded(file, "netcdf4", chunks, notes)


def _decoded(file: Path, engine: str, chunks: dict[str, int] | None, notes: Notes) -> xr.Dataset:
    try:
        raw = xr.open_dataset(
            file, engine=engine, chunks=chunks, decode_times=False, decode_coords="all"
        )
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{file}: damaged or truncated ({_first_line(error)})") from error
    try:
        decoded = xr.decode_cf(with_month_units(raw, notes), **DECODING)
    except (ValueError, OverflowError) as error:
        raw.close()
        raise DataError(f"{file}: {_first_line(error).split('. Try')[0]}") from error
    decoded.set_close(raw.close)
    return decoded


def _check_complete(file: Path) -> None:
    """Refuse a classic file cut short; the netCDF library would read zeros past its end."""
    try:
        with file.open("rb") as stream, netcdf_file(stream, mmap=True):
            pass
    except (ValueError, IndexError, TypeError) as error:
        raise DataError(
            f"{file}: damaged or truncated netCDF (shorter than its header says)"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
