"""DynST: dynamic sparse training of a mask over the sensors (arXiv 2403.02914).

`search` trains the mask down to the budget, `reading_off` makes the ranking of it, `path` trains
masks of many budgets in one go, and all ask `probing` what a region is worth.
"""

from sensorplan.rankers.dynst.path import masks_along, path_steps
from sensorplan.rankers.dynst.search import OWN, MaskTraining, rank_by_dynst

__all__ = ["OWN", "MaskTraining", "masks_along", "path_steps", "rank_by_dynst"]
