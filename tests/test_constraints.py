from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from sensorplan.constraints import (
    Constraints,
    Distance,
    GroupLimit,
    ensure_feasible,
    make_rules,
    unconstrained,
    verify,
)
from sensorplan.errors import ConstraintError
from sensorplan.plan import Ranking

SMALL = 9  # regions, all of whose masks can be tried


def names(count):
    return tuple(f"s{i}" for i in range(count))


@st.composite
def problems(draw, most=SMALL):
    """Constraints of all kinds together, and a size; feasible or not."""
    count = draw(st.integers(2, most))
    flags = st.lists(st.sampled_from([0, 0, 0, 1, 2]), min_size=count, max_size=count)
    status = np.array(draw(flags))
    geographic = draw(st.booleans())
    grid = st.tuples(st.integers(-3, 3), st.integers(-3, 3))
    cells = draw(st.lists(grid, min_size=count, max_size=count))
    positions = np.array(cells, float) * (0.5 if geographic else 10.0)
    scale = 55_000.0 if geographic else 10.0

    def distance(largest):
        length = draw(st.floats(0.3, largest)) * scale
        return Distance(length, f"{length:g}")

    cost = draw(st.lists(st.integers(0, 20), min_size=count, max_size=count))
    group = draw(st.lists(st.sampled_from(["", "a", "b"]), min_size=count, max_size=count))
    limits = {}
    for label in draw(st.sets(st.sampled_from(["a", "b"]))):
        low = draw(st.integers(0, 2))
        limits[label] = GroupLimit(low, draw(st.none() | st.integers(low, low + 2)))
    bounded = draw(st.booleans())
    constraints = Constraints(
        names=names(count),
        required=status == 1,
        excluded=status == 2,
        excluded_by={"--exclude": status == 2} if (status == 2).any() else {},
        positions=positions,
        geographic=geographic,
        min_distance=distance(2.5) if draw(st.booleans()) else None,
        cover=distance(6.0) if draw(st.booleans()) else None,
        targets=positions,
        cost=np.array(cost, float),
        max_cost=float(draw(st.integers(1, 80))) if bounded else None,
        group=tuple(group),
        limits=limits,
    )
    sized = st.integers(1, count)
    return constraints, draw(st.none() | sized if bounded else sized)


def obeys(constraints, budget, mask):
    """By the words of each constraint, one pair and one sum at a time."""
    kept = [i for i in range(len(mask)) if mask[i]]

    def apart(a, b):
        if not constraints.geographic:
            return float(np.hypot(*(a - b)))
        return Geod(ellps="WGS84").inv(a[1], a[0], b[1], b[0])[2]

    where = constraints.positions
    return (
        (len(kept) == budget if budget else kept != [])
        and all(mask[i] for i in np.flatnonzero(constraints.required))
        and not any(mask[i] for i in np.flatnonzero(constraints.excluded))
        and (
            constraints.min_distance is None
            or all(
                apart(where[a], where[b]) >= constraints.min_distance.length * (1 - 1e-9)
                for a, b in combinations(kept, 2)
            )
        )
        and (
            constraints.cover is None
            or all(
                any(apart(t, where[i]) <= constraints.cover.length * (1 + 1e-9) for i in kept)
                for t in constraints.targets
            )
        )
        and (
            constraints.max_cost is None
            or sum(constraints.cost[i] for i in kept) <= constraints.max_cost
        )
        and all(
            limit.low
            <= sum(constraints.group[i] == label for i in kept)
            <= (len(mask) if limit.high is None else limit.high)
            for label, limit in constraints.limits.items()
        )
    )


def all_masks(count):
    return (np.arange(2**count)[:, None] >> np.arange(count)) & 1 == 1


@settings(max_examples=300)
@given(problems(), st.randoms(use_true_random=False))
def test_every_mask_obeys_and_what_cannot_be_met_is_refused(problem, random):
    every_mask_obeys(*problem, random)


