"""`inspect`: what a file holds, and what `fit` would do with it."""

from dataclasses import asdict, dataclass
from typing import Any

from sensorplan.constraints import Constraints
from sensorplan.pipeline.preparing import read_regions, state_rules
from sensorplan.recipe import Recipe
from sensorplan.sensors import Finding, SensorData, Source
from sensorplan.windows import split_record, split_windows

GEOMETRY = {"points": "stations with positions", "cells": "cells of a grid"}


@dataclass(frozen=True)
class Inspection:
    """What a file holds.

    Attributes:
        source: The file and its checksum.
        findings: What was recognised, and why.
        warnings: Plain sentences.
        facts: Name and value, in the order to show them.
    """

    source: Source
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]
    facts: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """The same as one object."""
        return {**asdict(self.source), "facts": self.facts} | {
            "findings": [asdict(finding) for finding in self.findings],
            "warnings": list(self.warnings),
        }


def inspect(recipe: Recipe) -> Inspection:
    """Say what the data holds and what `fit` would do with it.

    Raises:
        SensorplanError: The data or the settings cannot be used.
    """
    data, regions = read_regions(recipe)
    split = split_windows(data.time, recipe.window, data.source.path)
    stretches = {
        name: f"{part['first']} to {part['last']}, {part['windows']} windows"
        for name, part in split_record(data.time, split).items()
    }
    constraints, rules, notes = state_rules(recipe, data, regions)
    number = "as many as the money is enough for" if rules.budget is None else str(rules.budget)
    kept = f"{number} of {len(regions)}"
    if recipe.mask.max_loss is not None:
        kept = f"as few of {len(regions)} as lose no more than {100 * recipe.mask.max_loss:g} %"
    facts = {
        "variable": ", ".join(_measured(data)),
        "sensors": str(len(data.sensors)),
        **({"patches": str(len(regions))} if regions.patched else {}),
        "geometry": GEOMETRY[data.geometry.kind] if data.geometry else "no positions",
        "times": str(len(data.time)),
        "step": data.time.step_label,
        "missing": f"{100 * (1 - data.share_observed):.1f} %",
        "lookback": f"{split.lookback} steps",
        "horizon": f"{split.horizon} steps",
        **stretches,
        "fit keeps": kept,
        **({"constraints": _asked(constraints)} if constraints.any else {}),
    }
    return Inspection(data.source, data.findings, (*data.warnings, *notes), facts)


def _asked(constraints: Constraints) -> str:
    """How many sensors the constraints leave to choose from."""
    required, excluded = int(constraints.required.sum()), int(constraints.excluded.sum())
    free = len(constraints.names) - required - excluded
    return f"{required} required, {excluded} excluded, {free} to choose from"


def _measured(data: SensorData) -> list[str]:
    return [f"{channel.name} ({channel.units or 'no unit'})" for channel in data.channels]
