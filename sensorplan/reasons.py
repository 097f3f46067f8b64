"""Why a plan keeps what it keeps: what failures cost, and who could stand in for whom."""

from dataclasses import dataclass

from sensorplan.records import Record
from sensorplan.sensors import Floats, Ints

RESILIENCE_FILE = "resilience.csv"


class Failure(Record):
    """What it costs when some kept regions fail; the interval is that of ``rmse_ratio`` (95 %).

    Attributes:
        sensors: Names of the regions that fail.
        rmse_ratio: RMSE of the forecast of all regions / that of the plan with nothing failing.
    """

    sensors: tuple[str, ...]
    rmse_ratio: float
    ci_low: float
    ci_high: float


class RandomFailures(Record):
    """What it costs when a share of the kept regions fails at random.

    Attributes:
        failed: How many fail.
        draws: How often they were drawn.
        mean: Of the RMSE ratio over the draws.
        p95: Its 95th percentile.
    """

    failed: int
    draws: int
    mean: float
    p95: float


class Resilience(Record):
    """What failures of kept regions cost the forecast of all, without any refitting.

    Attributes:
        judged: Kept regions whose single failure was judged; in a large network not all are.
        windows: Test windows that failures were judged on.
        worst: The single failure that costs most.
        worst_pair: That one, and the one that costs most beside it; None where one region is kept.
        random: By share of the kept regions (``"0.05"``).
    """

    judged: int
    windows: int
    worst: Failure
    worst_pair: Failure | None
    random: dict[str, RandomFailures]


@dataclass(frozen=True)
class Reasons:
    """What is known of the failures of a plan, and of each region.

    Attributes:
        resilience: The summary of the failures.
        failures: The single failures that were judged, the most costly first.
        removal_penalty: ``[region]`` relative rise of the RMSE when it fails; NaN where that was
            not judged, and for dropped regions.
        own_rmse: ``[region]`` RMSE of its own forecast from the plan; NaN without observed values.
        own_rmse_ratio: ``[region]`` that over the RMSE of its own forecast from all regions.
        substitute: ``[region]`` the other kept region that explains its series best; -1 for none.
        substitute_r2: ``[region]`` the share of its variance that this one explains.
        ties: ``[region]`` the dropped regions that could take the place of a kept one, best first.
    """

    resilience: Resilience
    failures: tuple[Failure, ...]
    removal_penalty: Floats
    own_rmse: Floats
    own_rmse_ratio: Floats
    substitute: Ints
    substitute_r2: Floats
    ties: tuple[tuple[int, ...], ...]
