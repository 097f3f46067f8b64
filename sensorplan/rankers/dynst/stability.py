"""How sure a trained mask is of each region: what the trained forecaster would keep elsewhere.

Training anew on every resampled history is out of the question. So the forecaster stays, and the
history that it is asked about is resampled: the gradients of single windows are averaged over
blocks of consecutive windows, drawn with replacement (moving-block bootstrap, Künsch 1989, doi
10.1214/aos/1176347265), and drop and regrow go to their end at the plan. A kept region leaves where
a pruned one is worth more on the resampled history.

A region that is kept already is worth little by the gradient at its open gate, where the loss has
levelled off, and would leave for any that is pruned. So every gradient here is taken where the gate
is closed: the kept regions are left out by turns, and each is judged in the turn when it is out.
"""

import numpy as np
import torch

from sensorplan import masking
from sensorplan.constraints import Rules
from sensorplan.rankers.dynst.probing import SMALLEST_LOSS, draw_stretches
from sensorplan.rankers.history import draw_blocks
from sensorplan.sensors import Bools, Floats, Ints
from sensorplan.training import Trainer

RESAMPLES = 200
TURNS = 4  # in each, one in so many of the kept regions is out
STREAM = 1  # of random numbers, beside the trainer's own of the same seed


def mask_frequency(trainer: Trainer, mask: Bools, windows: int, seed: int, rules: Rules) -> Floats:
    """How often each region is kept over resampled histories.

    Args:
        trainer: The trained forecaster and θ; stays as it is, random stream included.
        mask: ``[region]`` the plan.
        windows: At most so many are drawn from training and validation, each by its share.
        seed: Of the draws.
        rules: What the plan obeys, and every mask of a resample; where they lead to a dead end, it
            counts as the plan.

    Returns:
        ``[region]`` share of the resamples; every one keeps as many regions as the mask (with a
        largest cost, as many as it is enough for). Regions that training never observed come last.
    """
    observed, theta = trainer.windows.observed, trainer.theta.detach().cpu().numpy()
    stream, trainer.rng = trainer.rng, np.random.default_rng([seed, STREAM])
    try:
        stretches = gradients_by_window(trainer, mask & observed, windows)
        frequency = np.zeros(len(mask))
        for _ in range(RESAMPLES):
            means = [
                mean_over(gradients, draw_blocks(len(gradients), block, trainer.rng))
                for gradients, block in stretches
            ]
            score = masking.drop_score(np.sum(means, axis=0), theta)
            score[~observed] = -np.inf
            best = masking.prune(np.ones_like(mask), score, int(mask.sum()))
            obeyed = rules.try_to_obey(best, score)
            frequency += mask if obeyed is None else obeyed
    finally:
        trainer.rng = stream
    return frequency / RESAMPLES


def gradients_by_window(trainer: Trainer, mask: Bools, windows: int) -> list[tuple[Floats, int]]:
    """What each window adds to the gradient of the relative loss (`probing`), by stretch.

    The loss of a stretch, which its gradients are relative to, stays that of all its windows.

    Returns:
        For each stretch ``[window, region]`` gradients in the order of time, whose means over
        windows add up to the gradient; and the windows in a block, which reach as far as windows
        overlap, but over half of them at most.
    """
    split = trainer.windows.split
    stretches = draw_stretches(trainer, windows)
    found = []
    for stretch, all_starts in zip(stretches, (split.train, split.validation), strict=True):
        starts = np.sort(stretch.starts)
        gradients, loss = closed_gate_gradients(trainer, mask, starts)
        block = -(-split.overlap * len(starts) // len(all_starts))
        gradients *= stretch.weight / max(loss, SMALLEST_LOSS)
        found.append((gradients, max(1, min(block, len(starts) // 2))))
    return found


def closed_gate_gradients(trainer: Trainer, mask: Bools, starts: Ints) -> tuple[Floats, float]:
    """``[window, region]`` gradients of the loss to gates that are closed, and the mean loss.

    In every window the kept regions are left out by turns, in groups drawn at random: the gradient
    of a kept region is that of its turn, of a pruned one the mean over the turns.
    """
    kept = np.flatnonzero(mask)
    turns = min(TURNS, len(kept))
    group = np.full((len(starts), len(mask)), -1, np.int8)
    group[:, kept] = np.arange(len(kept)) % turns
    group[:, kept] = trainer.rng.permuted(group[:, kept], axis=1)
    total, total_loss = np.zeros(group.shape, np.float32), 0.0
    for turn in range(turns):
        gates = torch.from_numpy((mask & (group != turn)).astype(np.float32)).to(trainer.device)
        gradients, loss = trainer.window_gradients(gates, starts)
        total += gradients * np.where(mask, group == turn, 1 / turns).astype(np.float32)
        total_loss += loss
    return total, total_loss / turns


def mean_over(gradients: Floats, drawn: Ints) -> Floats:
    """``[region]`` mean of ``[window, region]`` gradients over drawn windows, with repetition."""
    times = np.bincount(drawn, minlength=len(gradients)).astype(gradients.dtype)
    return np.asarray(times @ gradients / len(drawn))
