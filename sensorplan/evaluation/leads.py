"""The error of a plan at each lead, beside that of all sensors and of the simple forecasts."""

from collections.abc import Sequence

import numpy as np

from sensorplan.conditions import ConditionRow, LeadError
from sensorplan.evaluation.evidence import Evidence
from sensorplan.reading.leads import lead_times
from sensorplan.sensors import TimeAxis


def lead_errors(
    evidence: Evidence, conditions: Sequence[ConditionRow], time: TimeAxis
) -> list[LeadError]:
    """One row a lead, the next step first.

    Args:
        evidence: Of the plan.
        conditions: Those of the plan by condition, which hold the interval at each lead.
        time: The axis of the data.
    """
    own = evidence.plan.by_lead
    scored = [
        errors.by_lead.rmse.tolist()
        for errors in (
            evidence.all_sensors,
            evidence.plan,
            evidence.persistence,
            evidence.climatology,
        )
    ]
    interval = {
        int(row.value): (row.ci_low, row.ci_high) for row in conditions if row.condition == "lead"
    }
    ahead, unit = lead_times(time, len(own.count))
    rows = []
    for lead, errors in enumerate(zip(*scored, strict=True), 1):
        low, high = interval.get(lead, (np.nan, np.nan))
        everything, plan, persistence, climatology = errors
        rows.append(
            LeadError(
                lead=lead,
                ahead=float(ahead[lead - 1]),
                unit=unit,
                targets=int(own.count[lead - 1]),
                rmse_all=everything,
                rmse_plan=plan,
                rmse_ratio=plan / everything if everything > 0 else np.nan,
                ci_low=low,
                ci_high=high,
                rmse_persistence=persistence,
                rmse_climatology=climatology,
            )
        )
    return rows
