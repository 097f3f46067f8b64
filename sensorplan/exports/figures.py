"""All figures of a plan folder."""

from collections.abc import Sequence

import geopandas as gpd

from sensorplan.conditions import LeadError
from sensorplan.curve import CurvePoint
from sensorplan.exports.curve_figure import curve_figure
from sensorplan.exports.error_map_figure import error_map_figure
from sensorplan.exports.lead_figure import lead_figure
from sensorplan.exports.map_figure import map_figure
from sensorplan.exports.mask_history import mask_history_figure
from sensorplan.exports.style import render
from sensorplan.masking import MaskRound
from sensorplan.plan import Plan, Ranking
from sensorplan.recipe import FigureFormat

FIGURES = ("curve", "error_by_lead", "error_map", "map", "mask_history")


def draw_plan(
    frame: gpd.GeoDataFrame,
    plan: Plan,
    ranking: Ranking,
    curve: Sequence[CurvePoint],
    leads: Sequence[LeadError],
    rounds: Sequence[MaskRound],
    format: FigureFormat,
) -> dict[str, bytes]:
    """Name and content of each figure; none that has nothing to show.

    Args:
        frame: The table of the plan's regions (`tables.deployment`).
        plan: The plan.
        ranking: The order of the regions.
        curve: Points of accuracy against sparsity.
        leads: Errors at each lead.
        rounds: How the mask came about; none of a baseline.
        format: Of the files.
    """
    figures = {
        "curve": curve_figure(curve, plan),
        "error_by_lead": lead_figure(leads, plan),
        "error_map": error_map_figure(frame, plan),
        "map": map_figure(frame, plan),
        "mask_history": mask_history_figure(rounds, ranking.order, plan) if rounds else None,
    }
    assert figures.keys() == set(FIGURES)
    return {
        f"{name}.{format}": render(figure, format)
        for name, figure in figures.items()
        if figure is not None
    }
