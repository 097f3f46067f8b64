"""Whether any plan can obey, and if none can, which constraints are in each other's way."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sensorplan.constraints.rules import Rules, make_rules
from sensorplan.constraints.stated import Constraints
from sensorplan.errors import ConstraintError
from sensorplan.sensors import Bools

SHOWN = 8  # ids in a message
MOST_TRIED = 200  # required ids that are tried one by one

Problem = tuple[Constraints, int | None]
"""Constraints, and the number of regions to keep."""


def ensure_feasible(constraints: Constraints, budget: int | None) -> Rules:
    """The rules, once it is sure that some mask obeys them.

    Args:
        constraints: What is asked.
        budget: Regions to keep; None: as many as the largest cost allows.

    Raises:
        ConstraintError: No mask obeys, or none was found in time.
    """
    both = constraints.required & constraints.excluded
    if both.any():
        by = [option for option, out in constraints.excluded_by.items() if (out & both).any()]
        raise ConstraintError(
            f"{_ids(constraints, both)}: required, and excluded by {' and '.join(by)}; expected "
            "one of the two"
        )
    rules = make_rules(constraints, budget)
    if not _feasible((constraints, budget)):
        raise ConstraintError(_conflict(constraints, budget))
    return rules


def _feasible(problem: Problem) -> bool:
    rules = make_rules(*problem)
    order = np.arange(len(rules.required))
    nothing = np.zeros(len(order), bool)
    if rules.try_to_obey(nothing, np.zeros(len(order))) is not None:
        return True
    return rules.solve(order, loose=True) is not None


def _conflict(constraints: Constraints, budget: int | None) -> str:
    """The fewest constraints that cannot be met together, in a sentence."""
    problem: Problem = (constraints, budget)
    left: dict[str, Callable[[Problem], Problem]] = {}
    for name, without in _parts(problem).items():
        smaller = without(problem)
        if _feasible(smaller):
            left[name] = without
        else:
            problem = smaller
    constraints, budget = problem
    if constraints.required.any():
        constraints = replace(constraints, required=_needed(constraints, budget))
        left = {f"--require {_ids(constraints, constraints.required)}": left["--require"]} | {
            name: without for name, without in left.items() if name != "--require"
        }
    what = "these cannot be met together" if len(left) > 1 else "this cannot be met"
    return f"{what}: {'; '.join(left)}{_extent(constraints, budget)}"


def _parts(problem: Problem) -> dict[str, Callable[[Problem], Problem]]:
    """Each constraint by its name, and how to take it away; the size last."""
    constraints, budget = problem
    parts: dict[str, Callable[[Problem], Problem]] = {}
    if constraints.required.any():
        parts["--require"] = lambda of: (
            replace(of[0], required=np.zeros_like(of[0].required)),
            of[1],
        )
    for option, out in constraints.excluded_by.items():
        name = f"{option} ({int(out.sum())} of {len(out)} out)"
        parts[name] = lambda of, option=option: (_without(of[0], option), of[1])  # type: ignore[misc]
    for group, limit in constraints.limits.items():
        members = sum(name == group for name in constraints.group)
        parts[f"--per-group {limit.text} in {group} ({members} there)"] = lambda of, group=group: (  # type: ignore[misc]
            replace(of[0], limits={g: x for g, x in of[0].limits.items() if g != group}),
            of[1],
        )
    if constraints.min_distance:
        parts[f"--min-distance {constraints.min_distance.text}"] = lambda of: (
            replace(of[0], min_distance=None),
            of[1],
        )
    if constraints.cover:
        parts[f"--cover {constraints.cover.text}"] = lambda of: (replace(of[0], cover=None), of[1])
    if constraints.max_cost is not None:
        parts[f"--max-cost {constraints.max_cost:g}"] = lambda of: (
            replace(of[0], max_cost=None),
            of[1],
        )
    if budget is not None:
        parts[f"{budget} of {len(constraints.names)} kept"] = lambda of: (of[0], None)
    return parts


def _without(constraints: Constraints, option: str) -> Constraints:
    """The constraints without one of the options that exclude."""
    rest = {name: out for name, out in constraints.excluded_by.items() if name != option}
    excluded = np.any([np.zeros_like(constraints.excluded), *rest.values()], axis=0)
    return replace(constraints, excluded=excluded, excluded_by=rest)


def _needed(constraints: Constraints, budget: int | None) -> Bools:
    """``[region]`` those of the required that the conflict needs, where they are not too many."""
    needed = constraints.required.copy()
    ids = np.flatnonzero(needed)
    if len(ids) > MOST_TRIED:
        return needed
    for region in ids:
        fewer = needed.copy()
        fewer[region] = False
        if not _feasible((replace(constraints, required=fewer), budget)):
            needed = fewer
    return needed


def _extent(constraints: Constraints, budget: int | None) -> str:
    """How many could be kept without the size, when the size is what cannot be had."""
    if budget is None:
        return ""
    rules = make_rules(constraints, None)
    counts = [rules.count(fewest) for fewest in (True, False)]
    if None in counts:
        return ""
    fewest, most = counts
    return f"; without the number, {fewest} to {most} can be kept"


def _ids(constraints: Constraints, chosen: Bools) -> str:
    names = [constraints.names[region] for region in np.flatnonzero(chosen)]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