@pytest.mark.slow
@settings(max_examples=10_000)
@given(problems(most=12), st.randoms(use_true_random=False))
def test_of_thousands_of_problems_every_mask_obeys(problem, random):
    every_mask_obeys(*problem, random)


def every_mask_obeys(constraints, budget, random):
    count = len(constraints.names)
    possible = [mask for mask in all_masks(count) if obeys(constraints, budget, mask)]
    if not possible:
        with pytest.raises(
            ConstraintError, match=r"required, and excl|cannot be met|are farther from"
        ):
            ensure_feasible(constraints, budget)
        return
    rules = ensure_feasible(constraints, budget)
    order = np.array(random.sample(range(count), count))
    score = np.array([random.uniform(-1, 1) for _ in range(count)])
    proposal = np.array([random.random() < 0.5 for _ in range(count)])
    tried = rules.try_to_obey(proposal, score)
    _, ranking = rules.apply(Ranking(order, np.linspace(1, 0, count)))
    assert sorted(ranking.order) == list(range(count))
    obeyed = [rules.cut(order), rules.solve(order), rules.apply(ranking)[0]]
    if rules.binding or proposal.sum() == budget:
        obeyed += [rules.obey(proposal, score), *([] if tried is None else [tried])]
    for mask in obeyed:
        assert obeys(constraints, budget, mask)
        assert rules.allow(mask)
        assert all(check.met for check in verify(constraints, budget, mask))


@settings(max_examples=200)
@given(problems(), st.integers(0, 2**SMALL - 1))
def test_rules_and_the_check_agree_with_the_words(problem, bits):
    constraints, budget = problem
    mask = np.array([bits >> i & 1 for i in range(len(constraints.names))], bool)
    right = obeys(constraints, budget, mask)
    assert make_rules(constraints, budget).allow(mask) == right
    assert all(check.met for check in verify(constraints, budget, mask)) == right


@settings(max_examples=150)
@given(problems(most=7))
def test_the_conflict_that_is_named_is_one(problem):
    """Each of the constraints named is needed for it, and those named are enough."""
    constraints, budget = problem
    if any(obeys(constraints, budget, mask) for mask in all_masks(len(constraints.names))):
        return
    with pytest.raises(ConstraintError) as raised:
        ensure_feasible(constraints, budget)
    text = str(raised.value)
    if "required, and excluded" in text:
        return
    if "are farther from" in text:
        every = ~constraints.excluded
        alone = replace(unconstrained(constraints.names), excluded=constraints.excluded)
        where = {"positions": constraints.positions, "geographic": constraints.geographic}
        covered = replace(alone, **where, cover=constraints.cover, targets=constraints.targets)
        assert not obeys(covered, int(every.sum()), every)
        return
    nothing = np.zeros(len(constraints.names), bool)
    left = {
        "--require": lambda c: replace(c, required=nothing),
        "--exclude ": lambda c: replace(c, excluded=nothing, excluded_by={}),
        "--min-distance": lambda c: replace(c, min_distance=None),
        "--cover": lambda c: replace(c, cover=None),
        "--max-cost": lambda c: replace(c, max_cost=None),
        " in a (": lambda c: replace(c, limits={g: x for g, x in c.limits.items() if g != "a"}),
        " in b (": lambda c: replace(c, limits={g: x for g, x in c.limits.items() if g != "b"}),
    }
    named = constraints
    for mark, without in left.items():
        if mark not in text:
            named = without(named)
    size = budget if " kept" in text.split(" (without")[0] else None

    def possible(constraints, budget):
        return any(obeys(constraints, budget, mask) for mask in all_masks(len(nothing)))

    assert not possible(named, size)
    for mark, without in left.items():
        if mark in text:
            assert possible(without(named), size)
    if size is not None:
        assert possible(named, None)


