"""What `export-model` prints: a few lines, or one JSON object."""

import json
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from sensorplan.cli.screen import facts_of, whole

if TYPE_CHECKING:
    from sensorplan.pipeline import ExportedModel


def model_json(exported: "ExportedModel") -> str:
    """Where the model lies and what a gateway must know, as one object."""
    content = {
        "schema_version": exported.about["schema_version"],
        "file": str(exported.file),
        "difference": exported.difference,
        "model": exported.about,
        "warnings": list(exported.warnings),
    }
    return json.dumps(content, indent=2)


def model_lines(exported: "ExportedModel") -> RenderableType:
    """What goes in and comes out, and whether it was run."""
    about = exported.about
    names = ", ".join(variable["name"] for variable in about["variables"])
    cycles = ", ".join(f"{one['harmonics']} of the {one['cycle']}" for one in about["cycles"])
    checked = "not run here"
    if exported.difference is not None:
        checked = f"run and compared: {exported.difference:.0e} of the forecasts' spread apart"
    facts = {
        "readings": f"{about['lookback']} steps of {len(about['readings'])} sensors: {names}",
        "calendar": f"harmonics: {cycles}" if cycles else "none",
        "forecast": f"{about['horizon']} steps of {about['step']} of all "
        f"{len(about['forecast'])} sensors",
        "checked": checked,
    }
    return Group(facts_of(facts), "", whole(f"Model: {exported.file}"))
