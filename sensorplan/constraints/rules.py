"""Constraints as linear rules over the mask, and the one way in which a mask is made to obey them.

Every constraint is a row of ``lower <= matrix @ mask <= upper`` with coefficients of 0 or more, or
fixes a region. Whatever proposes a mask (the training of DynST, a ranker, a swap), `Rules.obey`
takes the regions of the proposal one by one, the best first, as far as the rules allow, and then
others until the plan is full. Where taking one by one ends in a dead end, an integer programme
(HiGHS through scipy) decides.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from sensorplan.errors import ConstraintError
from sensorplan.plan import Ranking
from sensorplan.sensors import Bools, Floats, Ints

ROUNDING = 1e-9  # of a bound: what is nearer is met
TIGHTER = 1e-6  # of a bound: where the programme's own tolerance broke it
TIME_LIMIT = 60.0  # seconds of one integer programme
PROOF_LIMIT = 10.0  # of one that must prove what is lowest, for a message
MOST_COEFFICIENTS = 2_000_000  # of the matrix that an integer programme is tried with
GAP = 0.01  # of its value, at which it may stop


class UndecidedError(ConstraintError):
    """An integer programme ran out of time before it found a mask, or that there is none."""

    def __init__(self) -> None:
        super().__init__(
            "no plan that meets the constraints was found in reasonable time, nor that there is "
            "none; loosen one of them"
        )


@dataclass(frozen=True)
class Rules:
    """What a mask must obey.

    Attributes:
        required: ``[region]`` True where it must be kept.
        excluded: ``[region]`` True where it must not be kept.
        matrix: ``[rule, region]`` coefficients, 0 or more.
        lower: ``[rule]`` least value of ``matrix @ mask``.
        upper: ``[rule]`` largest value.
        budget: Regions to keep, which is the last rule; None: as many as the others allow.
        cost: ``[region]`` what keeping it takes of the largest cost; None where there is none.
    """

    required: Bools
    excluded: Bools
    matrix: sparse.csc_array
    lower: Floats
    upper: Floats
    budget: int | None
    cost: Floats | None

    @property
    def binding(self) -> bool:
        """Whether anything but the budget is asked."""
        return bool(self.required.any() or self.excluded.any() or len(self.lower) > 1)

    def allow(self, mask: Bools) -> bool:
        """Whether a mask obeys."""
        state = self.matrix @ mask.astype(float)
        return bool(
            mask[self.required].all()
            and not mask[self.excluded].any()
            and (state >= self._least).all()
            and (state <= self._most).all()
        )

    def obey(self, proposal: Bools, score: Floats) -> Bools:
        """The mask nearest to a proposal that obeys; the proposal itself where nothing is asked.

        Args:
            proposal: ``[region]``.
            score: ``[region]`` the worth of each; regions of the proposal come first, the best of
                them first, then the others. Where there are costs, it is worth for its cost.

        Raises:
            UndecidedError: See there.
        """
        if not self.binding:
            return proposal
        return self._settle(self._order(proposal, score))

    def try_to_obey(self, proposal: Bools, score: Floats) -> Bools | None:
        """Like `obey`, but None where taking one by one ends in a dead end."""
        return self._take(self._order(proposal, score)) if self.binding else proposal

    def cut(self, order: Ints) -> Bools:
        """The mask of an order, best first, that obeys: each region that the rules allow.

        Raises:
            UndecidedError: See there.
        """
        if not self.binding:
            assert self.budget is not None
            mask = np.zeros(len(order), bool)
            mask[order[: self.budget]] = True
            return mask
        return self._settle(order)

    def apply(self, ranking: Ranking) -> tuple[Bools, Ranking]:
        """The mask of a ranking that obeys, and the ranking with its regions first.

        Excluded regions come last; among the kept and among the dropped the order stays. Importance
        stays too, and may rise along the order then.
        """
        mask = self.cut(ranking.order)
        if not self.binding:
            return mask, ranking
        place = np.where(mask, 0, np.where(self.excluded, 2, 1))[ranking.order]
        return mask, Ranking(ranking.order[np.argsort(place, kind="stable")], ranking.importance)

    def solve(self, order: Ints, loose: bool = False) -> Bools | None:
        """A mask that obeys, of the best regions of an order, by an integer programme.

        Args:
            order: ``[region]`` best first.
            loose: Take the first mask that obeys.

        Returns:
            ``[region]``; None when there is none.

        Raises:
            UndecidedError: See there.
        """
        worth = np.empty(len(order))
        worth[order] = np.linspace(1, 1 / len(order), len(order))
        for upper in (self.upper, self.upper * (1 - TIGHTER)):
            mask = self._programme(-worth, upper, np.inf if loose else GAP)
            if mask is None or self.allow(mask):
                return mask
        raise UndecidedError()

    def _programme(
        self,
        price: Floats,
        upper: Floats,
        gap: float,
        seconds: float = TIME_LIMIT,
        proven: bool = False,
    ) -> Bools | None:
        """The mask of the lowest price, up to a gap; None when none obeys.

        Raises:
            UndecidedError: Nothing was found in time; with `proven`, no proof that it is lowest.
        """
        if self.matrix.nnz > MOST_COEFFICIENTS:
            raise UndecidedError()  # its preparation alone would take longer
        rows = [LinearConstraint(self.matrix, self.lower, upper)] if len(upper) else []
        found = milp(
            price,
            integrality=1,
            bounds=Bounds(self.required.astype(float), (~self.excluded).astype(float)),
            constraints=rows,
            options={"time_limit": seconds, "mip_rel_gap": gap},
        )
        if found.x is not None and (found.status == 0 or not proven):
            return np.asarray(found.x > 0.5)
        if found.status == 2:
            return None
        raise UndecidedError()

    def least(self, price: Floats) -> float | None:
        """The lowest sum of the prices of a mask that obeys; None when none does.

        Raises:
            UndecidedError: It was not proven in time.
        """
        found = self._programme(price, self.upper, 0.0, PROOF_LIMIT, proven=True)
        return None if found is None else float(price @ found)

    @cached_property
    def _least(self) -> Floats:
        return np.asarray(self.lower - ROUNDING * np.maximum(1, np.abs(self.lower)))

    @cached_property
    def _most(self) -> Floats:
        finite = np.where(np.isfinite(self.upper), np.abs(self.upper), 1)
        return np.asarray(self.upper + ROUNDING * np.maximum(1, finite))

    def _order(self, proposal: Bools, score: Floats) -> Ints:
        """Regions of the proposal first, each part best first; ties take the lower index."""
        score = np.where(np.isfinite(score), score, np.nextafter(-np.inf, 0))
        worth = score
        if self.cost is not None:
            worth = np.maximum(score, 0) / np.maximum(self.cost, np.finfo(float).tiny)
        return np.lexsort([-score, -worth, ~proposal])

    def _settle(self, order: Ints) -> Bools:
        """Regions one by one, or in a dead end by an integer programme."""
        mask = self._take(order)
        if mask is None:
            mask = self.solve(order)
        assert mask is not None, "feasibility is checked before anything is planned"
        return mask

    def _take(self, order: Ints) -> Bools | None:
        """Take regions one by one as the rules allow: those that a rule still lacks first.

        Returns:
            ``[region]``; None when a rule is not met at the end.
        """
        mask = self.required.copy()
        state = self.matrix @ mask.astype(float)
        if (state > self._most).any():
            return None
        counted = self.budget is not None
        needs = np.ones(len(state), bool)
        needs[len(state) - counted :] = False  # the budget is filled last
        for lacking in (True, False):
            for region in order:
                if lacking and not (needs & (state < self._least)).any():
                    break
                if counted and state[-1] >= self._least[-1]:
                    break
                if mask[region] or self.excluded[region]:
                    continue
                part = slice(*self.matrix.indptr[region : region + 2])
                rows, amounts = self.matrix.indices[part], self.matrix.data[part]
                if lacking and not (needs[rows] & (state[rows] < self._least[rows])).any():
                    continue
                if (state[rows] + amounts > self._most[rows]).any():
                    continue
                mask[region] = True
                state[rows] += amounts
        return mask if (state >= self._least).all() else None
