"""Times written in several columns: a date and a time of day, or year, month, day and hour."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from stochattn_core.readers.text.file import CsvFile

# Names of the parts of a time, from the largest to the smallest.
PARTS = (
    ("year", "yr", "yyyy"),
    ("month", "mon", "mo", "mm"),
    ("day", "dy", "dd", "dom", "mday"),
    ("hour", "hr", "hh"),
    ("minute", "min", "mn"),
    ("second", "sec", "ss"),
)
_CLOCK = re.compile(r"(\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?|\d{1,2}\.\d\d\.\d\d)(\s*[AaPp]\.?[Mm]\.?)?")


def time_parts(file: CsvFile, time: str) -> list[str]:
    """Return the columns that `time` names: one, or several separated by commas. ValueError where one of them is no column."""
    if time in file.columns:
        return [time]
    names = [name.strip() for name in time.split(",") if name.strip()] or [time]
    for name in names:
        file.require(name, "time")
    return names


def suggested(file: CsvFile) -> str:
    """Return the columns that together are the times, separated by commas; "" where the times are in one column."""
    by_part = _by_part(file.columns)
    if len(by_part) > 1 and all(file.kinds[name] == "numbers" for name in by_part):
        return ",".join(by_part)
    for date, clock in zip(file.columns, file.columns[1:], strict=False):
        fields = file.first_fields[clock]
        if file.kinds[date] == "times" and fields and all(_CLOCK.fullmatch(field) for field in fields):
            return f"{date},{clock}"
    return ""


def _by_part(columns: Sequence[str]) -> list[str]:
    """Return the columns named year, month, ... in this order, up to the first that is missing."""
    found: list[str] = []
    for names in PARTS:
        column = next((column for column in columns if column.strip().lower() in names), None)
        if column is None:
            break
        found.append(column)
    return found


def joined(rows: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """Return the times of the rows as read_times takes them. ValueError where the columns are no parts of one time."""
    if len(names) == 1:
        return rows[names[0]]
    if list(names) == _by_part(names) and all(pd.api.types.is_numeric_dtype(rows[name]) for name in names):
        values = [rows[name].to_numpy(dtype=np.float64) for name in names]
        number = values[0]
        for part in values[1:]:
            number = number * 100 + part
        is_whole = np.all([np.isfinite(part) & (part == np.round(part)) & (part < 100) for part in values[1:]], axis=0)
        return pd.Series(np.where(is_whole, number, np.nan), index=rows.index)
    if len(names) == 2:
        date, clock = rows[names[0]], rows[names[1]]
        if pd.api.types.is_numeric_dtype(clock):  # 0, 100, ..., 2300, or 0 to 23
            width = 4 if clock.max() > 24 else 2
            clock = clock.map(lambda number: f"{number:.0f}".zfill(width), na_action="ignore")
        if pd.api.types.is_numeric_dtype(date):
            date = date.map(lambda number: f"{number:.0f}", na_action="ignore")
        return date.astype("object") + " " + clock.astype("object")
    raise ValueError(
        f"expected the columns of a time, a date and a time of day or year, month, day and hour in this order, got {', '.join(names)}; name these"
    )
