"""What reading recognised, and what the user should know about it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sensorplan.errors import DataError
from sensorplan.sensors import Finding


@dataclass
class Notes:
    """Findings and warnings, in the order of reading.

    Attributes:
        path: The path as the user gave it; messages start with it.
        findings: What was recognised.
        warnings: Plain sentences for the user.
    """

    path: str
    findings: list[Finding] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def found(self, what: str, value: object, why: str) -> None:
        """Record what was recognised, as which value, and why."""
        self.findings.append(Finding(what, str(value), why))

    def warn(self, sentence: str) -> None:
        """Record a sentence for the user."""
        self.warnings.append(f"{self.path}: {sentence}")

    def error(self, message: str) -> DataError:
        """An error that says where."""
        return DataError(f"{self.path}: {message}")


def listed(items: Iterable[object], at_most: int = 8) -> str:
    """The first items, and how many more there are.

    >>> listed("abc", at_most=2)
    'a, b and 1 more'
    """
    texts = [str(item) for item in items]
    more = len(texts) - at_most
    return ", ".join(texts[:at_most]) + (f" and {more} more" if more > 0 else "")


def counted(number: int, noun: str) -> str:
    """A number and its noun.

    >>> counted(1, "value"), counted(1200, "value")
    ('1 value', '1200 values')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
