"""Sensors that are switched off in steps: which go in each phase, and what the forecast is then."""

from collections.abc import Sequence

import numpy as np

from sensorplan.evaluation import plan_curve
from sensorplan.metrics import Errors
from sensorplan.pipeline.planning import Prepared, Stage
from sensorplan.plan import PhaseRecord, budget_at
from sensorplan.rankers import MaskTraining


def phases_of(
    prepared: Prepared,
    trained: MaskTraining,
    shares: Sequence[float],
    everything: Errors,
    stage: Stage,
) -> tuple[PhaseRecord, ...]:
    """The plan in phases: each keeps what the next one keeps, and the last is the plan.

    Of what goes, the least important goes first, excluded sensors before all others.

    Args:
        prepared: The network and the trained forecaster, which judges every phase.
        trained: The plan and its ranking.
        shares: Of the regions to switch off, rising; the last is the plan's.
        everything: Test errors from all sensors by that forecaster.
        stage: Told of this one.
    """
    names = prepared.regions.names
    budgets = [budget_at(share, len(names)) for share in shares]
    masks = {budget: trained.ranking.keep(budget) for budget in budgets}
    masks[budgets[-1]] = trained.mask
    with stage("judge phases", len(shares)) as done:
        points = plan_curve(prepared.trainer, masks, "phase", everything, shares, done)
    phases, before = [], np.ones(len(names), bool)
    for point in points:
        mask = masks[point.budget]
        gone = tuple(names[region] for region in np.flatnonzero(before & ~mask))
        before = mask
        phases.append(PhaseRecord(**point.model_dump(exclude={"method"}), switched_off=gone))
    return tuple(phases)
