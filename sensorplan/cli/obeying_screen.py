"""What a plan obeys, and the phases to it, for people."""

from rich.console import RenderableType

from sensorplan.cli.screen import prose, table_of
from sensorplan.exports.wording import phase_cells
from sensorplan.plan import Plan


def constraint_lines(plan: Plan) -> list[RenderableType]:
    """Every constraint with what the plan has; nothing where nothing is asked."""
    if not plan.constraints:
        return []
    columns = ("constraint, checked again", "the plan has")
    rows = [(check.constraint, check.found) for check in plan.constraints]
    return [table_of(columns, rows, words=columns), ""]


def phase_table(plan: Plan) -> list[RenderableType]:
    """A row for each phase; nothing where the plan is made at once."""
    if not plan.phases:
        return []
    columns = ("phase", "off", "kept", "goes", "RMSE", "RMSE / all sensors", "95 % interval")
    rows = [
        (*cells, f"{phase.ci_low:.3f} to {phase.ci_high:.3f}")
        for cells, phase in zip(phase_cells(plan), plan.phases, strict=True)
    ]
    note = "By one forecaster for all phases, which is not fine-tuned on any as the plan's is."
    return [table_of(columns, rows), prose(note), ""]
