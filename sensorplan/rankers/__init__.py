"""Rankers: from the history of a network to an order of its regions.

DynST trains its mask with the forecaster; every other ranker is a function of the history alone, in
`RANKERS` by the name that ``--method`` takes.
"""

from sensorplan.rankers.backward import rank_by_backward_elimination
from sensorplan.rankers.dynst import (
    MASK_RESAMPLES,
    OWN,
    MaskTraining,
    best_of,
    mask_frequency,
    masks_along,
    path_parts,
    rank_by_dynst,
    search_parts,
    windows_probed,
)
from sensorplan.rankers.facility_location import rank_by_facility_location
from sensorplan.rankers.forecast_aware import rank_by_forecast
from sensorplan.rankers.history import History, Ranker, make_history
from sensorplan.rankers.k_centre import rank_by_k_centre
from sensorplan.rankers.mutual_information import rank_by_mutual_information
from sensorplan.rankers.posterior_variance import rank_by_posterior_variance
from sensorplan.rankers.qr_pivoting import rank_by_qr
from sensorplan.rankers.random_order import rank_at_random
from sensorplan.rankers.removal_bias import rank_by_removal_bias
from sensorplan.rankers.resampling import ranker_frequency
from sensorplan.rankers.variance import rank_by_variance
from sensorplan.rankers.virtual_force import rank_by_virtual_force
from sensorplan.rankers.voronoi import rank_by_voronoi

RANDOM = "random"
RANKERS: dict[str, Ranker] = {
    RANDOM: rank_at_random,
    "variance": rank_by_variance,
    "qr": rank_by_qr,
    "k-centre": rank_by_k_centre,
    "posterior-variance": rank_by_posterior_variance,
    "forecast-aware": rank_by_forecast,
    "backward": rank_by_backward_elimination,
    "facility-location": rank_by_facility_location,
    "mutual-information": rank_by_mutual_information,
    "removal-bias": rank_by_removal_bias,
    "voronoi": rank_by_voronoi,
    "virtual-force": rank_by_virtual_force,
}

__all__ = [
    "MASK_RESAMPLES",
    "OWN",
    "RANDOM",
    "RANKERS",
    "History",
    "MaskTraining",
    "Ranker",
    "best_of",
    "make_history",
    "mask_frequency",
    "masks_along",
    "path_parts",
    "rank_by_dynst",
    "ranker_frequency",
    "search_parts",
    "windows_probed",
]
