"""`diff`: what changed between two plans."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from sensorplan.errors import DataError
from sensorplan.evaluation import DRAWS_SEED, verdict
from sensorplan.exports.files import check_file, write_file
from sensorplan.exports.maps import read_deployment
from sensorplan.exports.records import records_csv
from sensorplan.exports.tables import COORDINATES, FREQUENCY
from sensorplan.exports.window_errors import ERRORS_FILE, WindowErrors, read_window_errors
from sensorplan.metrics import squares_interval
from sensorplan.plan import SCHEMA_VERSION, Plan, Record

Change = Literal["better", "worse", "tie"]
SAID: dict[str, Change] = {"win": "better", "loss": "worse", "tie": "tie"}
COMPARED = ("decision", "rank", "importance", FREQUENCY, "removal_penalty", "substitute")
ALIKE = (  # settings that change what is judged
    *(("data", setting) for setting in ("select", "missing", "resample")),
    *(("window", setting) for setting in ("lookback", "horizon", "stride")),
)


class PlanFacts(Record):
    """One of the two plans.

    Attributes:
        folder: As it was given.
        method: What made the ranking.
        budget: Number of regions kept.
        regions: Number of regions.
        data: The path of its data.
        rmse: Of the plan on its test stretch.
        rmse_ratio: RMSE / RMSE from all sensors.
        unit: Of the RMSE.
        constraints: What it had to obey.
    """

    folder: str
    method: str
    budget: int
    regions: int
    data: str
    rmse: float
    rmse_ratio: float
    unit: str
    constraints: tuple[str, ...] = ()


class ChangedSensor(Record):
    """A sensor that one plan keeps and the other drops.

    Attributes:
        kept_in: Which keeps it: ``A`` or ``B``.
        keep_frequency_a: None in an older plan.
        latitude: As in A; None without a position on the earth.
        y: As in A; None but for planar data.
        settled: What constraints say of it, say ``excluded in B``; None for nothing.
        removal_penalty: Of its failure in the plan that keeps it; None where it is not known.
        substitute: What stands in for it in the plan that drops it; None where it is not known.
    """

    sensor: str
    kept_in: Literal["A", "B"]
    rank_a: int
    rank_b: int
    importance_a: float
    importance_b: float
    keep_frequency_a: float | None
    keep_frequency_b: float | None
    latitude: float | None
    longitude: float | None
    y: float | None
    x: float | None
    settled: str | None = None
    removal_penalty: float | None = None
    substitute: str | None = None


class Difference(Record):
    """What changed between two plans; the fields of the JSON that `diff` prints.

    Attributes:
        a: The first plan.
        b: The second one.
        kept_in_both: Number of sensors that both keep.
        dropped_in_both: Number of sensors that both drop.
        changed: Those that changed sides: kept in A only, then kept in B only, best first.
        only_in_a: Sensors that B does not know.
        only_in_b: Sensors that A does not know.
        windows: Number of test windows that both were judged on; None where there are no pairs.
        rmse_ratio: RMSE of B / RMSE of A on these; ``ci_low`` and ``ci_high`` are its 95 %
            interval. None where there are no pairs, or A makes no error.
        verdict: Whether B is ``better`` or ``worse`` by more than 0.5 %, the whole interval
            counted, or a ``tie``.
        not_paired: Why the errors cannot be compared in pairs; None where they can.
    """

    schema_version: int = SCHEMA_VERSION
    a: PlanFacts
    b: PlanFacts
    kept_in_both: int
    dropped_in_both: int
    changed: tuple[ChangedSensor, ...]
    only_in_a: tuple[str, ...]
    only_in_b: tuple[str, ...]
    windows: int | None
    rmse_ratio: float | None
    ci_low: float | None
    ci_high: float | None
    verdict: Change | None
    not_paired: str | None

    def to_csv(self) -> bytes:
        """The sensors that changed sides, one row each."""
        return records_csv(self.changed, ChangedSensor, digits=10)


def diff(
    plan_a: Path, plan_b: Path, *, out: Path | None = None, overwrite: bool = False
) -> Difference:
    """Compare two plans.

    Args:
        plan_a: A folder that `fit` wrote.
        plan_b: Another one.
        out: A CSV file to write the changed sensors to; None: none.
        overwrite: Replace an older file.

    Raises:
        DataError: A plan is missing or damaged, or they have no sensor in common.
        OutputError: The file exists and `overwrite` is False, or could not be written.
    """
    if out is not None:
        check_file(out, overwrite)
    plans = Plan.load(plan_a), Plan.load(plan_b)
    a, b = (_table(folder) for folder in (plan_a, plan_b))
    own = (table[[*COMPARED]].add_suffix(side) for table, side in ((a, "_a"), (b, "_b")))
    both = pd.concat([*own, a[[*COORDINATES]]], axis=1, join="inner")
    if both.empty:
        raise DataError(f"{plan_a} and {plan_b}: no sensor is in both; nothing to compare")
    kept_a, kept_b = (both[f"decision_{side}"] == "keep" for side in ("a", "b"))
    difference = Difference(
        a=_facts(plan_a, plans[0]),
        b=_facts(plan_b, plans[1]),
        kept_in_both=int((kept_a & kept_b).sum()),
        dropped_in_both=int((~kept_a & ~kept_b).sum()),
        changed=(
            *_changed(both[kept_a & ~kept_b].sort_values("rank_a"), "A", plans),
            *_changed(both[kept_b & ~kept_a].sort_values("rank_b"), "B", plans),
        ),
        only_in_a=tuple(a.index.difference(b.index, sort=False)),
        only_in_b=tuple(b.index.difference(a.index, sort=False)),
        **_errors((plan_a, plan_b), plans),
    )
    if out is not None:
        write_file(out, difference.to_csv(), overwrite)
    return difference


def _facts(folder: Path, plan: Plan) -> PlanFacts:
    return PlanFacts(
        folder=str(folder),
        method=plan.method,
        budget=plan.budget,
        regions=plan.data.regions,
        data=plan.data.path,
        rmse=plan.metrics.plan.rmse,
        rmse_ratio=plan.metrics.rmse_ratio,
        unit=plan.metrics.unit,
        constraints=tuple(check.constraint for check in plan.constraints),
    )


def _table(folder: Path) -> pd.DataFrame:
    """The regions of a plan by name, best first; a column that it lacks is empty."""
    frame = pd.DataFrame(read_deployment(folder).drop(columns="geometry"))
    return frame.set_index("sensor").reindex(columns=[*COMPARED, *COORDINATES])


def _changed(
    table: pd.DataFrame, kept_in: Literal["A", "B"], plans: tuple[Plan, Plan]
) -> list[ChangedSensor]:
    """A record for each row."""
    keeps, drops = ("a", "b") if kept_in == "A" else ("b", "a")
    rows = table.reset_index().assign(
        kept_in=kept_in,
        settled=pd.Series([_settled(str(name), plans) for name in table.index], dtype=object),
        removal_penalty=table[f"removal_penalty_{keeps}"].to_numpy(),
        substitute=table[f"substitute_{drops}"].to_numpy(),
    )
    rows = rows[[*ChangedSensor.model_fields]]
    rows = rows.astype(object).where(rows.notna(), None)
    return [ChangedSensor.model_validate(row) for row in rows.to_dict("records")]


def _settled(sensor: str, plans: tuple[Plan, Plan]) -> str | None:
    """What the constraints of either plan say of a sensor."""
    said = [
        f"{word} in {name}"
        for name, plan in zip("AB", plans, strict=True)
        for word, names in (("required", plan.required), ("excluded", plan.excluded))
        if sensor in names
    ]
    return ", ".join(said) or None


def _errors(folders: tuple[Path, Path], plans: tuple[Plan, Plan]) -> dict[str, Any]:
    """The fields of a `Difference` that compare errors."""
    none = dict.fromkeys(("windows", "rmse_ratio", "ci_low", "ci_high", "verdict", "not_paired"))
    a, b = (read_window_errors(folder) for folder in folders)
    if reason := _unlike(*plans):
        return {**none, "not_paired": reason}
    if a is None or b is None:
        older = " and ".join(str(f) for f, one in zip(folders, (a, b), strict=True) if one is None)
        reason = f"no {ERRORS_FILE} in {older}, fitted by an older sensorplan; fit again to have it"
        return {**none, "not_paired": reason}
    if reason := _judged_unlike(a, b):
        return {**none, "not_paired": reason}
    if not a.squares.sum():
        return {**none, "windows": len(a.squares)}
    window = plans[0].settings["window"]
    overlap = -(-(window["lookback"] + window["horizon"]) // window["stride"])
    low, high = squares_interval(b.squares, a.squares, overlap, DRAWS_SEED)
    return {
        "windows": len(a.squares),
        "rmse_ratio": float(np.sqrt(b.squares.sum() / a.squares.sum())),
        "ci_low": low,
        "ci_high": high,
        "verdict": SAID[verdict((low, high))],
        "not_paired": None,
    }


def _unlike(a: Plan, b: Plan) -> str | None:
    """Why two plans cannot have been judged alike, as a plain sentence; None if they can."""
    if a.data.sha256 != b.data.sha256:
        return f"they are of different data ({a.data.path} and {b.data.path}, contents differ)"
    if a.data.variable != b.data.variable:
        names = (", ".join(plan.data.variable) for plan in (a, b))
        return f"they are of different variables ({'; '.join(names)})"
    for section, setting in ALIKE:
        first, second = (plan.settings.get(section, {}).get(setting) for plan in (a, b))
        if first != second:
            return f"their [{section}] {setting} differs ({first or 'none'}; {second or 'none'})"
    if len(a.data.variable) > 1 and a.split["train"] != b.split["train"]:
        return "their errors are in standard deviations of different training stretches"
    return None


def _judged_unlike(a: WindowErrors, b: WindowErrors) -> str | None:
    """Why two plans were not judged on the same values, as a plain sentence; None if they were."""
    if a.origins != b.origins:
        spans = (f"{one.origins[0]} to {one.origins[-1]}" for one in (a, b))
        return f"they were tested on different stretches (forecasts from {'; '.join(spans)})"
    if not np.array_equal(a.count, b.count):
        values = (f"{one.count.sum():,}" for one in (a, b))
        return f"they were judged on different values ({' and '.join(values)} observed ones)"
    return None
