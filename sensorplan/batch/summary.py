"""`summary.csv`: the plans of a batch as one table."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sensorplan.batch.manifest import PlanEntry
from sensorplan.errors import DataError
from sensorplan.exports.files import write_file

SUMMARY_FILE = "summary.csv"
NAME = "name"
COUNTS = ("seed", "regions", "budget", "warnings")


def write_summary(folder: Path, plans: Sequence[PlanEntry]) -> None:
    """Write the table of the plans, in place of an older one.

    Raises:
        OutputError: The system refused to write.
    """
    keys = list(dict.fromkeys(key for plan in plans for key in plan.settings))
    table = pd.DataFrame([_row(plan, keys) for plan in plans]).astype(
        dict.fromkeys(COUNTS, "Int64")
    )
    content = table.to_csv(index=False, lineterminator="\n").encode()
    write_file(folder / SUMMARY_FILE, content, overwrite=True)


def read_summary(folder: Path | str) -> pd.DataFrame:
    """The table of the plans of a batch, one row a plan, by name.

    ``read_summary("out").set_index(["mask.sparsity", "run.seed"]).to_xarray()`` spans the axes of a
    matrix.

    Args:
        folder: The batch folder.

    Returns:
        State, what the matrix set (dotted keys, as columns), size, errors in the data's unit,
        seconds and error of each plan; empty where a plan was not made.

    Raises:
        DataError: There is no such table.
    """
    file = Path(folder) / SUMMARY_FILE
    try:
        return pd.read_csv(file, index_col=NAME)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{file}: cannot be read; expected a folder written by sensorplan batch"
        ) from error


def _row(plan: PlanEntry, keys: Sequence[str]) -> dict[str, Any]:
    metrics = plan.metrics
    scores = {
        f"{measure}_{forecast}": getattr(getattr(metrics, forecast, None), measure, None)
        for forecast in ("plan", "all_sensors", "persistence", "climatology")
        for measure in ("rmse", "mae")
    }
    return {
        NAME: plan.name,
        "state": plan.state,
        **{key: _cell(plan.settings.get(key)) for key in keys},
        "variable": ",".join(plan.variable),
        "method": plan.method,
        "backbone": plan.backbone,
        "seed": plan.seed,
        "regions": plan.regions,
        "budget": plan.budget,
        "sparsity": plan.sparsity,
        "rmse_ratio": metrics and metrics.rmse_ratio,
        "value_kept": metrics and metrics.value_kept,
        **scores,
        "unit": metrics and metrics.unit,
        "warnings": len(plan.warnings),
        "seconds": plan.seconds,
        "error": plan.error,
    }


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value
