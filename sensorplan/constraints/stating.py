"""From what the user asks, in the recipe or by options, to `Constraints` over the regions."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sensorplan.constraints.grouping import groups_of, limits_of
from sensorplan.constraints.placing import Places
from sensorplan.constraints.stated import Constraints, Distance
from sensorplan.errors import DataError, RecipeError
from sensorplan.reading.notes import listed
from sensorplan.reading.sites import SAYS, Sites, read_points, read_sites, within_areas
from sensorplan.recipe import ConstraintSettings
from sensorplan.regions import Regions
from sensorplan.sensors import Bools, Floats, Ints, SensorData

UNITS = {"km": 1000.0, "m": 1.0}


def state_constraints(
    settings: ConstraintSettings, data: SensorData, regions: Regions
) -> tuple[Constraints, list[str]]:
    """What a plan of the regions must obey, and what the user should know of it.

    Raises:
        RecipeError: An option is not allowed, or names no sensor.
        DataError: A file cannot be used, or positions or costs are missing that are needed.
    """
    places = Places(data, regions)
    _need_positions(settings, places)
    sites = read_sites(settings.sites, places.geographic) if settings.sites else None
    region_of = np.empty(0, int) if sites is None else places.of(sites)
    if sites is None and (settings.only_listed or settings.per_group):
        raise RecipeError("--only-listed and --per-group need --sites, a table of sites")
    if sites is not None and not sites.says and not settings.only_listed:
        raise DataError(
            f"{sites.file}: has none of the columns {', '.join(SAYS)}, so it asks for nothing; "
            "expected one of them, or --only-listed"
        )
    excluded_by = _excluded(settings, places, sites, region_of)
    excluded = np.any([np.zeros(len(regions), bool), *excluded_by.values()], axis=0)
    required = _named(settings.require, places, "--require")
    if sites is not None:
        required |= _with_status("required", sites, region_of, len(regions))
    group = groups_of(sites, region_of, len(regions))
    constraints = Constraints(
        names=regions.names,
        required=required,
        excluded=excluded,
        excluded_by=excluded_by,
        positions=regions.positions,
        geographic=places.geographic,
        min_distance=_distance(settings.min_distance, "--min-distance", places.geographic),
        cover=_distance(settings.cover, "--cover", places.geographic),
        targets=_targets(settings, places),
        cost=_costs(settings, sites, region_of, excluded, regions),
        max_cost=settings.max_cost,
        group=group,
        limits=limits_of(settings.per_group, group, settings.sites),
    )
    _need_placed(constraints, data)
    return constraints, _notes(sites, region_of, excluded_by, data)


def _named(ids: Sequence[str], places: Places, option: str) -> Bools:
    """``[region]`` True where an option names it, in place or in files (``@file.txt``)."""
    mask = np.zeros(len(places.regions), bool)
    for name in _listed_ids(ids, option):
        mask[places.named(name, option)] = True
    return mask


def _listed_ids(ids: Sequence[str], option: str) -> list[str]:
    found: list[str] = []
    for text in ids:
        if not text.startswith("@"):
            found += [part.strip() for part in text.split(",") if part.strip()]
            continue
        try:
            lines = Path(text[1:]).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"{option} {text}: cannot be read ({error})") from error
        found += [part.strip() for line in lines for part in line.split(",") if part.strip()]
    if ids and not found:
        raise RecipeError(f"{option} {' '.join(ids)}: names no sensor; expected ids")
    return found


def _with_status(status: str, sites: Sites, region_of: Ints, regions: int) -> Bools:
    """``[region]`` True where a site of that status is."""
    mask = np.zeros(regions, bool)
    chosen = np.array([word == status for word in sites.status], bool)
    mask[region_of[chosen & (region_of >= 0)]] = True
    return mask


def _excluded(
    settings: ConstraintSettings, places: Places, sites: Sites | None, region_of: Ints
) -> dict[str, Bools]:
    """Option that excludes to ``[region]`` what it excludes.

    A cell is excluded by its sites when all of them are.
    """
    regions = places.regions
    found: dict[str, Bools] = {}
    if settings.exclude:
        found["--exclude"] = _named(settings.exclude, places, "--exclude")
    if sites is not None and "excluded" in sites.status:
        out = _with_status("excluded", sites, region_of, len(regions))
        for other in ("", "candidate"):
            out &= ~_with_status(other, sites, region_of, len(regions))
        found[f"status excluded in {sites.file}"] = out
    if settings.only_listed:
        listed_ones = np.zeros(len(regions), bool)
        listed_ones[region_of[region_of >= 0]] = True
        found["--only-listed"] = ~listed_ones
    if settings.exclude_area:
        assert regions.positions is not None
        found["--exclude-area"] = np.any(
            [
                within_areas(file, regions.positions, places.geographic)
                for file in settings.exclude_area
            ],
            axis=0,
        )
    return found


def _distance(text: str | None, option: str, geographic: bool) -> Distance | None:
    """A distance with its unit, or without where positions are planar."""
    if text is None:
        return None
    parts = re.fullmatch(r"\s*([0-9.]+(?:[eE][+-]?\d+)?)\s*([a-z]*)\s*", text.lower())
    number, unit = parts.groups() if parts else ("", "")
    if geographic and unit not in UNITS:
        raise RecipeError(f"{option} {text}; expected a distance in km or m, say 3km")
    if not geographic and unit:
        raise RecipeError(
            f"{option} {text}: the positions are planar; expected a number in their unit"
        )
    try:
        length = float(number) * UNITS.get(unit, 1.0)
    except ValueError:
        length = 0.0
    if not length > 0:
        raise RecipeError(f"{option} {text}; expected a distance above 0, say 3km")
    return Distance(length, text.strip())


def _targets(settings: ConstraintSettings, places: Places) -> Floats | None:
    """``[target, 2]`` what is to be covered: the points of a file, or every region."""
    if settings.cover_points and not settings.cover:
        raise RecipeError("--cover-points needs --cover, within which they are covered")
    if settings.cover_points:
        return read_points(settings.cover_points, places.geographic)
    return places.regions.positions if settings.cover else None


def _costs(
    settings: ConstraintSettings,
    sites: Sites | None,
    region_of: Ints,
    excluded: Bools,
    regions: Regions,
) -> Floats | None:
    """``[region]`` of the required sites in each, or of its cheapest; None where there are none."""
    cost = np.full(len(regions), np.nan)
    if sites is not None:
        status = np.array(sites.status)
        inside = region_of >= 0
        for free in (inside & (status == "excluded"), inside & np.isin(status, ("", "candidate"))):
            cost[region_of[free]] = np.nan  # of candidates, where there are any
            np.fmin.at(cost, region_of[free], sites.cost[free])
        fixed = inside & (status == "required")
        cost[region_of[fixed]] = 0.0
        np.add.at(cost, region_of[fixed], sites.cost[fixed])
    if settings.max_cost is None:
        return None if np.isnan(cost).all() else cost
    missing = np.isnan(cost) & ~excluded
    if missing.any():
        names = listed(regions.names[i] for i in np.flatnonzero(missing))
        raise RecipeError(
            f"--max-cost {settings.max_cost:g}: no cost of {names}; expected a column cost in "
            "--sites for every sensor that is not excluded (--only-listed excludes the others)"
        )
    return np.where(np.isnan(cost), 0.0, cost)


def _need_positions(settings: ConstraintSettings, places: Places) -> None:
    """Refuse what needs positions where the data has none.

    Raises:
        DataError: It has none.
    """
    asked = {
        "--min-distance": settings.min_distance,
        "--cover": settings.cover,
        "--exclude-area": settings.exclude_area,
    }
    for option, value in asked.items():
        if value and places.regions.positions is None:
            raise DataError(
                f"{places.data.source.path}: {option} needs positions; the data has none"
            )


def _need_placed(constraints: Constraints, data: SensorData) -> None:
    """Refuse a distance where the position of a sensor that it is about is missing.

    Raises:
        DataError: It is.
    """
    positions = constraints.positions
    if positions is None:
        return
    lost = ~np.isfinite(positions).all(axis=1)
    free = lost & ~constraints.excluded
    all_targets = constraints.targets is positions
    for option, distance, wrong, way_out in (
        ("--min-distance", constraints.min_distance, free, "--exclude takes them out"),
        (
            "--cover",
            constraints.cover,
            lost if all_targets else free,
            "--cover-points names what is to be covered"
            if all_targets
            else "--exclude takes them out",
        ),
    ):
        if distance and wrong.any():
            names = listed(constraints.names[i] for i in np.flatnonzero(wrong))
            raise DataError(
                f"{data.source.path}: {option} needs positions; {names} have none ({way_out})"
            )


def _notes(
    sites: Sites | None, region_of: Ints, excluded_by: Mapping[str, Bools], data: SensorData
) -> list[str]:
    """What of the options and the table had no effect."""
    notes = [
        f"{option}: no sensor of {data.source.path} is in there, so it excludes none"
        for option, out in excluded_by.items()
        if not out.any()
    ]
    if sites is None:
        return notes
    lost = [sites.ids[site] or sites.lines[site] for site in np.flatnonzero(region_of < 0)]
    if lost:
        notes.append(f"{sites.file}: not in {data.source.path}, so not used: {listed(lost)}")
    if sites.unused:
        notes.append(f"{sites.file}: columns that say nothing here: {listed(sites.unused)}")
    return notes
