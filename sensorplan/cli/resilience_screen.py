"""What `fit` says of failures of kept sensors."""

from rich.console import RenderableType

from sensorplan.cli.screen import prose
from sensorplan.exports.wording import resilience_words
from sensorplan.plan import Plan


def resilience_lines(plan: Plan) -> list[RenderableType]:
    """The worst single failure, the worst pair, and the largest share that fails at random."""
    sentences = resilience_words(plan)
    return [*(prose(sentence) for sentence in sentences), ""] if sentences else []
