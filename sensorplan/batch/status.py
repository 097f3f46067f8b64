"""What is told of each plan while a batch runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from sensorplan.recipe import Recipe

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
        recipe: All settings, when it is queued.
        warnings: Those of the plan, once it is done.
    """

    name: str
    state: State
    stage: str = ""
    done: int = 0
    total: int = 0
    seconds: float | None = None
    note: str = ""
    recipe: Recipe | None = None
    warnings: tuple[str, ...] = ()


Tell = Callable[[str], None]
"""Called with a plain sentence for the user."""

Watch = Callable[[Status], None]
"""Called with every change."""
