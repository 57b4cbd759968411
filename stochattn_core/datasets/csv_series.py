"""A time series of the user's own from a CSV file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from stochattn_core.datasets.base import Dataset
from stochattn_core.datasets.csv_columns import is_mostly_numbers, numbers, without_sentinels
from stochattn_core.datasets.csv_file import CsvFile, PathOrFile, open_csv
from stochattn_core.datasets.series_parts import MIN_CASE, series_dataset
from stochattn_core.datasets.time_axis import TimeAxis, even_axis, read_times

MIN_ROW = 60
MAX_ROW = 20_000_000
MAX_MISSING = 0.2
MAX_HORIZON = 24
CONTEXT = 96


def series_from_csv(
    path_or_file: PathOrFile, time: str, target: str, *, horizon: int | None = None, context: int | None = None, name: str | None = None
) -> Dataset:
    """One column of a CSV file over time: `context` values are given, the `horizon` values after them are forecast.

    path_or_file: a path, or an open binary file such as an upload. Without them, the horizon is one season (at most 24
    steps) and the context four days' worth of hours, eight years' worth of months: 96 values or two seasons. Missing
    values and gaps are filled by the value before where they are given, and never scored. Whatever was done is told in
    Dataset.notes; what cannot be corrected is one ValueError of one sentence.
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
    values, told = without_sentinels(values, target)
    notes += told
    axis = even_axis(read_times(when, time), time)
    notes += axis.notes
    spread_out = np.full(len(axis.times), np.nan)
    spread_out[axis.position] = np.where(np.abs(values) > 1e30, np.nan, values)  # beyond what float32 can square
    notes += _told_of_missing(spread_out, values, target)
    known = spread_out[np.isfinite(spread_out)]
    if np.ptp(known) == 0:
        raise ValueError(f"expected a target that varies, {target!r} is {known[0]:g} in every row; choose another column")
    period = season(spread_out, axis)
    horizon, context = _lengths(len(spread_out), period, horizon, context)
    title = name or Path(file.name).stem
    return series_dataset(
        spread_out,
        axis.times,
        context=context,
        horizon=horizon,
        period=period,
        name=title,
        title=f"{title}, {len(known):,} values of your own",
        target_name=target,
        units="",  # a CSV file does not say
        source=f"your file {file.name}",
        licence="yours",
        lead_unit=axis.unit,
        notes=tuple(notes),
    )


def season(values: np.ndarray, axis: TimeAxis) -> int:
    """The first season that the step suggests (a day of hours, a year of months) and that the first 60% of the series show.

    It shows when the series less its running mean over one season has an autocorrelation above 0.2 at that lag: what
    changes more slowly is taken away by the mean, and what merely persists has none left. 1 when no season shows.
    """
    known = pd.Series(values[: int(0.6 * len(values))][-200_000:]).ffill().bfill()
    for lag in axis.seasons:
        rest = (known - known.rolling(lag + 1 - lag % 2, center=True).mean()).dropna().to_numpy()
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


def _told_of_missing(spread_out: np.ndarray, values: np.ndarray, target: str) -> list[str]:
    """A note that counts what is missing; a refusal when it is too much to forecast from."""
    missing, infinite = int((~np.isfinite(spread_out)).sum()), int(np.isinf(values).sum())
    if not missing:
        return []
    share = missing / len(spread_out)
    kind = f"missing or infinite ({infinite} infinite)" if infinite else "missing"
    if share > MAX_MISSING:
        raise ValueError(
            f"expected at most {MAX_MISSING:.0%} of {target!r} to be missing, {missing} of {len(spread_out)} values ({share:.0%}) are {kind}; "
            "fill the gaps, or bring a stretch without them"
        )
    return [f"{missing} of {len(spread_out)} values of {target!r} are {kind}: inputs carry the value before on, and none of them is scored"]


def _lengths(n_time: int, period: int, horizon: int | None, context: int | None) -> tuple[int, int]:
    """horizon: one season within what a fifth of the series allows beside its gap; context: 96 values or two seasons."""
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
