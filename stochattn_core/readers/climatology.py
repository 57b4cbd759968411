"""The climatology of gridded fields: what the calendar alone would forecast."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

YEAR = 365.2425  # days


def fit_climatology(target: np.ndarray, valid_time: pd.DatetimeIndex) -> Callable[[pd.DatetimeIndex], np.ndarray]:
    """Fit the mean of the training targets and, where they span most of a year, its harmonics (two of the year, two of the day).

    target: (time, latitude, longitude), NaN where missing.   Returns a function from valid times to fields (time, latitude, longitude)
    float32. Fitted by least squares in each cell; a missing value counts as the mean of its cell.
    """
    span = (valid_time.max() - valid_time.min()) / pd.Timedelta(days=1)
    yearly = span > 330 and len(valid_time) > 60
    daily = yearly and len(np.unique(valid_time.hour)) >= 4

    def terms(times: pd.DatetimeIndex) -> np.ndarray:
        day = np.asarray((times - pd.Timestamp("2000-01-01")) / pd.Timedelta(days=1), dtype=np.float64)
        columns = [np.ones_like(day)]
        for cycle, wanted in ((YEAR, yearly), (1.0, daily)):
            # Four times a day cannot tell the sine of the second harmonic of the day from 0: it has its cosine only.
            for harmonic in (1, 2) if wanted else ():
                columns += [np.cos(2 * np.pi * harmonic * day / cycle)]
                columns += [] if cycle == 1.0 and harmonic == 2 else [np.sin(2 * np.pi * harmonic * day / cycle)]
        return np.stack(columns, axis=1)

    flat = target.reshape(len(target), -1).astype(np.float64)
    known = np.isfinite(flat)
    mean = np.where(known, flat, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    coefficient = np.linalg.lstsq(terms(valid_time), np.where(known, flat - mean, 0), rcond=None)[0]
    coefficient[0] += mean
    return lambda times: (terms(times) @ coefficient).reshape(len(times), *target.shape[1:]).astype(np.float32)
