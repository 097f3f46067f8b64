"""The intervals of a plan's forecaster, how far they hold, and what that makes one warn of."""

from sensorplan.evaluation import (
    FEW_APART,
    LEVELS,
    Coverage,
    Evidence,
    Intervals,
    calibrate,
    interval_coverage,
)
from sensorplan.pipeline.planning import Stage
from sensorplan.windows import Split, Windows

CHECKED, LEAST_COVERED = 0.9, 0.85  # level, and the share that it must hold not to be warned of


def calibrate_intervals(
    windows: Windows, evidence: Evidence, stage: Stage
) -> tuple[Intervals, Coverage]:
    """Intervals from the validation stretch, and how much of the test stretch lies in them."""
    split = windows.split
    with stage("calibrate intervals", 1):
        forecast = evidence.shipped.forecast
        intervals = calibrate(windows, forecast, evidence.mask)
        covered = interval_coverage(
            windows, split.test, forecast, evidence.mask, intervals, since=split.bounds[1]
        )
    return intervals, covered


def coverage_by_level(coverage: Coverage) -> dict[str, float]:
    """Share of the observed values that lie in the intervals, as `plan.json` holds it."""
    shares = coverage.total.tolist()
    return {f"{level:g}": round(share, 4) for level, share in zip(LEVELS, shares, strict=True)}


def interval_notes(split: Split, coverage: Coverage) -> list[str]:
    """Plain sentences when the intervals rest on little, or did not hold."""
    notes = []
    windows = split.validation
    apart = len(windows) * (windows[1] - windows[0]) / (split.lookback + split.horizon)
    if apart < FEW_APART:
        notes.append(
            f"the intervals of forecasts rest on {len(windows)} validation windows, {apart:.1f} of "
            "them without overlap: not to be relied on"
        )
    held = float(coverage.total[LEVELS.index(CHECKED)])
    if held < LEAST_COVERED:
        notes.append(
            f"the {100 * CHECKED:.0f} % intervals of forecasts held {100 * held:.0f} % of the test "
            "stretch: errors grew after validation, and may grow further"
        )
    return notes
