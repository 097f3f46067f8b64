"""Time axes: sorted, regular, of any calendar."""

import netCDF4
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from reading_samples import HOURS, findings, read_dataset, read_path, stations

from sensorplan.errors import DataError
from sensorplan.reading.notes import Notes
from sensorplan.reading.stamps import Stamps
from sensorplan.reading.time_axis import continued, regularise


def at(stamps, **settings):
    return stations(time=np.array(stamps, "datetime64[s]"), **settings)


def test_an_hourly_axis(tmp_path):
    time = read_dataset(stations(), tmp_path).time
    assert time.labels[:2] == ("2020-01-06T00:00:00", "2020-01-06T01:00:00")
    assert (time.step, time.step_label, time.unit, time.calendar) == (3600, "1 h", "s", "standard")
    assert time.time_of_day[6] == 0.25
    assert time.day_of_week.tolist() == [0] * 8
    assert time.time_of_year[0] == pytest.approx(5 / 366)


@pytest.mark.parametrize(
    ("step", "label"),
    [
        (np.timedelta64(5, "m"), "5 min"), (np.timedelta64(90, "m"), "90 min"),
        (np.timedelta64(6, "h"), "6 h"), (np.timedelta64(1, "D"), "1 d"),
        (np.timedelta64(7, "D"), "7 d"), (np.timedelta64(10, "s"), "10 s"),
        (np.timedelta64(250, "ms"), "250 ms"), (np.timedelta64(30, "D"), "30 d"),
    ],
)  # fmt: skip
def test_labels_of_steps(tmp_path, step, label):
    time = np.datetime64("2020-01-06", "ms") + np.arange(8) * step
    axis = read_dataset(stations(time=time), tmp_path).time
    assert axis.step_label == label
    assert axis.step == step / np.timedelta64(1, "s")


@pytest.mark.parametrize(
    ("stamps", "label"),
    [
        (["2019-11-01", "2019-12-01", "2020-01-01", "2020-02-01"], "1 month"),
        (["2019-11-30", "2019-12-31", "2020-01-31", "2020-02-29"], "1 month"),
        (["2019-12-16T12", "2020-01-16T12", "2020-02-15T12", "2020-03-16T12"], "1 month"),
        (["2019-01-01", "2019-04-01", "2019-07-01", "2019-10-01"], "3 months"),
        (["2019-07-02", "2020-07-01", "2021-07-02"], "1 year"),
        (["2000-01-01", "2010-01-01", "2020-01-01"], "10 years"),
    ],
)
def test_months_and_years_are_regular(tmp_path, stamps, label):
    data = read_dataset(at(stamps), tmp_path)
    assert data.time.step_label == label
    assert len(data.time) == len(stamps)
    first, last = (np.datetime64(stamps[i], "s") for i in (0, -1))
    assert data.time.step == pytest.approx((last - first).astype(int) / (len(stamps) - 1))
    assert data.warnings == ()


def test_a_missing_month_is_put_in(tmp_path):
    data = read_dataset(at(["2019-12-31", "2020-01-31", "2020-03-31", "2020-04-30"]), tmp_path)
    assert data.time.labels[2] == "2020-02-29T00:00:00"
    assert not data.valid[2].any()


@pytest.mark.parametrize("calendar", ["360_day", "noleap", "all_leap", "julian"])
def test_other_calendars(tmp_path, calendar):
    time = xr.date_range("2000-01-30", periods=6, freq="D", calendar=calendar, use_cftime=True)
    axis = read_dataset(stations(time=time), tmp_path).time
    assert axis.calendar == calendar
    assert axis.step_label == "1 d"
    assert (axis.day_of_week is None) == (calendar == "360_day")
    if calendar == "360_day":
        assert axis.labels[1] == "2000-02-01T00:00:00"
        assert axis.time_of_year[1] == pytest.approx(30 / 360)


@pytest.mark.parametrize("calendar", ["360_day", "noleap", "standard"])
@pytest.mark.parametrize(("freq", "label"), [("MS", "1 month"), ("YS", "1 year")])
def test_months_of_other_calendars(tmp_path, calendar, freq, label):
    time = xr.date_range("2000-01-01", periods=26, freq=freq, calendar=calendar, use_cftime=True)
    axis = read_dataset(stations(time=time.delete(3)), tmp_path).time
    assert axis.step_label == label
    assert len(axis) == 26
    assert axis.labels[3] == time[3].isoformat(timespec="seconds")


