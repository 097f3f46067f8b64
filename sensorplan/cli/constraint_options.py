"""The options of what a plan must obey."""

from typing import Annotated

import typer

PANEL = "Constraints"
Add = Annotated[
    int | None,
    typer.Option(
        help="Number of sensors to keep besides the required ones.", rich_help_panel=PANEL
    ),
]
Sites = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Table of sites (CSV or GeoPackage): id or lat,lon, with status (required, excluded "
        "or candidate), cost and group.",
        rich_help_panel=PANEL,
    ),
]
OnlyListed = Annotated[
    bool,
    typer.Option("--only-listed", help="Keep only sensors in that table.", rich_help_panel=PANEL),
]
Require = Annotated[
    list[str] | None,
    typer.Option(
        metavar="IDS",
        help="Sensors to keep: ids with commas between, or @FILE; repeatable.",
        rich_help_panel=PANEL,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="IDS", help="Sensors to switch off, in the same way.", rich_help_panel=PANEL
    ),
]
ExcludeArea = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="Vector file of polygons in which no sensor is kept; repeatable.",
        rich_help_panel=PANEL,
    ),
]
MinDistance = Annotated[
    str | None,
    typer.Option(
        metavar="DISTANCE",
        help="Least distance between two kept sensors, say 3km.",
        rich_help_panel=PANEL,
    ),
]
Cover = Annotated[
    str | None,
    typer.Option(
        metavar="DISTANCE",
        help="Every sensor lies within this distance of a kept one, say 25km.",
        rich_help_panel=PANEL,
    ),
]
CoverPoints = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Points to cover in place of the sensors: CSV with lat,lon, or a vector file.",
        rich_help_panel=PANEL,
    ),
]
MaxCost = Annotated[
    float | None,
    typer.Option(
        metavar="SUM",
        help="Largest sum of the costs of the kept sensors; alone it says how many are kept.",
        rich_help_panel=PANEL,
    ),
]
PerGroup = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MIN:MAX",
        help="Sensors kept of every group, say 2: or 1:5; of one group GROUP=MIN:MAX; repeatable.",
        rich_help_panel=PANEL,
    ),
]


def constraint_section(
    sites: str | None,
    only_listed: bool,
    require: list[str] | None,
    exclude: list[str] | None,
    exclude_area: list[str] | None,
    min_distance: str | None,
    cover: str | None,
    cover_points: str | None,
    max_cost: float | None,
    per_group: list[str] | None,
) -> dict[str, object]:
    """The options of what a plan must obey, as `build_recipe` takes them."""
    return {
        "sites": sites,
        "only_listed": only_listed or None,
        "require": require,
        "exclude": exclude,
        "exclude_area": exclude_area,
        "min_distance": min_distance,
        "cover": cover,
        "cover_points": cover_points,
        "max_cost": max_cost,
        "per_group": per_group,
    }
