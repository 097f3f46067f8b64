"""DynST: dynamic sparse training of a mask over the sensors (arXiv 2403.02914).

`search` trains the mask down to the budget by the `moves` of pruning and swapping, a `jury` takes
and refines the best of it and of other rankers' masks, `reading_off` makes the ranking of it, and
`path` trains masks of many budgets in one go. All ask `probing` what a region is worth. `stability`
says how sure the plan is of each.
"""

from sensorplan.rankers.dynst.jury import best_of
from sensorplan.rankers.dynst.path import masks_along, path_parts
from sensorplan.rankers.dynst.probing import windows_probed
from sensorplan.rankers.dynst.search import OWN, MaskTraining, rank_by_dynst, search_parts
from sensorplan.rankers.dynst.stability import RESAMPLES as MASK_RESAMPLES
from sensorplan.rankers.dynst.stability import mask_frequency

__all__ = [
    "MASK_RESAMPLES",
    "OWN",
    "MaskTraining",
    "best_of",
    "mask_frequency",
    "masks_along",
    "path_parts",
    "rank_by_dynst",
    "search_parts",
    "windows_probed",
]
