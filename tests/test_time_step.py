"""The time step: its words, and its times beside those of pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stochattn_core.datasets.time_step import TimeStep

WORDS = {
    # text: (the step, three steps, a range of steps, is it below a day)
    "h": ("1 h", "3 h", "1 to 24 h", True),
    "16 h": ("16 h", "48 h", "16 to 384 h", True),
    "24 h": ("24 h", "72 h", "24 to 576 h", False),
    "10 min": ("10 min", "30 min", "10 to 240 min", True),
    "s": ("1 s", "3 s", "1 to 24 s", True),
    "hour": ("1 h", "3 h", "1 to 24 h", True),
    "d": ("1 day", "3 days", "1 to 24 days", False),
    "day": ("1 day", "3 days", "1 to 24 days", False),
    "2 day": ("2 days", "6 days", "2 to 48 days", False),
    "2 weeks": ("2 weeks", "6 weeks", "2 to 48 weeks", False),
    "month": ("1 month", "3 months", "1 to 24 months", False),
    "3 months": ("3 months", "9 months", "3 to 72 months", False),
    "quarter": ("1 quarter", "3 quarters", "1 to 24 quarters", False),
    "year": ("1 year", "3 years", "1 to 24 years", False),
    "step": ("1 step", "3 steps", "1 to 24 steps", False),
    "0.5 s": ("0.5 s", "1.5 s", "0.5 to 12 s", True),
    "fortnight": ("1 fortnight", "3 fortnight", "1 to 24 fortnight", False),
    "": ("", "3", "1 to 24", False),
}


@pytest.mark.parametrize("text", WORDS)
def test_a_step_reads_as_a_physical_time(text):
    step = TimeStep.of(text)
    assert (step.text, step.lead_text(3), step.leads_text(1, 24), step.is_below_a_day) == WORDS[text]
    assert TimeStep.of(step.text) == step


STEPS = {
    "s": pd.Timedelta("1s"),
    "10 min": pd.Timedelta("10min"),
    "16 h": pd.Timedelta("16h"),
    "day": pd.Timedelta("1D"),
    "2 weeks": pd.Timedelta("14D"),
    "month": pd.DateOffset(months=1),
    "3 months": pd.DateOffset(months=3),
    "quarter": pd.DateOffset(months=3),
    "year": pd.DateOffset(years=1),
}


@pytest.mark.parametrize("text", STEPS)
@pytest.mark.parametrize("start", ["2019-12-31 23:50:10", "2020-02-29", "1999-05-03 06:00", "1400-01-31 12:00", "2600-07-30"])
def test_later_and_earlier_times_are_those_of_pandas(text, start):
    """One start at a time: pandas counts each lead from the start, also out of the range of nanoseconds."""
    n = (-14, -1, 0, 1, 2, 25)
    times = TimeStep.of(text).times(pd.DatetimeIndex([np.datetime64(start, "s")]), n)
    wanted = [pd.Timestamp(np.datetime64(start, "s")) + k * STEPS[text] for k in n]
    assert times.dtype.kind == "M" and [pd.Timestamp(time) for time in times[0]] == wanted


@pytest.mark.parametrize(
    ("text", "freq", "first"), [("month", "ME", "2000-01-31"), ("quarter", "QE", "1999-11-30"), ("year", "YE", "1950-01-01")]
)
def test_month_ends_stay_month_ends(text, freq, first):
    axis = pd.date_range(first, periods=60, freq=freq)
    times = TimeStep.of(text).times(axis[10:40:3], range(-8, 13))
    for row, place in zip(times, range(10, 40, 3), strict=True):
        assert (pd.DatetimeIndex(row) == axis[place - 8 : place + 13]).all()


def test_a_day_of_the_month_that_february_lacks_comes_back_in_march():
    """Thirtieths, as salaries are paid: 30 January, 28 February, 30 March."""
    axis = pd.DatetimeIndex(["2021-01-30", "2021-02-28", "2021-03-30", "2021-04-30"])
    assert (TimeStep.of("month").times(axis[:2], [1, 2])[1] == axis[2:].to_numpy()).all()


def test_times_with_a_zone_are_in_utc_across_the_change_to_summer_time():
    axis = pd.date_range("2021-03-28 00:00", periods=5, freq="h", tz="Europe/Berlin")
    times = TimeStep.of("h").times(axis[:1], range(5))
    assert (times[0] == axis.tz_convert("UTC").tz_localize(None).to_numpy()).all()


def test_numbers_step_as_numbers_and_labels_have_no_times():
    assert TimeStep.of("5 step").times(pd.Index([0.5, 1.5]), [1, 2]).tolist() == [[5.5, 10.5], [6.5, 11.5]]
    assert TimeStep.of("day").times(pd.Index(["2000-02-30 00:00"]), [1]) is None
    assert TimeStep.of("step").times(pd.bdate_range("2000-01-03", periods=3), [1]) is None, "rows that are not evenly spaced"
    assert TimeStep.of("").times(pd.RangeIndex(3), [1]) is None
