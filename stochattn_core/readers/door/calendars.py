"""Calendars of gridded files: standard dates as they are, a calendar without leap days turned into them, every other one refused."""

from __future__ import annotations

import numpy as np
import pandas as pd

NO_LEAP = ("noleap", "365_day")
STANDARD = ("standard", "gregorian", "proleptic_gregorian")


def standard_times(values: np.ndarray, file: str) -> tuple[np.ndarray, bool]:
    """Return the times as datetime64, and whether their calendar has leap days. ValueError where they are no dates of such a calendar.

    values: (time,) datetime64, or the dates that xarray makes with cftime for any other calendar. A date without leap days keeps its year,
    month, day and hour, so that seasons stay right; lead times across 29 February are then a day too long, see `crosses_leap_day`.
    """
    if np.issubdtype(values.dtype, np.datetime64):
        return values, True
    calendar = str(getattr(values[0], "calendar", "")) if values.dtype == object and len(values) else ""
    if not calendar:
        raise ValueError(
            f"expected dates on the time axis of {file!r}, got values of type {values.dtype}; give it units such as 'hours since 2000-01-01'"
        )
    years = [date.year for date in values]
    if calendar not in (*NO_LEAP, *STANDARD):
        raise ValueError(
            f"expected times of the standard calendar in {file!r}, or of one without leap days, got the calendar {calendar}; convert the time axis"
        )
    if min(years) < 1678 or max(years) > 2261:  # what nanoseconds in 64 bits hold
        raise ValueError(f"expected years from 1678 to 2261 in {file!r}, got {min(years)} to {max(years)}; shift the time axis")
    return np.array([date.isoformat() for date in values], dtype="datetime64[ns]"), calendar in STANDARD


def crosses_leap_day(start: pd.DatetimeIndex, end: pd.DatetimeIndex) -> np.ndarray:
    """Does 29 February lie between these times? (time,) bool. In a calendar without leap days, they are then a day closer than they look.

    >>> crosses_leap_day(pd.DatetimeIndex(["2000-02-28", "2001-02-28"]), pd.DatetimeIndex(["2000-03-01", "2001-03-01"])).tolist()
    [True, False]
    """
    return _leap_days_before(start) != _leap_days_before(end)


def _leap_days_before(times: pd.DatetimeIndex) -> np.ndarray:
    """Return the number of leap days from the year 1 to these times; 29 February itself is before 1 March."""
    year = times.year.to_numpy() - (times.month.to_numpy() <= 2)
    return np.asarray(year // 4 - year // 100 + year // 400)
