"""What `inspect` prints."""

import json
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table

from sensorplan.cli.screen import whole
from sensorplan.plan import SCHEMA_VERSION

if TYPE_CHECKING:
    from sensorplan.pipeline import Inspection


def inspection_json(inspection: "Inspection") -> str:
    """What was found, as one object."""
    content: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **inspection.to_json()}
    return json.dumps(content, indent=2)


def inspection_lines(inspection: "Inspection") -> RenderableType:
    """The facts, then what was recognised and why."""
    facts = Table.grid(padding=(0, 2))
    for name, value in inspection.facts.items():
        facts.add_row(name, value)
    findings = Table(
        "recognised", "as", "because", box=SIMPLE_HEAD, show_edge=False, pad_edge=False
    )
    for finding in inspection.findings:
        findings.add_row(finding.what, finding.value, finding.why)
    return Group(whole(inspection.source.path), "", facts, "", findings)
