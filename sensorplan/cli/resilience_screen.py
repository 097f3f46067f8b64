"""What `fit` says of failures of kept sensors."""

from rich.text import Text

from sensorplan.exports.wording import resilience_words
from sensorplan.plan import Plan


def resilience_lines(plan: Plan) -> list[Text | str]:
    """The worst single failure, the worst pair, and the largest share that fails at random."""
    sentences = resilience_words(plan)
    return [*(Text(sentence) for sentence in sentences), ""] if sentences else []
