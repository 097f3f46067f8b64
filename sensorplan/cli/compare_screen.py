"""What `compare` prints."""

import json
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sensorplan.cli.screen import table_of, whole
from sensorplan.comparison import Comparison, MethodRow, best_methods
from sensorplan.plan import stem_of

if TYPE_CHECKING:
    from sensorplan.pipeline import ComparisonResult

OWN = "dynst"
BEST, TIED = "*", "="


def comparison_json(result: "ComparisonResult") -> str:
    """The comparison as in `compare.json`, with the folder."""
    content = {**json.loads(result.comparison.to_json()), "folder": str(result.folder)}
    return json.dumps(content, indent=2)


def comparison_lines(result: "ComparisonResult") -> RenderableType:
    """What was judged, a table a judge, the verdict on DynST, and where the files lie."""
    comparison = result.comparison
    parts: list[RenderableType] = [Text(judged(comparison)), ""]
    for judge in comparison.judges:
        parts += [Text(f"RMSE / RMSE from all sensors, judge {judge}:"), ""]
        parts += [_ratios(comparison, judge), ""]
    margin = f"{100 * comparison.margin:g} %"
    parts += [
        Text(
            f"{BEST} best of its column; {TIED} tied with it: not worse by more than {margin}, "
            "so far as the 95 % interval tells."
        ),
        *(Text(line) for line in [*verdicts(comparison), *doubtful_judges(comparison)]),
        "",
        whole(f"Tables: {result.folder} (compare.csv, by_lead.csv, by_sensor.csv, "),
        whole("        compare.json; figure: compare.png)"),
    ]
    return Group(*parts)


def judged(comparison: Comparison) -> str:
    """What was judged, in one sentence."""
    regions, sensors = comparison.data.regions, comparison.data.sensors
    what = f"patches ({sensors} cells)" if regions != sensors else "sensors"
    return (
        f"Judged {_count(len(comparison.methods), 'method')} on {regions} {what} of "
        f"{stem_of(comparison.data.path)}: {_count(len(comparison.folds), 'fold')}, "
        f"{_count(len(comparison.seeds), 'seed')}, "
        f"{_count(comparison.test_windows, 'test window')} of {comparison.lookback} steps back and "
        f"{comparison.horizon} ahead."
    )


def verdicts(comparison: Comparison) -> list[str]:
    """How often DynST won, tied and lost, and whose masks it took; nothing without it."""
    found = Counter(row.verdict for row in comparison.rows if row.verdict)
    if not found:
        return []
    cases = _count(found.total(), "comparison")
    masks = comparison.masks_taken
    others = ", ".join(f"{name} {count}" for name, count in masks.items() if name != OWN)
    return [
        f"DynST against the other methods, in {cases}: better in {found['win']}, "
        f"tied in {found['tie']}, worse in {found['loss']}.",
        f"In {masks.get(OWN, 0)} of {_count(sum(masks.values()), 'plan')} it refined its own mask"
        f"{f', else that of another method ({others})' if others else ''}.",
    ]


def doubtful_judges(comparison: Comparison) -> list[str]:
    """Which judges forecast no better than the last value or the calendar, from all sensors."""
    simple = min(comparison.persistence.rmse, comparison.climatology.rmse)
    doubtful = [name for name, score in comparison.all_sensors.items() if score.rmse >= simple]
    if not doubtful:
        return []
    return [
        f"Judge {' and '.join(doubtful)}: from all sensors no better than the last value or the "
        "calendar; do not rely on those verdicts."
    ]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _ratios(comparison: Comparison, judge: str) -> Table:
    """Methods by sparsity, the best on average first."""
    rows = {(row.method, row.sparsity): row for row in comparison.rows if row.judge == judge}
    table = table_of("method", *(f"{100 * s:g} % off" for s in comparison.sparsities))
    best = {
        sparsity: min(
            (row for row in rows.values() if row.sparsity == sparsity), key=lambda row: row.rmse
        )
        for sparsity in comparison.sparsities
    }
    for method in best_methods(comparison.rows, judge):
        cells = [
            _cell(rows[method, sparsity], best[sparsity]) for sparsity in comparison.sparsities
        ]
        table.add_row(method, *cells)
    return table


def _cell(row: MethodRow, best: MethodRow) -> Text:
    if row is best:
        return Text(f"{row.rmse_ratio:.3f} {BEST}", style="bold")
    return Text(f"{row.rmse_ratio:.3f} {TIED if row.tied_with_best else ' '}")
