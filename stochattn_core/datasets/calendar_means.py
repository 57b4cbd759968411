"""The climatology of gridded fields: what the calendar alone would forecast."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

YEAR = 365.2425  # days


def fit_climatology(
    target: np.ndarray, valid_time: pd.DatetimeIndex | np.ndarray, year: float = YEAR
) -> Callable[[pd.DatetimeIndex | np.ndarray], np.ndarray]:
    """Fit the mean of the training targets and, where they span most of a year, its harmonics (two of the year, two of the day).

    target: (time, latitude, longitude), NaN where missing.   valid_time: dates, or days of a calendar whose years have `year` days.
    Returns a function from valid times to fields (time, latitude, longitude) float32. Fitted by least squares in each cell; a missing value
    counts as the mean of its cell.
    """
    fitted = _days(valid_time)
    yearly = np.ptp(fitted) > 330 and len(fitted) > 60
    daily = yearly and len(np.unique((fitted % 1 * 24).round(3))) >= 4

    def terms(day: np.ndarray) -> np.ndarray:
        columns = [np.ones_like(day)]
        for cycle, wanted in ((year, yearly), (1.0, daily)):
            # Four times a day cannot tell the sine of the second harmonic of the day from 0: it has its cosine only.
            for harmonic in (1, 2) if wanted else ():
                columns += [np.cos(2 * np.pi * harmonic * day / cycle)]
                columns += [] if cycle == 1.0 and harmonic == 2 else [np.sin(2 * np.pi * harmonic * day / cycle)]
        return np.stack(columns, axis=1)

    flat = target.reshape(len(target), -1).astype(np.float64)
    known = np.isfinite(flat)
    mean = np.where(known, flat, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    coefficient = np.linalg.lstsq(terms(fitted), np.where(known, flat - mean, 0), rcond=None)[0]
    coefficient[0] += mean
    return lambda times: (terms(_days(times)) @ coefficient).reshape(len(times), *target.shape[1:]).astype(np.float32)


def fit_monthly_climatology(target: np.ndarray, month: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Fit the mean of the training targets in each month of the year, where each occurs at least twice; otherwise one mean of all.

    target: (time, latitude, longitude), NaN where missing.   month: (time,) int, 0 to 11.   Returns a function from months to fields
    (time, latitude, longitude) float32; a cell without a value in a month has the mean of all months there, 0 without any value.
    """
    months, count = np.unique(month, return_counts=True)
    known = np.isfinite(target)
    overall = np.where(known, target, 0).sum(axis=0, dtype=np.float64) / np.maximum(known.sum(axis=0), 1)
    means = np.broadcast_to(overall, (12, *overall.shape)).copy()
    for one in months if count.min() >= 2 else ():
        chosen, present = target[month == one], known[month == one]
        total = np.where(present, chosen, 0).sum(axis=0, dtype=np.float64)
        means[one] = np.where(present.any(axis=0), total / np.maximum(present.sum(axis=0), 1), overall)
    return lambda month: means[month].astype(np.float32)


def _days(times: pd.DatetimeIndex | np.ndarray) -> np.ndarray:
    if isinstance(times, pd.DatetimeIndex):
        return np.asarray((times - pd.Timestamp("2000-01-01")) / pd.Timedelta(days=1), dtype=np.float64)
    return times
