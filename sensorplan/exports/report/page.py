"""The page: figures, words and tables put together, with all that a browser needs.

Nothing is fetched: the policy in its head lets the browser load nothing and run only the scripts
whose hashes stand there, so that no name in the data can become a script.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files

import geopandas as gpd
from bokeh.embed import json_item
from bokeh.resources import Resources
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from sensorplan.conditions import ConditionRow
from sensorplan.curve import CurvePoint
from sensorplan.exports.report import statements
from sensorplan.exports.report.columns import ranking_columns
from sensorplan.exports.report.figures import curve_figure, map_figure
from sensorplan.exports.style import COLOURS, YELLOW, dataset_stem
from sensorplan.plan import Plan
from sensorplan.version import __version__


def report_html(
    plan: Plan,
    frame: gpd.GeoDataFrame,
    curve: Sequence[CurvePoint],
    conditions: Sequence[ConditionRow],
) -> bytes:
    """The page of a plan.

    Args:
        plan: The plan.
        frame: The table of its regions, best first.
        curve: Points of accuracy against the number kept; may be empty.
        conditions: Errors by condition; may be empty.
    """
    columns = ranking_columns(frame)
    shown, drawn = map_figure(frame, columns, plan.budget), curve_figure(curve, plan)
    data = {
        "columns": [column.described() for column in columns],
        "budget": plan.budget,
        "ratio": plan.metrics.rmse_ratio,
        "regions": plan.data.regions,
        "name": dataset_stem(plan),
        "curve": [
            [point.budget, point.rmse_ratio, point.ci_low, point.ci_high]
            for point in sorted(curve, key=lambda point: point.budget)
            if point.method == plan.method
        ],
        "map": json_item(shown.plot, "map"),  # type: ignore[arg-type]
        "curve_figure": drawn and json_item(drawn, "curve"),  # type: ignore[arg-type]
    }
    scripts = [
        *Resources(mode="inline", components=["bokeh"], log_level="warn").js_raw,
        _part("page.js"),
    ]
    template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template.filters["unbroken"] = lambda sentence: sentence.replace(" %", "\u00a0%")
    said, random = statements.failures(plan)
    text = template.from_string(_part("page.html")).render(
        plan=plan,
        title=f"{dataset_stem(plan)}: {plan.budget} of {plan.data.regions} kept",
        verdict=statements.verdict(plan, conditions),
        remarks=statements.remarks(plan),
        evidence=statements.evidence(plan),
        obeyed=statements.obeyed(plan),
        failures=said,
        random=random,
        conditions=statements.by_condition(conditions, plan.metrics.unit),
        facts=statements.facts(plan),
        map=shown,
        curve=drawn is not None,
        version=__version__,
        policy=_policy(scripts),
        scripts=[Markup(script) for script in scripts],
        style=Markup(_part("page.css")),
        palette={
            "blue": COLOURS[0],
            "orange": COLOURS[1],
            "sky": COLOURS[5],
            "yellow": YELLOW,
        },
        data=Markup(_for_html(data)),
    )
    return text.encode()


def _part(name: str) -> str:
    """A file of the page."""
    return files("sensorplan.exports.report").joinpath(name).read_text(encoding="utf-8")


def _for_html(data: object) -> str:
    """JSON that cannot end the element that it stands in."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _policy(scripts: Sequence[str]) -> str:
    """Content security policy: nothing from anywhere, and only these scripts."""
    hashes = (
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts
    )
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
