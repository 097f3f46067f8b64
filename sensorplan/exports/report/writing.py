"""From a plan folder to the file of the page."""

import sys
from importlib.util import find_spec
from pathlib import Path

from sensorplan.conditions import ConditionRow
from sensorplan.curve import CurvePoint
from sensorplan.errors import RecipeError
from sensorplan.exports.files import check_file, write_file
from sensorplan.exports.maps import read_deployment
from sensorplan.exports.records import read_records
from sensorplan.plan import Plan

NEEDED = ("bokeh", "jinja2")


def write_report(plan_folder: Path, target: Path | None, overwrite: bool = False) -> None:
    """Write the page of a plan.

    Args:
        plan_folder: The folder that `write_plan` wrote.
        target: The file; None: stdout.
        overwrite: Replace an older file.

    Raises:
        RecipeError: A package that the page needs is not installed.
        DataError: The plan folder is missing or damaged.
        OutputError: The file exists and `overwrite` is False, or could not be written.
    """
    for package in NEEDED:
        if find_spec(package) is None:
            raise RecipeError(
                f"report needs the package {package}; pip install 'sensorplan[report]'"
            )
    if target is not None:
        check_file(target, overwrite)
    plan = Plan.load(plan_folder)
    frame = read_deployment(plan_folder)
    curve = read_records(plan_folder / "curve.csv", CurvePoint)
    conditions = read_records(plan_folder / "conditions.csv", ConditionRow)
    from sensorplan.exports.report.page import report_html

    content = report_html(plan, frame, curve, conditions)
    if target is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_file(target, content, overwrite)
