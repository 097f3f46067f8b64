"""The options that commands share, and the recipe that they make."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sensorplan.cli.log import LOG
from sensorplan.errors import RecipeError

if TYPE_CHECKING:
    from sensorplan.recipe import Recipe

Data = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="DATA",
        show_default=False,
        help="netCDF or CSV files, a quoted glob, or one Zarr store. May be left out when the "
        "recipe names the data.",
    ),
]
PlanFolder = Annotated[Path, typer.Argument(metavar="PLAN", help="A folder that fit wrote.")]
NewData = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA",
        help="netCDF or CSV files, a quoted glob, or one Zarr store, with steps as in the plan.",
    ),
]
Interval = Annotated[
    str,
    typer.Option(
        metavar="SHARE", help="Level of the intervals: 50%, 80%, 90% (the default) or 95%."
    ),
]
RecipeFile = Annotated[
    Path | None, typer.Option("--recipe", metavar="FILE", help="TOML file of settings.")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.NAME=VALUE",
        help="Any setting of a recipe, say mask.rounds=4 (docs/recipes.md); repeatable.",
    ),
]
Sparsity = Annotated[
    float | None, typer.Option(help="Share of the sensors to switch off, 0 <= s < 1.")
]
Budget = Annotated[int | None, typer.Option(help="Number of sensors to keep, instead.")]
MaxLoss = Annotated[
    str | None,
    typer.Option(
        metavar="SHARE",
        help="Switch as many off as lose no more than this share of the accuracy, say 5%.",
    ),
]
Phases = Annotated[
    str | None,
    typer.Option(
        metavar="SHARES",
        help="Switch off in steps, each keeping what the next keeps: say 0.2,0.4,0.6.",
    ),
]
Robust = Annotated[
    str | None,
    typer.Option(
        metavar="SHARE", help="Plan for the failure of so many of the kept sensors, say 10%."
    ),
]
Method = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What ranks the sensors: dynst (default), random, variance, qr, k-centre, "
        "posterior-variance, forecast-aware, backward, facility-location, mutual-information, "
        "removal-bias, voronoi or virtual-force.",
    ),
]
Variable = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Variable to plan on; repeat for several channels."),
]
Select = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DIM=VALUE", help="Position on a further dimension, say level=500; repeatable."
    ),
]
Missing = Annotated[
    list[float] | None,
    typer.Option(metavar="VALUE", help="A value that means missing, say -999; repeatable."),
]
Resample = Annotated[
    str | None, typer.Option(metavar="STEP", help="Mean over time bins of this length, say 1h.")
]
Stations = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Station table (CSV with id,lat,lon) of a CSV history."),
]
Adjacency = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Edge list (CSV with from,to,weight) of the graph between stations."
    ),
]
Lookback = Annotated[
    int | None, typer.Option(metavar="STEPS", help="Past steps that a forecast is made from.")
]
Horizon = Annotated[int | None, typer.Option(metavar="STEPS", help="Steps to forecast.")]
Patch = Annotated[
    str | None,
    typer.Option(metavar="ROWSxCOLUMNS", help="Switch patches of grid cells, say 4x4, as one."),
]
Backbone = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Architecture of the forecaster: mixer (default), graph, vit, conv (grids), linear, "
        "or one that another package adds.",
    ),
]
BackboneOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="A setting of the backbone's own; repeatable."),
]
Weight = Annotated[
    str | None,
    typer.Option(
        metavar="WHAT",
        help="What the plan cares for: extremes (low and high values), area (the ground that each "
        "sensor stands for), or a CSV table of id,weight.",
    ),
]
Seed = Annotated[int | None, typer.Option(help="The same seed gives the same plan.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")]
FigureFormat = Annotated[
    str | None,
    typer.Option(metavar="FORMAT", help="Of the figures: png (default), svg or pdf."),
]
CheckpointEvery = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="Seconds between two checkpoints, from which the same command goes on when it was "
        "killed (60); 0: none.",
    ),
]
MemoryBound = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Bound on the resident memory, say 4GB; a history that does not fit goes to disk.",
    ),
]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="The plan folder to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what stands there.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


def build_recipe(
    file: Path | None,
    select: list[str] | None,
    backbone_option: list[str] | None = None,
    set_: list[str] | None = None,
    **sections: Mapping[str, object],
) -> "Recipe":
    """The recipe in `file`, or the default one, with options that were given put on top.

    Args:
        file: The recipe; None: all defaults.
        select: ``DIM=VALUE`` each.
        backbone_option: ``NAME=VALUE`` each.
        set_: ``SECTION.NAME=VALUE`` each, which the other options come before.
        sections: Section of the recipe to its other options; None or an empty list: not given.

    Raises:
        RecipeError: The recipe or an option is not allowed, or there is no data.
    """
    from sensorplan.recipe import Recipe, assign, load_recipe, override, parse_setting

    recipe = load_recipe(file) if file else Recipe()
    for text in set_ or []:
        recipe = assign(recipe, *parse_setting(text), f"--set {text}")
    for section, values in sections.items():
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
            if value is not None and value != []
        }
        if given:
            recipe = override(recipe, section, **given)
    if select:
        chosen = _parse_pairs(select, "--select", "DIM=VALUE, say level=500")
        recipe = override(recipe, "data", select=chosen)
    if backbone_option:
        own = _parse_pairs(backbone_option, "--backbone-option", "NAME=VALUE")
        recipe = override(recipe, "training", options=own)
    if not recipe.data.path:
        raise RecipeError("no data; name a file, or a recipe with [data] path")
    LOG.info("settings: %s", recipe.model_dump_json(include={*sections}, exclude_none=True))
    return recipe


def parse_share(text: str | None, option: str) -> float | None:
    """A share as per cent (``5%``, ``5 %``) or as a number (``0.05``); None stays None.

    Raises:
        RecipeError: It is neither, or not between 0 and 1.
    """
    if text is None:
        return None
    number, percent = text.strip().removesuffix("%"), text.strip().endswith("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise RecipeError(
            f"{option} {text}; expected a share above 0 % and below 100 %, say 5% or 0.05"
        )
    return share


def parse_shares(text: str | None, option: str) -> list[float] | None:
    """Shares with commas between; None stays None.

    Raises:
        RecipeError: One is none, or not between 0 and 1.
    """
    if text is None:
        return None
    shares = [parse_share(part, option) for part in text.split(",")]
    return [share for share in shares if share is not None]


def data_section(
    path: list[str] | None,
    variable: list[str] | None,
    missing: list[float] | None,
    resample: str | None,
    stations: str | None,
    adjacency: str | None = None,
) -> dict[str, object]:
    """The options of what to read, as `build_recipe` takes them."""
    return {
        "path": path,
        "variable": variable,
        "missing": missing,
        "resample": resample,
        "stations": stations,
        "adjacency": adjacency,
    }


def _parse_pairs(pairs: list[str], option: str, expected: str) -> dict[str, str]:
    split = [pair.partition("=") for pair in pairs]
    for name, sign, value in split:
        if not (name and sign and value):
            raise RecipeError(f"{option} {name}{sign}{value}; expected {expected}")
    return {name: value for name, _, value in split}
