"""The plan folder: everything that `fit` writes, in one go."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sensorplan.checkpoints import CHECKPOINTS, is_checkpoints, is_unfinished
from sensorplan.conditions import LeadError
from sensorplan.curve import CurvePoint
from sensorplan.errors import OutputError
from sensorplan.exports.figures import FIGURES, draw_plan
from sensorplan.exports.files import check_parent, hidden_beside, settle, write_folder
from sensorplan.exports.geojson import geojson
from sensorplan.exports.mask_history import HISTORY_FILE, mask_history_csv
from sensorplan.exports.reasons import resilience_csv
from sensorplan.exports.records import records_csv
from sensorplan.exports.style import names_of
from sensorplan.exports.tables import curve_csv, deployment, map_warnings, ranking_csv
from sensorplan.locking import BRIEFLY, alone
from sensorplan.masking import MaskRound
from sensorplan.plan import PLAN_FILE, Plan, Ranking
from sensorplan.reasons import RESILIENCE_FILE, Reasons
from sensorplan.recipe import FigureFormat
from sensorplan.regions import Regions
from sensorplan.sensors import Floats, SensorData

PATIENCE = 60.0  # seconds in which a process that nobody waits for any more has ended


def check_target(folder: Path, overwrite: bool, marker: str = PLAN_FILE) -> None:
    """See that a folder may be written, before hours of training.

    Nothing is touched but what a kill has left beside it. A plan folder that holds nothing but
    checkpoints may be written.

    Args:
        folder: Where.
        overwrite: Replace an older folder of the same kind.
        marker: Name of the file that tells this kind of folder, say ``plan.json``.

    Raises:
        OutputError: Something stands there and `overwrite` is False, or it is neither such a folder
            nor empty, or the folder around it cannot be written.
    """
    kind = Path(marker).stem
    if os.path.ismount(folder):
        raise OutputError(
            f"{folder}: is a mount point, which cannot be replaced; name a folder in it"
        )
    settle(folder)
    if folder.exists() and not (marker == PLAN_FILE and is_unfinished(folder)):
        if not overwrite:
            raise OutputError(f"{folder}: exists already; --overwrite replaces it")
        if not folder.is_dir():
            raise OutputError(f"{folder}: is a file; --overwrite replaces only a {kind} folder")
        if any(folder.iterdir()) and not (folder / marker).is_file():
            raise OutputError(
                f"{folder}: holds no {marker}; "
                f"--overwrite replaces only a {kind} folder or an empty one"
            )
    check_parent(folder)


@contextmanager
def making_plan(
    folder: Path,
    overwrite: bool,
    tell: Callable[[str], None],
    waiting: Callable[[], None] | None = None,
) -> Iterator[None]:
    """Keep other processes from making the plan of a folder that may be written.

    Args:
        folder: Where.
        overwrite: Replace an older plan.
        tell: Told where there are no locks.
        waiting: Called while another process is waited for, a minute at most; None: none is.

    Raises:
        OutputError: Another process makes it, or the folder is not allowed (`check_target`).
    """
    lock = hidden_beside(folder, ".running")
    patience = BRIEFLY if waiting is None else PATIENCE
    with alone(folder, lock, "is making this plan", patience, waiting) as warning:
        check_target(folder, overwrite)
        if warning:
            tell(warning)
        yield


def write_plan(
    folder: Path,
    *,
    plan: Plan,
    ranking: Ranking,
    keep_frequency: Floats,
    reasons: Reasons,
    regions: Regions,
    data: SensorData,
    curve: Sequence[CurvePoint],
    leads: Sequence[LeadError],
    rounds: Sequence[MaskRound],
    figure_format: FigureFormat,
    extra_files: Mapping[str, bytes],
    overwrite: bool,
) -> list[str]:
    """Write the plan folder: all of it or nothing.

    Args:
        folder: Where; missing folders above it are made.
        plan: The plan.
        ranking: The order of the regions that the plan cuts.
        keep_frequency: ``[region]`` share of the resampled histories that keep it.
        reasons: What is known of its failures, and of each region.
        regions: The regions.
        data: The history they come from.
        curve: Points of accuracy against sparsity; may be empty.
        leads: Errors at each lead.
        rounds: How the mask came about; none of a baseline.
        figure_format: Of the figures.
        extra_files: Name and content of further files, such as ``forecaster.safetensors``.
        overwrite: Replace an older plan folder, but keep what the user added to it.

    Returns:
        Warnings for the user, plain sentences.

    Raises:
        OutputError: The target is not allowed (`check_target`), or the system refused to write.
    """
    check_target(folder, overwrite)
    frame = deployment(plan, ranking, keep_frequency, reasons, regions, data)
    files = {
        "ranking.csv": ranking_csv(frame),
        PLAN_FILE: plan.to_json(),
        "deployment.geojson": geojson(frame),
        "curve.csv": curve_csv(curve),
        "error_by_lead.csv": records_csv(leads, LeadError),
        RESILIENCE_FILE: resilience_csv(reasons, plan),
        **draw_plan(frame, plan, ranking, curve, leads, rounds, figure_format),
    }
    if rounds:
        files[HISTORY_FILE] = mask_history_csv(rounds, regions.names)
    assert files.keys().isdisjoint(extra_files)
    replaced = names_of(*FIGURES) | {HISTORY_FILE}
    if is_checkpoints(folder / CHECKPOINTS):
        replaced |= {CHECKPOINTS}
    write_folder(folder, {**files, **extra_files}, replaced)
    return map_warnings(frame)
