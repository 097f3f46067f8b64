"""From what the user asks, in the recipe or by options, to `Constraints` over the regions."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sensorplan.constraints.placing import Places
from sensorplan.constraints.stated import Constraints, Distance, GroupLimit
from sensorplan.errors import DataError, RecipeError
from sensorplan.reading.notes import listed
from sensorplan.reading.sites import Sites, read_points, read_sites, within_areas
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
    sites = read_sites(settings.sites, places.geographic) if settings.sites else None
    region_of = places.of(sites) if sites else np.empty(0, int)
    excluded_by = _excluded(settings, places, sites, region_of)
    excluded = np.any([np.zeros(len(regions), bool), *excluded_by.values()], axis=0)
    required = _named(settings.require, places, "--require")
    if sites:
        required |= _with_status("required", sites, region_of, len(regions))
    group = _groups(sites, region_of, len(regions))
    if not sites and (settings.only_listed or settings.per_group):
        raise RecipeError("--only-listed and --per-group need --sites, a table of sites")
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
        limits=_limits(settings.per_group, group, settings.sites),
    )
    _need_positions(constraints, data)
    return constraints, _notes(sites, region_of, data)


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
    """Option that excludes to ``[region]`` what it excludes; only those that exclude any."""
    regions = places.regions
    found = {"--exclude": _named(settings.exclude, places, "--exclude")}
    if sites:
        found["status excluded"] = _with_status("excluded", sites, region_of, len(regions))
    if settings.only_listed:
        listed_ones = np.zeros(len(regions), bool)
        listed_ones[region_of[region_of >= 0]] = True
        found["--only-listed"] = ~listed_ones
    if settings.exclude_area:
        if regions.positions is None:
            raise DataError(f"{places.data.source.path}: --exclude-area needs positions")
        found["--exclude-area"] = np.any(
            [
                within_areas(file, regions.positions, places.geographic)
                for file in settings.exclude_area
            ],
            axis=0,
        )
    return {option: out for option, out in found.items() if out.any()}


def _distance(text: str | None, option: str, geographic: bool) -> Distance | None:
    """A distance with its unit, or without where positions are planar."""
    if text is None:
        return None
    number, unit = re.fullmatch(r"\s*([0-9.]+(?:[eE][+-]?\d+)?)\s*([a-z]*)\s*", text).groups()  # type: ignore[union-attr]
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
    """``[region]`` of the cheapest site in each; None where there are none."""
    cost = np.full(len(regions), np.nan)
    if sites:
        inside = region_of >= 0
        np.fmin.at(cost, region_of[inside], sites.cost[inside])
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


def _groups(sites: Sites | None, region_of: Ints, regions: int) -> tuple[str, ...]:
    """``[region]`` group of each.

    Raises:
        DataError: Sites of one region have different groups.
    """
    group = [""] * regions
    if sites:
        for site, region in enumerate(region_of):
            if region < 0 or not sites.group[site]:
                continue
            if group[region] not in ("", sites.group[site]):
                raise DataError(
                    f"{sites.file} {sites.lines[site]}: group {sites.group[site]}, but another "
                    f"site in the same cell is of {group[region]}; expected one group a cell"
                )
            group[region] = sites.group[site]
    return tuple(group)


def _limits(texts: Sequence[str], group: Sequence[str], file: str | None) -> dict[str, GroupLimit]:
    """Group to its limit; a limit without a group's name is that of all others."""
    known = sorted({name for name in group if name})
    everywhere: dict[str, GroupLimit] = {}
    own: dict[str, GroupLimit] = {}
    for text in texts:
        found = re.fullmatch(r"(?:(.+)=)?(\d*):(\d*)", text.strip())
        limit = None
        if found:
            low, high = int(found[2] or 0), int(found[3]) if found[3] else None
            limit = GroupLimit(low, high) if high is None or low <= high else None
        if found is None or limit is None:
            raise RecipeError(
                f"--per-group {text}; expected MIN:MAX, MIN: or :MAX, for one group GROUP=MIN:MAX"
            )
        if found[1] and found[1] not in known:
            raise RecipeError(
                f"--per-group {text}: no such group in {file}; expected one of {listed(known)}"
            )
        if not known:
            raise RecipeError(f"--per-group {text}: {file} has no column group with any entry")
        (own if found[1] else everywhere).update(
            dict.fromkeys([found[1]] if found[1] else known, limit)
        )
    return everywhere | own


def _need_positions(constraints: Constraints, data: SensorData) -> None:
    """Refuse a distance where positions are missing.

    Raises:
        DataError: They are.
    """
    for option, distance in (
        ("--min-distance", constraints.min_distance),
        ("--cover", constraints.cover),
    ):
        if not distance:
            continue
        positions = constraints.positions
        if positions is None:
            raise DataError(f"{data.source.path}: {option} needs positions; the data has none")
        lost = ~np.isfinite(positions).all(axis=1)
        if option == "--min-distance" or constraints.targets is not positions:
            lost &= ~constraints.excluded
        if lost.any():
            names = listed(constraints.names[i] for i in np.flatnonzero(lost))
            raise DataError(
                f"{data.source.path}: {option} needs positions; {names} have none "
                "(--exclude takes them out of the choice)"
            )


def _notes(sites: Sites | None, region_of: Ints, data: SensorData) -> list[str]:
    """What of the table was not used."""
    if sites is None:
        return []
    lost = [sites.ids[site] or sites.lines[site] for site in np.flatnonzero(region_of < 0)]
    if not lost:
        return []
    return [f"{sites.file}: not in {data.source.path}, so not used: {listed(lost)}"]
