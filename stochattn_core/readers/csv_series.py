"""The user's time series from a CSV file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.series_parts import MIN_CASE, series_dataset
from stochattn_core.readers.csv_columns import is_mostly_numbers, numbers
from stochattn_core.readers.csv_file import CsvFile, PathOrFile, open_csv
from stochattn_core.readers.csv_time_axis import TimeAxis, even_axis, read_times
from stochattn_core.readers.door.values import without_missing_codes

MIN_ROW = 60
MAX_ROW = 20_000_000
MAX_MISSING = 0.2
MAX_HORIZON = 24
CONTEXT = 96


def series_from_csv(
    path_or_file: PathOrFile, time: str, target: str, *, horizon: int | None = None, context: int | None = None, name: str | None = None
) -> Dataset:
    """Return one column of a CSV file over time: `context` values are given, the `horizon` values after them are forecast.

    path_or_file: a path, or an open binary file such as an upload.   time, target: names of columns.   horizon: one season without it,
    at most 24 steps.   context: 96 values without it (four days of hours, eight years of months), or two seasons if that is more.
    A missing value or a gap is filled with the value before it in the inputs, and is never scored in the target. Dataset.notes say what
    was done to the data; data that cannot be corrected raise a ValueError of one sentence.
    """
    file = open_csv(path_or_file)
    file.require(time, "time")
    file.require(target, "target")
    if time == target:
        raise ValueError(f"expected two columns, one of times and one of numbers, got {time!r} for both; choose another target")
    if file.n_row < MIN_ROW:
        raise ValueError(
            f"expected at least {MIN_ROW} rows, to train, calibrate and test, got {file.n_row} in {file.name!r}; bring a longer series"
        )
    if file.n_row > MAX_ROW:
        raise ValueError(
            f"expected at most {MAX_ROW:,} rows, got {file.n_row:,} in {file.name!r}; bring the last part, or means over longer steps"
        )
    notes = list(file.notes)
    when, values = _read(file, time, target)
    values, code_notes = without_missing_codes(values, target)
    notes += code_notes
    axis = even_axis(read_times(when, time), time)
    notes += axis.notes
    on_axis = np.full(len(axis.times), np.nan)
    on_axis[axis.position] = np.where(np.abs(values) > 1e30, np.nan, values)  # float32 cannot square them
    notes += _notes_on_missing(on_axis, values, target)
    known = on_axis[np.isfinite(on_axis)]
    if np.ptp(known) == 0:
        raise ValueError(f"expected a target that varies, {target!r} is {known[0]:g} in every row; choose another column")
    period = season(on_axis, axis)
    horizon, context = _lengths(len(on_axis), period, horizon, context)
    return series_dataset(
        on_axis,
        axis.times,
        context=context,
        horizon=horizon,
        period=period,
        name=name or Path(file.name).stem,
        title=f"{file.name}: {target}",
        target_name=target,
        units="",  # a CSV file does not say
        source=f"your file {file.name}",
        licence="yours",
        lead_unit=axis.unit,
        notes=tuple(notes),
    )


def season(values: np.ndarray, axis: TimeAxis) -> int:
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


def _read(file: CsvFile, time: str, target: str) -> tuple[pd.Series, np.ndarray]:
    times, values = [], []
    for chunk in file.chunks([time, target]):
        if not is_mostly_numbers(chunk[target]):
            text = str(chunk[target].dropna().iloc[0])[:40]
            raise ValueError(f"expected numbers in the target column {target!r}, got text such as {text!r}; choose another column")
        times.append(chunk[time])
        values.append(numbers(chunk[target], target))
    if not times:
        raise ValueError(f"expected rows of numbers below the header of {file.name!r}, got none; export the table again")
    return pd.concat(times), np.concatenate(values)


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


def _lengths(n_time: int, period: int, horizon: int | None, context: int | None) -> tuple[int, int]:
    """Return horizon and context. Without one given, the horizon is a season, as far as a fifth of the series and its gap allow."""
    for name, given in (("horizon", horizon), ("context", context)):
        if given is not None and (isinstance(given, bool) or int(given) != given or given < 1):
            raise ValueError(f"expected a {name} of 1 or more whole steps, got {given!r}; choose one, or leave it out")
    if horizon is None:
        most = (n_time // 5 - MIN_CASE) // 2
        horizon = max(1, min(period if period > 1 else 12, MAX_HORIZON, most))
    if context is None:
        most = int(0.6 * n_time) - horizon - MIN_CASE
        context = max(4, min(max(CONTEXT, 2 * period), most) // 4 * 4)
    return int(horizon), int(context)
