"""Every setting of a run, and the strict TOML recipe that holds them.

A setting without a value in the recipe keeps its default. An unknown key or a value out of range is
a `RecipeError` that says where it stands and what is allowed.
"""

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sensorplan.errors import RecipeError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(_Section):
    """What to read.

    Attributes:
        path: Files, globs or one Zarr store; relative to the recipe's folder.
        variable: Variables to plan on, one channel each; empty: the file's first.
        select: Position on each further dimension, say ``{level: "500"}``.
        missing: Sentinel values that mean missing, besides the file's own fill value.
        resample: Mean over bins of this length (pandas offset such as ``1h``); None: never.
        stations: Station table (CSV with ``id,lat,lon``) for a CSV history.
    """

    path: tuple[str, ...] = ()
    variable: tuple[str, ...] = ()
    select: dict[str, str] = {}
    missing: tuple[float, ...] = ()
    resample: str | None = None
    stations: str | None = None


class WindowSettings(_Section):
    """How history is cut into windows; None takes the default of the step (docs/windows.md)."""

    lookback: Annotated[int, Field(ge=1)] | None = None
    horizon: Annotated[int, Field(ge=1)] | None = None
    stride: Annotated[int, Field(ge=1)] = 1
    patch: Annotated[str, Field(pattern=r"^[1-9]\d*x[1-9]\d*$")] | None = None
    validation: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    test: Annotated[float, Field(gt=0, lt=0.5)] = 0.2


class MaskSettings(_Section):
    """How many sensors go, and how the mask is trained (DynST, arXiv 2403.02914)."""

    sparsity: Annotated[float, Field(ge=0, lt=1)] | None = None
    budget: Annotated[int, Field(ge=1)] | None = None
    rounds: Annotated[int, Field(ge=1)] = 8
    update_every: Annotated[int, Field(ge=1)] = 20
    swap_fraction: Annotated[float, Field(ge=0, le=1)] = 0.2
    penalty: Annotated[float, Field(ge=0)] = 1e-3

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.sparsity is not None and self.budget is not None:
            raise ValueError("give sparsity or budget, not both")
        return self


class TrainingSettings(_Section):
    """How the forecaster is trained."""

    backbone: str = "mixer"
    steps: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=1)] = 32
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3


class RunSettings(_Section):
    """Seed and device."""

    seed: Annotated[int, Field(ge=0)] = 0
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"


class Recipe(_Section):
    """All settings of one plan."""

    data: DataSettings = DataSettings()
    window: WindowSettings = WindowSettings()
    mask: MaskSettings = MaskSettings()
    training: TrainingSettings = TrainingSettings()
    run: RunSettings = RunSettings()