def test_nothing_asked_is_the_proposal_and_the_ranking_itself():
    rules = make_rules(unconstrained(names(5)), 2)
    proposal = np.array([1, 0, 0, 0, 1], bool)
    assert not rules.binding
    assert rules.obey(proposal, np.zeros(5)) is proposal
    ranking = Ranking(np.array([3, 1, 0, 2, 4]), np.linspace(1, 0, 5))
    mask, same = rules.apply(ranking)
    assert same is ranking
    assert np.flatnonzero(mask).tolist() == [1, 3]


def test_the_best_that_the_rules_allow_are_kept():
    """Of a line of sensors every second one can stay; those of the proposal first."""
    line = np.column_stack([np.zeros(6), np.arange(6.0)])
    constraints = replace(unconstrained(names(6)), positions=line, min_distance=Distance(2.0, "2"))
    rules = make_rules(constraints, 3)
    assert np.flatnonzero(rules.cut(np.array([1, 3, 5, 0, 2, 4]))).tolist() == [1, 3, 5]
    assert np.flatnonzero(rules.cut(np.array([1, 4, 3, 0, 2, 5]))).tolist() == [
        1,
        3,
        5,
    ]  # a dead end
    proposal = np.array([1, 1, 0, 1, 0, 0], bool)
    score = np.array([1.0, 2, 9, 3, 9, 0])
    assert np.flatnonzero(rules.obey(proposal, score)).tolist() == [1, 3, 5]


def test_money_goes_to_worth_for_its_cost():
    constraints = replace(unconstrained(names(4)), cost=np.array([10.0, 4, 4, 1]), max_cost=10.0)
    rules = make_rules(constraints, None)
    nothing = np.zeros(4, bool)
    assert rules.obey(nothing, np.array([5.0, 4, 4, 0.1])).tolist() == [False, True, True, True]
    assert rules.cut(np.array([0, 1, 2, 3])).tolist() == [True, False, False, False]


def test_excluded_come_last_and_the_rest_keeps_its_order():
    excluded = np.array([1, 0, 0, 0, 0], bool)
    required = np.array([0, 0, 0, 0, 1], bool)
    constraints = replace(unconstrained(names(5)), required=required, excluded=excluded)
    mask, ranking = make_rules(constraints, 2).apply(
        Ranking(np.array([0, 1, 2, 3, 4]), np.linspace(1, 0, 5))
    )
    assert np.flatnonzero(mask).tolist() == [1, 4]
    assert ranking.order.tolist() == [1, 4, 2, 3, 0]


@pytest.mark.parametrize(
    ("changes", "budget", "said"),
    [
        (
            {"required": [1, 1, 1, 0], "max_cost": 5.0, "cost": [3.0, 1, 3, 1]},
            3,
            r"^these cannot be met together: --require s0, s2; --max-cost 5 \(without the largest "
            r"cost the cheapest plan costs 7\)$",
        ),
        (
            {"excluded": [1, 1, 0, 0]},
            3,
            r"^these cannot be met together: --exclude \(2 of 4 out\); 3 of 4 kept \(without the "
            r"number 1 to 2 can be kept\)$",
        ),
        (
            {"group": ("a", "a", "b", "b"), "limits": {"b": GroupLimit(3, None)}},
            4,
            r"^this cannot be met: --per-group 3: in b \(2 there\)$",
        ),
        (
            {"required": [1, 0, 0, 1], "excluded": [1, 0, 0, 0]},
            2,
            r"^required, and excluded: s0 by --exclude; expected one of the two$",
        ),
    ],
)
def test_what_a_refusal_says(changes, budget, said):
    arrays = {
        name: np.array(value, float if name == "cost" else bool)
        for name, value in changes.items()
        if name in ("required", "excluded", "cost")
    }
    constraints = replace(unconstrained(names(4)), **{**changes, **arrays})
    if constraints.excluded.any():
        constraints = replace(constraints, excluded_by={"--exclude": constraints.excluded})
    with pytest.raises(ConstraintError, match=said):
        ensure_feasible(constraints, budget)
