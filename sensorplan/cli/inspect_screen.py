"""What `inspect` prints."""

import json
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType

from sensorplan.cli.screen import facts_of, table_of, whole
from sensorplan.plan import SCHEMA_VERSION

if TYPE_CHECKING:
    from sensorplan.pipeline import Inspection


def inspection_json(inspection: "Inspection") -> str:
    """What was found, as one object."""
    content: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **inspection.to_json()}
    return json.dumps(content, indent=2)


def inspection_lines(inspection: "Inspection") -> RenderableType:
    """The facts, then what was recognised and why."""
    columns = ("recognised", "as", "because")
    rows = [(finding.what, finding.value, finding.why) for finding in inspection.findings]
    return Group(
        whole(inspection.source.path),
        "",
        facts_of(inspection.facts),
        "",
        table_of(columns, rows, words=columns),
    )
