"""Numbers as times: years, 202001, 20200131, 2020013123, seconds since 1970, 1958.21. Step counts stay numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

TIME_NAMES = ("year", "time", "t", "step", "date", "datetime", "timestamp", "yyyymm", "yyyymmdd", "month", "hour")
FIRST, LAST = 1000, 2500  # years of dates
FIRST_YEAR, LAST_YEAR = 1500, 2200  # whole numbers that are taken for years
MOST_WRONG = 0.2  # of numbers that are dates but for a few, such as a 13th month with the total of the year
MOST_YEARS = LAST - FIRST + 1
NEAR_TWELFTH = 0.02  # of a year: how exactly decimal years name their month
# Seconds since 1970 and their fractions: digits of the numbers from 2001 to 2286, and how many make a second.
EPOCHS = {10: (1, "seconds"), 13: (1_000, "milliseconds"), 16: (1_000_000, "microseconds"), 19: (1_000_000_000, "nanoseconds")}
# Dates written as digits: how many digits, and how they are read.
DIGITS = {6: "YYYYMM", 8: "YYYYMMDD", 10: "YYYYMMDDHH", 12: "YYYYMMDDHHMM", 14: "YYYYMMDDHHMMSS"}


def from_numbers(values: np.ndarray, name: str) -> tuple[pd.Index, tuple[str, ...]]:
    """Return the dates that the numbers stand for, or the numbers, and a note on what was recognised.

    values: (row,) float64, finite.   ValueError where one of them is not finite.
    """
    if not np.isfinite(values).all():
        raise ValueError(f"expected times in {name!r}, got a number that is infinite; correct it, or choose another column")
    example = f"{values[0]:.15g}"
    if np.all(values == np.round(values)):
        least, greatest = values.min(), values.max()
        if least >= FIRST_YEAR and greatest <= LAST_YEAR and len(values) <= MOST_YEARS:
            years = pd.DatetimeIndex([np.datetime64(f"{int(year):04d}-01-01", "s") for year in values])
            return years, (f"whole numbers such as {example} in {name!r} are read as years",)
        n_digit = len(f"{int(least)}") if least > 0 and greatest < 1e19 else 0
        if n_digit in DIGITS and n_digit == len(f"{int(greatest)}"):
            found, is_date = _dates_of_digits(values, n_digit)
            if is_date.all():
                return pd.DatetimeIndex(found), (f"numbers such as {example} in {name!r} are read as dates {DIGITS[n_digit]}",)
            if is_date.mean() > 1 - MOST_WRONG:
                wrong = values[~is_date][0]
                raise ValueError(
                    f"expected dates {DIGITS[n_digit]} in {name!r}, as {int(is_date.sum())} of {len(values)} numbers are, got {wrong:.0f}; correct it, or drop "
                    "these rows where they are totals"
                )
    n_digit = len(f"{int(abs(values[0]))}")
    whole = EPOCHS.get(n_digit)
    if whole is not None and values.min() > 0 and len(f"{int(values.max())}") == n_digit:
        per_second, word = whole
        microseconds = np.round(values * (1_000_000 / per_second)).astype(np.int64)
        dates = pd.DatetimeIndex(microseconds.view("datetime64[us]"))
        return dates, (f"numbers such as {example} in {name!r} are read as {word} since 1970, in UTC: {dates[0]:%Y-%m-%d %H:%M}",)
    months = _months_of_decimal_years(values)
    if months is not None:
        return months, (f"numbers such as {example} in {name!r} are read as years with a fraction, one a month",)
    return pd.Index(values), ()


def _dates_of_digits(values: np.ndarray, n_digit: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the dates of the numbers, (row,) datetime64[s], and which of them are dates. Hours run from 0 to 23 or from 1 to 24."""
    number = values.astype(np.int64)
    parts = []
    for _ in range((n_digit - 4) // 2):
        parts.append(number % 100)
        number = number // 100
    month, *rest = reversed(parts)
    day, hour, minute, second = [*rest, *([np.ones_like(month)] if not rest else []), *[np.zeros_like(month)] * 4][:4]
    is_date = (number >= FIRST) & (number <= LAST) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    is_date &= (hour <= 24) & (minute <= 59) & (second <= 59)
    start = ((number - 1970) * 12 + np.clip(month, 1, 12) - 1).astype("datetime64[M]")
    days = start.astype("datetime64[D]") + (day - 1)
    is_date &= days.astype("datetime64[M]") == start  # 30 February is none
    return days.astype("datetime64[s]") + ((hour * 60 + minute) * 60 + second).astype("timedelta64[s]"), is_date


def _months_of_decimal_years(values: np.ndarray) -> pd.DatetimeIndex | None:
    """Return the months of numbers such as 1958.208, whose step is a twelfth; None where they are something else."""
    if len(values) < 24 or values.min() < FIRST or values.max() > LAST or abs(np.median(np.diff(values)) - 1 / 12) > NEAR_TWELFTH / 4:
        return None
    month = np.floor(values * 12 + 12 * NEAR_TWELFTH / 2).astype(np.int64)
    fraction = values * 12 - month
    if np.ptp(fraction) > 12 * NEAR_TWELFTH or np.any(np.diff(month) < 1):
        return None
    return pd.DatetimeIndex((month - 1970 * 12).astype("datetime64[M]").astype("datetime64[s]"))
