"""Times written in several columns: a date and a time of day, or year, month, day and hour."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from stochattn_core.readers.text.file import CsvFile
from stochattn_core.readers.text.numbers import PLAIN, number_of

# Names of the parts of a time, from the largest to the smallest. "min" and "mm" are left out: they are also minima and millimetres.
PARTS = (
    ("year", "yr", "yyyy"),
    ("month", "mon", "mo", "mnth"),
    ("day", "dy", "dom", "mday"),
    ("hour", "hr", "hh", "hhmm"),
    ("minute", "minutes", "mn"),
    ("second", "seconds"),
)
LIMITS = (9999, 12, 31, 2400, 59, 60)  # the greatest number of each part; an hour may be written as 2300
_CLOCK = re.compile(r"(\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?|\d{1,2}\.\d\d\.\d\d)(\s*[AaPp]\.?[Mm]\.?)?")


def time_parts(file: CsvFile, time: str) -> list[str]:
    """Return the columns that `time` names: one, or several separated by commas. ValueError where one of them is no column."""
    if time in file.columns:
        return [time]
    names = [name.strip() for name in time.split(",") if name.strip()] or [time]
    for name in names:
        file.require(name, "time")
    return names


def suggested(file: CsvFile) -> list[str]:
    """Return the columns that together are the times; [] where the times are in one column."""
    if any(file.kinds[name] == "times" and len(set(file.first_fields[name])) == len(file.first_fields[name]) > 1 for name in file.columns):
        return []
    by_part = _by_part(file)
    if len(by_part) > 1:
        return by_part
    for date in file.columns:
        if file.kinds[date] == "times":
            for clock in file.columns:
                if clock != date and _is_clock(file, clock) and "," not in date + clock:
                    return [date, clock]
    return []


def _is_clock(file: CsvFile, name: str) -> bool:
    """Does a column hold times of day, or hours under a name that says so?"""
    fields = file.first_fields[name]
    if fields and all(_CLOCK.fullmatch(field) for field in fields):
        return True
    return name.strip().lower() in (*PARTS[3], "time") and _are_whole(fields, LIMITS[3])


def _by_part(file: CsvFile) -> list[str]:
    """Return the columns named year, month, ... in this order, up to the first that is missing or holds something else."""
    found: list[str] = []
    for names, limit in zip(PARTS, LIMITS, strict=True):
        column = next((column for column in file.columns if column.strip().lower() in names), None)
        if column is None or not _are_whole(file.first_fields[column], limit):
            break
        found.append(column)
    return found


def _are_whole(fields: Sequence[str], limit: int) -> bool:
    numbers = [number_of(field, PLAIN) for field in fields]
    return bool(numbers) and all(number is not None and 0 <= number <= limit and number == round(number) for number in numbers)


def _is_part(name: str, place: int) -> bool:
    return place < len(PARTS) and name.strip().lower() in PARTS[place]


def _clock_text(digits: str) -> str:
    """Return 13, 1330 or 133000 as 13:00, 13:30 or 13:30:00."""
    parts = [digits[i : i + 2] for i in range(0, len(digits), 2)]
    return ":".join(parts if len(parts) > 1 else [*parts, "00"])


def joined(rows: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """Return the times of the rows as read_times takes them. ValueError where the columns are no parts of one time."""
    if len(names) == 1:
        return rows[names[0]]
    if all(_is_part(name, place) and pd.api.types.is_numeric_dtype(rows[name]) for place, name in enumerate(names)):
        values = [rows[name].to_numpy(dtype=np.float64) for name in names]
        if len(values) > 3 and np.nanmax(values[3]) > 24:  # 0, 100, ..., 2300
            values[3:] = [values[3] // 100, values[3] % 100, *values[4:]]
        number = values[0]
        for part in values[1:]:
            number = number * 100 + part
        is_whole = np.all([np.isfinite(part) & (part == np.round(part)) & (part < 100) for part in values[1:]], axis=0)
        return pd.Series(np.where(is_whole, number, np.nan), index=rows.index)
    if len(names) == 2:
        date, clock = rows[names[0]], rows[names[1]]
        if pd.api.types.is_numeric_dtype(clock):  # 0 to 23, 0 to 2300, or 0 to 235959
            whole = clock.fillna(0)
            if not (whole == whole.round()).all():
                raise ValueError(f"expected a time of day in {names[1]!r}, got hours with a fraction; write them as 13:30")
            digits = 6 if clock.max() > 2400 else 4 if clock.max() > 24 else 2
            clock = clock.map(lambda number: _clock_text(f"{number:.0f}".zfill(digits)), na_action="ignore")
        if pd.api.types.is_numeric_dtype(date):
            date = date.map(lambda number: f"{number:.0f}", na_action="ignore")
        return date.astype("object") + " " + clock.astype("object")
    raise ValueError(
        f"expected the columns of a time, a date and a time of day or year, month, day and hour in this order, got {', '.join(names)}; name these"
    )
