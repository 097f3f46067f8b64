"""What `fit` says of failures of kept sensors."""

from rich.text import Text

from sensorplan.plan import Plan
from sensorplan.reasons import Failure


def resilience_lines(plan: Plan) -> list[Text | str]:
    """The worst single failure, the worst pair, and the largest share that fails at random."""
    found = plan.resilience
    if found is None:
        return []
    worst = f"Worst failure: without {_named(found.worst)} the error is {_change(found.worst)}"
    if found.judged < plan.budget:
        worst += f", of {found.judged} of {plan.budget} kept that were judged"
    if found.worst_pair:
        worst += f"; without {_named(found.worst_pair)} {_change(found.worst_pair)}"
    lines: list[Text | str] = [Text(f"{worst}.")]
    if plan.budget > 1:
        share, random = list(found.random.items())[-1]
        mean, high = _percent(random.mean), _percent(random.p95)
        lines.append(
            Text(
                f"With {random.failed} of the kept failing at random ({100 * float(share):.0f} %) "
                f"it is {mean} % on average, and {high} % in bad luck (one in 20)."
            )
        )
    return [*lines, ""]


def _named(failure: Failure) -> str:
    return " and ".join(failure.sensors)


def _change(failure: Failure) -> str:
    """The change of the error, with its interval."""
    low, high = _percent(failure.ci_low), _percent(failure.ci_high)
    return f"{_percent(failure.rmse_ratio)} % ({low} to {high} %)"


def _percent(ratio: float) -> str:
    """How far a ratio is from 1.

    >>> _percent(1.0123), _percent(0.99999)
    ('+1.2', '0.0')
    """
    percent = round(100 * (ratio - 1), 1)
    return f"{percent:+.1f}" if percent else "0.0"
