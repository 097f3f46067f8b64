"""Reasons for each region: its own forecast, who explains it, and who could take its place."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.spatial import cKDTree

from sensorplan.evaluation.panel import Panel, observed_spread
from sensorplan.evaluation.resilience import fewest_windows, forecasts_affordable
from sensorplan.metrics import Errors
from sensorplan.rankers.history import History
from sensorplan.rankers.moments import correlation, network_modes, pair_correlation
from sensorplan.sampling import MANY
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.training import Trainer

ROWS = 1000  # regions whose correlations are held at a time
LEADING, ALIKE = 16, 8  # modes that regions are compared by; candidates of either sign
CANDIDATES = 3  # dropped regions that may take the place of a kept one
SHARE = 0.8  # of what failures may cost, that ties may
TIE = 1e-3  # rise of the squared error, up to which two masks are as good as each other


def own_errors(plan: Errors, all_sensors: Errors) -> tuple[Floats, Floats]:
    """``[region]`` RMSE of each region's own forecast, and over that from all regions.

    Args:
        plan: Test errors of the plan.
        all_sensors: The same from all regions.

    Returns:
        NaN where nothing was observed, or where the forecast from all regions has no error.
    """
    own, reference = plan.by_region.rmse, all_sensors.by_region.rmse
    return own, own / np.where(reference > 0, reference, np.nan)


def substitutes(history: History, mask: Bools) -> tuple[Ints, Floats]:
    """The other kept region whose present explains each region's best.

    In a large network it is the best of those that are most like each, up to the sign, by the
    leading modes.

    Args:
        history: Up to the end of validation.
        mask: ``[region]`` the plan.

    Returns:
        ``[region]`` the kept region with the largest squared correlation, the first of equals; -1
        where none has any. And that squared correlation.
    """
    kept = np.flatnonzero(mask)
    likely = _most_alike(history, kept) if len(mask) > MANY else None
    found, share = np.full(len(mask), -1), np.zeros(len(mask))
    for rows in np.array_split(np.arange(len(mask)), -(-len(mask) // ROWS)):
        others: Ints
        if likely is None:
            others = np.broadcast_to(kept, (len(rows), len(kept)))
            explained = correlation(history, rows, kept) ** 2
        else:
            others = likely[rows]
            explained = pair_correlation(history, rows, others) ** 2
        explained[rows[:, None] == others] = 0
        best = np.arange(len(rows)), explained.argmax(1)
        share[rows] = explained[best]
        found[rows] = np.where(share[rows] > 0, others[best], -1)
    return found, share


def _most_alike(history: History, kept: Ints) -> Ints:
    """``[region, candidate]`` kept regions, in order, whose modes are the nearest to each's."""
    loadings = network_modes(history).loadings[:, :LEADING]
    directions = loadings / np.maximum(np.linalg.norm(loadings, axis=1, keepdims=True), 1e-12)
    tree = cKDTree(directions[kept])
    count = np.arange(1, min(ALIKE + 1, len(kept)) + 1)  # one may be the region itself
    found = [tree.query(sign * directions, count)[1] for sign in (1, -1)]
    alike: Ints = kept[np.sort(np.concatenate(found, 1), axis=1)]
    return alike


def tie_effort(regions: int, judged: int, dropped: int) -> tuple[int, int]:
    """How many candidates for the place of a kept region are judged, and on how many windows."""
    affordable, fewest = SHARE * forecasts_affordable(regions) / judged, fewest_windows(regions)
    candidates = min(dropped, int(np.clip(round(affordable / fewest), 1, CANDIDATES)))
    return candidates, max(fewest, int(affordable / max(candidates, 1)))


def tie_candidates(history: History, available: Bools, judged: Ints, count: int) -> Ints:
    """``[judged, candidate]`` the ``[region]`` available ones that go best with each of some."""
    dropped = np.flatnonzero(available)
    explained = correlation(history, judged, dropped) ** 2
    return dropped[np.argsort(-explained, axis=1, kind="stable")[:, :count]]


def find_ties(
    members: Sequence[Trainer],
    mask: Bools,
    judged: Ints,
    candidates: Ints,
    windows: int,
    allow: Callable[[Bools], bool] = lambda mask: True,
    done: Callable[[int], None] = lambda number: None,
) -> tuple[tuple[int, ...], ...]:
    """The dropped regions that could take the place of a kept one at no loss.

    A half of the windows is of training and the other of validation, and the test stretch plays no
    part; the rise of the squared error is the geometric mean of that in both.

    Args:
        members: The forecasters that judge, see `panel`.
        mask: ``[region]`` the plan.
        judged: ``[judged]`` kept regions that may give way.
        candidates: ``[judged, candidate]`` dropped regions that may take the place of each.
        windows: That swaps are judged on.
        allow: Whether a mask obeys what is asked of the plan.
        done: Told how many of the kept ones are judged.

    Returns:
        ``[region]`` the ties of each, the one with the least error first.
    """
    series, half = members[0].windows, -(-windows // 2)
    stretches = (series.split.train, series.split.validation)
    panels = [Panel(members, mask, observed_spread(series, part, half)) for part in stretches]

    def rise(leaves: int, joins: int) -> float:
        swapped = mask.copy()
        swapped[leaves], swapped[joins] = False, True
        if not allow(swapped):
            return np.inf
        return 2 * float(np.mean([np.log(panel.errors(swapped).rmse) for panel in panels]))

    ties: list[tuple[int, ...]] = [()] * len(mask)
    for number, (region, others) in enumerate(zip(judged, candidates, strict=True)):
        rises = np.array([rise(region, other) for other in others])
        best = np.argsort(rises, kind="stable")
        ties[region] = tuple(int(others[place]) for place in best if rises[place] <= np.log1p(TIE))
        done(number + 1)
    return tuple(ties)
