"""Constraints: what a plan must obey besides its size, and the promise that it does.

`stating` reads what the user asks into `Constraints` (`stated`), `rules` makes every mask obey,
`feasibility` sees before any training that some plan can, and `verify` checks the finished plan by
other means.
"""

from sensorplan.constraints.feasibility import ensure_feasible
from sensorplan.constraints.making import free_rules, make_rules
from sensorplan.constraints.rules import Rules, UndecidedError
from sensorplan.constraints.stated import Constraints, Distance, GroupLimit, unconstrained
from sensorplan.constraints.stating import state_constraints
from sensorplan.constraints.verify import verify

__all__ = [
    "Constraints",
    "Distance",
    "GroupLimit",
    "Rules",
    "UndecidedError",
    "ensure_feasible",
    "free_rules",
    "make_rules",
    "state_constraints",
    "unconstrained",
    "verify",
]
