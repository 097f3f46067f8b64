"""What the page says in words and tables, as plain text: the verdict, the evidence, the facts."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sensorplan.conditions import ConditionRow
from sensorplan.exports.wording import (
    chance_words,
    change,
    contest_words,
    forecaster_words,
    number,
    phase_cells,
    random_words,
    resilience_words,
    scores_of,
    size_of,
    value_kept_words,
)
from sensorplan.plan import Plan

WHOLE = "all"  # the condition that holds every value


@dataclass(frozen=True)
class Table:
    """A small table of the page.

    Attributes:
        caption: What it shows.
        header: Of each column.
        rows: Cells as text.
        words: How many of the columns, from the left, are no numbers.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1


def verdict(plan: Plan, conditions: Sequence[ConditionRow]) -> str:
    """The plan in one sentence, with the interval where `conditions` holds it."""
    ratio = plan.metrics.rmse_ratio
    side = "above" if ratio >= 1 else "below"
    lost = f"{abs(100 * (ratio - 1)):.1f} %"
    whole = [row for row in conditions if row.condition == WHOLE and math.isfinite(row.ci_low)]
    words = [_interval(row.ci_low, row.ci_high) for row in whole[:1]]
    words += [random_words(random)] if (random := plan.metrics.random) else []
    beside = f" ({'; '.join(words)})" if words else ""
    return (
        f"{size_of(plan)}: the error of forecasts of all {plan.data.regions} is {lost} {side} that "
        f"of the full network{beside}; {value_kept_words(plan.metrics.value_kept)}."
    )


def remarks(plan: Plan) -> list[str]:
    """Which mask won, what forecasts, what chance would give, and how far its intervals held."""
    found = [contest_words(plan), forecaster_words(plan), chance_words(plan)]
    if plan.interval_coverage:
        held = ", ".join(
            f"{100 * share:.1f} % for {100 * float(level):g} %"
            for level, share in plan.interval_coverage.items()
        )
        found.append(f"Share of the test stretch that the intervals of its forecasts held: {held}.")
    if plan.stability:
        found.append(
            f"Over {plan.stability.resamples} resampled histories a kept one is kept "
            f"{100 * plan.stability.mean_kept:.0f} % of the time on average "
            f"(by chance {100 * plan.budget / plan.data.regions:.0f} %)."
        )
    return [sentence for sentence in found if sentence]


def evidence(plan: Plan) -> Table:
    """The scores of the plan and of what it is held against."""
    unit = f" ({plan.metrics.unit})" if plan.metrics.unit else ""
    return Table(
        "Errors on the test stretch, of forecasts of all sensors",
        ("forecast from", f"RMSE{unit}", f"MAE{unit}", "RMSE / all sensors"),
        [
            (name, number(score.rmse), number(score.mae), f"{ratio:.3f}")
            for name, score, ratio in scores_of(plan.metrics)
        ],
    )


def obeyed(plan: Plan) -> list[Table]:
    """The constraints and the phases, where there are any."""
    checks = [
        (check.constraint, check.found, "yes" if check.met else "NO") for check in plan.constraints
    ]
    steps = [
        (*cells, _span(phase.ci_low, phase.ci_high))
        for cells, phase in zip(phase_cells(plan), plan.phases, strict=True)
    ]
    asked = ("constraint, checked again", "the plan has", "met")
    columns = ("phase", "off", "kept", "goes", "RMSE", "RMSE / all", "95 % interval")
    tables = [
        Table("What the plan had to obey", asked, checks, words=3),
        Table("Phases: what is switched off in steps", columns, steps),
    ]
    return [table for table in tables if table.rows]


def failures(plan: Plan) -> tuple[list[str], Table | None]:
    """What failures of kept sensors cost: sentences, and the random ones as a table."""
    if plan.resilience is None:
        return [], None
    rows = [
        (
            f"{100 * float(share):g} % of the kept",
            str(drawn.failed),
            f"{change(drawn.mean)} %",
            f"{change(drawn.p95)} %",
        )
        for share, drawn in plan.resilience.random.items()
    ]
    header = ("fail at random", "sensors", "error on average", "in bad luck (1 in 20)")
    return resilience_words(plan), Table("Random failures", header, rows)


def by_condition(conditions: Sequence[ConditionRow], unit: str) -> Table | None:
    """Where the plan loses; None where the folder does not say."""
    if not conditions:
        return None
    unit = f" ({unit})" if unit else ""
    rows = [
        (
            f"{row.condition.replace('_', ' ')} {row.value}".strip(),
            f"{row.targets:,}",
            number(row.rmse_all),
            number(row.rmse_plan),
            f"{row.rmse_ratio:.3f}" if math.isfinite(row.rmse_ratio) else "",
            _span(row.ci_low, row.ci_high),
        )
        for row in conditions
    ]
    header = ("values", "number", f"RMSE, all{unit}", f"plan{unit}", "ratio", "95 % interval")
    return Table("Errors by season, hour, lead and size of the value", header, rows)


def facts(plan: Plan) -> list[Table]:
    """Data, stretches of time, versions, times and settings."""
    data, split = plan.data, plan.split
    units = [unit or "no unit" for unit in data.units]
    named = ", ".join(f"{n} ({u})" for n, u in zip(data.variable, units, strict=True))
    rows = {
        "path": data.path,
        "sha256": data.sha256,
        "variables": named,
        "sensors": f"{data.sensors:,}",
        "switched as one": f"{data.regions:,}",
        "times": f"{data.times:,}, each {data.step}",
        "method": plan.method,
        "seed": str(plan.seed),
    }
    rows |= {
        f"{part} stretch": f"{of['first']} to {of['last']}, {of['windows']:,} windows"
        for part, of in split.items()
    }
    pairs = {
        "Data and run": rows,
        "Versions": plan.versions,
        "Seconds of each stage": {stage: f"{took:,.1f}" for stage, took in plan.timings.items()},
        "Settings": dict(_flat(plan.settings)),
    }
    return [
        Table(caption, ("what", "value"), [*values.items()], words=2)
        for caption, values in pairs.items()
        if values
    ]


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Each setting under its path, ``mask.budget``, as JSON."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", json.dumps(value, ensure_ascii=False)


def _interval(low: float, high: float) -> str:
    return f"95 % interval {change(low)} to {change(high)} %"


def _span(low: float, high: float) -> str:
    return f"{low:.3f} to {high:.3f}" if math.isfinite(low) else ""
