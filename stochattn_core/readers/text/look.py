"""A look at a text table: its columns as recognised, and the dataset that would be made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from stochattn_core.datasets.base import Dataset
from stochattn_core.readers.look import Look, LookColumn
from stochattn_core.readers.text.choices import FIND_OUT, CsvChoices
from stochattn_core.readers.text.columns import is_mostly_numbers, listed, numbers
from stochattn_core.readers.text.file import CsvFile, NotNumbers, PathOrFile, open_csv
from stochattn_core.readers.text.joined_times import suggested
from stochattn_core.readers.text.layout import HEADER, SeveralSeriesError, labels_of, time_columns
from stochattn_core.readers.text.number_times import TIME_NAMES
from stochattn_core.readers.text.series import Series, dataset_of_series, read_series
from stochattn_core.readers.text.table import Table, dataset_of_table, read_table
from stochattn_core.readers.text.times import read_times

SHOWN = 2  # values at either end


def look_at_table(
    path_or_file: PathOrFile,
    *,
    time: str | None = None,
    target: str | None = None,
    kind: str | None = None,
    horizon: int | None = None,
    context: int | None = None,
    season: int | None = None,
    choices: CsvChoices = FIND_OUT,
) -> Look:
    """Return what is recognised in a text table and what would be forecast.

    time, target: names of columns, the likely ones without them.   kind: "series" or "table"; a series where there is a time column, without
    it.   ValueError where the file is no text table; what else speaks against it is the problem of the Look.
    """
    file = open_csv(path_or_file, choices)
    is_wide = bool(time_columns(file.columns))
    time = time or likely_time(file)
    kind = kind or ("series" if time else "table")
    columns = _columns(file)
    target = target or likely_target(file, time)
    facts, notes, problem = [("file", _written(file))], list(file.notes), ""
    choose: Mapping[str, Sequence[str]] = {}
    if is_wide:
        labels = labels_of(file)
        facts += [(f"rows by {name}", f"{len(texts)} ({listed(texts, 3)})") for name, texts in labels.items()]
    if target is None:
        problem = f"expected a column of numbers to forecast in {file.name!r}, found none; bring a table with one"
    elif kind == "series" and time is None:
        problem = f"expected a column of times in {file.name!r}, found none; name it with --time"
    else:
        try:
            if kind == "series":
                series = read_series(file, time or "", target)
                notes = list(series.notes)
                facts += _facts_of_series(series, dataset_of_series(series, horizon=horizon, context=context, season=season))
            else:
                table = read_table(file, target)
                notes = list(table.notes)
                facts += _facts_of_table(table, dataset_of_table(table))
        except ValueError as refusal:
            problem = str(refusal)
            choose = refusal.keys if isinstance(refusal, SeveralSeriesError) else {}
    return Look(file.name, kind, columns, tuple(facts), tuple(notes), problem, time or "", target or "", choose)


def likely_time(file: CsvFile) -> str | None:
    """Return the column that holds the times, None where none does.

    It is the columns that together are times, "header" where the times stand there, else the first column of dates, or of numbers under a
    name such as year or time.
    """
    if together := suggested(file):
        return ",".join(together)
    for name in file.columns:
        if file.kinds[name] == "times" or (file.kinds[name] == "numbers" and name.strip().lower() in TIME_NAMES):
            return name
    return HEADER if time_columns(file.columns) else None


def likely_target(file: CsvFile, time: str | None) -> str | None:
    """Return the last column of numbers that is no part of the time; of a wide file, the first text of its first column."""
    if time == HEADER:
        return next((texts[0] for texts in labels_of(file).values() if texts), None)
    parts = [time, *(time or "").split(",")]
    return next((name for name in reversed(file.columns) if file.kinds[name] == "numbers" and name not in parts), None)


def _columns(file: CsvFile) -> tuple[LookColumn, ...]:
    """Return the columns over the first rows of the file, at most CHUNK of them."""
    rows = _first_rows(file)
    return tuple(_column(file, name, rows[name]) for name in file.columns)


def _first_rows(file: CsvFile) -> pd.DataFrame:
    text: frozenset[str] = frozenset()
    while True:
        try:
            return next(file.chunks(text=text), pd.DataFrame(columns=list(file.columns)))
        except NotNumbers as other:
            text |= other.columns


def _column(file: CsvFile, name: str, column: pd.Series) -> LookColumn:
    units = file.dialect.header.units.get(name, "")
    if not column.notna().any():
        return LookColumn(name, "empty", missing=1.0, units=units)
    try:
        if file.kinds[name] == "times":
            times = read_times(column.dropna(), name, file.choices).values
            shown = [
                f"{time:%Y-%m-%d %H:%M}" if isinstance(time, pd.Timestamp) else f"{time:g}" for time in (*times[:SHOWN], *times[-SHOWN:])
            ]
            return LookColumn(name, "times", *_ends(shown), float(column.isna().mean()), units)
        if is_mostly_numbers(column):
            found = numbers(column, name, file.choices, file_decimal=file.decimal, separator=file.separator)
            values = found.values
            shown = [plain_number(value) for value in (*values[:SHOWN], *values[-SHOWN:])]
            return LookColumn(name, "numbers", *_ends(shown), float(np.isnan(values).mean()), units or found.sign)
    except ValueError as refusal:
        texts = [str(text) for text in (*column[:SHOWN], *column[-SHOWN:])]
        return LookColumn(name, "text", *_ends(texts), float(column.isna().mean()), units, problem=str(refusal))
    texts = [str(text) for text in (*column[:SHOWN], *column[-SHOWN:])]
    return LookColumn(name, "text", *_ends(texts), float(column.isna().mean()), units)


def _ends(shown: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    half = len(shown) // 2
    return tuple(shown[:half]), tuple(shown[half:])


def plain_number(value: float) -> str:
    """Return a number in plain digits, the word missing for NaN.

    >>> plain_number(1073.0), plain_number(0.126), plain_number(float("nan"))
    ('1073', '0.126', 'missing')
    """
    return "missing" if np.isnan(value) else f"{value:.12g}"


def _written(file: CsvFile) -> str:
    names = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", r"\s+": "white space"}
    separator = names.get(file.separator, repr(file.separator))
    encoding = {"utf-8-sig": "UTF-8", "utf-16": "UTF-16", "cp1252": "Windows-1252"}.get(file.encoding, file.encoding)
    rows = f"{file.n_row:,} row{'' if file.n_row == 1 else 's'}"
    mark = {".": ", decimal point", ",": ", decimal comma"}.get(file.decimal, "")
    return f"{rows} and {len(file.columns)} columns, separated by {separator}{mark}, {encoding}"


def _facts_of_series(series: Series, data: Dataset) -> list[tuple[str, str]]:
    times, unit = series.axis.times, series.axis.unit
    missing = int((~np.isfinite(series.values)).sum())
    horizon, context = len(data.lead_time), data.train.inputs.shape[1]
    ahead = data.step.lead_text(horizon) if unit != "step" else f"{horizon} steps"
    season = f"{data.period} steps ({data.step.lead_text(data.period)})" if data.period > 1 else "none found"
    return [
        ("forecast", f"{series.target!r}: {ahead} ahead in {horizon} step{'' if horizon == 1 else 's'}, from the {context} values before"),
        ("period", f"{_when(times[0], unit)} to {_when(times[-1], unit)}, {len(times):,} times"),
        ("time step", data.step.text if unit != "step" else "one row (not evenly spaced, or no dates)"),
        ("season", season),
        ("missing", f"{missing:,} of {len(times):,} values ({missing / len(times):.2%})"),
        *[(part, _windows(data, part, unit)) for part in ("train", "calibration", "test")],
        ("gap", f"{ahead} between the parts, so that no target is in two of them"),
    ]


def _windows(data: Dataset, part: str, unit: str) -> str:
    index = data.part(part).index
    return f"{len(index):,} forecasts that start from {_when(index[0], unit)} to {_when(index[-1], unit)}"


def _facts_of_table(table: Table, data: Dataset) -> list[tuple[str, str]]:
    parts = ", ".join(f"{part} {len(data.part(part)):,}" for part in ("train", "calibration", "test"))
    how = "at random, with seed 0" if table.time is None else f"in time, by {table.time_name!r}"
    return [
        ("forecast", f"{table.target!r} of each row, from its features"),
        ("features", f"{len(data.feature_names)}: {listed(data.feature_names)}"),
        ("rows used", f"{len(table.columns):,} of {table.n_row:,}"),
        ("split", f"{how}: {parts}"),
    ]


def _when(time: object, unit: str) -> str:
    """Return a time as a table shows it, with the time of day where the step is below a day."""
    if not isinstance(time, pd.Timestamp):
        return f"{time:g}" if isinstance(time, int | float) else str(time)
    short = unit.split()[-1] in ("day", "week", "month", "quarter", "year")
    return f"{time:%Y-%m-%d}" if short else f"{time:%Y-%m-%d %H:%M:%S}" if unit.endswith(" s") or unit == "s" else f"{time:%Y-%m-%d %H:%M}"
