"""The user's table from a CSV file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.table_parts import table_dataset
from stochattn_core.readers.csv_columns import is_mostly_numbers, listed, numbers
from stochattn_core.readers.csv_file import CsvFile, PathOrFile, open_csv
from stochattn_core.readers.door.values import without_missing_codes

MIN_ROW = 40
MAX_ROW = 10_000  # 2000 of them are the test part: with more, every move of the slider would be slow
MAX_LEVEL = 20  # different texts in a column of text; each becomes a column of 0 and 1
MOSTLY_MISSING = 0.5


def table_from_csv(path_or_file: PathOrFile, target: str, *, name: str | None = None) -> Dataset:
    """Return the rows of a CSV file as a table: `target` is the column to forecast, every other column is a feature.

    path_or_file: a path, or an open binary file such as an upload. Fields may be separated by comma, semicolon, tab, bar or white space;
    the encoding may be UTF-8, UTF-16 or latin-1. A column of at most 20 different texts becomes columns of 0 and 1. Rows with a missing
    or infinite number are left out. Dataset.notes say what was left out and what was drawn at random; data that cannot be corrected raise
    a ValueError of one sentence.
    """
    file = open_csv(path_or_file)
    file.require(target, "target")
    notes = list(file.notes)
    rows, n_row = _drawn_rows(file)
    if n_row > len(rows):
        notes.append(f"the file has {n_row:,} rows, {len(rows):,} of them are used, drawn at random with seed 0")
    if n_row < MIN_ROW:
        raise ValueError(f"expected at least {MIN_ROW} rows, to train, calibrate and test, got {n_row} in {file.name!r}; bring more rows")
    if not is_mostly_numbers(rows[target]):
        raise ValueError(
            f"expected numbers in the target column {target!r}, got text such as {str(rows[target].dropna().iloc[0])[:40]!r}; choose another column"
        )
    columns: dict[str, np.ndarray] = {}
    for column in (target, *(column for column in file.columns if column != target)):
        columns |= _column(rows[column], column, column == target, notes)
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
        table = table[complete]
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
    features = table.drop(columns=target)
    title = name or Path(file.name).stem
    return table_dataset(
        features.to_numpy(),
        table[target].to_numpy(),
        row=table.index,
        name=title,
        title=f"{title}, {len(table):,} rows of your own",
        target_name=target,
        units="",  # a CSV file does not say
        source=f"your file {file.name}",
        licence="yours",
        feature_names=tuple(features.columns),
        notes=tuple(notes),
    )


def _drawn_rows(file: CsvFile) -> tuple[pd.DataFrame, int]:
    """Return at most MAX_ROW rows, each row as likely as any other, and the number of all rows.

    Memory holds one chunk and the drawn rows: every row gets a random key, and the rows with the smallest keys are drawn.
    """
    rng = np.random.default_rng(0)
    drawn: list[tuple[pd.DataFrame, np.ndarray]] = []
    keys, n_row = np.empty(0), 0
    for chunk in file.chunks():
        n_row += len(chunk)
        chunk_keys = rng.random(len(chunk))
        keys = np.concatenate([keys, chunk_keys])
        limit = np.partition(keys, MAX_ROW - 1)[MAX_ROW - 1] if len(keys) > MAX_ROW else 1.0
        drawn = [(rows[key <= limit], key[key <= limit]) for rows, key in (*drawn, (chunk, chunk_keys))]
        keys = keys[keys <= limit]
    if not drawn:
        return pd.DataFrame(columns=list(file.columns)), n_row
    return pd.concat([rows for rows, _ in drawn]), n_row


def _column(values: pd.Series, name: str, is_target: bool, notes: list[str]) -> dict[str, np.ndarray]:
    """Return the columns of numbers that one column of the file becomes; {} when it is left out. Adds to notes what was done."""
    missing = float(values.isna().mean())
    if missing > MOSTLY_MISSING and not is_target:
        notes.append(f"{name!r} is empty in {missing:.0%} of the rows and is left out")
        return {}
    if is_mostly_numbers(values):
        clean, code_notes = without_missing_codes(numbers(values, name), name)
        notes.extend(code_notes)
        return {name: np.where(np.abs(clean) > 1e30, np.copysign(np.inf, clean), clean)}  # float32 cannot square them
    texts = values.astype("str").str.strip().where(values.notna())
    levels = sorted(texts.dropna().unique())
    if len(levels) > MAX_LEVEL:
        notes.append(f"{name!r} holds {len(levels)} different texts, more than the {MAX_LEVEL} that become 0/1 columns, and is left out")
        return {}
    if len(levels) == 2:
        levels = levels[1:]  # a second column would repeat the first
    notes.append(f"{name!r} holds text and becomes {len(levels)} column{'s' if len(levels) > 1 else ''} of 0 and 1")
    known = texts.notna().to_numpy()
    return {f"{name} = {level}": np.where(known, (texts == level).to_numpy(dtype=float, na_value=0.0), np.nan) for level in levels}
