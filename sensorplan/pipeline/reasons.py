"""What a plan's failures cost, and the reasons for each of its regions."""

import numpy as np

from sensorplan.evaluation import Evidence, judge_failures, make_linear, tune_linear
from sensorplan.evaluation.reasons import (
    find_ties,
    own_errors,
    substitutes,
    tie_candidates,
    tie_effort,
)
from sensorplan.evaluation.resilience import failure_effort
from sensorplan.pipeline.planning import Prepared, Stage
from sensorplan.rankers import make_history
from sensorplan.reasons import Reasons
from sensorplan.training import Trainer


def judging_members(trainer: Trainer, evidence: Evidence) -> list[Trainer]:
    """The network, and where it can be had the regression, as they judge masks near the plan."""
    linear = make_linear(trainer)
    if linear is None:
        return [trainer]
    tune_linear(linear, evidence.mask)
    return [trainer, linear]


def give_reasons(prepared: Prepared, evidence: Evidence, seed: int, stage: Stage) -> Reasons:
    """Judge failures, and say of each region why it is kept or dropped.

    Args:
        prepared: The network and the trained forecaster, both left as they are.
        evidence: The plan and its test errors.
        seed: Of the random failures.
        stage: Told of every stage.
    """
    mask, regions = evidence.mask, prepared.regions
    masks = failure_effort(len(mask), int(mask.sum())).masks
    with stage("judge failures", masks) as done:
        members = judging_members(prepared.trainer, evidence)
        failures = judge_failures(members, mask, regions.names, seed, done)
    own, ratio = own_errors(evidence.plan, evidence.all_sensors)
    history = make_history(prepared.trainer.windows, seed=seed)
    judged = np.flatnonzero(np.isfinite(failures.penalty))
    available = ~mask & history.observed & ~prepared.rules.excluded
    count, windows = tie_effort(len(mask), len(judged), int(available.sum()))
    with stage("look for substitutes", len(judged)) as done:
        substitute, explained = substitutes(history, mask)
        candidates = tie_candidates(history, available, judged, count)
        ties = find_ties(members, mask, judged, candidates, windows, prepared.rules.allow, done)
    return Reasons(
        failures.summary, failures.single, failures.penalty, own, ratio, substitute, explained, ties
    )
