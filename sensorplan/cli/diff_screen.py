"""What `diff` prints: a few lines and tables, or one JSON object."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table

from sensorplan.cli.screen import number, prose, table_of, whole
from sensorplan.exports.wording import change

if TYPE_CHECKING:
    from sensorplan.pipeline import Difference
    from sensorplan.pipeline.diffing import ChangedSensor

MOST_ROWS, MOST_NAMES = 20, 5


def diff_json(difference: "Difference") -> str:
    """The difference as one object."""
    return difference.model_dump_json(indent=2)


def diff_lines(difference: "Difference") -> RenderableType:
    """Both plans, which is better, and the sensors that changed sides."""
    a, b, changed = difference.a, difference.b, difference.changed
    only = len([sensor for sensor in changed if sensor.kept_in == "A"])
    common = difference.kept_in_both + difference.dropped_in_both + len(changed)
    sides = (
        f"Of {common} sensors in both, {difference.kept_in_both} are kept by both and "
        f"{difference.dropped_in_both} by neither; {only} by A only, {len(changed) - only} by B "
        "only."
    )
    parts: list[RenderableType] = [prose(_errors(difference)), prose(sides), ""]
    parts += [whole(f"A: {a.folder}"), whole(f"B: {b.folder}"), "", _plans(difference)]
    said = []
    for name, plan in (("A", a), ("B", b)):
        if plan.constraints and a.constraints != b.constraints:
            said.append(f"{name} obeys: {', '.join(plan.constraints)}.")
    for name, names in (("A", difference.only_in_a), ("B", difference.only_in_b)):
        if names:
            said.append(f"In {name} only: {_listed(names)}.")
    if said:
        parts += ["", *map(prose, said)]
    if changed:
        parts += ["", _table(changed[:MOST_ROWS])]
    if len(changed) > MOST_ROWS:
        parts.append(prose(f"and {len(changed) - MOST_ROWS} more; -o FILE writes all"))
    return Group(*parts)


def _plans(difference: "Difference") -> Table:
    rows = [
        (
            *(name, plan.method, str(plan.budget), str(plan.regions)),
            f"{number(plan.rmse)} {plan.unit}".strip(),
            f"{plan.rmse_ratio:.3f}",
        )
        for name, plan in (("A", difference.a), ("B", difference.b))
    ]
    return table_of(
        ("plan", "method", "kept", "of", "RMSE", "RMSE / all sensors"), rows, words=("method",)
    )


def _errors(difference: "Difference") -> str:
    if difference.not_paired:
        return f"Errors cannot be compared in pairs: {difference.not_paired}."
    if difference.rmse_ratio is None:
        return "Errors cannot be compared: A makes none."
    said = {"better": "B is better", "worse": "B is worse", "tie": "A tie"}
    return (
        f"{said[difference.verdict or 'tie']}: its RMSE is {difference.rmse_ratio:.3f} times that "
        f"of A (95 % interval {difference.ci_low:.3f} to {difference.ci_high:.3f}; "
        f"{difference.windows} test windows, in pairs)."
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _table(changed: Sequence["ChangedSensor"]) -> Table:
    columns = ["kept by", "rank A / B", "kept in resamples A / B"]
    optional = {
        "removal penalty": [_percent(sensor.removal_penalty) for sensor in changed],
        "substitute": [sensor.substitute or "" for sensor in changed],
        "constraint": [sensor.settled or "" for sensor in changed],
    }
    shown = {name: values for name, values in optional.items() if any(values)}
    rows = [
        (
            sensor.sensor,
            sensor.kept_in,
            f"{sensor.rank_a} / {sensor.rank_b}",
            f"{_share(sensor.keep_frequency_a)} / {_share(sensor.keep_frequency_b)}",
            *(values[place] for values in shown.values()),
        )
        for place, sensor in enumerate(changed)
    ]
    return table_of(("sensor", *columns, *shown), rows, words=("substitute", "constraint"))


def _share(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{change(1 + share)} %"