def test_numeric_time(tmp_path):
    dataset = stations(time=np.arange(8) * 100.0 + 50)
    dataset["time"].attrs = {"units": "s"}
    axis = read_dataset(dataset, tmp_path).time
    assert axis.labels[:2] == ("50", "150")
    assert (axis.step, axis.step_label, axis.unit) == (100, "100 s", "s")
    assert axis.calendar is axis.time_of_day is axis.day_of_week is axis.time_of_year is None


def test_time_without_a_coordinate_is_counted(tmp_path):
    axis = read_dataset(stations().drop_vars("time"), tmp_path).time
    assert axis.labels[:3] == ("0", "1", "2")
    assert axis.step_label == "1"


def test_time_in_a_variable_of_another_name(tmp_path):
    dataset = stations().drop_indexes("time").rename_dims(time="record")
    axis = read_dataset(dataset, tmp_path).time
    assert axis.step_label == "1 h"


def test_text_time(tmp_path):
    axis = read_dataset(stations(time=[f"2020-01-0{d}" for d in range(1, 9)]), tmp_path).time
    assert axis.step_label == "1 d"


def test_rounding_errors_of_float_time(tmp_path):
    path = str(tmp_path / "float.nc")
    dataset = stations(time=np.arange(200) / 24)
    dataset["time"].attrs = {"units": "days since 2020-01-01"}
    dataset["time"] = dataset["time"].astype("f8").round(7)
    dataset.to_netcdf(path)
    axis = read_path(path).time
    assert axis.step_label == "1 h"
    assert axis.labels[11] == "2020-01-01T11:00:00"


@pytest.mark.parametrize(
    ("units", "calendar", "second", "label"),
    [
        ("months since 2000-01-15", "standard", "2000-02-15T00:00:00", "1 month"),
        ("months since 2000-01-01", "360_day", "2000-02-01T00:00:00", "1 month"),
        ("years since 2000-01-01 00:00", "noleap", "2001-01-01T00:00:00", "1 year"),
    ],
)
def test_months_since(tmp_path, units, calendar, second, label):
    dataset = stations(time=np.arange(8))
    dataset["time"].attrs = {"units": units, "calendar": calendar}
    data = read_dataset(dataset, tmp_path)
    assert data.time.labels[1] == second
    assert data.time.step_label == label
    assert data.time.calendar == calendar
    assert findings(data)["time unit"] == units


def test_unsorted_time_is_sorted_with_a_warning(tmp_path):
    data = read_dataset(stations().isel(time=[0, 1, 4, 3, 2, 5, 6, 7]), tmp_path)
    assert data.values[:, 0, 0].tolist() == [0, 3, 6, 9, 12, 15, 18, 21]
    assert data.warnings[0].endswith(
        "time is not ascending: 2020-01-06T03:00:00 comes after 2020-01-06T04:00:00 "
        "at position 3; sorted"
    )


def test_equal_rows_of_one_time_are_taken_once(tmp_path):
    dataset = stations()
    dataset["speed"][2, 1] = np.nan
    data = read_dataset(dataset.isel(time=[0, 1, 2, 2, 3, 4, 5, 6, 7, 7]), tmp_path)
    assert len(data.time) == 8
    assert "2 time steps repeated with equal values, the first 2020-01-06T02" in data.warnings[0]


def test_different_rows_of_one_time_are_refused(tmp_path):
    dataset = xr.concat([stations(), stations().isel(time=[3]) + 1], "time")
    with pytest.raises(
        DataError, match=r"2020-01-06T03:00:00 stands twice .*positions 3 and 8.*--resample"
    ):
        read_dataset(dataset, tmp_path)


def test_missing_steps_are_put_in_with_a_warning(tmp_path):
    data = read_dataset(stations().isel(time=[0, 1, 2, 5, 7]), tmp_path)
    assert len(data.time) == 8
    assert data.valid[:, 0, 0].tolist() == [True] * 3 + [False] * 2 + [True, False, True]
    assert data.values[5, 0, 0] == 15
    assert "3 time steps not in the file, the first 2020-01-06T03:00:00" in data.warnings[0]


def test_irregular_time_is_refused(tmp_path):
    time = HOURS.copy()
    time[5] += np.timedelta64(20, "m")
    with pytest.raises(
        DataError,
        match=r"irregular: 2020-01-06T04:00:00 and 2020-01-06T05:20:00 \(position 5\) are 80 min "
        r"apart; expected multiples of 1 h.*--resample 1h",
    ):
        read_dataset(stations(time=time), tmp_path)


def test_irregular_numeric_time_has_no_resample(tmp_path):
    with pytest.raises(DataError, match=r"expected multiples of 1, the most frequent step$"):
        read_dataset(stations(time=[0.0, 1, 2, 3.5, 4.5]), tmp_path)


