"""DynST: dynamic sparse training of a mask over the sensors (arXiv 2403.02914).

A forecaster that was trained under random masks of all sizes and the mask's weights θ are trained
on together, while the mask is pruned in rounds and regions are dropped and regrown. From the mask
at the budget the ranking is read off both ways, by eliminating the kept regions in rounds and
growing back the pruned ones, without more training.

The importance of a region is the gradient of the loss to its gate, averaged over windows of
training and validation, each under a random thinning of the mask (as in SmoothGrad, Smilkov et al.
2017): a gradient at the mask alone undervalues regions that stand in for one another.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.isotonic import IsotonicRegression
from torch import Tensor

from sensorplan import masking
from sensorplan.plan import Ranking
from sensorplan.recipe import MaskSettings
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.training import Snapshot, Trainer, fitting_windows

LARGEST_THINNING = 0.5  # share of the kept regions left out of a probe
NOISE = (0.0, 0.5, 1.0, 2.0)  # standard deviations of the score, one a proposal
JUDGED_WINDOWS = 64  # of the loss that decides between proposals
RANKING_ROUNDS = 8  # of elimination below the budget, and of growth above it


@dataclass(frozen=True)
class MaskTraining:
    """What the training of a mask gave.

    Attributes:
        mask: ``[region]`` the mask at the budget.
        ranking: The order of all regions; its first `budget` are those of `mask`.
        oscillation: Share of the kept regions that changed sides more than once after the last
            pruning.
    """

    mask: Bools
    ranking: Ranking
    oscillation: float


def rank_by_dynst(
    trainer: Trainer,
    settings: MaskSettings,
    budget: int,
    each_step: Callable[[int], None] | None = None,
) -> MaskTraining:
    """Train the mask down to a budget, from a trainer that was trained under random masks.

    Regions that training never observed come last, in their own order.

    Args:
        trainer: Forecaster and θ; both go on training, and end as they were before if that is
            better on validation.
        settings: Rounds, swaps and penalty.
        budget: Regions to keep.
        each_step: Called after every step with its number from 1.
    """
    before = trainer.snapshot()
    observed = trainer.windows.observed
    regions, kept = int(observed.sum()), min(budget, int(observed.sum()))
    sizes = masking.budgets(regions, kept, settings.rounds) + [kept] * settings.refinements
    mask = observed
    probe = settings.probe or fitting_windows(256, len(observed), 64)
    settled: list[Bools] = []  # masks since the last pruning

    def masks(batch: int) -> Tensor:
        """Half of the batch sees the mask as it is, half random masks of all sizes."""
        drawn = trainer.random_masks(batch)
        drawn[: batch // 2] = trainer.mask_tensor(mask)
        return drawn

    def update(step: int) -> None:
        nonlocal mask
        size = sizes[(step - 1) // settings.round_steps]
        if step % settings.round_steps == 0 and size < mask.sum():
            mask = _prune(trainer, mask, size, probe)
        elif step % settings.update_every == 0:
            share = masking.swap_fraction(step, settings.steps, settings.swap_fraction)
            mask = _swap(trainer, mask, math.ceil(share * mask.sum()), probe)
        if step % settings.update_every == 0 and mask.sum() == kept:
            settled.append(mask)
        if each_step:
            each_step(step)

    trainer.train(
        settings.steps,
        trainer.settings.late_rate,
        masks,
        penalty=settings.penalty,
        each_step=update,
        keep_best=False,
    )
    order = np.concatenate(
        [
            _eliminate(trainer, mask, probe),
            _grow_back(trainer, mask, probe),
            np.flatnonzero(~observed),
        ]
    )
    _keep_better(trainer, before)
    ranking = Ranking(order, _importance(trainer, order))
    return MaskTraining(ranking.keep(budget), ranking, masking.oscillation(settled))


def _keep_better(trainer: Trainer, before: Snapshot) -> None:
    """Go back to the state before, if it is better on validation under masks of all sizes.

    Where the history is short, training on while the mask is pruned can overfit.
    """
    masks = trainer.validation_masks(trainer.random_masks)
    after, loss = trainer.snapshot(), trainer.validation_loss(masks)
    trainer.restore(before)
    if loss <= trainer.validation_loss(masks):
        trainer.restore(after)


def _probe(trainer: Trainer, mask: Bools, windows: int) -> tuple[Floats, Floats]:
    """``[region]`` gradient of the loss to the gate around a mask, and θ."""
    rng, starts = trainer.rng, _probed_windows(trainer, windows)
    thinning = rng.uniform(0, LARGEST_THINNING, (len(starts), 1))
    thinned = mask & (rng.random((len(starts), len(mask))) >= thinning)
    gates = torch.from_numpy(thinned.astype(np.float32)).to(trainer.device)
    return trainer.gate_gradient(gates, starts), trainer.theta.detach().cpu().numpy()


def _probed_windows(trainer: Trainer, windows: int) -> Ints:
    """First steps of some windows of training and validation, each as likely as any other.

    More weight on the short validation stretch would make the mask fit its weather.
    """
    split = trainer.windows.split
    pool = np.concatenate([split.train, split.validation])
    return trainer.rng.choice(pool, min(windows, len(pool)), replace=False)


def _prune(trainer: Trainer, mask: Bools, budget: int, windows: int) -> Bools:
    """Keep the `budget` best regions, by the best of several perturbed scores.

    Regions that stand in for one another have much the same score and would go together, and leave
    a hole. Noise parts them; the loss on probed windows decides which proposal is taken.
    """
    score = masking.drop_score(*_probe(trainer, mask, windows))
    spread = score[mask].std()
    starts = _probed_windows(trainer, min(windows, JUDGED_WINDOWS))
    proposals = [
        masking.prune(mask, score + share * spread * trainer.rng.normal(size=len(mask)), budget)
        for share in NOISE
    ]
    return min(proposals, key=lambda proposed: trainer.mask_loss(proposed, starts))


def _swap(trainer: Trainer, mask: Bools, count: int, windows: int) -> Bools:
    """Drop and regrow up to `count` regions, fewer until the loss on probed windows falls.

    The scores are of first order and only propose; the loss decides.
    """
    gradient, theta = _probe(trainer, mask, windows)
    drop = masking.drop_score(gradient, theta)
    grow = masking.grow_score(gradient, theta)
    grow[~trainer.windows.observed] = -np.inf
    starts = _probed_windows(trainer, min(windows, JUDGED_WINDOWS))
    loss = trainer.mask_loss(mask, starts)
    while count > 0:
        proposed = masking.swap(mask, drop, grow, count)
        if trainer.mask_loss(proposed, starts) < loss:
            return proposed
        count //= 2
    return mask


def _eliminate(trainer: Trainer, mask: Bools, windows: int) -> Ints:
    """Kept regions, best first: eliminated in rounds, the last to go is the best."""
    gone: list[Ints] = []
    for size in masking.budgets(int(mask.sum()), 1, RANKING_ROUNDS):
        score = masking.drop_score(*_probe(trainer, mask, windows))
        smaller = masking.prune(mask, score, size)
        gone.append(_best_first(mask & ~smaller, score))
        mask = smaller
    return np.concatenate([np.flatnonzero(mask), *reversed(gone)])


def _grow_back(trainer: Trainer, mask: Bools, windows: int) -> Ints:
    """Pruned regions, best first: grown back in rounds, the first to come is the best."""
    outside = trainer.windows.observed & ~mask
    come: list[Ints] = [np.empty(0, int)]
    while outside.any():
        score = masking.grow_score(*_probe(trainer, mask, windows))
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


def _importance(trainer: Trainer, order: Ints) -> Floats:
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
