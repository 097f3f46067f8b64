"""Manifest and summary while a batch runs: what is there already, and what becomes of the rest."""

from collections.abc import Iterable
from pathlib import Path

from sensorplan.batch.contents import Inputs, intact
from sensorplan.batch.manifest import MANIFEST_FILE, Manifest, PlanEntry
from sensorplan.batch.status import Status, Tell, Watch
from sensorplan.batch.summary import SUMMARY_FILE, write_summary
from sensorplan.errors import OutputError, SensorplanError
from sensorplan.exports.files import settle
from sensorplan.exports.folder import check_target
from sensorplan.pipeline.recording import versions
from sensorplan.recipe import Variant


class Ledger:
    """Keeps manifest and summary of a batch folder; a killed batch leaves true ones.

    Attributes:
        folder: The batch folder.
        entries: Name to entry, those of earlier runs included.
        skipped: Names of the plans of this run that were there already.
    """

    def __init__(self, folder: Path, watch: Watch, tell: Tell) -> None:
        self.folder = folder
        self.skipped: list[str] = []
        self._watch, self._say = watch, tell
        manifest = Manifest.load(folder)
        self.entries = {plan.name: plan for plan in manifest.plans} if manifest else {}

    def begin(self, variants: Iterable[Variant], force: bool) -> list[Variant]:
        """Enter the plans of this run.

        Args:
            variants: All of them.
            force: Make also what is done and intact, and replace plans that the manifest does not
                know.

        Returns:
            Those to be made.

        Raises:
            OutputError: A plan would take the place of what the manifest does not know.
        """
        variants = list(variants)
        for name in (MANIFEST_FILE, SUMMARY_FILE):
            settle(self.folder / name)
        for variant in variants:
            self._check_place(variant.name, force)
        for variant in variants:
            self._watch(Status(variant.name, "queued", recipe=variant.recipe))
        inputs = Inputs()
        wanted = [variant for variant in variants if self._enter(variant, inputs, force)]
        self.write()
        return wanted

    def tell(self, name: str, stage: str, done: int, total: int) -> None:
        """A plan is in a stage."""
        entry = self.entries[name]
        if entry.state == "queued":
            self._keep(entry.model_copy(update={"state": "running"}))
            self.write()
        self._watch(Status(name, "running", stage, done, total))

    def note(self, name: str, line: str) -> None:
        """Something that the user should know of a plan."""
        self._say(f"{name}: {line}")

    def finish(self, entry: PlanEntry) -> None:
        """A plan is done or has failed."""
        self._keep(entry)
        self.write()
        self._watch(
            Status(
                entry.name,
                entry.state,
                seconds=entry.seconds,
                note=entry.error or "",
                warnings=entry.warnings,
            )
        )

    def end(self) -> Manifest:
        """Write what there is; a plan still running was interrupted."""
        for entry in list(self.entries.values()):
            if entry.state == "running":
                self._keep(entry.model_copy(update={"state": "interrupted"}))
        return self.write()

    def write(self) -> Manifest:
        """Manifest and summary as they are, to their files."""
        manifest = Manifest(versions=versions(), plans=tuple(self.entries.values()))
        manifest.write(self.folder)
        write_summary(self.folder, manifest.plans)
        return manifest

    def _keep(self, entry: PlanEntry) -> None:
        self.entries[entry.name] = entry

    def _check_place(self, name: str, force: bool) -> None:
        place = self.folder / name
        if place.exists() and name not in self.entries and not force:
            raise OutputError(
                f"{place}: exists already, and {self.folder / MANIFEST_FILE} does not know it; "
                "--force replaces it if it is a plan folder"
            )
        check_target(place, overwrite=True)

    def _enter(self, variant: Variant, inputs: Inputs, force: bool) -> bool:
        """Put a plan into the manifest; True when it has to be made."""
        entry = PlanEntry(
            name=variant.name,
            recipe=variant.file.as_posix(),
            settings=dict(variant.settings),
            state="queued",
            seed=variant.recipe.run.seed,
        )
        try:
            fingerprint, used = inputs.fingerprint(variant.recipe)
        except SensorplanError as error:  # it fails alone
            self.finish(entry.failed(str(error)))
            return False
        entry = entry.model_copy(update={"fingerprint": fingerprint, "inputs": used})
        old = None if force else self.entries.get(variant.name)
        if old is not None and old.state == "done":
            changed = self._change(old, fingerprint)
            if not changed:
                self.skipped.append(variant.name)
                told = {"settings": entry.settings, "recipe": entry.recipe}
                self._keep(old.model_copy(update=told))
                self._watch(Status(variant.name, "done", seconds=old.seconds, note="there already"))
                return False
            self.note(variant.name, f"made again, for {changed}")
        self._keep(entry)
        return True

    def _change(self, old: PlanEntry, fingerprint: str) -> str:
        """Why a plan that is done is not the one asked for; empty if it is."""
        if old.fingerprint != fingerprint:
            return "settings or data are others than those of the plan there"
        if not intact(self.folder / old.name, old.files):
            return "files of the plan there are changed or missing"
        return ""
