"""`fit`, `compare` and `draw_curve`, as their commands do them."""

import tempfile
import weakref
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import pandas as pd

from sensorplan.comparison import MethodRow
from sensorplan.curve import MAX_LOSS, CurvePoint
from sensorplan.notebook.asking import (
    AnyPath,
    Data,
    asked_for,
    say,
    several,
    table_of,
    told,
    warn,
)
from sensorplan.notebook.opened import SensorPlan
from sensorplan.recipe import ConstraintKeywords, CurveKeywords, Keywords, Recipe

if TYPE_CHECKING:
    from sensorplan.pipeline import Progress


def fit(
    data: Data | None = None,
    *,
    recipe: Recipe | AnyPath | None = None,
    out: AnyPath | None = None,
    overwrite: bool = False,
    progress: "bool | Progress" = False,
    **settings: Unpack[Keywords],
) -> SensorPlan:
    """Plan which sensors to keep.

    Args:
        data: A dataset or an array, which stays as it is; a frame with one row a time and one
            column a sensor; or files, as on the command line. None: what the recipe names.
        recipe: Settings, or a TOML file of them; None: all defaults.
        out: The plan folder; None: a temporary one, which goes with the plan.
        overwrite: Replace an older plan there.
        progress: True: name each stage on stderr; or what is called with a stage, the parts of it
            that are done, and its parts in all.
        settings: Settings by their names in a recipe, put on top of it, such as ``sparsity=0.4``,
            ``budget=12``, ``max_loss=0.05``, ``variable="t2m"``, ``patch="4x4"``, ``backbone``,
            ``require=["A1"]``, ``exclude``, ``seed``.

    Raises:
        SensorplanError: See `sensorplan.errors` for the kinds.
    """
    from sensorplan.pipeline import fit as plan

    asked = asked_for(data, recipe, settings, Keywords.__annotations__)
    with ExitStack() as stack:
        scratch = None if out else stack.enter_context(tempfile.TemporaryDirectory())
        result = plan(
            asked.recipe,
            dataset=asked.dataset,
            out=Path(out or f"{scratch}/sensors.plan"),
            overwrite=overwrite,
            progress=told(progress),
            tell=say,
        )
        fitted = SensorPlan(result.folder)
        weakref.finalize(fitted, stack.pop_all().close)
    return fitted


def compare(
    data: Data | None = None,
    *,
    sparsity: float | Sequence[float] | None = None,
    method: str | Sequence[str] | None = None,
    judge: str | Sequence[str] | None = None,
    folds: int = 3,
    seeds: int = 1,
    workers: int = 1,
    recipe: Recipe | AnyPath | None = None,
    out: AnyPath | None = None,
    overwrite: bool = False,
    progress: "bool | Progress" = False,
    **settings: Unpack[ConstraintKeywords],
) -> pd.DataFrame:
    """Set methods side by side, at several sparsities.

    Args:
        data: As in `fit`.
        sparsity: Shares of the sensors to switch off; None: 0.4, 0.6, 0.8 and 0.9.
        method: What ranks the sensors; None: all methods.
        judge: ``neural`` or ``ridge``; None: both.
        folds: Stretches of later time to judge on, each with the history before it.
        seeds: Runs with another seed each.
        workers: Folds at a time, each in a process of its own.
        recipe: As in `fit`.
        out: Folder of tables to write; None: they are not kept.
        overwrite: Replace an older comparison there.
        progress: As in `fit`.
        settings: As in `fit`, without ``method`` and the sizes.

    Returns:
        The columns of `compare.csv`.

    Warns:
        UserWarning: Of what the comparison says of itself, such as methods left out.

    Raises:
        SensorplanError: See `sensorplan.errors` for the kinds.
    """
    from sensorplan.pipeline import compare as run

    asked = asked_for(data, recipe, settings, ConstraintKeywords.__annotations__)
    with tempfile.TemporaryDirectory() as scratch:
        result = run(
            asked.recipe,
            dataset=asked.dataset,
            sparsities=several(sparsity),
            methods=several(method),
            judges=several(judge),
            folds=folds,
            seeds=seeds,
            workers=workers,
            out=Path(out or f"{scratch}/sensors.compare"),
            overwrite=overwrite,
            progress=told(progress),
        )
    warn(result.comparison.warnings)
    return table_of(result.comparison.rows, MethodRow)


def draw_curve(
    data: Data | None = None,
    *,
    recipe: Recipe | AnyPath | None = None,
    out: AnyPath | None = None,
    overwrite: bool = False,
    progress: "bool | Progress" = False,
    **settings: Unpack[CurveKeywords],
) -> pd.DataFrame:
    """Judge plans of all sizes, beside random ones, the best baseline and the linear limit.

    Args:
        data: As in `fit`.
        recipe: As in `fit`.
        out: Folder of the table and the figure; None: they are not kept.
        overwrite: Replace an older curve there.
        progress: As in `fit`.
        settings: As in `fit`, without ``method``, constraints, and sizes but ``max_loss``: the
            share of the accuracy that may be lost, by default 0.05.

    Returns:
        The columns of `curve.csv`; ``attrs["knee"]`` is the row of the sparsest plan within
        ``max_loss``, None where there is none.

    Warns:
        UserWarning: Of what the curve says of itself, such as methods left out.

    Raises:
        SensorplanError: See `sensorplan.errors` for the kinds.
    """
    from sensorplan.pipeline import draw_curve as run

    asked = asked_for(data, recipe, settings, CurveKeywords.__annotations__)
    with tempfile.TemporaryDirectory() as scratch:
        result = run(
            asked.recipe,
            max_loss=asked.recipe.mask.max_loss or MAX_LOSS,
            dataset=asked.dataset,
            out=Path(out or f"{scratch}/sensors.curve"),
            overwrite=overwrite,
            progress=told(progress),
        )
    warn(result.record.warnings)
    table = table_of(result.points, CurvePoint)
    table.attrs["knee"] = result.record.knee and result.record.knee.model_dump()
    return table
