"""The ten real sets, where they are at hand."""

from pathlib import Path

import numpy as np
import pytest
from reading_samples import read_path

FOLDER = Path(__file__).parents[2] / "shared" / "data"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the real data sets are not at hand")


@pytest.mark.parametrize(
    ("name", "shape", "step", "warnings"),
    [
        ("metr_la_week", (2016, 207, 1), "5 min", 1),
        ("era5_t2m_uk_hourly", (744, 1617, 1), "1 h", 0),
        ("air_pm10_germany_daily", (4383, 70, 1), "1 d", 0),
        ("colorado_tmax_monthly", (1236, 376, 1), "1 month", 1),
        ("cylinder_wake_re1267", (100, 2956, 1), "100 s", 1),
        ("navy_winds_monthly", (132, 10512, 1), "1 month", 1),
        ("um_e1_namerica_annual", (240, 1813, 1), "1 year", 0),
        ("intel_lab_30min", (240, 50, 1), "30 min", 1),
        ("irish_wind_daily", (6574, 12, 1), "1 d", 0),
        ("ozone_midwest_daily", (90, 153, 1), "1 d", 0),
    ],
)
def test_real_sets(name, shape, step, warnings):
    data = read_path(str(FOLDER / name / f"{name}.nc"))
    assert data.values.shape == shape
    assert data.time.step_label == step
    assert len(data.warnings) == warnings
    assert data.valid.any(axis=(0, 2)).all()
    assert (data.adjacency is not None) == (name == "metr_la_week")
    if data.geometry is not None and data.geometry.crs:
        latitude, longitude = data.geometry.positions.T
        assert np.abs(latitude).max() <= 90
        assert longitude.min() >= -180
        assert longitude.max() < 180
