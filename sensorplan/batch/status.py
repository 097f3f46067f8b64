"""What is told of each plan while a batch runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["queued", "running", "done", "failed", "interrupted"]


@dataclass(frozen=True)
class Status:
    """How one plan of a batch stands.

    Attributes:
        name: Of the plan.
        state: What has become of it.
        stage: That it is in, while it runs.
        done: Parts of the stage that are done.
        total: Parts of the stage; 0: not known.
        seconds: That it took, once it is done or has failed.
        note: Why it failed, or that it was there already.
    """

    name: str
    state: State
    stage: str = ""
    done: int = 0
    total: int = 0
    seconds: float | None = None
    note: str = ""


Watch = Callable[[Status], None]
"""Called with every change."""
