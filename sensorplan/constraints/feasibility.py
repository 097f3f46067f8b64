"""Whether any plan can obey, and if none can, which constraints are in each other's way."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import numpy as np

from sensorplan.constraints.distances import lengths, near
from sensorplan.constraints.making import make_rules
from sensorplan.constraints.rules import ROUNDING, Rules, UndecidedError
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
        by = "; ".join(
            f"{_ids(constraints, both & out)} by {option}"
            for option, out in constraints.excluded_by.items()
            if (out & both).any()
        )
        raise ConstraintError(f"required, and excluded: {by}; expected one of the two")
    _see_targets(constraints)
    rules = make_rules(constraints, budget)
    if not _obeyable(rules):
        raise ConstraintError(_conflict(constraints, budget))
    return rules


def _feasible(problem: Problem) -> bool:
    return _obeyable(make_rules(*problem))


def _obeyable(rules: Rules) -> bool:
    """Whether any mask obeys."""
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
    hint = _hint(constraints, budget, problem)
    constraints, budget = problem
    if constraints.required.any():
        constraints = replace(constraints, required=_needed(constraints, budget))
        left = {f"--require {_ids(constraints, constraints.required)}": left["--require"]} | {
            name: without for name, without in left.items() if name != "--require"
        }
    what = "these cannot be met together" if len(left) > 1 else "this cannot be met"
    return f"{what}: {'; '.join(left)}{hint}"


def _see_targets(constraints: Constraints) -> None:
    """Refuse a target that no sensor which may be kept is near enough to.

    Raises:
        ConstraintError: There is one.
    """
    if not (constraints.cover and constraints.targets is not None):
        return
    assert constraints.positions is not None
    places, targets = constraints.positions[~constraints.excluded], constraints.targets
    if not len(places):
        return
    reach = constraints.cover.length * (1 + ROUNDING)
    reached = np.zeros(len(targets), bool)
    reached[near(targets, places, reach, constraints.geographic)[:, 0]] = True
    if reached.all():
        return
    lost = targets[~reached]
    first = np.broadcast_to(lost[0], places.shape)
    distance = float(lengths(first, places, constraints.geographic).min())
    far = f"{distance / 1000:.4g} km" if constraints.geographic else f"{distance:.4g}"
    raise ConstraintError(
        f"--cover {constraints.cover.text}: {len(lost)} of {len(targets)} places are farther from "
        f"every sensor that may be kept, the first at {lost[0][0]:g}, {lost[0][1]:g}, {far} away"
    )


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


def _hint(constraints: Constraints, budget: int | None, conflict: Problem) -> str:
    """How many could be kept, or for how much, where the number or the money is in the way.

    By all constraints that were asked; nothing where that cannot be proven in time.
    """
    ones = np.ones(len(constraints.names))
    hints = []
    with suppress(UndecidedError):
        if conflict[1] is not None:
            rules = make_rules(constraints, None)
            fewest, most = rules.least(ones), rules.least(-ones)
            if fewest is not None and most is not None:
                number = f"{fewest:.0f} to {-most:.0f}" if fewest < -most else f"{fewest:.0f}"
                hints.append(f"without the number {number} can be kept")
        if conflict[0].max_cost is not None and constraints.cost is not None:
            cheapest = make_rules(replace(constraints, max_cost=None), budget).least(
                constraints.cost
            )
            if cheapest is not None:
                hints.append(f"without the largest cost the cheapest plan costs {cheapest:.10g}")
    return f" ({'; '.join(hints)})" if hints else ""


def _ids(constraints: Constraints, chosen: Bools) -> str:
    names = [constraints.names[region] for region in np.flatnonzero(chosen)]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
