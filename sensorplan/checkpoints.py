"""The files of checkpoints: which there are, which is the newest whole one, and how one is written.

Each run has a folder of its own under ``checkpoints`` in the plan folder, named by the key of the
run: its settings, data, code and machine. So runs that differ never read or remove each other's. In
there lie the last two checkpoints, ``NUMBER.safetensors`` and a ``NUMBER.json`` that says what it
is and holds its checksum. The JSON comes last: without it there is no checkpoint.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sensorplan.durable import sync_folder, write_durably

CHECKPOINTS = "checkpoints"  # in a plan folder
FORMAT = 1
KEPT = 2  # checkpoints of a run
KEY_LENGTH = 16  # characters, which are enough for a name
OWN_FOLDER = re.compile(rf"[0-9a-f]{{{KEY_LENGTH}}}")
OWN_FILE = re.compile(r"\d{6,}\.(json|safetensors)(\.partial)?")

Tell = Callable[[str], None]
"""Called with a plain sentence for the user."""


@dataclass(frozen=True)
class Checkpoint:
    """One that was read and found whole.

    Attributes:
        content: As it was written.
        stage: Of the run, when it was written.
        step: Of the training under way; None between two.
    """

    content: bytes
    stage: str
    step: int | None


class Checkpoints:
    """The checkpoints of one run.

    No other process makes the same plan meanwhile (`sensorplan.locking`).

    Args:
        folder: The plan folder; it is made with the first checkpoint.
        run: What the run depends on, by name; another value of any is another run.
        tell: Told what the user should know.
    """

    def __init__(self, folder: Path, run: Mapping[str, str], tell: Tell) -> None:
        self._run, self._tell = dict(run), tell
        key = hashlib.sha256(json.dumps(self._run, sort_keys=True).encode()).hexdigest()
        self._place = folder / CHECKPOINTS
        self._own = self._place / key[:KEY_LENGTH]
        self._whole: list[int] = []  # numbers of those known to be whole, the last KEPT
        self._number = 0

    @property
    def any(self) -> bool:
        """Whether there is one that the run can go on from."""
        return bool(self._whole)

    def newest(self) -> Checkpoint | None:
        """The newest one that is whole; None where there is none."""
        if not self._own.is_dir():
            self._tell_of_others()
            return None
        numbers = sorted((int(file.stem) for file in self._own.glob("*.json")), reverse=True)
        self._number = max(numbers, default=0)
        found = None
        for number in numbers:
            try:
                read = self._read(number)
            except (OSError, ValueError, KeyError, TypeError) as error:
                self._tell(f"{self._file(number, 'json')}: damaged checkpoint, not used ({error})")
                continue
            self._whole.insert(0, number)
            found = found or read
        if numbers and found is None:
            self._tell(f"{self._own}: no checkpoint is whole; the run starts afresh")
        return found

    def write(self, content: bytes, stage: str, step: int | None) -> None:
        """Write one more, and remove all but the last two that are whole.

        One that cannot be written is told of, and the run goes on without.
        """
        try:
            self._own.mkdir(parents=True, exist_ok=True)
            self._number += 1
            about = {
                "format": FORMAT,
                "run": self._run,
                "stage": stage,
                "step": step,
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
            self._put("safetensors", content)
            self._put("json", json.dumps(about, indent=2).encode())
            self._whole = [*self._whole, self._number][-KEPT:]
            self._tidy()
        except OSError as error:
            self._tell(f"{self._own}: no checkpoint written ({error.strerror or error})")

    def _file(self, number: int, ending: str) -> Path:
        return self._own / f"{number:06d}.{ending}"

    def _put(self, ending: str, content: bytes) -> None:
        target = self._file(self._number, ending)
        partial = target.with_name(f"{target.name}.partial")
        write_durably(partial, content)
        partial.replace(target)
        sync_folder(self._own)

    def _read(self, number: int) -> Checkpoint:
        """One checkpoint.

        Raises:
            OSError: It cannot be read.
            KeyError: It says too little.
            TypeError: It is not what it should be.
            ValueError: It is damaged.
        """
        about = json.loads(self._file(number, "json").read_bytes())
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']}, expected {FORMAT}")
        if about["run"] != self._run:
            raise ValueError("of another run")
        content = self._file(number, "safetensors").read_bytes()
        if hashlib.sha256(content).hexdigest() != about["sha256"]:
            raise ValueError(f"the checksum of its {len(content)} bytes is another")
        return Checkpoint(content, str(about["stage"]), about["step"])

    def _tidy(self) -> None:
        kept = {
            self._file(number, end) for number in self._whole for end in ("json", "safetensors")
        }
        for file in self._own.iterdir():
            if file not in kept:
                file.unlink()

    def _tell_of_others(self) -> None:
        """Say that there are checkpoints of another run, and in what it differs."""
        for run in self._other_runs():
            other = [name for name in self._run if run.get(name) != self._run[name]]
            self._tell(
                f"{self._place}: holds checkpoints of another run (other {', '.join(other)}); "
                "they stay there until a plan is written, and this run starts afresh"
            )

    def _other_runs(self) -> Iterator[Mapping[str, str]]:
        if not is_checkpoints(self._place):
            return
        for folder in sorted(self._place.iterdir()):
            for file in sorted(folder.glob("*.json"))[-1:]:
                try:
                    yield dict(json.loads(file.read_bytes())["run"])
                except (OSError, ValueError, KeyError, TypeError):  # damaged, and not ours
                    continue


def is_checkpoints(folder: Path) -> bool:
    """Whether a folder is one of checkpoints and holds nothing else."""
    return (
        folder.name == CHECKPOINTS
        and folder.is_dir()
        and not folder.is_symlink()
        and all(
            OWN_FOLDER.fullmatch(run.name)
            and run.is_dir()
            and all(OWN_FILE.fullmatch(file.name) for file in run.iterdir())
            for run in folder.iterdir()
        )
    )


def is_unfinished(folder: Path) -> bool:
    """Whether a folder holds the checkpoints of a plan, if anything at all."""
    return folder.is_dir() and all(is_checkpoints(entry) for entry in folder.iterdir())
