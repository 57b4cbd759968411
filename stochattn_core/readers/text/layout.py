"""Several series in one file: below one another (long), told apart by a column, or one in each row with the times in the header (wide)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import combinations

import numpy as np
import pandas as pd

from stochattn_core.readers.text.choices import CsvChoices
from stochattn_core.readers.text.columns import Numbers, listed, numbers
from stochattn_core.readers.text.dates import dates_of
from stochattn_core.readers.text.file import CsvFile, NotNumbers
from stochattn_core.readers.text.number_times import FIRST_YEAR, LAST_YEAR

HEADER = "header"  # the name of the time column of a file whose times stand in its header
FEWEST_TIMES = 10  # names of columns that are times, from which a file is wide
MOST_ROWS = 1_000_000  # from which the column that tells series apart is found
MOST_LEVELS = 5000
MOST_KEYS = 8  # columns that are tried together
_YEAR = re.compile(r"[A-Za-z]{0,2}\s?(\d{4})(?:\.0)?(?:\s*\[.*\])?")


def time_columns(columns: Sequence[str]) -> dict[str, str]:
    """Return the columns whose names are times, with the time each stands for; {} where they are not most of the columns."""
    times = {}
    for name in columns:
        year = _YEAR.fullmatch(name.strip())
        text = year[1] if year else name.strip()
        if (year and FIRST_YEAR <= int(year[1]) <= LAST_YEAR) or (not year and any(date is not None for date in dates_of(text))):
            times[name] = text
    years = [int(text) for text in times.values() if text.isdigit()]
    if len(years) == len(times) and len(set(np.diff(years).tolist()) - {1, -1, 5, 10}) > 0:
        return {}  # wavelengths, or other numbers that are no years
    return times if len(times) >= max(FEWEST_TIMES, 0.6 * len(columns)) else {}


def labels_of(file: CsvFile) -> dict[str, list[str]]:
    """Return the texts by which the rows of a wide file are told apart, by column, in the order of the file."""
    others = [name for name in file.columns if name not in time_columns(file.columns)]
    rows = pd.concat(list(file.chunks(others, text=others))) if others else pd.DataFrame()
    return {name: [str(text) for text in rows[name].dropna().unique()] for name in others}


def wide_series(file: CsvFile, target: str) -> tuple[pd.Series, Numbers]:
    """Return the times and the values of the row that `target` names, from its first value to its last. ValueError where it is not one row."""
    times = time_columns(file.columns)
    others = [name for name in file.columns if name not in times]
    rows = selected(pd.concat(list(file.chunks(text=file.columns))), file.choices, file.name)
    is_it = np.zeros(len(rows), dtype=bool)
    for name in others:
        is_it |= (rows[name].astype("str").str.strip() == target).to_numpy()
    if not is_it.any():
        known = list(dict.fromkeys(text for texts in labels_of(file).values() for text in texts))
        near = get_close_matches(target, known, n=1, cutoff=0.6)
        cure = f"did you mean {near[0]!r}?" if near else "choose one of them"
        raise ValueError(
            f"expected a row {target!r} in {file.name!r}, which has a series in each row, its rows are {listed(known)}; {cure}"
        )
    if is_it.sum() > 1:
        several = rows[is_it]
        differs = next((name for name in others if several[name].nunique() > 1), others[0])
        values = [str(text) for text in several[differs].unique()]
        raise ValueError(
            f"expected one row {target!r} in {file.name!r}, got {int(is_it.sum())} that differ in {differs!r} ({listed(values, 3)}); "
            f"add --series {_option(differs, values[0])}"
        )
    fields = pd.Series(rows[is_it].iloc[0][list(times)].to_numpy(), index=range(1, len(times) + 1), dtype="object")
    found = numbers(fields, target, file.choices, file_decimal=file.decimal, separator=file.separator)
    known_at = np.flatnonzero(np.isfinite(found.values))
    if not len(known_at):
        raise ValueError(f"expected numbers in the row {target!r} of {file.name!r}, it has none; choose another row")
    part = slice(int(known_at[0]), int(known_at[-1]) + 1)
    notes = [*found.notes, f"{file.name!r} has its times in the header and a series in each row; the row {target!r} is used"]
    left_out = len(times) - (part.stop - part.start)
    if left_out:
        notes.append(f"{left_out} times before the first value or after the last one are left out")
    when = pd.Series(list(times.values()), index=range(1, len(times) + 1))[part]
    return when, Numbers(found.values[part], tuple(notes), found.sign)


def selected(rows: pd.DataFrame, choices: CsvChoices, file_name: str) -> pd.DataFrame:
    """Return the rows of the series that was chosen; ValueError where no row is of it."""
    for column, value in keys_of(choices).items():
        if column not in rows:
            raise ValueError(
                f"expected a column {column!r} that tells series apart in {file_name!r}, there is none; choose another in --series"
            )
        texts = rows[column].astype("str").str.strip()
        is_it = texts == value
        if not is_it.any():
            raise ValueError(
                f"expected {value!r} in the column {column!r} of {file_name!r}, it holds {listed([str(text) for text in texts.unique()])}; choose one of them"
            )
        rows = rows[is_it]
    return rows


def keys_of(choices: CsvChoices) -> dict[str, str]:
    """Return the columns and values of --series."""
    return {text.partition("=")[0].strip(): text.partition("=")[2].strip() for text in choices.series}


def series_keys(file: CsvFile, time: Sequence[str]) -> Mapping[str, list[str]]:
    """Return the columns by which several series in a file are told apart, each with its values; {} where no column does.

    Tried are single columns, then two and three together, texts and whole numbers: they must leave every time once.
    """
    others = [name for name in file.columns if name not in time]
    parts, n_row = [], 0
    for chunk in file.chunks(text=file.columns):
        parts.append(chunk)
        n_row += len(chunk)
        if n_row >= MOST_ROWS:
            break
    rows = selected(pd.concat(parts), file.choices, file.name) if parts else pd.DataFrame(columns=list(file.columns))
    levels = {name: rows[name].dropna().unique() for name in others}
    keys = [name for name in others if 2 <= len(levels[name]) <= min(MOST_LEVELS, len(rows) // 2) and rows[name].notna().all()]
    keys = sorted(keys, key=lambda name: (file.kinds[name] != "text", len(levels[name])))[:MOST_KEYS]
    for n in (1, 2, 3):
        for together in combinations(keys, n):
            if not rows.duplicated([*time, *together]).any():
                return {name: [str(value) for value in levels[name]] for name in together}
    return {}


class SeveralSeriesError(ValueError):
    """A file holds several series. keys: the columns that tell them apart, with their values."""

    def __init__(self, file: CsvFile, keys: Mapping[str, Sequence[str]]) -> None:
        shown = " and ".join(f"{len(values)} in its column {name!r} ({listed(values, 3)})" for name, values in keys.items())
        options = " ".join(f"--series {_option(name, values[0])}" for name, values in keys.items())
        super().__init__(f"expected one series, {file.name!r} holds {shown}; choose one with {options}")
        self.keys = keys


def _option(column: str, value: str) -> str:
    text = f"{column}={value}"
    return text if re.fullmatch(r"[\w=.-]+", text) else f'"{text}"'


def all_rows(file: CsvFile, columns: Sequence[str], as_text: Sequence[str] = ()) -> pd.DataFrame:
    """Return these columns of every row; ValueError where there is no row.   as_text: columns that are read as they are written."""
    text = frozenset(as_text)
    while True:
        try:
            parts = list(file.chunks(columns, text))
        except NotNumbers as other:
            text |= other.columns
            continue
        if not parts or not sum(map(len, parts)):
            raise ValueError(f"expected rows of numbers below the header of {file.name!r}, got none; export the table again")
        return pd.concat(parts)
