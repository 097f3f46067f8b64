"""How the mask of a plan came about, round by round: the table and the figure."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from sensorplan.exports.reasons import SEPARATOR
from sensorplan.exports.style import COLOURS, add_title, dataset_stem, label_of, new_figure
from sensorplan.masking import MaskRound
from sensorplan.plan import Plan
from sensorplan.sensors import Bools, Ints

HISTORY_FILE = "mask_history.csv"
OFF, BACK, KEPT = "#F2F2F2", COLOURS[4], "#00456E"  # light, middle and dark in grey
NAMED = 70  # regions whose names are written
MOST_NUMBERS = 18  # along the rounds
MOST_ROWS = 400  # regions that have a row each; more share one


def mask_history_csv(rounds: Sequence[MaskRound], names: Sequence[str]) -> bytes:
    """`mask_history.csv`: one row a round, with the regions that went and came since the last.

    Args:
        rounds: From the start to the plan.
        names: ``[region]``.
    """
    masks = [np.ones(len(names), bool), *(one.mask for one in rounds)]
    rows = []
    for number, (one, (before, after)) in enumerate(zip(rounds, pairwise(masks), strict=True)):
        rows.append(
            {
                "round": number,
                "stage": one.stage,
                "kept": int(after.sum()),
                "density": round(float(after.mean()), 6),
                "swapped": one.swapped,
                "dropped": _joined(names, before & ~after),
                "regrown": _joined(names, after & ~before),
            }
        )
    return pd.DataFrame(rows).to_csv(index=False, lineterminator="\n").encode()


def mask_history_figure(rounds: Sequence[MaskRound], order: Ints, plan: Plan) -> Figure:
    """Which regions each round kept, how many that is, and how many changed places.

    Args:
        rounds: From the start to the plan.
        order: ``[region]`` best first, as the plan ranks them.
        plan: The plan, for names and the jury's choice.
    """
    kept = np.stack([one.mask for one in rounds], axis=1)[order]  # [region, round]
    figure = new_figure(9, 2.4 + float(np.clip(0.135 * len(order), 3, 8)))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.6, figure.get_figheight()))
    _draw_counts(above, rounds)
    _draw_raster(below, kept)
    _name_rows(below, [*plan.kept, *plan.dropped], plan.budget)
    _name_rounds(below, rounds)
    figure.legend(*_legend(len(order)), loc="outside lower center", ncols=4, frameon=False)
    add_title(above, "How the mask came about", f"{dataset_stem(plan)}{_chosen(plan)}")
    return figure


def _joined(names: Sequence[str], chosen: Bools) -> str:
    return SEPARATOR.join(name for name, one in zip(names, chosen, strict=True) if one)


def _draw_counts(axes: Axes, rounds: Sequence[MaskRound]) -> None:
    """Per cent kept, and as bars the share of these that took the place of others."""
    place = np.arange(len(rounds))
    density = np.array([100 * one.mask.mean() for one in rounds])
    swapped = np.array([100 * one.swapped / len(one.mask) for one in rounds])
    axes.bar(place, swapped, width=0.6, color=BACK, edgecolor="black", lw=0.5)
    axes.step(place, density, where="mid", color=KEPT, lw=2)
    axes.plot(place, density, "o", color=KEPT, ms=4)
    for x in range(len(rounds))[:: -(-len(rounds) // MOST_NUMBERS)]:
        axes.annotate(
            f"{rounds[x].mask.sum():,}",
            (x, density[x]),
            (0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=KEPT,
        )
    axes.set(ylim=(0, 122), yticks=(0, 50, 100), ylabel="kept and\nregrown (%)")
    axes.grid(alpha=0.3, axis="y")


def _draw_raster(axes: Axes, kept: Bools) -> None:
    """A row a region, the best of the plan on top; many regions share a row."""
    regions, rounds = kept.shape
    shade = kept.astype(float)
    if regions <= MOST_ROWS:
        came = np.zeros_like(kept)
        came[:, 1:] = kept[:, 1:] & ~kept[:, :-1]
        shade[came] = 0.5
    else:
        parts = np.array_split(shade, MOST_ROWS // 2)
        shade = np.stack([part.mean(0) for part in parts])
    axes.imshow(
        shade,
        cmap=_shades(regions),
        vmin=0,
        vmax=1,
        aspect="auto",
        interpolation="nearest",
        extent=(-0.5, rounds - 0.5, regions + 0.5, 0.5),
    )
    if regions <= NAMED:
        axes.hlines(np.arange(1.5, regions), -0.5, rounds - 0.5, color="white", lw=0.6)
    axes.vlines(np.arange(0.5, rounds - 1), 0.5, regions + 0.5, color="white", lw=1.2)


def _shades(regions: int) -> Colormap:
    if regions <= MOST_ROWS:
        return ListedColormap([OFF, BACK, KEPT])
    return LinearSegmentedColormap.from_list("kept", [OFF, KEPT])


def _name_rows(axes: Axes, names: Sequence[str], budget: int) -> None:
    """Names where there is room, else ranks; and the line between what the plan keeps and drops."""
    regions = len(names)
    axes.axhline(budget + 0.5, color="black", lw=1.2, ls="--")
    if regions <= NAMED:
        size = 8 if regions <= 40 else 6.5
        labels = [label_of(name) for name in names]
        axes.set_yticks(np.arange(1, regions + 1), labels, fontsize=size, parse_math=False)
        axes.set_ylabel("sensor, best of the plan first")
    else:
        axes.set_ylabel("rank in the plan")


def _name_rounds(axes: Axes, rounds: Sequence[MaskRound]) -> None:
    stages = [one.stage for one in rounds]
    names = [str(n) if one in ("prune", "refine") else one for n, one in enumerate(stages)]
    every = -(-len(rounds) // MOST_NUMBERS)
    axes.set_xticks(range(len(names)), [n if i % every == 0 else "" for i, n in enumerate(names)])
    pruned, refined = stages.count("prune"), stages.count("refine")
    last = f", {pruned + 1} to {pruned + refined} drop and regrow" if refined else ""
    axes.set_xlabel(f"round: 1 to {pruned} prune{last}")


def _legend(regions: int) -> tuple[list[Patch], list[str]]:
    look: dict[str, Any] = {"ec": "black", "lw": 0.5}
    colours = {"kept": KEPT, "regrown in this round": BACK, "switched off": OFF}
    if regions > MOST_ROWS:
        each = round(regions / (MOST_ROWS // 2))
        colours["regrown in this round (bars)"] = colours.pop("regrown in this round")
        colours[f"switched off (a line is some {each} regions)"] = colours.pop("switched off")
    return [Patch(fc=colour, **look) for colour in colours.values()], [*colours]


def _chosen(plan: Plan) -> str:
    best = min(plan.candidates, key=lambda name: plan.candidates[name])
    return f": the jury took the {'trained mask' if best == plan.method else f'mask of {best}'}"
