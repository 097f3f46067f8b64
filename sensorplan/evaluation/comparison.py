"""From the test errors of every method to the rows of a comparison.

A plan is worth what the forecast from its sensors is worth beside that from all sensors, under the
same judge, on the same windows. Methods that differ by less than the interval of their ratio, or by
less than a margin that no operator would notice, are tied.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sensorplan.comparison import LeadRow, MethodRow, SensorRow, Verdict
from sensorplan.metrics import Errors, average, join, ratio_interval, skill, value_kept

MARGIN = 0.005  # of the RMSE: what is nearer is a tie
DRAWS_SEED = 0  # of the intervals


@dataclass(frozen=True)
class Case:
    """What is judged: the plans of a method at a sparsity, by one judge."""

    method: str
    sparsity: float
    judge: str


@dataclass(frozen=True)
class JudgedErrors:
    """Test errors of everything that is compared, on the same windows.

    Attributes:
        all_sensors: By judge, those of the forecast from all sensors, one for each seed.
        plans: Those of the plans of each case: as many for every seed, those of a seed together.
        persistence: Those of the last value, carried on.
        climatology: Those of the calendar alone.
    """

    all_sensors: Mapping[str, Sequence[Errors]]
    plans: Mapping[Case, Sequence[Errors]]
    persistence: Errors
    climatology: Errors


def join_folds(folds: Sequence[JudgedErrors]) -> JudgedErrors:
    """The windows of all folds as one; a case that some fold lacks is left out."""
    first, *others = folds

    def joined(found: Sequence[Sequence[Errors]]) -> list[Errors]:
        return [join(parts) for parts in zip(*found, strict=True)]

    return JudgedErrors(
        {judge: joined([fold.all_sensors[judge] for fold in folds]) for judge in first.all_sensors},
        {
            case: joined([fold.plans[case] for fold in folds])
            for case in first.plans
            if all(case in fold.plans for fold in others)
        },
        join([fold.persistence for fold in folds]),
        join([fold.climatology for fold in folds]),
    )


def method_rows(
    judged: JudgedErrors, budgets: Mapping[float, int], block: int, challenger: str
) -> list[MethodRow]:
    """A row for every case, in their order.

    Args:
        judged: Test errors over all folds.
        budgets: Number of regions kept at each sparsity.
        block: Windows in a block of the bootstrap: as many as overlap.
        challenger: The method whose verdicts are wanted: DynST.
    """
    mean = {case: average(plans) for case, plans in judged.plans.items()}
    everything = {judge: average(seeds) for judge, seeds in judged.all_sensors.items()}
    rows = []
    for case, errors in mean.items():
        rivals = {
            other.method: found
            for other, found in mean.items()
            if (other.sparsity, other.judge) == (case.sparsity, case.judge)
        }
        best = min(rivals.values(), key=lambda found: found.rmse)
        reference = everything[case.judge]
        low, high = ratio_interval(errors, reference, block, DRAWS_SEED)
        outcome, ratio, ratio_low, ratio_high = _against(rivals.get(challenger), errors, block)
        rows.append(
            MethodRow(
                method=case.method,
                sparsity=case.sparsity,
                budget=budgets[case.sparsity],
                judge=case.judge,
                rmse=errors.rmse,
                mae=errors.mae,
                rmse_ratio=_ratio(errors.rmse, reference.rmse),
                ci_low=low,
                ci_high=high,
                spread=_spread(judged.plans[case], judged.all_sensors[case.judge]),
                skill_persistence=skill(errors, judged.persistence),
                skill_climatology=skill(errors, judged.climatology),
                value_kept=value_kept(judged.climatology.rmse, errors.rmse, reference.rmse),
                tied_with_best=errors is best
                or verdict(ratio_interval(errors, best, block, DRAWS_SEED)) != "loss",
                verdict=outcome,
                dynst_ratio=ratio,
                dynst_low=ratio_low,
                dynst_high=ratio_high,
            )
        )
    return rows


def verdict(interval: tuple[float, float]) -> Verdict:
    """What the interval of RMSE / RMSE of a rival says: a win is a lower error.

    >>> verdict((0.97, 0.99)), verdict((0.97, 0.996)), verdict((1.01, 1.02))
    ('win', 'tie', 'loss')
    """
    low, high = interval
    return "win" if high < 1 - MARGIN else "loss" if low > 1 + MARGIN else "tie"


def _against(
    challenger: Errors | None, rival: Errors, block: int
) -> tuple[Verdict | None, float | None, float | None, float | None]:
    """Verdict and ratio of the challenger, with its interval; None where there is none to give."""
    if challenger is None or challenger is rival:
        return None, None, None, None
    low, high = ratio_interval(challenger, rival, block, DRAWS_SEED)
    return verdict((low, high)), _ratio(challenger.rmse, rival.rmse), low, high


def _spread(plans: Sequence[Errors], all_sensors: Sequence[Errors]) -> float | None:
    """Standard deviation of the ratio over plans, each beside all sensors of the same seed."""
    if len(plans) < 2:
        return None
    each = len(plans) // len(all_sensors)
    ratios = [
        _ratio(plan.rmse, all_sensors[number // each].rmse) for number, plan in enumerate(plans)
    ]
    return float(np.std(ratios, ddof=1))


def _ratio(rmse: float, reference: float) -> float:
    return rmse / reference if reference else np.nan


def lead_rows(judged: JudgedErrors) -> list[LeadRow]:
    """A row for every case and lead time, in their order."""
    everything = {judge: average(seeds) for judge, seeds in judged.all_sensors.items()}
    rows = []
    for case, plans in judged.plans.items():
        sums = average(plans).by_lead
        reference = everything[case.judge].by_lead.rmse
        rows += [
            LeadRow(case.method, case.sparsity, case.judge, lead, rmse, mae, _ratio(rmse, whole))
            for lead, (rmse, mae, whole) in enumerate(
                zip(sums.rmse.tolist(), sums.mae.tolist(), reference.tolist(), strict=True), 1
            )
        ]
    return rows


def sensor_rows(judged: JudgedErrors, names: Sequence[str]) -> list[SensorRow]:
    """A row for every case and region, in their order; NaN in a region that was never judged.

    Args:
        judged: Test errors over all folds.
        names: ``[region]``.
    """
    rows = []
    for case, plans in judged.plans.items():
        sums = average(plans).by_region
        rows += [
            SensorRow(case.method, case.sparsity, case.judge, name, rmse, mae)
            for name, rmse, mae in zip(names, sums.rmse.tolist(), sums.mae.tolist(), strict=True)
        ]
    return rows
