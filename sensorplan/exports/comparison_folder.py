"""The comparison folder: everything that `compare` writes, in one go."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sensorplan.comparison import COMPARISON_FILE, Comparison, LeadRow, MethodRow, SensorRow
from sensorplan.exports.comparison_figure import comparison_figure
from sensorplan.exports.files import write_folder
from sensorplan.exports.folder import check_target
from sensorplan.exports.style import names_of, render
from sensorplan.recipe import FigureFormat


def write_comparison(
    folder: Path,
    comparison: Comparison,
    by_lead: Sequence[LeadRow],
    by_sensor: Sequence[SensorRow],
    figure_format: FigureFormat,
    overwrite: bool,
) -> None:
    """Write the comparison folder: all of it or nothing.

    Args:
        folder: Where; missing folders above it are made.
        comparison: What was compared.
        by_lead: Rows of `by_lead.csv`.
        by_sensor: Rows of `by_sensor.csv`.
        figure_format: Of the figure.
        overwrite: Replace an older comparison folder, but keep what the user added to it.

    Raises:
        OutputError: The target is not allowed (`check_target`), or the system refused to write.
    """
    check_target(folder, overwrite, COMPARISON_FILE)
    rows = pd.DataFrame(
        [row.model_dump() for row in comparison.rows], columns=list(MethodRow.model_fields)
    )
    write_folder(
        folder,
        {
            COMPARISON_FILE: comparison.to_json(),
            "compare.csv": _csv(rows),
            "by_lead.csv": _csv(pd.DataFrame(by_lead, columns=list(LeadRow._fields))),
            "by_sensor.csv": _csv(pd.DataFrame(by_sensor, columns=list(SensorRow._fields))),
            f"compare.{figure_format}": render(comparison_figure(comparison), figure_format),
        },
        names_of("compare"),
    )


def _csv(table: pd.DataFrame) -> bytes:
    """The table as CSV; what is not known is empty."""
    return table.to_csv(index=False, lineterminator="\n", float_format="%.6g").encode()
