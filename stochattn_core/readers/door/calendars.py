"""Calendars of gridded files: every calendar of CF keeps its own dates, and steps and lead times are counted on its own axis.

Hours and days are counted in seconds of the calendar of the file, so that a day of a 360-day year is a day. One time in each month, or in
each quarter or year, is counted in months: calendar months differ in length, but the step between them is one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import cftime
import numpy as np
import pandas as pd

LeadUnit = Literal["h", "month", "year"]
TICKS: dict[LeadUnit, int] = {"h": 3600, "month": 1, "year": 12}  # ticks in one unit of lead time: seconds, or months
YEAR_LENGTH = {"noleap": 365.0, "all_leap": 366.0, "360_day": 360.0, "julian": 365.25, "standard": 365.2425}  # days, on average
CALENDARS = {  # names of calendars in files: the name here
    "365_day": "noleap", "no_leap": "noleap", "366_day": "all_leap", "allleap": "all_leap", "360": "360_day", "360day": "360_day",
    "gregorian": "standard", "proleptic_gregorian": "standard", "365": "noleap", "366": "all_leap", "none": "standard",
}  # fmt: skip
EPOCH = "seconds since 1970-01-01"
YEARS_OF_PANDAS = (1678, 2261)  # what nanoseconds in 64 bits hold
NOISE, MOST_NOISE = 0.05, 900  # of a step, and seconds: rounded numbers of days or hours stray by less, steps that differ by more


def standard_calendar(name: object) -> str:
    """Return the one name of a calendar that this project uses; an unknown name stays as it is.

    >>> standard_calendar("365_day"), standard_calendar("proleptic_gregorian"), standard_calendar("martian")
    ('noleap', 'standard', 'martian')
    """
    text = str(name).strip().lower()
    return CALENDARS.get(text, text)


@dataclass(frozen=True, eq=False)
class TimeAxis:
    """Times in order, each once, on the axis of their own calendar.

    label: (time,) the dates of the file: a DatetimeIndex where pandas can hold every one of them, otherwise text such as "2000-02-30".
    tick: (time,) int64 that rise: seconds with the unit "h", months with the units "month" and "year".   unit: the unit of lead times.
    day: (time,) float64, days of the calendar since 1970.   calendar: one of YEAR_LENGTH.   notes: what was done, and why.
    """

    label: pd.Index
    tick: np.ndarray
    day: np.ndarray
    unit: LeadUnit
    calendar: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.tick)

    @property
    def year_length(self) -> float:
        """Days in a year of this calendar, on average."""
        return YEAR_LENGTH[self.calendar]

    def ticks(self, lead_time: int) -> int:
        """Return a lead time, in the unit of this axis, as a number of ticks."""
        return lead_time * TICKS[self.unit]

    def tick_of(self, date: object) -> int:
        """Return the tick of a date such as "2017-01-01". ValueError where it is no date of this calendar."""
        match = re.match(r"(\d{1,6})(?:-(\d{1,2}))?(?:-(\d{1,2}))?(?:[T ](\d{1,2}))?", str(date))
        try:
            year, month, day, hour = (int(part) if part else least for part, least in zip(match.groups(), (1, 1, 1, 0), strict=True))  # type: ignore[union-attr]
            if self.unit != "h":
                return year * 12 + month - 1
            return round(float(cftime.date2num(cftime.datetime(year, month, day, hour, calendar=self.calendar), EPOCH, self.calendar)))
        except (AttributeError, ValueError) as error:
            raise ValueError(
                f"expected a date of the calendar {self.calendar}, got {str(date)[:40]!r}; write it as year-month-day"
            ) from error


def time_axis(values: np.ndarray, file: str, attributes: Mapping[str, object] = MappingProxyType({})) -> tuple[TimeAxis, np.ndarray]:
    """Return the times on their own axis, and the positions in `values` where they stand.

    values: (time,) datetime64, or the dates that xarray makes with cftime for other calendars.   attributes: of the axis, from which a
    refusal names the units of numbers that are no dates. ValueError where they are no dates, where one is missing, or where there is none.
    """
    if values.size == 0:
        raise ValueError(f"expected times in {file!r}, got a time axis of length 0; bring a file that has some")
    is_pandas = np.issubdtype(values.dtype, np.datetime64)
    is_date = ~np.isnat(values) if is_pandas else np.array([isinstance(date, cftime.datetime) for date in values])
    if not is_date.any() and not is_pandas:
        raise ValueError(_no_dates(values, file, attributes))
    if not is_date.all():
        raise ValueError(f"expected a date for every time of {file!r}, got {int((~is_date).sum())} without one; drop these")
    stated = "proleptic_gregorian" if is_pandas else str(values[0].calendar)
    calendar = standard_calendar(stated)
    if calendar not in YEAR_LENGTH:
        raise ValueError(f"expected a calendar among {', '.join(YEAR_LENGTH)} in {file!r}, got {stated!r}; convert the time axis")
    seconds = _rounded_seconds(values, stated)
    unique, position = np.unique(seconds, return_index=True)
    notes = []
    if len(unique) < len(seconds):
        notes.append(f"{len(seconds) - len(unique)} times occur more than once in the file; the first of each is used")
    elif np.any(np.diff(position) < 0):
        notes.append("the times were not in order and have been sorted")
    even, stray = _without_noise(unique)
    if stray > 0:
        notes.append(f"the times stray by up to {stray} s from even steps, as rounded numbers do, and are taken as even")
    label, year, month, day_of_month = _dates(even, stated)
    if calendar != "standard":
        notes.append(
            f"the calendar of the file is {calendar}, with {YEAR_LENGTH[calendar]:g} days a year: steps, lead times and the season are counted in it"
        )
    day, months = even / 86400, year * 12 + month - 1
    step = _months_between(even, months, day_of_month)
    if step == 0:
        return TimeAxis(label, even, day, "h", calendar, tuple(notes)), position
    unit: LeadUnit = "month" if step % 12 else "year"
    each = {1: "a month", 12: "a year"}.get(step, f"every {step} months" if step % 12 else f"every {step // 12} years")
    notes.append(f"there is one time {each}, the first {label_text(label[0])}: steps and lead times are counted in calendar {unit}s")
    return TimeAxis(label, months, day, unit, calendar, tuple(notes)), position


def label_text(label: object) -> str:
    """Return a date as text, to the day or the minute.

    >>> label_text(pd.Timestamp("2000-01-31")), label_text("2000-02-30")
    ('2000-01-31', '2000-02-30')
    """
    if not isinstance(label, pd.Timestamp):
        return str(label)
    return label.strftime("%Y-%m-%d" if label == label.normalize() else "%Y-%m-%d %H:%M")


def day_text(label: object) -> str:
    """Return a date as text, without the time of day."""
    return label_text(label).split(" ")[0]


def _no_dates(values: np.ndarray, file: str, attributes: Mapping[str, object]) -> str:
    cure = "write units on it, such as 'hours since 2000-01-01'"
    if not np.issubdtype(values.dtype, np.number):
        return f"expected dates on the time axis of {file!r}, got values of type {values.dtype}; {cure}"
    units, calendar = (str(attributes.get(key, ""))[:40] for key in ("units", "calendar"))
    came = (f"the units {units!r}" if units else "no units") + (f" and the calendar {calendar!r}" if calendar else "")
    if len(values) == 12 and np.array_equal(np.sort(values), np.arange(values.min(), values.min() + 12)):
        came += " for 12 values, which look like the months of a climatology"
        cure = "bring the fields of single dates, from which it was computed"
    return f"expected dates on the time axis of {file!r}, got {came} (values from {values.min():g} to {values.max():g}); {cure}"


def _rounded_seconds(values: np.ndarray, calendar: str) -> np.ndarray:
    """Return whole seconds since 1970 in this calendar, (time,) int64."""
    if values.dtype == object:
        return np.rint(np.asarray(cftime.date2num(values, EPOCH, calendar=calendar), dtype=np.float64)).astype(np.int64)
    whole = values.astype("datetime64[s]")  # rounds down
    return whole.astype(np.int64) + ((values - whole) >= np.timedelta64(500, "ms"))


def _without_noise(seconds: np.ndarray) -> tuple[np.ndarray, int]:
    """Return times on even steps where they stray from them by rounding alone, and by how many seconds they stray; unchanged otherwise."""
    if len(seconds) < 3:
        return seconds, 0
    middle = float(np.median(np.diff(seconds)))
    limit = min(NOISE * middle, MOST_NOISE)
    unit = next((unit for unit in (3600, 60) if middle >= unit / 2 and abs(middle - round(middle / unit) * unit) <= limit), 1)
    step = max(1, round(middle / unit) * unit)
    count = np.rint((seconds - seconds[0]) / step).astype(np.int64)
    apart = seconds - seconds[0] - count * step
    start = int(seconds[0]) + round(float(np.median(apart)))
    start = next((rounded for unit in (3600, 60) if abs((rounded := round(start / unit) * unit) - start) <= limit), start)
    stray = int(np.abs(seconds - start - count * step).max())
    if stray > limit or np.any(np.diff(count) < 1):
        return seconds, 0
    return start + count * step, stray


def _dates(seconds: np.ndarray, calendar: str) -> tuple[pd.Index, np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, and the year, month and day of each time: (time,) int64."""
    if calendar == "proleptic_gregorian" and abs(seconds).max() < 2**33:  # 270 years around 1970: pandas is quicker, and holds them all
        label = pd.DatetimeIndex(seconds.astype("datetime64[s]").astype("datetime64[ns]"))
        return label, label.year.to_numpy(np.int64), label.month.to_numpy(np.int64), label.day.to_numpy(np.int64)
    dates = cftime.num2date(seconds, EPOCH, calendar=calendar, only_use_cftime_datetimes=True)
    year, month, day = (np.array([getattr(date, part) for date in dates], dtype=np.int64) for part in ("year", "month", "day"))
    if YEARS_OF_PANDAS[0] <= year.min() and year.max() <= YEARS_OF_PANDAS[1]:
        try:
            return pd.DatetimeIndex(np.array([date.isoformat() for date in dates], dtype="datetime64[ns]")), year, month, day
        except ValueError:  # a date that no other calendar has, such as 30 February
            pass
    to_the_day = bool(np.all(seconds % 86400 == 0))
    text = [
        f"{y:04d}-{m:02d}-{d:02d}" + ("" if to_the_day else f" {date.hour:02d}:{date.minute:02d}")
        for y, m, d, date in zip(year, month, day, dates, strict=True)
    ]
    return pd.Index(text, dtype=object), year, month, day


def _months_between(seconds: np.ndarray, months: np.ndarray, day_of_month: np.ndarray) -> int:
    """Return the step in months where there is one time in each month, quarter or year; 0 for every other step."""
    if len(seconds) < 3:
        return 0
    step = int(np.median(np.diff(months)))
    days = np.median(np.diff(seconds)) / 86400
    at_one_place = day_of_month.max() - day_of_month.min() <= 3  # the 1st, 14 to 17, or 28 to 31
    is_monthly = (
        step >= 1
        and 28 * step <= days <= 31 * step
        and at_one_place
        and np.all(np.diff(months) % step == 0)
        and np.all(np.diff(months) > 0)
    )
    return step if is_monthly else 0
