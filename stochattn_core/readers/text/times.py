"""A column of times as dates: the texts and numbers in which people write them, the order of day and month, and time zones.

Where two readings are possible, both are made, and the one with the more even steps is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stochattn_core.readers.text.choices import FIND_OUT, CsvChoices
from stochattn_core.readers.text.dates import PIVOTS, dates_of, has_short_year
from stochattn_core.readers.text.number_times import from_numbers
from stochattn_core.readers.text.numbers import PLAIN, number_of
from stochattn_core.readers.text.summer_time import in_standard_time

ORDERS = ("day first", "month first", "year first")
CLEAR = 0.02  # of the steps: by how much one reading must be more even than another
# Offsets of abbreviations that mean the same clock wherever they are used, in minutes.
ABBREVIATIONS = {
    "Z": 0, "UTC": 0, "GMT": 0, "UT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "MEZ": 60, "CEST": 120, "MESZ": 120, "EET": 120, "EEST": 180, "MSK": 180,
    "EST": -300, "EDT": -240, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420, "AKST": -540, "AKDT": -480, "HST": -600, "JST": 540,
    "KST": 540, "AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780,
}  # fmt: skip
# A date, and behind it a time of day with colons, with points (Italy) or with am or pm, or after a date of digits alone an hour, hhmm or hhmmss.
_PARTS = (
    r"^(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\s+)?(?P<date>.*?\d.*?)"
    r"(?:(?:\s+|(?<=\d)T)(?P<clock>\d{1,2}:\d{1,2}(?::\d{1,2}(?:[.,]\d+)?)?|\d{1,2}\.\d\d\.\d\d|\d{1,2}(?=\s*[AaPp]\.?[Mm])"
    r"|(?<=\d{4}[-/.]\d\d[-/.]\d\d.)(?:\d{1,2}|\d{4}|\d{6})|(?<=\d{8}.)(?:\d{1,2}|\d{4}|\d{6}))"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>Z|[A-Z]{2,4}|[+-]\d{2}(?::?\d{2})?)?)?$"
)
_CLOCK = re.compile(r"(\d{1,2})(?:[:.]?(\d{1,2})(?:[:.]?(\d{1,2})(?:[.,](\d+))?)?)?")


@dataclass(frozen=True)
class Times:
    """One column as times.   values: (row,) dates without a time zone, or plain numbers.   notes: what was recognised."""

    values: pd.Index
    notes: tuple[str, ...] = ()


def read_times(column: pd.Series, name: str, choices: CsvChoices = FIND_OUT) -> Times:
    """Return dates and times, or plain numbers (step counts) as they are.

    column: indexed by the line of each row. ValueError that names the first field that is neither, or where two readings are equally good.
    """
    if column.isna().any():
        line = column.index[column.isna()][0]
        raise ValueError(
            f"expected a time in every row of {name!r}, line {line} has none ({int(column.isna().sum())} in all); fill it, or drop the row"
        )
    if pd.api.types.is_bool_dtype(column):
        raise ValueError(f"expected dates or numbers in the time column {name!r}, got True and False; choose another column")
    if not pd.api.types.is_numeric_dtype(column) and number_of(str(column.iloc[0]).strip(), PLAIN) is not None:
        digits = pd.to_numeric(column, errors="coerce")
        if digits.notna().all():
            column = digits
    if pd.api.types.is_numeric_dtype(column):
        values, notes = from_numbers(column.to_numpy(dtype=np.float64), name)
        if isinstance(values, pd.DatetimeIndex) and choices.timezone:
            return _in_zone(values, None, name, choices.timezone, notes)
        return Times(values, notes)
    plain = _iso_times(column)
    if plain is not None:
        return _in_zone(plain, None, name, choices.timezone, ()) if choices.timezone else Times(plain)
    local, offsets, notes = _parsed(column, name, choices)
    if choices.timezone:
        return _in_zone(local, offsets, name, choices.timezone, notes)
    return Times(local, notes) if offsets is None else _without_offsets(local, offsets, name, notes)


def _iso_times(column: pd.Series) -> pd.DatetimeIndex | None:
    """Return ISO 8601 times without an offset, bare dates among them; None where one field is something else."""
    first = str(column.iloc[0]).strip()
    if not re.match(r"\d{4}-\d{2}-\d{2}", first):
        return None
    try:
        times = pd.DatetimeIndex(pd.to_datetime(column, format="ISO8601", errors="coerce"))
    except ValueError:  # some have an offset and others have not
        return None
    return times if times.tz is None and times.notna().all() else None


def _parsed(column: pd.Series, name: str, choices: CsvChoices) -> tuple[pd.DatetimeIndex, np.ndarray | None, tuple[str, ...]]:
    """Return the local times, their offsets from UTC in minutes (None where the file has none), and notes."""
    texts = column.astype("str").str.strip()
    parts = texts.str.extract(_PARTS)
    codes, different = pd.factorize(parts["date"])
    seconds = _clock_seconds(parts["clock"], parts["half"])
    is_short = len(different) > 0 and all(has_short_year(str(text)) for text in different)
    found: dict[tuple[str, int], pd.DatetimeIndex] = {}
    missing = np.zeros(len(column), dtype=bool)
    for pivot in PIVOTS if is_short else PIVOTS[:1]:
        pairs = [dates_of(str(text), pivot) for text in different]
        for place, order in enumerate(ORDERS):
            if choices.dayfirst is not None and order != ORDERS[not choices.dayfirst]:
                continue
            days = np.array([np.datetime64("NaT") if dates[place] is None else dates[place] for dates in pairs], dtype="datetime64[D]")
            values = (
                np.where(codes >= 0, np.append(days, np.datetime64("NaT"))[codes], np.datetime64("NaT")).astype("datetime64[us]") + seconds
            )
            if not np.isnat(values).any():
                found[order, pivot] = pd.DatetimeIndex(values)
            elif not missing.any() or np.isnat(values).sum() < missing.sum():
                missing = np.isnat(values)
    if not found:
        line = column.index[missing][0]
        other = choices.dayfirst is not None and all(dates[choices.dayfirst] is not None for dates in pairs)
        cure = (
            "leave out --dayfirst, or give the other order"
            if other
            else "write times as 2020-12-31 23:00, drop the line, or choose another column"
        )
        raise ValueError(f"expected dates or numbers in the time column {name!r}, got {str(column[line])[:40]!r} in line {line}; {cure}")
    readings = _in_best_century(found, is_short)
    local, notes = _ordered(readings, name, str(column.iloc[0]), parts["date"])
    if is_short:
        century = (
            f"years of two digits in {name!r} are read as {local[0]:%Y} for {str(column.iloc[0])!r}; write four digits if that is wrong"
        )
        notes = (century, *notes)
    return local, _offsets(parts["zone"], column, name), notes


def _in_best_century(found: dict[tuple[str, int], pd.DatetimeIndex], is_short: bool) -> dict[str, pd.DatetimeIndex]:
    """Return the readings by order, with the century of years of two digits in which the steps are most even."""
    if not is_short:
        return {order: times for (order, _), times in found.items()}
    pivots = list(dict.fromkeys(pivot for _, pivot in found))
    best = max(pivots, key=lambda pivot: max(evenness(times) for (_, other), times in found.items() if other == pivot))
    return {order: times for (order, pivot), times in found.items() if pivot == best}


def _ordered(readings: dict[str, pd.DatetimeIndex], name: str, example: str, dates: pd.Series) -> tuple[pd.DatetimeIndex, tuple[str, ...]]:
    """Return the reading that is in order, or whose steps are more even; ValueError where two readings are equally good."""
    different: dict[str, pd.DatetimeIndex] = {}
    for order, times in readings.items():
        if not any(times.equals(other) for other in different.values()):
            different[order] = times
    if len(different) == 1:
        return next(iter(different.values())), ()
    in_order = {order: _in_order(times) for order, times in different.items()}
    even = {order: evenness(times) for order, times in different.items()}
    best, second = sorted(different, key=lambda order: (round(in_order[order] / CLEAR), even[order]), reverse=True)[:2]
    option = {"day first": "; --dayfirst no changes it", "month first": "; --dayfirst yes changes it"}.get(best, "")
    if in_order[best] - in_order[second] > CLEAR:
        why = f"because {in_order[best]:.0%} of them then come after the date before, and {in_order[second]:.0%} otherwise"
    elif even[best] - even[second] >= CLEAR:
        why = f"because {even[best]:.0%} of the steps are then equal, and {even[second]:.0%} otherwise"
    elif "day first" in (best, second) and dates.str.contains(".", regex=False).all():
        best, why, option = "day first", "as dates with points are", "; --dayfirst no changes it"
    else:
        raise ValueError(
            f"expected dates in {name!r} that can be read in one way, {example[:40]!r} and all others fit with the day first and with the month "
            "first; give --dayfirst yes or --dayfirst no"
        )
    return different[best], (f"dates such as {example!r} in {name!r} are read with the {best}, {why}{option}",)


def _in_order(times: pd.DatetimeIndex) -> float:
    """Return the share of times that come after the one before, or before it where most do."""
    steps = np.diff(times.as_unit("s").asi8)
    return max(int((steps >= 0).sum()), int((steps <= 0).sum())) / max(len(steps), 1)


def evenness(times: pd.DatetimeIndex) -> float:
    """Return the share of steps that are the commonest one, in seconds or in months, between different times in order."""
    if len(times) < 3:
        return 1.0
    ticks = times.as_unit("s").asi8
    steps = np.diff(ticks)
    forward, backward = int((steps > 0).sum()), int((steps < 0).sum())
    if min(forward, backward) > 0.02 * len(steps) or (steps == 0).any():  # several series below one another, or a table in any order
        ticks = np.unique(ticks)
        times, steps = pd.DatetimeIndex(ticks.astype("datetime64[s]")), np.diff(ticks)
        if len(ticks) < 3:
            return 0.0
    _, counts = np.unique(steps, return_counts=True)
    months = np.diff(times.year.to_numpy() * 12 + times.month.to_numpy())
    same_day = np.diff(times.day.to_numpy()) == 0
    month_counts = np.unique(months[same_day & (months != 0)], return_counts=True)[1]
    return max(int(counts.max()), int(month_counts.max(initial=0))) / len(steps)


def _clock_seconds(clock: pd.Series, half: pd.Series) -> np.ndarray:
    """Return the time of day, (row,) timedelta64[us]; 0 where a field is a bare date, NaT where it is no time of day."""
    codes, different = pd.factorize(pd.MultiIndex.from_arrays([clock.fillna(""), half.fillna("").str.lower().str.replace(".", "")]))
    values = [_of_clock(text, half_of_day) for text, half_of_day in different]
    known = np.array([np.timedelta64("NaT") if value is None else np.timedelta64(value, "us") for value in values], dtype="timedelta64[us]")
    return known[codes]


def _of_clock(text: str, half: str) -> int | None:
    """Return microseconds since midnight; 24:00 is the end of the day."""
    if not text:
        return 0
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    hour, minute, second = (int(part or 0) for part in found.groups()[:3])
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    if minute > 59 or second > 59 or hour > 24 or (hour == 24 and (minute or second)):
        return None
    return ((hour * 60 + minute) * 60 + second) * 1_000_000 + int(f"{found[4] or 0:0<6}"[:6])


def _offsets(zone: pd.Series, column: pd.Series, name: str) -> np.ndarray | None:
    """Return the offsets from UTC, (row,) minutes; None where no field has one. ValueError where only some have, or one is not known."""
    if zone.isna().all():
        return None
    if zone.isna().any():
        line = column.index[zone.isna()][0]
        raise ValueError(
            f"expected an offset from UTC in every field of {name!r} or in none, {str(column[line])[:40]!r} in line {line} has none; write it in all"
        )
    codes, different = pd.factorize(zone)
    minutes = []
    for text in different:
        numbers = re.fullmatch(r"([+-])(\d{2}):?(\d{2})?", text)
        if numbers is None and text not in ABBREVIATIONS:
            line = column.index[zone == text][0]
            raise ValueError(
                f"expected an offset such as +01:00 in {name!r}, got {str(column[line])[:40]!r} in line {line}; write the offset instead of {text!r}"
            )
        minutes.append(
            ABBREVIATIONS[text] if numbers is None else (1 if numbers[1] == "+" else -1) * (60 * int(numbers[2]) + int(numbers[3] or 0))
        )
    return np.array(minutes)[codes]


def _without_offsets(local: pd.DatetimeIndex, offsets: np.ndarray, name: str, notes: tuple[str, ...]) -> Times:
    """Return UTC or local times, whichever have more even steps; times with one and the same offset stay as they are written."""
    different = np.unique(offsets)
    if len(different) == 1:
        return Times(
            local, notes if different[0] == 0 else (*notes, f"the times of {name!r} are {_offset_text(different[0])} and stay as written")
        )
    utc = local - pd.to_timedelta(offsets, unit="min")
    shown = " and ".join(_offset_text(offset) for offset in different[:3])
    if evenness(local) > evenness(utc):
        return Times(
            local, (*notes, f"the times of {name!r} have the offsets {shown}; their steps are even by the local clock, which is kept")
        )
    return Times(utc, (*notes, f"the times of {name!r} have the offsets {shown} and are converted to UTC; --timezone shows them in a zone"))


def _offset_text(minutes: int) -> str:
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _in_zone(times: pd.DatetimeIndex, offsets: np.ndarray | None, name: str, zone: str, notes: tuple[str, ...]) -> Times:
    """Return the times in the standard time of a zone, in which every day has 24 hours."""
    utc = None if offsets is None else times - pd.to_timedelta(offsets, unit="min")
    values, note = in_standard_time(times, zone, name, utc=utc)
    return Times(values, (*notes, note))
