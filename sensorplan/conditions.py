"""Errors of a plan by condition and by lead: rows of `conditions.csv` and `error_by_lead.csv`."""

from sensorplan.records import Record


class ConditionRow(Record):
    """One row of `conditions.csv`; the interval is that of ``rmse_ratio`` (95 %).

    NaN where there is no ratio, or none to draw from.
    """

    condition: str
    value: str
    targets: int
    rmse_all: float
    rmse_plan: float
    rmse_ratio: float
    ci_low: float
    ci_high: float


class LeadError(Record):
    """One row of `error_by_lead.csv`; the interval is that of ``rmse_ratio`` (95 %).

    NaN where there is no value to judge on, or no ratio.

    Attributes:
        lead: Steps ahead, from 1.
        ahead: The same as time.
        unit: Of that time, say ``minutes``.
        targets: Number of observed values.
    """

    lead: int
    ahead: float
    unit: str
    targets: int
    rmse_all: float
    rmse_plan: float
    rmse_ratio: float
    ci_low: float
    ci_high: float
    rmse_persistence: float
    rmse_climatology: float
