"""One text as a date: every usual way to write a day, a month, a quarter, a week or a day of the year."""

from __future__ import annotations

import datetime
import re

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Two digits from here on are years of the 20th century: Excel's limit, C's, and none.
PIVOTS = (30, 69, 100)

_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})(?:[-/.](\d{1,2}))?")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.\s])(\d{1,2})[-/.\s](\d{4}|\d{2})")
_MONTH_YEAR = re.compile(r"(\d{1,2})/(\d{4})")
_DIGITS = re.compile(r"(\d{4})(\d{2})(\d{2})?")
_QUARTER = re.compile(r"(\d{4})[-\s/]?q([1-4])|q([1-4])[-\s/]?(\d{4})", re.IGNORECASE)
_MONTH_NUMBER = re.compile(r"(\d{4})[-\s]?m(\d{1,2})", re.IGNORECASE)
_WEEK = re.compile(r"(\d{4})[-\s]?w(\d{1,2})", re.IGNORECASE)
_DAY_OF_YEAR = re.compile(r"(\d{4})-(\d{3})")
_YEAR = re.compile(r"\d{4}")
_NAMED = re.compile(r"[a-z]+", re.IGNORECASE)


def dates_of(text: str, pivot: int = PIVOTS[0]) -> tuple[datetime.date | None, datetime.date | None]:
    """Return the date that a text is with the day first, and with the month first; None where it is none.

    pivot: two digits of a year that are less belong to the 21st century. A month, a quarter or a week is its first day. Only where the year
    comes last, and the month is a number, can the two differ.

    >>> [str(date) for date in dates_of("03/04/2020")], [str(date) for date in dates_of("2020-Q2")]
    (['2020-04-03', '2020-03-04'], ['2020-04-01', '2020-04-01'])
    """
    text = text.strip()
    if found := _YEAR_LAST.fullmatch(text):
        year, first, second = _full_year(found[4], pivot), int(found[1]), int(found[3])
        return _date(year, second, first), _date(year, first, second)
    date = _one_date(text, pivot)
    return date, date


def _one_date(text: str, pivot: int) -> datetime.date | None:
    if found := _YEAR_FIRST.fullmatch(text):
        return _date(int(found[1]), int(found[2]), int(found[3] or 1))
    if found := _MONTH_YEAR.fullmatch(text):
        return _date(int(found[2]), int(found[1]), 1)
    if found := _DIGITS.fullmatch(text):
        return _date(int(found[1]), int(found[2]), int(found[3] or 1))
    if found := _QUARTER.fullmatch(text):
        return _date(int(found[1] or found[4]), 3 * int(found[2] or found[3]) - 2, 1)
    if found := _MONTH_NUMBER.fullmatch(text):
        return _date(int(found[1]), int(found[2]), 1)
    if found := _WEEK.fullmatch(text):
        try:
            return datetime.date.fromisocalendar(int(found[1]), int(found[2]), 1)
        except ValueError:
            return None
    if found := _DAY_OF_YEAR.fullmatch(text):
        first = _date(int(found[1]), 1, 1)
        date = first + datetime.timedelta(int(found[2]) - 1) if first and 1 <= int(found[2]) <= 366 else None
        return date if date is not None and date.year == int(found[1]) else None
    if _YEAR.fullmatch(text):
        return _date(int(text), 1, 1)
    return _with_month_name(text, pivot)


def _with_month_name(text: str, pivot: int) -> datetime.date | None:
    """Return the date of a text such as 1-Jan-2020, Jan 1, 2020, January 2020, Jan-58 or 2020-Jan-01."""
    words = _NAMED.findall(text)
    if len(words) != 1 or len(words[0]) < 3 or words[0][:3].lower() not in MONTHS:
        return None
    month, numbers = MONTHS.index(words[0][:3].lower()) + 1, re.findall(r"\d+", text)
    if len(numbers) == 1:
        return _date(_full_year(numbers[0], pivot), month, 1) if len(numbers[0]) in (2, 4) else None
    if len(numbers) != 2:
        return None
    year, day = (numbers[0], numbers[1]) if len(numbers[0]) == 4 else (numbers[1], numbers[0])
    return _date(_full_year(year, pivot), month, int(day)) if len(year) in (2, 4) and len(day) <= 2 else None


def has_short_year(text: str) -> bool:
    """Does a date have two digits for its year?"""
    return re.search(r"\d{4}", text) is None


def _full_year(digits: str, pivot: int) -> int:
    year = int(digits)
    return year if len(digits) > 2 else year + (1900 if year >= pivot else 2000)


def _date(year: int, month: int, day: int) -> datetime.date | None:
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None
