"""The comparison: the cost of switching sensors off, by every method, as each judge sees it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sensorplan.comparison import Comparison, MethodRow, best_methods
from sensorplan.exports.style import COLOURS, GREY, add_title, new_figure
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


def comparison_figure(comparison: Comparison) -> Figure:
    """RMSE ratio against the share of regions switched off: a panel a judge, a line a method.

    Bands are the 95 % interval of DynST and of the best other method of the panel, and one standard
    deviation around random.

    Args:
        comparison: What was compared.
    """
    judges = comparison.judges
    figure = new_figure(max(8, 6.6 * len(judges)), 5.8)
    panels = np.atleast_1d(figure.subplots(1, len(judges), sharey=True))
    looks = _looks(comparison)
    for axes, judge in zip(panels, judges, strict=True):
        _draw_judge(axes, [row for row in comparison.rows if row.judge == judge], looks)
        axes.text(
            0.02,
            0.97,
            f"judge: {judge}",
            transform=axes.transAxes,
            va="top",
            fontweight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2},
        )
    for axes, judge in zip(panels, judges, strict=True):  # once the shared limits are known
        _label_ends(axes, _weak_ends(comparison, judge, looks))
    panels[0].set_ylabel("RMSE / RMSE from all sensors")
    handles, labels = panels[0].get_legend_handles_labels()
    order = [labels.index(method) for method in looks]
    figure.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="outside lower center",
        ncols=3 * len(judges),
        title=_bands(looks),
        frameon=False,
    )
    add_title(
        panels[0],
        "What switching sensors off costs, by method",
        f"{stem_of(comparison.data.path)}; {_count(len(comparison.folds), 'fold')}, "
        f"{_count(len(comparison.seeds), 'seed')}, {comparison.test_windows:,} test windows",
    )
    return figure


def _bands(looks: dict[str, _Look]) -> str:
    """What the bands are, in the legend."""
    certain = [name for name in (OWN, "the best other") if name != OWN or name in looks]
    random = "; random ± standard deviation" if RANDOM in looks else ""
    return f"bands: 95 % interval of {' and of '.join(certain)}{random}"


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
    alone = len({row.sparsity for row in rows}) == 1
    for place, method in enumerate(methods):
        points = sorted((r for r in rows if r.method == method), key=lambda r: r.sparsity)
        aside = place - (len(methods) - 1) / 2 if alone else 0  # else all lie on one line
        percent = [100 * point.sparsity + aside for point in points]
        ratio = [point.rmse_ratio for point in points]
        look = looks.get(method)
        if look is None:
            axes.plot(percent, ratio, color=GREY, lw=0.8, marker=".", ms=4, alpha=0.7, zorder=1)
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
    axes.set_xlabel("sensors switched off (%)")
    if alone:
        axes.set_xticks([100 * rows[0].sparsity])
    axes.ticklabel_format(axis="y", useOffset=False)


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


def _weak_ends(
    comparison: Comparison, judge: str, looks: dict[str, _Look]
) -> list[tuple[float, str]]:
    """Where the thin lines of a panel end, and whose they are."""
    return [
        (row.rmse_ratio, row.method)
        for row in comparison.rows
        if row.judge == judge
        and row.sparsity == max(comparison.sparsities)
        and row.method not in looks
    ]


def _label_ends(axes: Axes, ends: list[tuple[float, str]]) -> None:
    """Names in grey right of the panel, at the height of the lines, moved up where they overlap."""
    low, high = axes.get_ylim()
    last = -np.inf
    for ratio, name in sorted(ends):
        last = max(ratio, last + LABEL_HEIGHT * (high - low))
        axes.text(
            1.01,
            last,
            name,
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=8,
            color=GREY,
            parse_math=False,
        )
