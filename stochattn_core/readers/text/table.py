"""The user's table from a CSV file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.table_parts import table_dataset
from stochattn_core.readers.door.values import check_precision, loses_differences
from stochattn_core.readers.text.choices import FIND_OUT, CsvChoices
from stochattn_core.readers.text.columns import is_mostly_numbers, listed, n_other_text, numbers
from stochattn_core.readers.text.fields import MISSING_FIELDS
from stochattn_core.readers.text.file import CsvFile, NotNumbers, PathOrFile, open_csv
from stochattn_core.readers.text.header import ROW_NAMES, unit_in
from stochattn_core.readers.text.joined_times import joined, suggested
from stochattn_core.readers.text.layout import keys_of, selected
from stochattn_core.readers.text.number_times import LAST, TIME_NAMES, from_numbers
from stochattn_core.readers.text.numbers import PLAIN, number_of
from stochattn_core.readers.text.times import read_times

MIN_ROW = 40
MAX_ROW = 10_000  # 2000 of them are the test part: with more, every move of the slider would be slow
MAX_LEVEL = 20  # different texts in a column of text; each becomes a column of 0 and 1
MOSTLY_MISSING = 0.5
FEWEST_TIMES = 10  # different times from which a table is split in time
# Names under which programs write the number of a row. Only a column that counts the rows is left out.
ROW_NUMBER_NAMES = ("", ROW_NAMES, "unnamed: 0", "x", "index", "row", "rownames", "row_names", "rowid", "id", "no", "nr", "obs")


@dataclass(frozen=True)
class Table:
    """The complete rows of a CSV file as numbers.

    columns: the target first, then the features; indexed by the line of each row.   time: (row,) where a column holds times, else None.
    n_row: rows of the file.   notes: what was recognised and left out.
    """

    file: CsvFile
    target: str
    units: str
    columns: pd.DataFrame
    time: pd.DatetimeIndex | None
    time_name: str
    n_row: int
    notes: tuple[str, ...]


def table_from_csv(path_or_file: PathOrFile, target: str, *, choices: CsvChoices = FIND_OUT, name: str | None = None) -> Dataset:
    """Return the rows of a CSV file as a table: `target` is the column to forecast, every other column is a feature.

    path_or_file: a path, or an open binary file such as an upload. Fields may be separated by comma, semicolon, tab, bar or white space;
    the encoding may be UTF-8, UTF-16 or Windows-1252. A column of at most 20 different texts becomes columns of 0 and 1. Rows with a missing
    or infinite number are left out. A table with a column of times is split in time, any other one at random.
    choices: how the file is written, where that is not to be found out. Dataset.notes say what was recognised, left out and drawn at
    random; data that cannot be corrected raise a ValueError of one sentence.
    """
    return dataset_of_table(read_table(path_or_file, target, choices=choices), name=name)


def dataset_of_table(table: Table, *, name: str | None = None) -> Dataset:
    """Return the Dataset of a table that was read, with its parts cut."""
    target, choices = table.target, table.file.choices.text
    features = table.columns.drop(columns=target)
    return table_dataset(
        features.to_numpy(),
        table.columns[target].to_numpy(),
        row=table.columns.index,
        time=table.time,
        name=name or Path(table.file.name).stem,
        title=f"{table.file.name}: {target}",
        target_name=target,
        units=table.units,
        source=f"your file {table.file.name}",
        licence="yours",
        feature_names=tuple(features.columns),
        notes=table.notes,
        recipe=f"table_from_csv({table.file.name!r}, {target!r}{f', choices={choices}' if choices else ''})",
    )


def read_table(path_or_file: PathOrFile | CsvFile, target: str, *, choices: CsvChoices = FIND_OUT) -> Table:
    """Return the rows of a CSV file, opened or not, as numbers, in the order of the file or of time. ValueError where that cannot be done."""
    file = path_or_file if isinstance(path_or_file, CsvFile) else open_csv(path_or_file, choices)
    file.require(target, "target")
    for column in keys_of(choices):
        file.require(column, "series")
    notes = list(file.notes)
    rows, n_row = _drawn_rows(file)
    rows = selected(rows, choices, file.name)
    if n_row > MAX_ROW:
        notes.append(f"the file has {n_row:,} rows, {len(rows):,} of them are used, drawn at random with seed 0")
    if min(n_row, len(rows)) < MIN_ROW:
        raise ValueError(
            f"expected at least {MIN_ROW} rows, to train, calibrate and test, got {len(rows)} in {file.name!r}; bring more rows"
        )
    if not is_mostly_numbers(rows[target]):
        raise ValueError(
            f"expected numbers in the target column {target!r}, got text such as {str(rows[target].dropna().iloc[0])[:40]!r}; choose another column"
        )
    rows, time, time_names = _time_of(file, rows, target, notes)
    columns: dict[str, np.ndarray] = {}
    others = [column for column in file.columns if column not in (target, *time_names, *keys_of(choices))]
    for column in (target, *others):
        columns |= _column(file, rows[column], column, column == target, n_row, notes)
    if len(columns) == 1:
        raise ValueError(
            f"expected at least one column of numbers beside the target {target!r}, {file.name!r} has none that can be used; add one"
        )
    table = pd.DataFrame(columns, index=rows.index)
    complete = np.isfinite(table.to_numpy()).all(1)
    if not complete.all():
        where = ", ".join(f"{name!r} {count}" for name, count in (~np.isfinite(table)).sum().items() if count)
        infinite = int(np.isinf(table.to_numpy()).sum())
        kind = f"missing or infinite number ({infinite} infinite)" if infinite else "missing number"
        notes.append(f"{int((~complete).sum())} of {len(table)} rows have a {kind} and are left out; by column: {where}")
        table, time = table[complete], None if time is None else time[complete]
    if len(table) < MIN_ROW:
        raise ValueError(f"expected at least {MIN_ROW} rows without a missing number, got {len(table)} of {n_row}; {notes[-1]}")
    constant = [column for column in columns if column != target and np.ptp(table[column]) == 0]
    if constant:
        notes.append(f"{listed(constant)} {'is' if len(constant) == 1 else 'are'} constant and left out")
        table = table.drop(columns=constant)
    if np.ptp(table[target]) == 0:
        raise ValueError(f"expected a target that varies, {target!r} is {table[target].iloc[0]:g} in every row; choose another column")
    if table.shape[1] == 1:
        raise ValueError(f"expected at least one column that varies beside the target {target!r}, got none; add one")
    if time is not None:
        order = np.argsort(time.to_numpy(), kind="stable")
        table, time = table.iloc[order], time[order]
    units = file.dialect.header.units.get(target, "") or unit_in(target)
    return Table(file, target, units, table, time, ",".join(time_names), n_row, tuple(notes))


def _time_of(
    file: CsvFile, rows: pd.DataFrame, target: str, notes: list[str]
) -> tuple[pd.DataFrame, pd.DatetimeIndex | None, tuple[str, ...]]:
    """Return the rows, their times by which the table is split, and the columns of these; None and no column where it is split at random.

    Rows without a time are left out. ValueError where a column of times holds something else.
    """
    together = suggested(file)
    names_of_times = [name for name in file.columns if file.kinds[name] == "times" or _is_date_number(file, name)]
    candidates = [together] if together else [[name] for name in names_of_times]
    for names in candidates:
        has_time = rows[names].notna().all(axis=1)
        if file.choices.split == "random" or target in names or has_time.mean() < 1 - MOSTLY_MISSING:
            continue
        name = ",".join(names)
        try:
            times = read_times(joined(rows[has_time], names), name, file.choices)
        except ValueError as problem:
            raise ValueError(f"{problem} (--split random splits the table without its times)") from problem
        if not isinstance(times.values, pd.DatetimeIndex) or times.values.nunique() < FEWEST_TIMES:
            continue
        if not has_time.all():
            notes.append(f"{int((~has_time).sum())} of {len(rows)} rows have no time in {name!r} and are left out")
        notes += times.notes
        notes.append(
            f"{name!r} holds times, so the table is split in time and not at random, and {name!r} is no feature; --split random changes it"
        )
        return rows[has_time], times.values, tuple(names)
    if file.choices.split == "time":
        raise ValueError(f"expected a column of times in {file.name!r}, by which to split it, found none; leave out --split time")
    return rows, None, ()


def _is_date_number(file: CsvFile, name: str) -> bool:
    """Does a column of numbers hold times under a name that says so? Years only where the table is to be split in time."""
    if file.kinds[name] != "numbers" or name.strip().lower() not in TIME_NAMES:
        return False
    values = np.array([number for field in file.first_fields[name] if (number := number_of(field, PLAIN)) is not None])
    try:
        times = from_numbers(values, name)[0] if len(values) else None
    except ValueError:
        return False
    return isinstance(times, pd.DatetimeIndex) and (file.choices.split == "time" or values[0] > LAST)


def _drawn_rows(file: CsvFile) -> tuple[pd.DataFrame, int]:
    """Return at most MAX_ROW rows, each row as likely as any other, and the number of all rows."""
    text = frozenset(keys_of(file.choices))
    while True:
        try:
            return _drawn(file, text)
        except NotNumbers as other:
            text |= other.columns


def _drawn(file: CsvFile, text: frozenset[str]) -> tuple[pd.DataFrame, int]:
    """Return the drawn rows. Memory holds one chunk and these: every row gets a random key, and the smallest keys are drawn."""
    rng = np.random.default_rng(0)
    drawn: list[tuple[pd.DataFrame, np.ndarray]] = []
    keys, n_row = np.empty(0), 0
    for chunk in file.chunks(text=text):
        n_row += len(chunk)
        chunk_keys = rng.random(len(chunk))
        keys = np.concatenate([keys, chunk_keys])
        limit = np.partition(keys, MAX_ROW - 1)[MAX_ROW - 1] if len(keys) > MAX_ROW else 1.0
        drawn = [(rows[key <= limit], key[key <= limit]) for rows, key in (*drawn, (chunk, chunk_keys))]
        keys = keys[keys <= limit]
    if not drawn:
        return pd.DataFrame(columns=list(file.columns)), n_row
    return pd.concat([rows for rows, _ in drawn]), n_row


def _column(file: CsvFile, values: pd.Series, name: str, is_target: bool, n_row: int, notes: list[str]) -> dict[str, np.ndarray]:
    """Return the columns of numbers that one column of the file becomes; {} when it is left out. Adds to notes what was done."""
    missing = float(values.isna().mean())
    if missing > MOSTLY_MISSING and not is_target:
        notes.append(f"{name!r} is empty in {missing:.0%} of the rows and is left out")
        return {}
    if is_mostly_numbers(values) and (is_target or n_other_text(values) <= MAX_LEVEL):
        found = numbers(values, name, file.choices, file_decimal=file.decimal, separator=file.separator)
        if not is_target and _counts_rows(found.values, values.index, name):
            notes.append(f"{name!r} counts the rows and is left out")
            return {}
        notes.extend(found.notes)
        if is_target:
            check_precision(found.values, name)
        elif loses_differences(found.values):
            notes.append(f"the differences of {name!r} are lost in numbers of 32 bits, so it is left out; subtract its mean to use it")
            return {}
        return {name: np.where(np.abs(found.values) > 1e30, np.copysign(np.inf, found.values), found.values)}  # float32 cannot square them
    texts = values.astype("str").str.strip()
    texts = texts.where(values.notna() & (texts != "") & ~texts.isin(file.choices.missing_fields))
    levels = sorted(texts.dropna().unique())
    if len(levels) > MAX_LEVEL:
        notes.append(f"{name!r} holds {len(levels)} different texts, more than the {MAX_LEVEL} that become 0/1 columns, and is left out")
        return {}
    doubtful = [level for level in levels if level in MISSING_FIELDS]
    if doubtful:
        notes.append(
            f"{listed(doubtful)} in {name!r} {'is a text' if len(doubtful) == 1 else 'are texts'} like the others, and not missing; "
            f"--missing {doubtful[0]} changes it"
        )
    if len(levels) == 2:
        levels = levels[1:]  # a second column would repeat the first
    notes.append(f"{name!r} holds text and becomes {len(levels)} column{'s' if len(levels) > 1 else ''} of 0 and 1")
    known = texts.notna().to_numpy()
    return {f"{name} = {level}": np.where(known, (texts == level).to_numpy(dtype=float, na_value=0.0), np.nan) for level in levels}


def _counts_rows(values: np.ndarray, lines: pd.Index, name: str) -> bool:
    """Does this column count the rows of the file, under a name that programs give to such a column?"""
    if name.strip().lower() not in ROW_NUMBER_NAMES and name != "column 1":
        return False
    return bool(np.all(np.isfinite(values)) and np.ptp(values - lines.to_numpy(dtype=np.float64)) == 0)
