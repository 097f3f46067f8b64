"""A plan in a notebook: the verdict first, then its size, its evidence and its warnings."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from sensorplan.exports.wording import number, scores_of, verdict
from sensorplan.plan import Plan


def summary_html(plan: Plan, warnings: Sequence[str]) -> str:
    """The plan as a piece of HTML; all that comes from the data is text in it.

    Args:
        plan: The plan.
        warnings: Plain sentences.
    """
    data, metrics = plan.data, plan.metrics
    whole = Element("div", {"class": "sensorplan"})
    SubElement(SubElement(whole, "p"), "strong").text = verdict(plan)
    SubElement(whole, "p").text = (
        f"Sparsity {plan.sparsity:.4g}, by {plan.method}; {', '.join(data.variable)} of "
        f"{data.path}: {data.sensors:,} sensors, {data.times:,} times, step {data.step}."
    )
    unit = f" ({metrics.unit})" if metrics.unit else ""
    table = SubElement(whole, "table")
    _row(table, "th", ("forecast from", f"RMSE{unit}", f"MAE{unit}", "RMSE / all sensors"))
    for name, score, ratio in scores_of(metrics):
        _row(table, "td", (name, number(score.rmse), number(score.mae), f"{ratio:.3f}"))
    if warnings:
        SubElement(whole, "p").text = f"Warnings ({len(warnings)}):"
        entries = SubElement(whole, "ul")
        for warning in warnings:
            SubElement(entries, "li").text = warning
    return tostring(whole, encoding="unicode", short_empty_elements=False)


def _row(table: Element, kind: str, cells: Sequence[str]) -> None:
    row = SubElement(table, "tr")
    for cell in cells:
        SubElement(row, kind).text = cell
