"""What a plan is made of and what it consists of, as checksums."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from sensorplan.errors import DataError
from sensorplan.reading.opening import checksum, find_files
from sensorplan.recipe import Recipe, dump_recipe, move_paths


class Inputs:
    """Checksums of the files that recipes name; each is read once."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def fingerprint(self, recipe: Recipe) -> tuple[str, dict[str, str]]:
        """SHA-256 of all settings with the content of every file in place of its name.

        How often checkpoints are written is none of them: it changes no plan.

        Returns:
            That, and the checksum of each file or glob.

        Raises:
            DataError: There is no such file, or it cannot be read.
        """
        used: dict[str, str] = {}

        def content_of(name: str) -> str:
            used[name] = self._checksum(name)
            return used[name]

        always = recipe.run.model_copy(update={"checkpoint_every": 0.0})
        settings = recipe.model_copy(update={"run": always})
        contents = dump_recipe(move_paths(settings, content_of))
        return hashlib.sha256(contents).hexdigest(), used

    def _checksum(self, name: str) -> str:
        if name not in self._known:
            try:
                self._known[name] = checksum(find_files((name,)))
            except OSError as error:
                raise DataError(f"{name}: cannot be read ({error.strerror})") from error
        return self._known[name]


def files_of(folder: Path) -> dict[str, str]:
    """Name and SHA-256 of every file in a plan folder."""
    return {file.name: checksum([file]) for file in sorted(folder.iterdir()) if file.is_file()}


def intact(folder: Path, files: Mapping[str, str]) -> bool:
    """Whether all these files are in a folder, as they were; others do not matter."""
    try:
        return bool(files) and all(
            checksum([folder / name]) == content for name, content in files.items()
        )
    except OSError:
        return False
