"""`manifest.json`: every plan of a batch folder, with what it was made of."""

import json
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError

from sensorplan.batch.status import State
from sensorplan.errors import DataError
from sensorplan.exports.files import write_file
from sensorplan.plan import Metrics, Plan
from sensorplan.records import Record

SCHEMA_VERSION = 1
MANIFEST_FILE = "manifest.json"


class PlanEntry(Record):
    """One plan of a batch.

    Attributes:
        name: Of its folder in the batch folder.
        recipe: File that asks for it.
        settings: What the matrix of that file sets, by dotted key.
        state: What has become of it.
        seed: Of the run.
        fingerprint: SHA-256 of all settings, with the content of every file that they name.
        inputs: File or glob that the settings name to the SHA-256 of what it holds.
        variable: What was planned on.
        method: What ranked the sensors.
        backbone: Architecture of the forecaster.
        regions: Number of sensors or patches.
        budget: Number of those kept.
        sparsity: Share of those switched off.
        metrics: The evidence.
        warnings: Those of the plan.
        seconds: That it took.
        versions: Of sensorplan, Python and libraries where it was made.
        files: File in the plan folder to its SHA-256.
        error: Why it failed.
        traceback: Where a bug was met.
    """

    name: str
    recipe: str
    settings: dict[str, Any]
    state: State
    seed: int
    fingerprint: str = ""
    inputs: dict[str, str] = Field(default_factory=dict)
    variable: tuple[str, ...] = ()
    method: str = ""
    backbone: str = ""
    regions: int | None = None
    budget: int | None = None
    sparsity: float | None = None
    metrics: Metrics | None = None
    warnings: tuple[str, ...] = ()
    seconds: float | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    error: str | None = None
    traceback: str | None = None

    def finished(self, plan: Plan, files: dict[str, str], seconds: float) -> Self:
        """The entry once its plan is done."""
        return self.model_copy(
            update={
                "state": "done",
                "variable": plan.data.variable,
                "method": plan.method,
                "backbone": plan.settings["training"]["backbone"],
                "regions": plan.data.regions,
                "budget": plan.budget,
                "sparsity": plan.sparsity,
                "metrics": plan.metrics,
                "warnings": plan.warnings,
                "seconds": round(seconds, 3),
                "versions": plan.versions,
                "files": files,
            }
        )

    def failed(self, error: str, traceback: str | None = None) -> Self:
        """The entry once its plan has failed."""
        return self.model_copy(update={"state": "failed", "error": error, "traceback": traceback})


class Manifest(Record):
    """Every plan of a batch folder, those of earlier runs included.

    Attributes:
        schema_version: Of the file.
        versions: Of what wrote it last.
        plans: In the order in which they were first asked for.
    """

    schema_version: int = SCHEMA_VERSION
    versions: dict[str, str]
    plans: tuple[PlanEntry, ...]

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """The manifest in a batch folder; None where there is none.

        Raises:
            DataError: It is damaged, or of a newer sensorplan.
        """
        file = folder / MANIFEST_FILE
        try:
            content = json.loads(file.read_bytes())
            version = content["schema_version"]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(f"{file}: cannot be read, or damaged ({error})") from error
        if version != SCHEMA_VERSION:
            raise DataError(
                f"{file}: schema_version = {version} is of another sensorplan; "
                f"this one reads {SCHEMA_VERSION}"
            )
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise DataError(f"{file}: damaged, {where}: {first['msg']}") from error

    def write(self, folder: Path) -> None:
        """Write it, in place of an older one.

        Raises:
            OutputError: The system refused to write.
        """
        write_file(folder / MANIFEST_FILE, self.to_json(), overwrite=True)
