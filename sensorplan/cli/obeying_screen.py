"""What a plan obeys, and the phases to it, for people."""

from rich.console import RenderableType
from rich.text import Text

from sensorplan.cli.screen import table_of
from sensorplan.exports.wording import phase_cells
from sensorplan.plan import Plan


def constraint_lines(plan: Plan) -> list[RenderableType]:
    """Every constraint with what the plan has; nothing where nothing is asked."""
    if not plan.constraints:
        return []
    table = table_of("constraint, checked again", "the plan has")
    for check in plan.constraints:
        table.add_row(check.constraint, check.found)
    return [table, ""]


def phase_table(plan: Plan) -> list[RenderableType]:
    """A row for each phase; nothing where the plan is made at once."""
    if not plan.phases:
        return []
    columns = ("switched off", "kept", "goes", "RMSE", "RMSE / all sensors", "95 % interval")
    table = table_of("phase", *columns)
    for cells, phase in zip(phase_cells(plan), plan.phases, strict=True):
        table.add_row(*cells, f"{phase.ci_low:.3f} to {phase.ci_high:.3f}")
    note = "By one forecaster for all phases, which is not fine-tuned on any as the plan's is."
    return [table, Text(note), ""]
