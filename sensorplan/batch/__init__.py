"""Many plans on a Dask cluster, with a manifest of all of them."""

from sensorplan.batch.manifest import Manifest, PlanEntry
from sensorplan.batch.running import BatchResult, run_batch
from sensorplan.batch.status import State, Status
from sensorplan.batch.summary import read_summary

__all__ = [
    "BatchResult",
    "Manifest",
    "PlanEntry",
    "State",
    "Status",
    "read_summary",
    "run_batch",
]
