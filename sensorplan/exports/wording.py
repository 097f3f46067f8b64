"""Sentences and numbers about a plan that the screen and the report share."""

import numpy as np

from sensorplan.plan import Metrics, Plan, RandomPlans, Score
from sensorplan.reasons import Failure


def number(value: float) -> str:
    """A number to three digits, without a decimal point from a hundred on.

    >>> number(8.9137), number(0.012345), number(51234.5)
    ('8.91', '0.0123', '51,234')
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}"


def change(ratio: float) -> str:
    """How far a ratio is from 1, in per cent.

    >>> change(1.0123), change(0.99999)
    ('+1.2', '0.0')
    """
    percent = round(100 * (ratio - 1), 1)
    return f"{percent:+.1f}" if percent else "0.0"


def size_of(plan: Plan) -> str:
    """How many are kept of what, such as ``Keep 28 of 70 sensors (60 % off)``."""
    regions = plan.data.regions
    patched = regions != plan.data.sensors
    what = f"patches ({plan.data.sensors} cells)" if patched else "sensors"
    return f"Keep {plan.budget} of {regions} {what} ({100 * (1 - plan.budget / regions):.0f} % off)"


def value_kept_words(share: float | None) -> str:
    """What a plan keeps of the worth of the sensors (`Metrics.value_kept`)."""
    if share is None:
        return "the sensors add nothing to the calendar"
    if share < 0:
        return "worse than the calendar alone"
    kept = "all" if share >= 1 else f"{100 * share:.0f} %"
    return f"keeps {kept} of what the sensors add to the calendar"


def verdict(plan: Plan) -> str:
    """The plan in one sentence."""
    metrics = plan.metrics
    unit = metrics.unit
    error = f"{number(metrics.plan.rmse)}{' ' if unit else ''}{unit}"
    lost = 100 * (metrics.rmse_ratio - 1)
    side = "above" if lost >= 0 else "below"
    beside = f" ({random_words(metrics.random)})" if metrics.random else ""
    return (
        f"{size_of(plan)}: "
        f"forecast error {error}, {abs(lost):.1f} % {side} all sensors{beside}; "
        f"{value_kept_words(metrics.value_kept)}."
    )


def random_words(random: RandomPlans) -> str:
    """What the plan and random thinning cost by one forecaster, the one before fine-tuning."""
    own, others = change(random.plan_ratio), change(random.rmse_ratio)
    return f"before fine-tuning {own} %, random thinning {others} %"


def chance_words(plan: Plan) -> str | None:
    """The plan beside random ones, by one forecaster; None where there are none."""
    random = plan.metrics.random
    if random is None:
        return None
    return (
        f"By the forecaster of the curve, before fine-tuning: this plan "
        f"{random.plan_ratio:.3f} of all sensors, {random.plans} random plans "
        f"{random.rmse_ratio:.3f} on average ({random.best:.3f} to {random.worst:.3f})."
    )


def scores_of(metrics: Metrics) -> list[tuple[str, Score, float]]:
    """Each forecast that there is: its name, its errors, and RMSE / RMSE from all sensors.

    Random plans are none of them: another forecaster judges those (`chance_words`).
    """
    rows: dict[str, Score | None] = {
        "all sensors": metrics.all_sensors,
        "this plan": metrics.plan,
        "this plan, linear": metrics.linear,
        "persistence": metrics.persistence,
        "calendar alone": metrics.climatology,
    }
    whole = metrics.all_sensors.rmse
    return [
        (name, score, score.rmse / whole if whole else float("nan"))
        for name, score in rows.items()
        if score
    ]


def phase_cells(plan: Plan) -> list[tuple[str, ...]]:
    """A row for each phase: its number, share off, number kept, how many go, RMSE and ratio."""
    return [
        (
            str(place),
            f"{100 * phase.sparsity:.0f} %",
            str(phase.budget),
            str(len(phase.switched_off)),
            number(phase.rmse),
            f"{phase.rmse_ratio:.3f}",
        )
        for place, phase in enumerate(plan.phases, 1)
    ]


def contest_words(plan: Plan) -> str | None:
    """Whose mask the plan is and how far ahead; None where no masks competed."""
    if len(plan.candidates) < 2 or plan.candidate_loss is None:
        return None
    first, second = sorted(plan.candidates, key=lambda name: plan.candidates[name])[:2]
    best = plan.candidates[first]
    next_best, refined = (
        f"{100 * np.expm1(abs(loss - best) / 2):.1f} %"
        for loss in (plan.candidates[second], plan.candidate_loss)
    )
    return (
        f"Of {len(plan.candidates)} candidates {first} was best on earlier time; the next, "
        f"{second}, has an error {next_best} higher. Refined, it is {refined} lower."
    )


def forecaster_words(plan: Plan) -> str | None:
    """What forecasts; None where it is the network alone."""
    record = plan.forecaster
    if record is None or record.shipped == record.backbone:
        return None
    what, better = "linear regression", record.backbone
    if record.linear_share < 1:
        share = f"{100 * record.linear_share:.0f} %"
        what, better = f"{record.backbone} blended with {share} linear regression", "either"
    return f"The forecaster is {what}: on validation better than {better}."


def resilience_words(plan: Plan) -> list[str]:
    """The worst single failure, the worst pair, and the largest share that fails at random."""
    found = plan.resilience
    if found is None:
        return []
    worst = f"Worst failure: without {_named(found.worst)} the error is {_cost(found.worst)}"
    if found.judged < plan.budget:
        worst += f", of {found.judged} of {plan.budget} kept that were judged"
    if found.worst_pair:
        worst += f"; without {_named(found.worst_pair)} {_cost(found.worst_pair)}"
    sentences = [f"{worst}."]
    if plan.budget > 1:
        share, random = list(found.random.items())[-1]
        sentences.append(
            f"With {random.failed} of the kept failing at random ({100 * float(share):.0f} %) "
            f"it is {change(random.mean)} % on average, and {change(random.p95)} % in bad luck "
            "(one in 20)."
        )
    return sentences


def _named(failure: Failure) -> str:
    return " and ".join(failure.sensors)


def _cost(failure: Failure) -> str:
    """The change of the error, with its interval."""
    low, high = change(failure.ci_low), change(failure.ci_high)
    return f"{change(failure.rmse_ratio)} % ({low} to {high} %)"
