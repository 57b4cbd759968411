"""The user's time series from a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.series_parts import MIN_CASE, series_dataset
from stochattn_core.readers.door.values import check_precision
from stochattn_core.readers.text.choices import FIND_OUT, CsvChoices
from stochattn_core.readers.text.columns import Numbers, is_mostly_numbers, numbers
from stochattn_core.readers.text.file import CsvFile, PathOrFile, open_csv
from stochattn_core.readers.text.header import unit_in
from stochattn_core.readers.text.joined_times import joined, suggested, time_parts
from stochattn_core.readers.text.layout import (
    HEADER,
    SeveralSeriesError,
    all_rows,
    keys_of,
    selected,
    series_keys,
    time_columns,
    wide_series,
)
from stochattn_core.readers.text.time_axis import RepeatedTimesError, TimeAxis, even_axis
from stochattn_core.readers.text.times import read_times

MIN_ROW = 60
MAX_ROW = 20_000_000
MAX_MISSING = 0.2
MAX_HORIZON = 24
CONTEXT = 96


@dataclass(frozen=True)
class Series:
    """One column over time on an even axis.

    time, target: the names by which it was read.   values: (time,) float64, NaN where missing.   season: the length of the season in steps,
    1 without one.   notes: what was recognised.
    """

    file: CsvFile
    time: str
    target: str
    units: str
    values: np.ndarray
    axis: TimeAxis
    season: int
    notes: tuple[str, ...]


def series_from_csv(
    path_or_file: PathOrFile,
    time: str,
    target: str,
    *,
    horizon: int | None = None,
    context: int | None = None,
    season: int | None = None,
    choices: CsvChoices = FIND_OUT,
    name: str | None = None,
) -> Dataset:
    """Return one column of a CSV file over time: `context` values are given, the `horizon` values after them are forecast.

    path_or_file: a path, or an open binary file such as an upload.   time, target: names of columns; "date,clock" or "year,month,day" where
    the times are in several, "header" and the name of a row where they stand in the header.
    horizon: one season without it, at most 24 steps.   context: 96 values without it (four days of hours, eight years of months), or two
    seasons if that is more.   season: in steps; 1 for none, found in the series without it.
    choices: how the file is written, where that is not to be found out.
    A missing value or a gap is filled with the value before it in the inputs, and is never scored in the target. Dataset.notes say what
    was done to the data; data that cannot be corrected raise a ValueError of one sentence.
    """
    series = read_series(path_or_file, time, target, choices=choices)
    return dataset_of_series(series, horizon=horizon, context=context, season=season, name=name)


def dataset_of_series(
    series: Series, *, horizon: int | None = None, context: int | None = None, season: int | None = None, name: str | None = None
) -> Dataset:
    """Return the Dataset of a series that was read, with its windows cut; the arguments are those of series_from_csv."""
    period = series.season if season is None else _checked_length("season", season)
    horizon, context = lengths(len(series.values), period, horizon, context)
    return series_dataset(
        series.values,
        series.axis.times,
        context=context,
        horizon=horizon,
        period=period,
        name=name or Path(series.file.name).stem,
        title=f"{series.file.name}: {series.target}",
        target_name=series.target,
        units=series.units,
        source=f"your file {series.file.name}",
        licence="yours",
        lead_unit=series.axis.unit,
        notes=series.notes,
        recipe=_recipe(series, horizon, context, period),
    )


def _recipe(series: Series, horizon: int, context: int, period: int) -> str:
    choices = series.file.choices.text
    return (
        f"series_from_csv({series.file.name!r}, {series.time!r}, {series.target!r}, horizon={horizon}, context={context}, season={period}"
        f"{f', choices={choices}' if choices else ''})"
    )


def read_series(path_or_file: PathOrFile | CsvFile, time: str, target: str, *, choices: CsvChoices = FIND_OUT) -> Series:
    """Return one column of a CSV file, opened or not, on an even axis of time. ValueError of one sentence where that cannot be done."""
    file = path_or_file if isinstance(path_or_file, CsvFile) else open_csv(path_or_file, choices)
    parts = [time]
    is_wide = bool(time_columns(file.columns)) and (time == HEADER or target not in file.columns)
    if not is_wide:
        parts = time_parts(file, time)
        file.require(target, "target")
        if target in parts:
            raise ValueError(f"expected two columns, one of times and one of numbers, got {time!r} for both; choose another target")
        for column in keys_of(choices):
            file.require(column, "series")
    n_row = len(time_columns(file.columns)) if is_wide else file.n_row
    if n_row < MIN_ROW:
        raise ValueError(
            f"expected at least {MIN_ROW} {'times' if is_wide else 'rows'}, to train, calibrate and test, got {n_row} in {file.name!r}; bring a longer "
            "series"
        )
    if n_row > MAX_ROW:
        raise ValueError(
            f"expected at most {MAX_ROW:,} rows, got {n_row:,} in {file.name!r}; bring the last part, or means over longer steps"
        )
    when, found = wide_series(file, target) if is_wide else _read(file, parts, target)
    times = read_times(when, time, file.choices)
    try:
        axis = even_axis(times.values, time, find_summer_time=file.choices.timezone is None)
    except RepeatedTimesError:
        together = [] if is_wide or len(parts) > 1 else suggested(file)
        if time in together:
            raise ValueError(
                f"expected one row for each time of {time!r}, {file.name!r} writes its times in several columns; give --time {','.join(together)}"
            ) from None
        keys = {} if is_wide else series_keys(file, parts)
        if not keys:
            raise
        raise SeveralSeriesError(file, keys) from None
    notes = [*file.notes, *found.notes, *times.notes, *axis.notes]
    on_axis = np.full(len(axis.times), np.nan)
    on_axis[axis.position] = np.where(np.abs(found.values) > 1e30, np.nan, found.values)  # float32 cannot square them
    notes += _notes_on_missing(on_axis, found.values, target)
    check_precision(on_axis, target)
    known = on_axis[np.isfinite(on_axis)]
    if len(known) < MIN_ROW:
        raise ValueError(f"expected at least {MIN_ROW} values of {target!r} that are not missing, got {len(known)}; bring a longer series")
    if np.ptp(known) == 0:
        raise ValueError(f"expected a target that varies, {target!r} is {known[0]:g} in every row; choose another column")
    units = found.sign or file.dialect.header.units.get(target, "") or unit_in(target)
    return Series(file, time, target, units, on_axis, axis, season_of(on_axis, axis), tuple(dict.fromkeys(notes)))


def season_of(values: np.ndarray, axis: TimeAxis) -> int:
    """Return the first season that the step suggests (a day of hours, a year of months) and that the first 60% of the series show; else 1.

    A season shows when the series minus its running mean over one season has an autocorrelation above 0.2 at that lag: the running
    mean removes slower changes, and mere persistence has no autocorrelation left.
    """
    first_part = pd.Series(values[: int(0.6 * len(values))][-200_000:]).ffill().bfill()
    for lag in axis.seasons:
        rest = (first_part - first_part.rolling(lag + 1 - lag % 2, center=True).mean()).dropna().to_numpy()
        if len(rest) >= 3 * lag and rest.std() > 0 and np.corrcoef(rest[lag:], rest[:-lag])[0, 1] > 0.2:
            return lag
    return 1


def _read(file: CsvFile, time: Sequence[str], target: str) -> tuple[pd.Series, Numbers]:
    """Return the times as they are written, and the values, of the series that was chosen."""
    keys = list(keys_of(file.choices))
    rows = selected(all_rows(file, list(dict.fromkeys([*time, target, *keys])), keys), file.choices, file.name)
    if len(rows) < MIN_ROW:
        raise ValueError(
            f"expected at least {MIN_ROW} rows of the series in {file.name!r}, got {len(rows)}; choose another or bring a longer one"
        )
    if not is_mostly_numbers(rows[target]):
        text = str(rows[target].dropna().iloc[0])[:40]
        raise ValueError(f"expected numbers in the target column {target!r}, got text such as {text!r}; choose another column")
    return joined(rows, time), numbers(rows[target], target, file.choices, file_decimal=file.decimal, separator=file.separator)


def _notes_on_missing(on_axis: np.ndarray, values: np.ndarray, target: str) -> list[str]:
    """Return a note that counts the missing values; ValueError where they are too many to forecast from."""
    missing, infinite = int((~np.isfinite(on_axis)).sum()), int(np.isinf(values).sum())
    if not missing:
        return []
    share = missing / len(on_axis)
    kind = f"missing or infinite ({infinite} infinite)" if infinite else "missing"
    if share > MAX_MISSING:
        raise ValueError(
            f"expected at most {MAX_MISSING:.0%} of {target!r} to be missing, {missing} of {len(on_axis)} values ({share:.0%}) are {kind}; "
            "fill the gaps, or bring a period without them"
        )
    return [
        f"{missing} of {len(on_axis)} values of {target!r} are {kind}: in inputs each becomes the value before it, and in targets none is scored"
    ]


def lengths(n_time: int, period: int, horizon: int | None, context: int | None) -> tuple[int, int]:
    """Return horizon and context. Without one given, the horizon is a season, as far as a fifth of the series and its gap allow."""
    if horizon is None:
        most = (n_time // 5 - MIN_CASE) // 2
        horizon = max(1, min(period if period > 1 else 12, MAX_HORIZON, most))
    horizon = _checked_length("horizon", horizon)
    if context is None:
        most = int(0.6 * n_time) - horizon - MIN_CASE
        context = max(4, min(max(CONTEXT, 2 * period), most) // 4 * 4)
    return horizon, _checked_length("context", context)


def _checked_length(what: str, steps: int) -> int:
    if isinstance(steps, bool) or int(steps) != steps or steps < 1:
        raise ValueError(f"expected a {what} of 1 or more whole steps, got {steps!r}; choose one, or leave it out")
    return int(steps)
