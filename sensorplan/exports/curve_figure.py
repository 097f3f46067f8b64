"""`curve.png`: what switching sensors off costs the forecast."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from sensorplan.exports.style import COLOURS, YELLOW, add_title, dataset_stem, new_figure, to_png
from sensorplan.plan import CurvePoint, Plan

_MARKERS = "osD^vP"


def curve_png(curve: Sequence[CurvePoint], plan: Plan) -> bytes:
    """RMSE against the share of regions switched off, beside what is to be had without a plan.

    Args:
        curve: Points of one method or several; the band is the 95 % interval of the RMSE ratio.
        plan: The plan, marked with a star, and its reference forecasts.

    Returns:
        A PNG.
    """
    figure = new_figure(8, 5)
    axes = figure.add_subplot()
    methods = sorted(
        {point.method for point in curve}, key=lambda name: (name != plan.method, name)
    )
    for i, method in enumerate(methods):
        points = sorted((p for p in curve if p.method == method), key=lambda p: p.sparsity)
        _draw_method(axes, points, COLOURS[i % 6], _MARKERS[i % 6])
    metrics = plan.metrics
    axes.plot(
        100 * plan.sparsity,
        metrics.plan.rmse,
        "*",
        markersize=18,
        color=YELLOW,
        markeredgecolor="black",
        zorder=5,
        label=f"this plan: {plan.budget:,} kept, {metrics.rmse_ratio:.3f} × all",
    )
    _draw_references(axes, plan)
    axes.set_xlim(0, 100)
    axes.set_xlabel("sensors switched off (%)")
    axes.set_ylabel(f"RMSE ({plan.metrics.unit})" if plan.metrics.unit else "RMSE")
    _add_ratio_axis(axes, metrics.all_sensors.rmse)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    add_title(
        axes,
        "What switching sensors off costs the forecast",
        f"{dataset_stem(plan)}; bands: 95 % interval",
    )
    return to_png(figure)


def _add_ratio_axis(axes: Axes, reference: float) -> None:
    if reference > 0:
        ratio = axes.secondary_yaxis(
            "right",
            functions=(lambda y: np.divide(y, reference), lambda y: np.multiply(y, reference)),
        )
        ratio.set_ylabel("RMSE / RMSE from all sensors")


def _draw_method(axes: Axes, points: Sequence[CurvePoint], colour: str, marker: str) -> None:
    percent = [100 * p.sparsity for p in points]
    axes.plot(
        percent, [p.rmse for p in points], color=colour, marker=marker, ms=5, label=points[0].method
    )
    scale = [p.rmse / p.rmse_ratio if p.rmse_ratio else 0 for p in points]  # RMSE of all sensors
    low = [p.ci_low * s for p, s in zip(points, scale, strict=True)]
    high = [p.ci_high * s for p, s in zip(points, scale, strict=True)]
    axes.fill_between(percent, low, high, color=colour, alpha=0.15, lw=0)


def _draw_references(axes: Axes, plan: Plan) -> None:
    """Horizontal lines; one far above the curve is named in the legend, not drawn."""
    metrics = plan.metrics
    top = axes.get_ylim()[1]
    limit = max(1.2 * top, 2 * top - metrics.all_sensors.rmse)
    for name, score, style in (
        ("all sensors", metrics.all_sensors, "-"),
        ("the calendar alone", metrics.climatology, "--"),
        ("persistence", metrics.persistence, ":"),
    ):
        if score.rmse <= limit:
            axes.axhline(
                score.rmse, color="black", ls=style, lw=1.2, label=f"{name}: {score.rmse:.4g}"
            )
        else:
            axes.plot([], [], " ", label=f"{name}: {score.rmse:.4g}, off the chart")
