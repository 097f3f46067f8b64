"""The curve: what switching sensors off costs the forecast."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sensorplan.curve import CurvePoint, CurveRecord
from sensorplan.exports.style import (
    COLOURS,
    GREY,
    YELLOW,
    add_title,
    dataset_stem,
    new_figure,
)
from sensorplan.plan import Plan, RandomPlans, Score

_MARKERS = "osD^vP"
_TITLE = "What switching sensors off costs the forecast"


@dataclass(frozen=True)
class _Line:
    """A method's points, from dense to sparse.

    Attributes:
        points: Drawn at their ratio times the RMSE of all sensors.
        label: In the legend.
        colour: Of line, markers and band.
        marker: "" for none.
        style: Of the line.
        banded: Whether the interval is drawn.
    """

    points: Sequence[CurvePoint]
    label: str
    colour: str
    marker: str
    style: str = "-"
    banded: bool = True


def curve_figure(curve: Sequence[CurvePoint], plan: Plan) -> Figure:
    """RMSE against the share of regions switched off, beside what is to be had without a plan.

    Args:
        curve: Points of one method or several; the band is the 95 % interval of the RMSE ratio.
        plan: The plan, marked with a star, and its reference forecasts.
    """
    methods = sorted(
        {point.method for point in curve}, key=lambda name: (name != plan.method, name)
    )
    lines = [
        _Line(_of_method(curve, method), method, COLOURS[i % 6], _MARKERS[i % 6])
        for i, method in enumerate(methods)
    ]
    metrics = plan.metrics

    def mark(axes: Axes) -> None:
        label = f"this plan: {plan.budget:,} kept, {metrics.rmse_ratio:.3f} × all"
        _star(axes, 100 * plan.sparsity, metrics.plan.rmse, label)
        if metrics.random is not None:
            _draw_random(axes, 100 * plan.sparsity, metrics.random, metrics.all_sensors.rmse)

    scores = {
        "all sensors": metrics.all_sensors,
        "the calendar alone": metrics.climatology,
        "persistence": metrics.persistence,
    }
    subtitle = f"{dataset_stem(plan)}; bands: 95 % interval"
    return _draw(lines, mark, scores, metrics.unit, subtitle)


def methods_figure(curve: Sequence[CurvePoint], record: CurveRecord) -> Figure:
    """The learned plans beside random ones, the best baseline and the limit, with the knee.

    Args:
        curve: Points of all methods.
        record: The knee, the best baseline, and the reference forecasts.
    """
    best, number = record.best_baseline, record.random_plans
    drawn = [
        _Line(_of_method(curve, "dynst"), "dynst", COLOURS[0], "o"),
        _Line(_of_method(curve, best), f"best baseline: {best}", COLOURS[1], "s", banded=False),
        _Line(_of_method(curve, "random"), f"random, mean of {number}", COLOURS[2], "D"),
        _Line(_of_method(curve, "limit"), "limit (linear)", COLOURS[3], "", "-.", banded=False),
    ]

    def mark(axes: Axes) -> None:
        reference, knee = record.all_sensors.rmse, record.knee
        percent = 100 * record.max_loss
        if knee is None:
            axes.plot([], [], " ", label=f"no plan within {percent:g} %")
            return
        axes.axhline(
            (1 + record.max_loss) * reference,
            color=GREY,
            ls=(0, (6, 2, 1, 2, 1, 2)),
            lw=1,
            label=f"{percent:g} % above all sensors",
        )
        label = f"within {percent:g} %: up to {100 * knee.sparsity:.0f} % off, {knee.budget:,} kept"
        _star(axes, 100 * knee.sparsity, knee.rmse_ratio * reference, label)

    scores = {
        "all sensors": record.all_sensors,
        "the calendar alone": record.climatology,
        "persistence": record.persistence,
    }
    subtitle = (
        f"{dataset_stem(record)}; bands: 95 % interval of dynst, best to worst of the random plans"
    )
    return _draw([line for line in drawn if line.points], mark, scores, record.unit, subtitle)


def _draw(
    lines: Sequence[_Line],
    mark: Callable[[Axes], None],
    scores: Mapping[str, Score],
    unit: str,
    subtitle: str,
) -> Figure:
    """The figure; the first of the scores is the reference of every ratio."""
    reference = next(iter(scores.values())).rmse
    figure = new_figure(8, 5)
    axes = figure.add_subplot()
    for line in lines:
        _draw_line(axes, line, reference)
    mark(axes)
    _draw_references(axes, scores, reference)
    axes.set_xlim(0, 100)
    axes.set_xlabel("sensors switched off (%)")
    axes.set_ylabel(f"RMSE ({unit})" if unit else "RMSE")
    _add_ratio_axis(axes, reference)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    add_title(axes, _TITLE, subtitle)
    return figure


def _of_method(curve: Sequence[CurvePoint], method: str) -> list[CurvePoint]:
    """Its points, from dense to sparse."""
    return sorted((p for p in curve if p.method == method), key=lambda p: p.sparsity)


def _star(axes: Axes, percent: float, rmse: float, label: str) -> None:
    axes.plot(
        percent,
        rmse,
        "*",
        markersize=18,
        color=YELLOW,
        markeredgecolor="black",
        zorder=5,
        label=label,
    )


def _draw_random(axes: Axes, percent: float, random: RandomPlans, reference: float) -> None:
    """The mean of random plans, from the best to the worst of them."""
    middle, best, worst = (
        ratio * reference for ratio in (random.rmse_ratio, random.best, random.worst)
    )
    axes.errorbar(
        percent,
        middle,
        [[middle - best], [worst - middle]],
        fmt="D",
        ms=5,
        capsize=4,
        color=COLOURS[2],
        label=f"{random.plans} random plans, best to worst (not fine-tuned)",
    )


def _add_ratio_axis(axes: Axes, reference: float) -> None:
    if reference > 0:
        ratio = axes.secondary_yaxis(
            "right",
            functions=(lambda y: np.divide(y, reference), lambda y: np.multiply(y, reference)),
        )
        ratio.set_ylabel("RMSE / RMSE from all sensors")


def _draw_line(axes: Axes, line: _Line, reference: float) -> None:
    percent = [100 * point.sparsity for point in line.points]
    axes.plot(
        percent,
        [point.rmse_ratio * reference for point in line.points],
        color=line.colour,
        marker=line.marker,
        ms=5,
        ls=line.style,
        label=line.label,
    )
    if line.banded:
        low = [point.ci_low * reference for point in line.points]
        high = [point.ci_high * reference for point in line.points]
        axes.fill_between(percent, low, high, color=line.colour, alpha=0.15, lw=0)


def _draw_references(axes: Axes, scores: Mapping[str, Score], reference: float) -> None:
    """Horizontal lines; one far above the curve is named in the legend, not drawn."""
    top = axes.get_ylim()[1]
    limit = max(1.2 * top, 2 * top - reference)
    for (name, score), style in zip(scores.items(), ("-", "--", ":"), strict=True):
        if score.rmse <= limit:
            axes.axhline(
                score.rmse, color="black", ls=style, lw=1.2, label=f"{name}: {score.rmse:.4g}"
            )
        else:
            axes.plot([], [], " ", label=f"{name}: {score.rmse:.4g}, off the chart")
