"""`compare.png`: the cost of switching sensors off, by every method, as each judge sees it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from sensorplan.comparison import Comparison, MethodRow, best_methods
from sensorplan.exports.style import COLOURS, GREY, add_title, new_figure, to_png
from sensorplan.plan import stem_of

STRONG = 6  # lines in colour and in the legend; the others are thin and grey
OWN, RANDOM = "dynst", "random"  # always among them
MARKERS = "osD^vP"
LABEL_HEIGHT = 0.032  # of the axes


@dataclass(frozen=True)
class _Look:
    colour: str
    marker: str
    style: str


def comparison_png(comparison: Comparison) -> bytes:
    """RMSE ratio against the share of regions switched off: a panel a judge, a line a method.

    Bands are the 95 % interval of DynST and of the best other method of the panel, and one standard
    deviation around random.

    Args:
        comparison: What was compared.

    Returns:
        A PNG.
    """
    judges = comparison.judges
    figure = new_figure(max(8, 6.6 * len(judges)), 5.8)
    panels = np.atleast_1d(figure.subplots(1, len(judges), sharey=True))
    looks = _looks(comparison)
    for axes, judge in zip(panels, judges, strict=True):
        _draw_judge(axes, [row for row in comparison.rows if row.judge == judge], looks)
        axes.set_title(f"judge: {judge}", loc="right", fontsize=11)
        axes.set_xlabel("sensors switched off (%)")
    panels[0].set_ylabel("RMSE / RMSE from all sensors")
    handles = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False
    )
    folds, seeds = len(comparison.folds), len(comparison.seeds)
    add_title(
        panels[0],
        "What switching sensors off costs, by method",
        f"{stem_of(comparison.data.path)}; {_count(folds, 'fold')}, {_count(seeds, 'seed')}, "
        f"{comparison.test_windows:,} test windows",
    )
    return to_png(figure)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _looks(comparison: Comparison) -> dict[str, _Look]:
    """Colour and marker of the methods that are drawn strongly, the same in every panel."""
    fixed = [name for name in (OWN, RANDOM) if name in comparison.methods]
    leading = [best_methods(comparison.rows, judge) for judge in comparison.judges]
    by_place = [name for places in zip(*leading, strict=True) for name in places]
    strong = list(dict.fromkeys([*fixed, *by_place]))[:STRONG]
    return {
        name: _Look(COLOURS[i], MARKERS[i], "--" if name == RANDOM else "-")
        for i, name in enumerate(strong)
    }


def _draw_judge(axes: Axes, rows: Sequence[MethodRow], looks: dict[str, _Look]) -> None:
    methods = best_methods(tuple(rows), rows[0].judge)
    rival = next((name for name in methods if name not in (OWN, RANDOM)), None)
    weak = []
    for method in methods:
        points = sorted((r for r in rows if r.method == method), key=lambda r: r.sparsity)
        percent = [100 * point.sparsity for point in points]
        ratio = [point.rmse_ratio for point in points]
        look = looks.get(method)
        if look is None:
            axes.plot(percent, ratio, color=GREY, lw=0.8, marker=".", ms=4, alpha=0.7, zorder=1)
            weak.append((ratio[-1], method))
            continue
        axes.plot(
            percent,
            ratio,
            look.style,
            color=look.colour,
            marker=look.marker,
            ms=7 if method == OWN else 5,
            lw=2.4 if method == OWN else 1.5,
            zorder=4 if method == OWN else 3,
            label=method,
        )
        if method in (OWN, rival, RANDOM):
            _draw_band(axes, percent, points, look, spread=method == RANDOM)
    axes.axhline(1, color="black", lw=1, zorder=2)
    axes.grid(alpha=0.3)
    _label_ends(axes, max(100 * row.sparsity for row in rows), weak)


def _draw_band(
    axes: Axes, percent: list[float], points: Sequence[MethodRow], look: _Look, *, spread: bool
) -> None:
    """Shade the interval, or the spread around the line; a bar where there is one sparsity."""
    low = np.array([p.rmse_ratio - (p.spread or 0) if spread else p.ci_low for p in points])
    high = np.array([p.rmse_ratio + (p.spread or 0) if spread else p.ci_high for p in points])
    if len(points) == 1:
        axes.vlines(percent, low, high, color=look.colour, lw=2, alpha=0.4)
    else:
        axes.fill_between(percent, low, high, color=look.colour, alpha=0.13, lw=0)


def _label_ends(axes: Axes, right: float, ends: list[tuple[float, str]]) -> None:
    """Names in grey at the right of the thin lines, moved up where they would overlap."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)  # the labels do not move the limits
    height, last = LABEL_HEIGHT * (high - low), -np.inf
    for ratio, name in sorted(ends):
        last = max(ratio, last + height)
        axes.annotate(
            name,
            (right, ratio),
            (12, (last - ratio) / (high - low) * axes.get_window_extent().height * 72 / 100),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=GREY,
            annotation_clip=False,
            parse_math=False,
        )
