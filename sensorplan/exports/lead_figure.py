"""The error by lead: how far ahead the plan still forecasts, and what it loses on the way."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sensorplan.conditions import LeadError
from sensorplan.exports.style import COLOURS, GREY, add_title, dataset_stem, new_figure
from sensorplan.plan import Plan

MOST_MARKERS = 40  # leads that are marked one by one


def lead_figure(rows: Sequence[LeadError], plan: Plan) -> Figure:
    """RMSE against the time ahead: the plan, all sensors, persistence and the calendar alone.

    Below it, what the plan loses against all sensors, with the 95 % interval.

    Args:
        rows: One a lead, the next step first.
        plan: The plan, for its name and unit.
    """
    ahead = np.array([row.ahead for row in rows])
    figure = new_figure(8, 6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    _draw_errors(above, ahead, rows)
    _draw_loss(below, ahead, rows)
    unit = plan.metrics.unit
    above.set(ylabel=f"RMSE ({unit})" if unit else "RMSE", ylim=(0, 1.08 * above.get_ylim()[1]))
    below.set(xlabel=f"time ahead ({rows[0].unit})" if rows[0].unit else "time ahead")
    below.set_ylabel("loss against\nall sensors (%)")
    edge = 0.5 * (ahead[0] if len(ahead) == 1 else ahead[1] - ahead[0])
    below.set_xlim(ahead[0] - edge, ahead[-1] + edge)
    if len(ahead) <= 12:
        below.set_xticks(ahead)
    else:
        below.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 3, 6, 10]))
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    add_title(
        above,
        "Error by time ahead",
        f"{dataset_stem(plan)}: all sensors forecast on the test stretch",
    )
    return figure


def _draw_errors(axes: Axes, ahead: np.ndarray, rows: Sequence[LeadError]) -> None:
    every = -(-len(rows) // MOST_MARKERS)
    for name, label, colour, marker, style, width in (
        ("rmse_persistence", "persistence", GREY, "s", ":", 1.5),
        ("rmse_climatology", "the calendar alone", COLOURS[1], "D", "--", 1.5),
        ("rmse_all", "all sensors", "black", "^", "-", 1.5),
        ("rmse_plan", "this plan", COLOURS[0], "o", "-", 2.4),
    ):
        axes.plot(
            ahead,
            [getattr(row, name) for row in rows],
            ls=style,
            color=colour,
            marker=marker,
            markevery=every,
            ms=5,
            lw=width,
            label=label,
        )
    axes.grid(alpha=0.3)


def _draw_loss(axes: Axes, ahead: np.ndarray, rows: Sequence[LeadError]) -> None:
    loss, low, high = (
        100 * (np.array([getattr(row, name) for row in rows]) - 1)
        for name in ("rmse_ratio", "ci_low", "ci_high")
    )
    axes.axhline(0, color="black", lw=1)
    if len(rows) == 1:
        axes.vlines(ahead, low, high, color=COLOURS[0], lw=4, alpha=0.25, label="95 % interval")
    else:
        axes.fill_between(
            ahead, low, high, color=COLOURS[0], alpha=0.2, lw=0, label="95 % interval"
        )
    every = -(-len(rows) // MOST_MARKERS)
    axes.plot(ahead, loss, color=COLOURS[0], marker="o", markevery=every, ms=5, lw=2.4)
    axes.grid(alpha=0.3)
