"""What `compare` prints."""

import json
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table

from sensorplan.cli.screen import GLUE, files_of, prose, table_of
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
    """The verdict, what was judged, a table a judge, and where the files lie."""
    comparison = result.comparison
    parts: list[RenderableType] = [prose(verdict(comparison)), prose(judged(comparison)), ""]
    for judge in comparison.judges:
        parts += [prose(f"RMSE / RMSE from all sensors, judge {judge}:")]
        parts += [_ratios(comparison, judge), ""]
    margin = f"{100 * comparison.margin:g} %"
    parts += [
        prose(
            f"{BEST} best of its column; {TIED} tied with it: not worse by more than {margin}, "
            "so far as the 95 % interval tells."
        ),
        *map(prose, [*masks_words(comparison), *doubtful_judges(comparison)]),
        "",
        *files_of(
            "Tables",
            result.folder,
            "compare.csv, by_lead.csv, by_sensor.csv, compare.json, figure",
        ),
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


def verdict(comparison: Comparison) -> str:
    """How often DynST won, tied and lost; without it, which method was the best."""
    found = Counter(row.verdict for row in comparison.rows if row.verdict)
    if not found:
        best = [
            f"{best_methods(comparison.rows, judge)[0]} (judge {judge})"
            for judge in comparison.judges
        ]
        return f"Best on average over all sparsities: {', '.join(best)}."
    return (
        f"DynST against the other methods, in {_count(found.total(), 'comparison')}: better in "
        f"{found['win']}, tied in {found['tie']}, worse in {found['loss']}."
    )


def masks_words(comparison: Comparison) -> list[str]:
    """Whose masks DynST took; nothing without it."""
    masks = comparison.masks_taken
    if not masks:
        return []
    others = ", ".join(f"{name} {count}" for name, count in masks.items() if name != OWN)
    return [
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
    best = {
        sparsity: min(
            (row for row in rows.values() if row.sparsity == sparsity), key=lambda row: row.rmse
        )
        for sparsity in comparison.sparsities
    }
    return table_of(
        ("method", *(f"{100 * sparsity:g} % off" for sparsity in comparison.sparsities)),
        [
            (method, *(_cell(rows[method, s], best[s]) for s in comparison.sparsities))
            for method in best_methods(comparison.rows, judge)
        ],
    )


def _cell(row: MethodRow, best: MethodRow) -> str:
    sign = BEST if row is best else TIED if row.tied_with_best else GLUE
    return f"{row.rmse_ratio:.3f}{GLUE}{sign}"