def test_an_axis_of_gaps_is_refused(tmp_path):
    time = ["2000-01-01T00", "2000-01-01T01", "2000-01-01T02", "2020-01-01T00"]
    with pytest.raises(DataError, match=r"of 175321 steps of 1 h .* only 4 are there"):
        read_dataset(at(time), tmp_path)


def test_a_missing_time_is_refused(tmp_path):
    time = HOURS.copy()
    time[3] = np.datetime64("NaT")
    with pytest.raises(DataError, match="time holds no time at position 3"):
        read_dataset(stations(time=time), tmp_path)


def test_one_time_step(tmp_path):
    with pytest.raises(DataError, match="holds a single time step"):
        read_dataset(stations().isel(time=[0]), tmp_path)
    with pytest.raises(DataError, match="time is a single time step"):
        read_dataset(stations().isel(time=0), tmp_path)


def test_no_time_dimension(tmp_path):
    with pytest.raises(DataError, match=r"no time dimension; found speed\(sensor\)"):
        read_dataset(stations().isel(time=0, drop=True), tmp_path)


def test_resample(tmp_path):
    time = HOURS + np.array([0, 7, 3, 9, 1, 20, 5, 2], "timedelta64[m]")
    data = read_dataset(stations(time=time), tmp_path, resample="2h")
    assert data.time.step_label == "2 h"
    assert data.values[:, 0, 0].tolist() == [1.5, 7.5, 13.5, 19.5]
    assert findings(data)["resampled"] == "2h"


def test_resample_averages_what_is_there(tmp_path):
    dataset = stations()
    dataset["speed"][0, 0] = np.nan
    dataset["speed"][2:4] = np.nan
    data = read_dataset(dataset, tmp_path, resample="2h")
    assert data.values[0, :, 0].tolist() == [3, 2.5, 3.5]
    assert not data.valid[1].any()


def test_resample_of_unsorted_repeated_times(tmp_path):
    dataset = xr.concat([stations(), stations().isel(time=[3]) + 3], "time")
    data = read_dataset(dataset, tmp_path, resample="1h")
    assert data.values[3, 0, 0] == 10.5


def test_resample_of_a_360_day_calendar(tmp_path):
    time = xr.date_range("2000-01-01", periods=60, freq="D", calendar="360_day", use_cftime=True)
    data = read_dataset(stations(time=time), tmp_path, resample="MS")
    assert data.time.labels == ("2000-01-01T00:00:00", "2000-02-01T00:00:00")


def test_resample_needs_dates_and_a_length(tmp_path):
    with pytest.raises(DataError, match=r"time is numeric.*--resample 1h needs dates"):
        read_dataset(stations(time=np.arange(8.0)), tmp_path, resample="1h")
    with pytest.raises(DataError, match="--resample soon: no length of time"):
        read_dataset(stations(), tmp_path, resample="soon")


@given(
    order=st.permutations(range(12)),
    present=st.sets(st.integers(1, 10), min_size=7),
    step=st.sampled_from([1, 60, 300, 3600, 86400]),
)
def test_any_order_and_gaps_give_the_full_axis(order, present, step):
    rows = [i for i in order if i in present or i in (0, 11)]
    stamps = Stamps(np.array(rows) * step * 1_000_000, "standard", "s")
    values = np.array(rows, np.float32)[:, None, None]
    regular, axis = regularise(values, stamps, None, Notes("data.nc"))
    assert len(axis) == 12
    assert axis.step == step
    expected = [float(i) if i in rows else np.nan for i in range(12)]
    np.testing.assert_array_equal(regular[:, 0, 0], expected)


def test_time_of_year_stays_below_one():
    stamps = Stamps.of_dates(np.array(["2019-12-31T23:59:59.999999"], "datetime64[us]"))
    assert stamps.time_of_year()[0] < 1


def test_weekdays():
    assert Stamps.of_dates(
        np.array(["2024-02-29", "1960-01-03"], "M8[us]")
    ).day_of_week().tolist() == [3, 6]


def test_undecodable_time(tmp_path):
    path = str(tmp_path / "odd.nc")
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("time", 2)
        time = file.createVariable("time", "f8", ("time",))
        time.units = "fortnights since the flood"
        time[:] = [0, 1]
    with pytest.raises(DataError, match=r"odd\.nc: .*fortnights since the flood"):
        read_path(path)


@pytest.mark.parametrize("units", ["day as %Y%m%d", ""])
def test_days_written_as_numbers(tmp_path, units):
    dataset = stations(time=[20200130, 20200131, 20200201])
    dataset["time"].attrs = {"units": units} if units else {}
    axis = read_dataset(dataset, tmp_path).time
    assert axis.labels[2] == "2020-02-01T00:00:00"
    assert axis.step_label == "1 d"


