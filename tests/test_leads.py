"""Time ahead, in the unit that people say it in."""

from dataclasses import replace

import pytest
from factories import make_time_axis

from sensorplan.reading.leads import lead_times


@pytest.mark.parametrize(
    ("hours", "first", "unit"),
    [
        *((1, 1, "hours"), (6, 6, "hours"), (24, 1, "days"), (48, 2, "days"), (36, 36, "hours")),
        *((1 / 12, 5, "minutes"), (1 / 3600, 1, "seconds"), (1 / 7200, 0.5, "seconds")),
    ],
)
def test_the_unit_is_the_largest_that_divides_a_step(hours, first, unit):
    ahead, said = lead_times(make_time_axis(5, hours=hours), 3)
    assert said == unit
    assert ahead == pytest.approx([first, 2 * first, 3 * first])


@pytest.mark.parametrize(
    ("label", "first", "unit"),
    [("1 month", 1, "months"), ("3 months", 3, "months"), ("1 year", 1, "years")],
)
def test_months_differ_in_length_and_are_counted(label, first, unit):
    time = replace(make_time_axis(5, hours=730), step_label=label)
    ahead, said = lead_times(time, 2)
    assert (list(ahead), said) == ([first, 2 * first], unit)


def test_numeric_time_has_its_own_unit():
    time = replace(make_time_axis(5, calendar=None), step=0.5, unit="ks")
    ahead, unit = lead_times(time, 2)
    assert (list(ahead), unit) == ([0.5, 1.0], "ks")
