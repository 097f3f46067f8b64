"""Every setting, with its default and limits, by section of the recipe."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _as_tuple(value: object) -> object:
    """A list as a tuple; one value as a tuple of it, so that ``variable = "pm10"`` is enough."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


Method = Literal[
    "dynst",
    "random",
    "variance",
    "qr",
    "k-centre",
    "posterior-variance",
    "forecast-aware",
    "backward",
    "facility-location",
    "mutual-information",
    "removal-bias",
    "voronoi",
    "virtual-force",
]
"""DynST, or the name of a baseline ranker."""

IN_MEMORY = "<dataset>"
"""What stands for the path of data that never was in a file, or not as it is."""

MATRIX = "matrix"
"""The section of a recipe that makes many plans of it."""

Texts = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_as_tuple)]
AsText = Annotated[str, BeforeValidator(str)]


DistanceText = Annotated[
    str,
    Field(
        pattern=r"^\s*[0-9.]+(?:[eE][+-]?\d+)?\s*[a-zA-Z]*\s*$", description="a distance, say 3km"
    ),
]


class Section(BaseModel):
    """A table of a recipe: frozen, and strict about names and kinds."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class DataSettings(Section):
    """What to read.

    Attributes:
        path: Files, globs or one Zarr store; relative to the recipe's folder. `IN_MEMORY` in the
            recipe of a plan that was made from data in memory.
        variable: Variables to plan on, one channel each; empty: the file's first.
        select: Position on each further dimension, say ``{level: "500"}``.
        missing: Sentinel values that mean missing, besides the file's own fill value.
        resample: Mean over bins of this length (pandas offset such as ``1h``); None: never.
        stations: Station table (CSV with ``id,lat,lon``) for a CSV history.
        adjacency: Edge list (CSV with ``from,to,weight``) of the graph between stations, in place
            of the file's own.
    """

    path: Texts = ()
    variable: Texts = ()
    select: dict[str, AsText] = {}
    missing: Numbers = ()
    resample: str | None = None
    stations: str | None = None
    adjacency: str | None = None


class WindowSettings(Section):
    """How history is cut into windows; None takes the default of the step (docs/windows.md)."""

    lookback: Annotated[int, Field(ge=1)] | None = None
    horizon: Annotated[int, Field(ge=1)] | None = None
    stride: Annotated[int, Field(ge=1)] = 1
    patch: (
        Annotated[str, Field(pattern=r"^[1-9]\d*x[1-9]\d*$", description="ROWSxCOLUMNS, say 4x4")]
        | None
    ) = None
    validation: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    test: Annotated[float, Field(gt=0, lt=0.5)] = 0.2


SIZES = ("sparsity", "budget", "add", "max_loss", "phases")  # of which one says how many go


class MaskSettings(Section):
    """How many sensors go, and how the mask is trained (DynST, arXiv 2403.02914).

    Attributes:
        method: What ranks the sensors (docs/rankers.md); all but the next two are for DynST alone.
        sparsity: Share of the regions to switch off; 0.5 when nothing says how many.
        budget: Number of regions to keep, instead of a sparsity.
        add: Number of regions to keep besides those that constraints require, instead of a
            sparsity.
        max_loss: Switch as many off as lose no more than this share, instead of a sparsity
            (docs/curve.md).
        phases: Shares of the regions to switch off in steps, rising; the last is the plan's,
            instead of a sparsity.
        robust: Share of the kept regions that may fail, which the plan is made for; None: none.
        rounds: Rounds of pruning.
        refinements: Rounds of drop and regrow after the last pruning.
        round_steps: Training steps in a round.
        update_every: Training steps between two swaps.
        swap_fraction: Share of the kept regions swapped at first; decays to 0.
        penalty: Weight of the L1 penalty on the mask.
        practice: Training steps on the masks of all candidates, before the best is chosen.
        probe: Windows that each importance is averaged over; None: 256, fewer over 1,024 regions.
    """

    method: Method = "dynst"
    sparsity: Annotated[float, Field(ge=0, lt=1)] | None = None
    budget: Annotated[int, Field(ge=1)] | None = None
    add: Annotated[int, Field(ge=0)] | None = None
    max_loss: Annotated[float, Field(gt=0, lt=1)] | None = None
    phases: Numbers = ()
    robust: Annotated[float, Field(gt=0, lt=1)] | None = None
    rounds: Annotated[int, Field(ge=1)] = 8
    refinements: Annotated[int, Field(ge=0)] = 4
    round_steps: Annotated[int, Field(ge=1)] = 20
    update_every: Annotated[int, Field(ge=1)] = 10
    swap_fraction: Annotated[float, Field(ge=0, le=1)] = 0.2
    penalty: Annotated[float, Field(ge=0)] = 1e-3
    practice: Annotated[int, Field(ge=0)] = 100
    probe: Annotated[int, Field(ge=2)] | None = None

    @property
    def steps(self) -> int:
        """Training steps in all rounds."""
        return (self.rounds + self.refinements) * self.round_steps

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if len([size for size in SIZES if getattr(self, size) not in (None, ())]) > 1:
            raise ValueError("give only one of sparsity, budget, add, max_loss and phases")
        if any(not 0 < share < 1 for share in self.phases) or any(
            later <= earlier for earlier, later in pairwise(self.phases)
        ):
            raise ValueError("phases are shares above 0 and below 1, each larger than the last")
        return self


class ConstraintSettings(Section):
    """What a plan must obey (docs/constraints.md).

    Attributes:
        sites: Table of sites (CSV or GeoPackage with ``id`` or ``lat,lon``, ``status``, ``cost``,
            ``group``).
        only_listed: Only sensors in that table may be kept.
        require: Ids of sensors that are kept; ``@FILE`` names a file of them.
        exclude: Ids of sensors that are switched off.
        exclude_area: Vector files of polygons in which nothing is kept.
        min_distance: Least distance between two kept sensors, say ``3km``.
        cover: Every sensor lies within this distance of a kept one, say ``25km``.
        cover_points: Table or vector file of points that are covered in place of the sensors.
        max_cost: Largest sum of the costs of the kept sensors.
        per_group: ``MIN:MAX`` sensors kept of every group, ``GROUP=MIN:MAX`` of one.
    """

    sites: str | None = None
    only_listed: bool = False
    require: Texts = ()
    exclude: Texts = ()
    exclude_area: Texts = ()
    min_distance: DistanceText | None = None
    cover: DistanceText | None = None
    cover_points: str | None = None
    max_cost: Annotated[float, Field(gt=0)] | None = None
    per_group: Texts = ()


WEIGHTS = ("extremes", "area")  # any other is a file


class TrainingSettings(Section):
    """How the forecaster is trained.

    Attributes:
        backbone: Architecture of the forecaster (docs/backbones.md).
        options: Its own settings.
        weight: What the loss cares for: ``extremes`` (the tails of each series), ``area`` (what
            each sensor stands for), or a table of ``id,weight``; None: all alike.
        steps: Training steps under random masks.
        fine_tune: Training steps on the final mask, and as many on all sensors.
        batch_size: Windows in a step; None: 32, fewer over 1,024 regions.
        learning_rate: Peak of the one-cycle schedule, a third of it once the mask is trained;
            None: what suits the backbone.
    """

    backbone: str = "mixer"
    options: dict[str, bool | int | float | str] = {}
    weight: str | None = None
    steps: Annotated[int, Field(ge=1)] = 400
    fine_tune: Annotated[int, Field(ge=0)] = 100
    batch_size: Annotated[int, Field(ge=1)] | None = None
    learning_rate: Annotated[float, Field(gt=0)] | None = None


FigureFormat = Literal["png", "svg", "pdf"]


class RunSettings(Section):
    """Seed, device, memory, the format of the figures, and how a run is kept.

    Attributes:
        seed: Of every random choice.
        device: Where to compute.
        figure_format: Of the figures.
        checkpoint_every: Seconds between two checkpoints of `fit`; 0: none (docs/resume.md).
        memory: Bound on the resident memory, say ``4GB``: a history that does not fit goes to disk
            (docs/memory.md); None: no bound.
    """

    seed: Annotated[int, Field(ge=0)] = 0
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    figure_format: FigureFormat = "png"
    checkpoint_every: Annotated[float, Field(ge=0)] = 60.0
    memory: (
        Annotated[
            str,
            Field(
                pattern=r"^\s*\d+(\.\d+)?\s*[MGT]i?B\s*$",
                description="a size in MB, GB or TB, say 4GB",
            ),
        ]
        | None
    ) = None


class Recipe(Section):
    """All settings of one plan."""

    data: DataSettings = DataSettings()
    window: WindowSettings = WindowSettings()
    mask: MaskSettings = MaskSettings()
    constraints: ConstraintSettings = ConstraintSettings()
    training: TrainingSettings = TrainingSettings()
    run: RunSettings = RunSettings()
