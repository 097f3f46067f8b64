"""The curve folder: everything that `curve` writes, in one go."""

from collections.abc import Sequence
from pathlib import Path

from sensorplan.curve import CURVE_FILE, CurvePoint, CurveRecord
from sensorplan.exports.curve_figure import methods_figure
from sensorplan.exports.files import write_folder
from sensorplan.exports.folder import check_target
from sensorplan.exports.style import names_of, render
from sensorplan.exports.tables import curve_csv
from sensorplan.recipe import FigureFormat


def write_curve(
    folder: Path,
    *,
    record: CurveRecord,
    curve: Sequence[CurvePoint],
    figure_format: FigureFormat,
    overwrite: bool,
) -> None:
    """Write the curve folder: all of it or nothing.

    Args:
        folder: Where; missing folders above it are made.
        record: How the points were made, and what they say.
        curve: Points of all methods.
        figure_format: Of the figure.
        overwrite: Replace an older curve folder, but keep what the user added to it.

    Raises:
        OutputError: The target is not allowed (`check_target`), or the system refused to write.
    """
    check_target(folder, overwrite, CURVE_FILE)
    files = {
        "curve.csv": curve_csv(curve),
        f"curve.{figure_format}": render(methods_figure(curve, record), figure_format),
        CURVE_FILE: record.to_json(),
    }
    write_folder(folder, files, names_of("curve"))
