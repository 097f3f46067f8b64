"""From the mask at the budget to the order of all regions, without more training."""

import numpy as np
from sklearn.isotonic import IsotonicRegression

from sensorplan import masking
from sensorplan.rankers.dynst.probing import probe
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.training import Trainer

RANKING_ROUNDS = 8  # of elimination below the budget, and of growth above it


def eliminate(trainer: Trainer, mask: Bools, windows: int, required: Bools) -> Ints:
    """Kept regions, best first: eliminated in rounds, the last to go is the best.

    Those that are required go last.
    """
    gone: list[Ints] = []
    for size in masking.budgets(int(mask.sum()), 1, RANKING_ROUNDS):
        score = masking.drop_score(*probe(trainer, mask, windows))
        score[required] = np.inf
        smaller = masking.prune(mask, score, size)
        gone.append(_best_first(mask & ~smaller, score))
        mask = smaller
    return np.concatenate([np.flatnonzero(mask), *reversed(gone)])


def grow_back(trainer: Trainer, mask: Bools, windows: int, excluded: Bools) -> Ints:
    """Pruned regions, best first: grown back in rounds, the first to come is the best.

    Those that are excluded stay out.
    """
    outside = trainer.windows.observed & ~mask & ~excluded
    come: list[Ints] = [np.empty(0, int)]
    while outside.any():
        score = masking.grow_score(*probe(trainer, mask, windows))
        step = -(-int(outside.sum()) // 2) if len(come) < RANKING_ROUNDS else len(mask)
        best = _best_first(outside, score)[:step]
        come.append(best)
        mask, outside = mask.copy(), outside.copy()
        mask[best], outside[best] = True, False
    return np.concatenate(come)


def _best_first(among: Bools, score: Floats) -> Ints:
    """Indices where `among` is True, the highest score first, ties by index."""
    indices = np.flatnonzero(among)
    return indices[np.argsort(-score[indices], kind="stable")]


def importance_along(trainer: Trainer, order: Ints) -> Floats:
    """``[region]`` how much the validation loss falls when a region joins those ranked above it.

    Measured between budgets in geometric steps, made to fall along the order (isotonic regression),
    and given as a share of the largest.
    """
    regions = len(order)
    budgets = np.unique(np.geomspace(1, regions, 16).round().astype(int))
    losses = []
    for budget in [0, *budgets]:
        mask = np.zeros(regions, bool)
        mask[order[:budget]] = True
        losses.append(trainer.validation_loss(trainer.mask_tensor(mask)))
    edges = np.array([0, *budgets])
    gains = -np.diff(losses) / np.diff(edges)  # a region
    falling = IsotonicRegression(increasing=False, y_min=0).fit_transform(
        edges[1:], gains, sample_weight=np.diff(edges)
    )
    by_rank = np.interp(np.arange(1, regions + 1), (edges[:-1] + 1 + edges[1:]) / 2, falling)
    importance = np.empty(regions)
    importance[order] = by_rank / max(by_rank.max(), 1e-12)
    return importance