@pytest.mark.parametrize("calendar", ["standard", "proleptic_gregorian"])
def test_dates_before_the_gregorian_calendar(tmp_path, calendar):
    time = xr.date_range("1500-02-27", periods=4, freq="D", calendar=calendar, use_cftime=True)
    axis = read_dataset(stations(time=time), tmp_path).time
    leap = calendar == "standard"  # 1500 was a leap year in the Julian calendar alone
    assert axis.labels[2] == ("1500-02-29T00:00:00" if leap else "1500-03-01T00:00:00")
    assert axis.calendar == calendar


def test_labels_of_parts_of_a_second():
    dates = np.array(["2020-01-01T00:00:00", "2020-01-01T00:00:00.25"], "M8[us]")
    assert Stamps.of_dates(dates).labels() == (
        "2020-01-01T00:00:00.000000",
        "2020-01-01T00:00:00.250000",
    )


def test_half_months_since(tmp_path):
    dataset = stations(time=np.arange(8) + 0.5)
    dataset["time"].attrs = {"units": "months since 2001-01-01"}
    axis = read_dataset(dataset, tmp_path).time
    assert axis.labels[:2] == ("2001-01-16T12:00:00", "2001-02-15T00:00:00")
    assert axis.step_label == "1 month"


@pytest.mark.parametrize("bins", ["0D", "0h", "foo"])
def test_a_bin_that_is_no_length(tmp_path, bins):
    (tmp_path / "a.csv").write_text("time,a,b\n2020-01-01,1,2\n2020-01-02,2,3\n")
    with pytest.raises(DataError, match=rf"--resample {bins}: no length of time; expected such as"):
        read_path(str(tmp_path / "a.csv"), resample=bins)


def test_bins_shorter_than_the_steps_are_a_warning(tmp_path):
    (tmp_path / "a.csv").write_text("time,a,b\n2020-01-01,1,2\n2020-01-02,2,3\n")
    warnings = read_path(str(tmp_path / "a.csv"), resample="6h").warnings
    assert any("shorter than the steps of the data: 2 steps become 5" in line for line in warnings)


HOURLY = np.datetime64("2020-02-27T00:00", "s") + np.arange(60) * np.timedelta64(3, "h")
MONTHLY = np.arange("2018-11", "2023-11", dtype="datetime64[M]").astype("datetime64[s]")
MONTH_ENDS = (MONTHLY.astype("datetime64[M]") + 1).astype("datetime64[s]") - np.timedelta64(1, "D")
YEARLY = np.arange("1980", "2040", dtype="datetime64[Y]").astype("datetime64[s]")


@pytest.mark.parametrize("stamps", [HOURLY, MONTHLY, MONTH_ENDS, YEARLY], ids=range(4))
@given(known=st.integers(6, 55), ahead=st.integers(1, 5))
def test_an_axis_goes_on_as_it_would_have(stamps, known, ahead):
    notes, values = Notes("x.nc"), np.zeros((60, 1, 1), np.float32)
    _, whole = regularise(values, Stamps.of_dates(stamps), None, notes)
    _, part = regularise(values[:known], Stamps.of_dates(stamps[:known]), None, notes)
    expected, found = whole.until(known + ahead), continued(part, ahead)
    assert found.labels == expected.labels
    for phase in ("time_of_day", "day_of_week", "time_of_year"):
        np.testing.assert_array_equal(getattr(found, phase), getattr(expected, phase))


def test_a_numeric_axis_goes_on():
    notes, values = Notes("x.nc"), np.zeros((4, 1, 1), np.float32)
    _, time = regularise(values, Stamps(0.5 + 0.25 * np.arange(4), None, "ks"), None, notes)
    assert continued(time, 2).labels == ("0.5", "0.75", "1", "1.25", "1.5", "1.75")
    assert continued(time, 2).time_of_day is None


@pytest.mark.parametrize(
    "calendar",
    ["standard", "proleptic_gregorian", "noleap", "all_leap", "360_day", "julian"],
)
@pytest.mark.parametrize("first", [0, -13_000_000_000_123_456, 951_696_000_000_000])
def test_labels_give_back_their_times(calendar, first):
    stamps = Stamps(first + 17 * 86_400_000_000 * np.arange(40), calendar, "s")
    back = Stamps.of_labels(stamps.labels(), calendar, "s")
    np.testing.assert_array_equal(back.numbers, stamps.numbers)
    assert (back.calendar, back.unit) == (calendar, "s")
