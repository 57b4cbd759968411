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
MONTH_NAME = r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
_NAMED = re.compile(rf"(?P<before>[\d'\s./,-]*?)[-\s/.]*(?P<month>{MONTH_NAME})[-\s/,.]*(?P<after>[\d'\s./,-]*)", re.IGNORECASE)


def dates_of(text: str, pivot: int = PIVOTS[0]) -> tuple[datetime.date | None, datetime.date | None, datetime.date | None]:
    """Return the date that a text is with the day first, with the month first, and with a year of two digits first; None where it is none.

    pivot: two digits of a year that are less belong to the 21st century. A month, a quarter or a week is its first day. Only where the year
    comes last, and the month is a number, can the two differ.

    >>> [str(date) for date in dates_of("03/04/2020")], [str(date) for date in dates_of("20-04-01")]
    (['2020-04-03', '2020-03-04', 'None'], ['2001-04-20', 'None', '2020-04-01'])
    """
    text = text.strip()
    if found := _YEAR_LAST.fullmatch(text):
        year, first, second = _full_year(found[4], pivot), int(found[1]), int(found[3])
        year_first = _date(_full_year(found[1], pivot), second, int(found[4])) if len(found[1]) == len(found[4]) == 2 else None
        return _date(year, second, first), _date(year, first, second), year_first
    date = _one_date(text, pivot)
    return date, date, None


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
    """Return the date of a text such as 1-Jan-2020, Jan 1, 2020, January 2020, Jan-58 or 2020-Jan-01. A day without a year is none."""
    found = _NAMED.fullmatch(text)
    if found is None:
        return None
    month = MONTHS.index(found["month"][:3].lower()) + 1
    before, after = re.findall(r"\d+", found["before"]), re.findall(r"\d+", found["after"])
    if len(before) + len(after) == 1:
        year = (before or after)[0]
        is_year = len(year) == 4 or (len(year) == 2 and bool(after))
        return _date(_full_year(year, pivot), month, 1) if is_year else None
    if len(before) == 1 and len(after) == 1:
        year, day = (before[0], after[0]) if len(before[0]) == 4 else (after[0], before[0])
    elif len(after) == 2 and not before:
        day, year = after
    else:
        return None
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
