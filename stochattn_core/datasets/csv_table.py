"""A table of the user's own from a CSV file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.csv_columns import is_mostly_numbers, listed, numbers, without_sentinels
from stochattn_core.datasets.csv_file import CsvFile, PathOrFile, open_csv
from stochattn_core.datasets.table_parts import table_dataset

MIN_ROW = 40
MAX_ROW = 10_000  # 2000 of them are the test part: more would make every move of the slider slow
MAX_LEVEL = 20  # different texts in a column that becomes one 0/1 column each
MOSTLY_MISSING = 0.5


def table_from_csv(path_or_file: PathOrFile, target: str, *, name: str | None = None) -> Dataset:
    """The rows of a CSV file as a table: every other column is a feature, `target` is what is forecast.

    path_or_file: a path, or an open binary file such as an upload. Comma, semicolon, tab, bar and white space separate;
    UTF-8, UTF-16 and latin-1 are read. Text columns of at most 20 different texts become 0/1 columns. Rows with a missing
    or infinite number are left out. Whatever is left out or drawn is told in Dataset.notes; what cannot be corrected is one
    ValueError of one sentence.
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
    whole = np.isfinite(table.to_numpy()).all(1)
    if not whole.all():
        where = ", ".join(f"{name!r} {count}" for name, count in (~np.isfinite(table)).sum().items() if count)
        infinite = int(np.isinf(table.to_numpy()).sum())
        kind = f"missing or infinite number ({infinite} infinite)" if infinite else "missing number"
        notes.append(f"{int((~whole).sum())} of {len(table)} rows have a {kind} and are left out; by column: {where}")
        table = table[whole]
    if len(table) < MIN_ROW:
        raise ValueError(f"expected at least {MIN_ROW} rows without a missing number, got {len(table)} of {n_row}; {notes[-1]}")
    constant = [column for column in table if column != target and np.ptp(table[column]) == 0]
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
    """At most MAX_ROW rows, each as likely as any other, and how many there are. Memory holds a chunk and the drawn ones:
    every row gets a random key, and the rows of the smallest keys stay."""
    rng = np.random.default_rng(0)
    kept, keys, n_row = [], np.empty(0), 0
    for chunk in file.chunks():
        n_row += len(chunk)
        new = rng.random(len(chunk))
        keys = np.concatenate([keys, new])
        limit = np.partition(keys, MAX_ROW - 1)[MAX_ROW - 1] if len(keys) > MAX_ROW else 1.0
        kept = [(part[key <= limit], key[key <= limit]) for part, key in (*kept, (chunk, new))]
        keys = keys[keys <= limit]
    rows = pd.concat([part for part, _ in kept]) if kept else pd.DataFrame(columns=list(file.columns))
    return rows, n_row


def _column(values: pd.Series, name: str, is_target: bool, notes: list[str]) -> dict[str, np.ndarray]:
    """The columns of numbers that one column of the file becomes; {} when it is left out."""
    missing = float(values.isna().mean())
    if missing > MOSTLY_MISSING and not is_target:
        notes.append(f"{name!r} is empty in {missing:.0%} of the rows and is left out")
        return {}
    if is_mostly_numbers(values):
        clean, told = without_sentinels(numbers(values, name), name)
        notes.extend(told)
        return {name: np.where(np.abs(clean) > 1e30, np.copysign(np.inf, clean), clean)}  # beyond what float32 can square
    texts = values.astype("str").str.strip().where(values.notna())
    levels = sorted(texts.dropna().unique())
    if len(levels) > MAX_LEVEL:
        notes.append(f"{name!r} holds {len(levels)} different texts, more than the {MAX_LEVEL} that become 0/1 columns, and is left out")
        return {}
    if len(levels) == 2:
        levels = levels[1:]  # the other column would say the same again
    notes.append(f"{name!r} holds text and becomes {len(levels)} column{'s' if len(levels) > 1 else ''} of 0 and 1")
    known = texts.notna().to_numpy()
    return {f"{name} = {level}": np.where(known, (texts == level).to_numpy(dtype=float, na_value=0.0), np.nan) for level in levels}
