"""Rolling origins: the same split at several ends of the history, so that more time is judged.

Each fold is the history up to some time, cut as if it were all there is. Its test stretch is as
long as that of the last fold, and ends where that of the next one begins; so none is judged twice,
and nothing is ever trained or chosen on later time.
"""

from sensorplan.errors import DataError
from sensorplan.recipe import WindowSettings
from sensorplan.sensors import SensorData
from sensorplan.windows.split import split_windows

LARGEST_TEST = 0.4  # share of the shortest history that is judged on


def rolling_origins(
    data: SensorData, settings: WindowSettings, folds: int
) -> list[tuple[SensorData, WindowSettings]]:
    """The history of each fold and how to cut it, earliest first; the last is the whole history.

    Lookback and horizon are those that suit the shortest history, in every fold.

    Raises:
        DataError: The history is too short for so many folds.
    """
    times = len(data.time)
    tested = max(1, round(settings.test * times))
    most = int(times / tested - 1 / LARGEST_TEST + 1)
    if folds > most:
        raise DataError(
            f"{data.source.path}: {folds} folds with {tested} test steps each leave too little of "
            f"{times} time steps to train on; expected at most {most} folds, or a smaller test "
            "share"
        )
    ends = [times - later * tested for later in range(folds - 1, -1, -1)]
    cut = [settings.model_copy(update={"test": tested / end}) for end in ends]
    shortest = f"{data.source.path}, fold 1 of {folds}" if folds > 1 else data.source.path
    try:
        first = split_windows(data.time.until(ends[0]), cut[0], shortest)
    except DataError as error:
        raise DataError(f"{error}, or fewer folds" if folds > 1 else str(error)) from error
    shape = {"lookback": first.lookback, "horizon": first.horizon}
    return [
        (data.until(end), window.model_copy(update=shape))
        for end, window in zip(ends, cut, strict=True)
    ]
