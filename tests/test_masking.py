import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorplan import masking

SCORES = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0])  # few values, so that ties are common


@st.composite
def masks_and_scores(draw):
    """A mask, and a drop and a grow score of as many regions."""
    regions = draw(st.integers(1, 12))
    mask = np.array(draw(st.lists(st.booleans(), min_size=regions, max_size=regions)))
    drop, grow = (
        np.array(draw(st.lists(SCORES, min_size=regions, max_size=regions))) for _ in range(2)
    )
    return mask, drop, grow


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 20))
def test_budgets_fall_to_the_budget(regions, budget, rounds):
    budget = min(budget, regions)
    sizes = masking.budgets(regions, budget, rounds)
    assert len(sizes) == rounds
    assert sizes[-1] == budget
    assert all(a >= b for a, b in zip([regions, *sizes], sizes, strict=False))
    for r, size in enumerate(sizes, 1):
        assert abs(size - regions * (budget / regions) ** (r / rounds)) <= 0.5 + 1e-9


def test_swap_fraction_decays_as_a_cosine():
    shares = [masking.swap_fraction(step, 100, 0.3) for step in range(101)]
    assert shares[0] == pytest.approx(0.3)
    assert shares[50] == pytest.approx(0.15)
    assert shares[25] == pytest.approx(0.15 * (1 + np.sqrt(0.5)))
    assert shares[100] == pytest.approx(0, abs=1e-12)
    assert np.all(np.diff(shares) < 0)


def test_scores_are_the_first_order_change_of_the_loss():
    # loss(gate) = (gate - 1)^2 is lower with each region, so both scores are positive.
    theta = np.array([0.5, 0.5])
    gradient = 2 * (np.array([0.5, 0.0]) - 1)  # a kept and a pruned region
    np.testing.assert_allclose(masking.drop_score(gradient, theta), [0.5, 1.0])
    np.testing.assert_allclose(masking.grow_score(gradient, theta), [0.5, 1.0])
    # A region whose θ fell to 0 adds nothing, whatever its gradient.
    assert masking.drop_score(np.array([-9.0]), np.array([0.0])) == 0


@given(masks_and_scores(), st.integers(0, 12))
def test_prune_keeps_the_best_of_the_kept(case, budget):
    mask, score, _ = case
    pruned = masking.prune(mask, score, budget)
    assert pruned.sum() == min(budget, mask.sum())
    assert not (pruned & ~mask).any()
    gone = mask & ~pruned
    if pruned.any() and gone.any():
        assert score[pruned].min() >= score[gone].max()


@given(masks_and_scores(), st.integers(0, 12), st.integers(0, 12))
def test_pruned_masks_nest(case, one, other):
    mask, score, _ = case
    small, large = sorted((one, other))
    assert not (masking.prune(mask, score, small) & ~masking.prune(mask, score, large)).any()


def test_prune_ties_keep_the_lower_index():
    mask = np.array([True, False, True, True, True])
    pruned = masking.prune(mask, np.zeros(5), 2)
    assert pruned.tolist() == [True, False, True, False, False]


def ring(regions):
    """Every region's neighbours are those before and after it."""
    return np.column_stack([np.roll(np.arange(regions), shift) for shift in (1, -1)])


@given(masks_and_scores(), st.integers(0, 12), st.floats(0, 10))
def test_prune_apart_keeps_the_count_and_admits_nothing(case, budget, spacing):
    mask, score, _ = case
    pruned = masking.prune_apart(mask, score, budget, ring(len(mask)), spacing)
    assert pruned.sum() == min(budget, mask.sum())
    assert not (pruned & ~mask).any()


@given(masks_and_scores(), st.integers(0, 12))
def test_prune_apart_without_spacing_is_prune(case, budget):
    mask, score, _ = case
    found = masking.prune_apart(mask, score, budget, ring(len(mask)), 0.0)
    np.testing.assert_array_equal(found, masking.prune(mask, score, budget))


def test_prune_apart_leaves_no_hole():
    score = np.arange(12.0) / 1000  # hardly different: plain pruning takes one half of the ring
    all_kept = np.ones(12, bool)
    assert masking.prune(all_kept, score, 6)[6:].all()
    found = masking.prune_apart(all_kept, score, 6, ring(12), 100.0)
    assert (found ^ np.roll(found, 1)).all()


def test_prune_apart_still_drops_what_is_worthless():
    score = np.array([-5.0, 1, 1, -5, 1, 1])  # not neighbours; all others are one another's
    found = masking.prune_apart(np.ones(6, bool), score, 4, ring(6), 1.0)
    assert np.flatnonzero(found).tolist() == [1, 2, 4, 5]


@given(masks_and_scores(), st.integers(0, 12))
def test_swap(case, count):
    mask, drop, grow = case
    before = mask.copy()
    swapped = masking.swap(mask, drop, grow, count)
    np.testing.assert_array_equal(mask, before)
    assert swapped.dtype == bool
    assert swapped.sum() == mask.sum()
    dropped, regrown = mask & ~swapped, swapped & ~mask
    assert dropped.sum() == regrown.sum() <= count
    if dropped.any():  # what comes is better than what goes
        assert (np.sort(-grow[regrown]) < np.sort(-drop[dropped])[::-1]).all()
        assert drop[dropped].max() <= drop[swapped & mask].min(initial=np.inf)
        assert grow[regrown].min() >= grow[~mask & ~swapped].max(initial=-np.inf)


@given(masks_and_scores())
def test_swap_of_none_changes_nothing(case):
    mask, drop, grow = case
    np.testing.assert_array_equal(masking.swap(mask, drop, grow, 0), mask)


@given(masks_and_scores(), st.integers(1, 12))
def test_swap_never_readmits_what_it_drops(case, count):
    """However good the grow score of a kept region is, it is not among those that come."""
    mask, drop, grow = case
    tempting = np.where(mask, 100.0, grow)
    np.testing.assert_array_equal(
        masking.swap(mask, drop, tempting, count), masking.swap(mask, drop, grow, count)
    )


def test_swap_is_by_hand():
    mask = np.array([True, True, True, False, False, False])
    drop = np.array([3.0, 1.0, 2.0, 0.0, 0.0, 0.0])
    grow = np.array([0.0, 0.0, 0.0, 1.5, 9.0, 2.0])
    assert np.flatnonzero(masking.swap(mask, drop, grow, 1)).tolist() == [0, 2, 4]
    # The second pair, 2.0 for 2.0, gains nothing.
    assert np.flatnonzero(masking.swap(mask, drop, grow, 3)).tolist() == [0, 2, 4]
    grow[5] = 2.5
    assert np.flatnonzero(masking.swap(mask, drop, grow, 3)).tolist() == [0, 4, 5]


def test_swap_breaks_ties_by_index():
    mask = np.array([True, True, True, False, False, False])
    swapped = masking.swap(mask, np.zeros(6), np.ones(6), 1)
    assert np.flatnonzero(swapped).tolist() == [1, 2, 3]


def test_oscillation_counts_regions_that_changed_sides_twice():
    def mask(*kept):
        return np.isin(np.arange(5), kept)

    assert masking.oscillation([]) == 0
    assert masking.oscillation([mask(0, 1), mask(0, 2)]) == 0
    assert masking.oscillation([mask(0, 1), mask(0, 2), mask(0, 2)]) == 0
    assert masking.oscillation([mask(0, 1), mask(0, 2), mask(0, 3)]) == 0  # 2 is gone
    assert masking.oscillation([mask(0, 1), mask(0, 2), mask(0, 1)]) == pytest.approx(0.5)  # 1
