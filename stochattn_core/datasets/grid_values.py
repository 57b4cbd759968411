"""The numbers of gridded fields: whether they are what their units say, what is missing, and what a calendar alone would forecast."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from stochattn_core.datasets.csv_columns import SENTINELS, without_sentinels

MAX_MISSING = 0.2
YEAR = 365.2425  # days
# Half of all air or sea temperatures lie within these, wherever on Earth: (degC, K).
TEMPERATURES = {"degC": (-100.0, 100.0, "kelvin"), "K": (150.0, 400.0, "degrees Celsius")}


def checked(values: np.ndarray, name: str, units: str, file: str) -> tuple[np.ndarray, list[str]]:
    """(time, latitude, longitude) as float32 with NaN where missing, and notes; a ValueError where nothing can be made of it."""
    values, notes = values.astype(np.float32), []
    # A code lies far outside everything else, so it, or another one, is the least or the greatest value.
    if np.isin([np.nanmin(values, initial=np.inf), np.nanmax(values, initial=-np.inf)], np.float32(SENTINELS)).any():
        values, notes = without_sentinels(values, name)
    values = np.where(np.abs(values) > 1e30, np.nan, values).astype(np.float32)  # fill values, and infinity
    finite = np.isfinite(values)
    if not finite.any():
        raise ValueError(f"expected numbers in {name!r} of {file!r}, every value is missing; choose another variable or file")
    if units in TEMPERATURES:
        low, high, other = TEMPERATURES[units]
        middle = float(np.median(values[finite][:: 1 + finite.sum() // 1_000_000]))
        if not low < middle < high:
            raise ValueError(
                f"expected temperatures in {units} as the units of {name!r} in {file!r} say, got values around {middle:.0f}, which look like "
                f"{other}; correct the units or the values"
            )
    if float(values[finite].min()) == float(values[finite].max()):
        raise ValueError(f"expected a field that varies, {name!r} in {file!r} is {values[finite][0]:g} everywhere; choose another variable")
    ever = finite.any(axis=0)  # a cell without any value is land to an ocean field: no gap
    shown = finite.any(axis=(1, 2))
    share = 1 - float(finite[shown][:, ever].mean())
    if share > MAX_MISSING:
        raise ValueError(
            f"expected at most {MAX_MISSING:.0%} of {name!r} in {file!r} to be missing where there are values at all, got {share:.0%}; fill the gaps, or "
            "bring a stretch without them"
        )
    if not ever.all():
        notes.append(f"{int((~ever).sum())} of {ever.size} cells of {name!r} never have a value and are not scored")
    if share > 0:
        notes.append(
            f"{share:.2%} of {name!r} are missing: the mean of the cell stands in where they are given, and none of them is scored"
        )
    return values, notes


def filled(values: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """(time, variable, latitude, longitude) without NaN: the mean of the cell over the training starts, or of all cells."""
    missing = ~np.isfinite(values)
    if not missing.any():
        return values, []
    some = values[train].astype(np.float64)
    count = np.isfinite(some).sum(axis=0)
    total = np.where(np.isfinite(some), some, 0).sum(axis=0)
    overall = total.sum(axis=(1, 2)) / np.maximum(count.sum(axis=(1, 2)), 1)
    mean = np.where(count > 0, total / np.maximum(count, 1), overall[:, None, None])
    return np.where(missing, mean, values).astype(np.float32), []


def climatology_of(target: np.ndarray, valid_time: pd.DatetimeIndex) -> Callable[[pd.DatetimeIndex], np.ndarray]:
    """Mean of the training targets and, where they span most of a year, its harmonics (two of the year, two of the day).

    Least squares at each cell; missing values count as their cell's mean. The answer maps valid times to (time,
    latitude, longitude) float32.
    """
    span = (valid_time.max() - valid_time.min()) / pd.Timedelta(days=1)
    yearly = span > 330 and len(valid_time) > 60
    daily = yearly and len(np.unique(valid_time.hour)) >= 4

    def terms(when: pd.DatetimeIndex) -> np.ndarray:
        day = np.asarray((when - pd.Timestamp("2000-01-01")) / pd.Timedelta(days=1), dtype=np.float64)
        columns = [np.ones_like(day)]
        for cycle, wanted in ((YEAR, yearly), (1.0, daily)):
            # The second harmonic of a day sampled four times cannot be told from its mirror image: cosine only.
            for harmonic in (1, 2) if wanted else ():
                columns += [np.cos(2 * np.pi * harmonic * day / cycle)]
                columns += [] if cycle == 1.0 and harmonic == 2 else [np.sin(2 * np.pi * harmonic * day / cycle)]
        return np.stack(columns, axis=1)

    flat = target.reshape(len(target), -1).astype(np.float64)
    known = np.isfinite(flat)
    mean = np.where(known, flat, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    coefficient = np.linalg.lstsq(terms(valid_time), np.where(known, flat - mean, 0), rcond=None)[0]
    coefficient[0] += mean
    return lambda when: (terms(when) @ coefficient).reshape(len(when), *target.shape[1:]).astype(np.float32)
