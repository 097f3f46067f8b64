"""What `fit` says of the condition under which its plan loses most."""

from rich.console import RenderableType

from sensorplan.cli.screen import prose
from sensorplan.conditions import ConditionRow

SAID = {
    "season": "in {}",
    "time_of_day": "in the {}",
    "day_of_week": "on a {}",
    "lead": "{} steps ahead",
    "observed": "where a {} value is observed",
    "area-weighted": "where sensors count by the area that they stand for",
}
OWN = {("time_of_day", "night"): "at night", ("lead", "1"): "1 step ahead"}


def weakest_line(row: ConditionRow | None) -> list[RenderableType]:
    """A sentence, where there is such a condition."""
    if row is None:
        return []
    when = OWN.get((row.condition, row.value)) or SAID[row.condition].format(row.value)
    loss, low, high = (f"{100 * (r - 1):.1f}" for r in (row.rmse_ratio, row.ci_low, row.ci_high))
    ends = f"95 % interval {low} to {high} %"
    return [prose(f"It loses most {when}: {loss} % above all sensors ({ends}; conditions.csv).")]
