"""The linear judge: ridge regression on lag features of the kept regions, fitted afresh.

A plan should not be judged only by the kind of model that chose it. See `sensorplan.linear` for the
regression.
"""

import numpy as np

from sensorplan.evaluation.forecasts import forecast_errors
from sensorplan.linear import RidgePath, RidgeTraining
from sensorplan.metrics import Errors
from sensorplan.sensors import Bools
from sensorplan.windows import Windows

PENALTIES = (1.0, 10.0, 100.0, 1000.0, 10000.0)


def ridge_errors(windows: Windows, mask: Bools) -> Errors:
    """Test errors of a ridge regression that was fitted on the kept regions in training.

    Its penalty is the best one on validation.

    Args:
        windows: The series.
        mask: ``[region]`` the plan; keeps at least one.
    """
    return RidgeJudge(windows).errors(mask)


class RidgeJudge:
    """Judges any number of plans on the same windows."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._training = RidgeTraining(windows.batch(windows.split.train), windows.channels)

    def errors(self, mask: Bools) -> Errors:
        """Test errors of the regression on the kept regions of a mask; see `ridge_errors`."""
        windows, split = self._windows, self._windows.split
        path = RidgePath(self._training, mask)
        losses = [forecast_errors(windows, split.validation, path.at(p)).rmse for p in PENALTIES]
        best = PENALTIES[int(np.argmin(losses))]
        return forecast_errors(windows, split.test, path.at(best))
