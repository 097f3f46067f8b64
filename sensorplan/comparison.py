"""The record of a comparison of methods, as `compare.json` and its tables hold it."""

from typing import Any, Literal, NamedTuple

from sensorplan.plan import SCHEMA_VERSION, DataRecord, Record, Score

COMPARISON_FILE = "compare.json"

Verdict = Literal["win", "tie", "loss"]


class MethodRow(Record):
    """One method at one sparsity under one judge: a row of `compare.csv`.

    Every interval is a 95 % one.

    Attributes:
        rmse_ratio: RMSE / RMSE from all sensors under the same judge, with ``ci_low`` and
            ``ci_high``.
        spread: Standard deviation of that ratio over seeds, of random also over its plans; None
            where there is one plan only.
        skill_persistence: 1 - RMSE / RMSE of carrying the last value on.
        skill_climatology: 1 - RMSE / RMSE of the calendar alone.
        value_kept: See `sensorplan.metrics.value_kept`.
        tied_with_best: Not worse than the method with the least RMSE of this sparsity and judge by
            more than the margin, so far as the interval tells; True of the best itself.
        verdict: Of DynST against this method: ``win`` where DynST is better by more than the
            margin, the whole interval of the next ratio counted, ``loss`` where it is worse by
            more, else ``tie``; None of DynST itself, or where it takes no part.
        dynst_ratio: RMSE of DynST / RMSE of this method, with ``dynst_low`` and ``dynst_high``;
            None where there is no verdict.
    """

    method: str
    sparsity: float
    budget: int
    judge: str
    rmse: float
    mae: float
    rmse_ratio: float
    ci_low: float
    ci_high: float
    spread: float | None
    skill_persistence: float
    skill_climatology: float
    value_kept: float | None
    tied_with_best: bool
    verdict: Verdict | None
    dynst_ratio: float | None
    dynst_low: float | None
    dynst_high: float | None


class LeadRow(NamedTuple):
    """One lead time of a method at a sparsity under a judge: a row of `by_lead.csv`.

    Attributes:
        lead: Steps ahead, from 1.
        rmse_ratio: RMSE / RMSE from all sensors at the same lead.
    """

    method: str
    sparsity: float
    judge: str
    lead: int
    rmse: float
    mae: float
    rmse_ratio: float


class SensorRow(NamedTuple):
    """One region under a method at a sparsity and a judge: a row of `by_sensor.csv`."""

    method: str
    sparsity: float
    judge: str
    sensor: str
    rmse: float
    mae: float


class Comparison(Record):
    """What was compared, how, and what came out: `compare.json`.

    Attributes:
        methods: Names of the methods, DynST first.
        left_out: Methods that cannot take the data, with the reason.
        seeds: Of the planning; each with a judge of its own.
        random_plans: Plans of random for each seed.
        folds: How time was cut in each fold: ``train``, ``validation`` and ``test``, each with
            first and last time and its windows.
        lookback: Steps of history in a window.
        horizon: Steps of future in a window.
        margin: Share of the RMSE that a win or a loss must exceed.
        unit: Of every RMSE and MAE.
        all_sensors: By judge, the score of the forecast from all sensors.
        persistence: Score of the last value of each sensor, carried on.
        climatology: Score of the calendar alone.
        rows: All methods at all sparsities under all judges.
        masks_taken: How often, over folds, seeds and sparsities, DynST took which mask: its own
            trained one or that of a challenger.
    """

    schema_version: int = SCHEMA_VERSION
    data: DataRecord
    methods: tuple[str, ...]
    left_out: dict[str, str]
    sparsities: tuple[float, ...]
    judges: tuple[str, ...]
    seeds: tuple[int, ...]
    random_plans: int
    folds: tuple[dict[str, Any], ...]
    lookback: int
    horizon: int
    margin: float
    unit: str
    all_sensors: dict[str, Score]
    persistence: Score
    climatology: Score
    rows: tuple[MethodRow, ...]
    masks_taken: dict[str, int]
    warnings: tuple[str, ...]
    timings: dict[str, float]
    versions: dict[str, str]
    settings: dict[str, Any]

    @property
    def test_windows(self) -> int:
        """Windows that were judged, over all folds."""
        return sum(fold["test"]["windows"] for fold in self.folds)


def best_methods(rows: tuple[MethodRow, ...], judge: str) -> list[str]:
    """The methods under one judge, the one with the least mean ratio over sparsities first."""
    ratios: dict[str, list[float]] = {}
    for row in rows:
        if row.judge == judge:
            ratios.setdefault(row.method, []).append(row.rmse_ratio)
    return sorted(ratios, key=lambda method: sum(ratios[method]) / len(ratios[method]))
