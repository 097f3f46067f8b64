"""Groups of sensors, and how many of each are kept."""

import re
from collections.abc import Sequence

from sensorplan.constraints.stated import GroupLimit
from sensorplan.errors import DataError, RecipeError
from sensorplan.reading.notes import listed
from sensorplan.reading.sites import Sites
from sensorplan.sensors import Ints


def groups_of(sites: Sites | None, region_of: Ints, regions: int) -> tuple[str, ...]:
    """``[region]`` group of each.

    Raises:
        DataError: Sites of one region have different groups.
    """
    group = [""] * regions
    if sites is not None:
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


def limits_of(
    texts: Sequence[str], group: Sequence[str], file: str | None
) -> dict[str, GroupLimit]:
    """Group to its limit; a limit without a group's name is that of all others.

    Raises:
        RecipeError: A text is no limit, names no group, or limits one a second time.
    """
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
        if not known:
            raise RecipeError(f"--per-group {text}: {file} has no column group with any entry")
        if found[1] and found[1] not in known:
            raise RecipeError(
                f"--per-group {found[1]}=...: no such group in {file}; expected one of "
                f"{listed(known)}"
            )
        if found[1] in own or (not found[1] and everywhere):
            raise RecipeError(
                f"--per-group {text}: a second limit for the same; expected one, say 1:5"
            )
        (own if found[1] else everywhere).update(
            dict.fromkeys([found[1]] if found[1] else known, limit)
        )
    return everywhere | own
